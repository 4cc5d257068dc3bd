-- Questions that nobody wants to map: they are left out of the inbox of unmapped questions.
CREATE TABLE dismissed_questions (
    form_id TEXT NOT NULL REFERENCES lead_forms (id) ON DELETE CASCADE,
    question_id BIGINT NOT NULL,
    dismissed_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    dismissed_at TIMESTAMP NOT NULL,
    PRIMARY KEY (form_id, question_id)
);

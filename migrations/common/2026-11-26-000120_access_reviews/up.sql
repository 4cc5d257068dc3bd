-- Who has access to LinkedIn was looked through by an Administrator: when, and how many people that were. Only ever appended
-- to: migrations/sqlite/access_reviews.sql and migrations/postgres/access_reviews.sql.
CREATE TABLE access_reviews (
    id TEXT NOT NULL PRIMARY KEY,
    created_at TIMESTAMP NOT NULL,
    reviewer_id TEXT NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    reviewer_name TEXT NOT NULL,
    note TEXT NOT NULL,
    setting TEXT NOT NULL CHECK (setting IN ('yes', 'selected_group', 'no')),
    allowed_people BIGINT NOT NULL CHECK (allowed_people >= 0),
    consented_people BIGINT NOT NULL CHECK (consented_people >= 0)
);
CREATE INDEX access_reviews_created_at ON access_reviews (created_at, id);

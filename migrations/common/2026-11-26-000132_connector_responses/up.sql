-- Responses that Microsoft's connector handled and whose submission was brought along: the sync takes LinkedIn's text of them
-- once and decides nothing again.
CREATE TABLE connector_responses (
    response_id TEXT NOT NULL PRIMARY KEY,
    is_adopted BOOLEAN NOT NULL,
    brought_at TIMESTAMP NOT NULL
);

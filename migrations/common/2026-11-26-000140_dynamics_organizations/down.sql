DROP TABLE dataverse_organizations;
DELETE FROM organizations WHERE kind <> 'built_in';
ALTER TABLE organizations DROP COLUMN kind;
ALTER TABLE organizations ADD COLUMN kind TEXT NOT NULL DEFAULT 'built_in' CHECK (kind IN ('built_in'));

-- Keeps submission_counts and campaign_lead_counts. Run after every migration; does nothing when it is there: what was stored
-- before is counted in the transaction that makes the triggers, which keeps writers out meanwhile. Rows are taken in the
-- order of their key, so that two transactions wait for each other instead of dying of it.

CREATE OR REPLACE FUNCTION count_submissions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO submission_counts AS c (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test, submissions)
        SELECT n.account_id, coalesce(n.form_id, ''), coalesce(n.campaign_id, ''), n.matching_status, n.processing_state, n.is_test, coalesce(n.reason = 'test_lead_ignored', FALSE), count(*)
        FROM new_rows n GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test)
        DO UPDATE SET submissions = c.submissions + excluded.submissions;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO submission_counts AS c (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test, submissions)
        SELECT o.account_id, coalesce(o.form_id, ''), coalesce(o.campaign_id, ''), o.matching_status, o.processing_state, o.is_test, coalesce(o.reason = 'test_lead_ignored', FALSE), -count(*)
        FROM old_rows o GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test)
        DO UPDATE SET submissions = c.submissions + excluded.submissions;
    ELSE
        INSERT INTO submission_counts AS c (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test, submissions)
        SELECT k.account_id, k.form_id, k.campaign_id, k.matching_status, k.processing_state, k.is_test, k.is_ignored_test, sum(k.change)
        FROM (
            SELECT o.account_id, coalesce(o.form_id, '') AS form_id, coalesce(o.campaign_id, '') AS campaign_id, o.matching_status,
                   o.processing_state, o.is_test, coalesce(o.reason = 'test_lead_ignored', FALSE) AS is_ignored_test, -1 AS change
            FROM old_rows o
            UNION ALL
            SELECT n.account_id, coalesce(n.form_id, ''), coalesce(n.campaign_id, ''), n.matching_status, n.processing_state, n.is_test, coalesce(n.reason = 'test_lead_ignored', FALSE), 1
            FROM new_rows n
        ) AS k GROUP BY 1, 2, 3, 4, 5, 6, 7 HAVING sum(k.change) <> 0 ORDER BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test)
        DO UPDATE SET submissions = c.submissions + excluded.submissions;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION count_campaign_leads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO campaign_lead_counts AS c (campaign_id, leads)
        SELECT n.campaign_id, count(*) FROM new_rows n WHERE n.campaign_id IS NOT NULL GROUP BY 1 ORDER BY 1
        ON CONFLICT (campaign_id) DO UPDATE SET leads = c.leads + excluded.leads;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO campaign_lead_counts AS c (campaign_id, leads)
        SELECT o.campaign_id, -count(*) FROM old_rows o WHERE o.campaign_id IS NOT NULL GROUP BY 1 ORDER BY 1
        ON CONFLICT (campaign_id) DO UPDATE SET leads = c.leads + excluded.leads;
    ELSE
        INSERT INTO campaign_lead_counts AS c (campaign_id, leads)
        SELECT k.campaign_id, sum(k.change)
        FROM (SELECT o.campaign_id, -1 AS change FROM old_rows o UNION ALL SELECT n.campaign_id, 1 FROM new_rows n) AS k
        WHERE k.campaign_id IS NOT NULL GROUP BY 1 HAVING sum(k.change) <> 0 ORDER BY 1
        ON CONFLICT (campaign_id) DO UPDATE SET leads = c.leads + excluded.leads;
    END IF;
    RETURN NULL;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = 'submission_counts_inserted' AND tgrelid = 'form_submissions'::regclass) THEN
        CREATE TRIGGER submission_counts_inserted AFTER INSERT ON form_submissions
            REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_submissions();
        CREATE TRIGGER submission_counts_changed AFTER UPDATE ON form_submissions
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_submissions();
        CREATE TRIGGER submission_counts_deleted AFTER DELETE ON form_submissions
            REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_submissions();
        CREATE TRIGGER campaign_lead_counts_inserted AFTER INSERT ON lead_origins
            REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_campaign_leads();
        CREATE TRIGGER campaign_lead_counts_changed AFTER UPDATE ON lead_origins
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_campaign_leads();
        CREATE TRIGGER campaign_lead_counts_deleted AFTER DELETE ON lead_origins
            REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_campaign_leads();
    END IF;
    IF NOT EXISTS (SELECT 1 FROM submission_counts) THEN
        LOCK TABLE form_submissions, lead_origins IN SHARE ROW EXCLUSIVE MODE;
        INSERT INTO submission_counts (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test, submissions)
        SELECT s.account_id, coalesce(s.form_id, ''), coalesce(s.campaign_id, ''), s.matching_status, s.processing_state, s.is_test, coalesce(s.reason = 'test_lead_ignored', FALSE), count(*)
        FROM form_submissions s GROUP BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT DO NOTHING;
        INSERT INTO campaign_lead_counts (campaign_id, leads)
        SELECT o.campaign_id, count(*) FROM lead_origins o WHERE o.campaign_id IS NOT NULL GROUP BY 1
        ON CONFLICT DO NOTHING;
    END IF;
END $$;

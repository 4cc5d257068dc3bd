-- Keeps submission_counts and campaign_lead_counts. Run after every migration; does nothing when it is there: what was stored
-- before is counted, while the tables are empty, in the transaction that makes the triggers.

INSERT INTO submission_counts (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test, submissions)
SELECT s.account_id, coalesce(s.form_id, ''), coalesce(s.campaign_id, ''), s.matching_status, s.processing_state, s.is_test, coalesce(s.reason = 'test_lead_ignored', FALSE), count(*) FROM form_submissions s
WHERE NOT EXISTS (SELECT 1 FROM submission_counts)
GROUP BY 1, 2, 3, 4, 5, 6, 7;
CREATE TRIGGER IF NOT EXISTS submission_counts_inserted AFTER INSERT ON form_submissions BEGIN
    INSERT INTO submission_counts (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test, submissions)
    VALUES (new.account_id, coalesce(new.form_id, ''), coalesce(new.campaign_id, ''), new.matching_status, new.processing_state, new.is_test, coalesce(new.reason = 'test_lead_ignored', FALSE), 1)
    ON CONFLICT (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test)
    DO UPDATE SET submissions = submissions + excluded.submissions;
END;
CREATE TRIGGER IF NOT EXISTS submission_counts_changed AFTER UPDATE OF account_id, form_id, campaign_id, matching_status, processing_state, is_test, reason ON form_submissions
WHEN old.account_id IS NOT new.account_id OR old.form_id IS NOT new.form_id OR old.campaign_id IS NOT new.campaign_id OR old.matching_status IS NOT new.matching_status OR old.processing_state IS NOT new.processing_state OR old.is_test IS NOT new.is_test OR old.reason IS NOT new.reason BEGIN
    INSERT INTO submission_counts (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test, submissions)
    VALUES (old.account_id, coalesce(old.form_id, ''), coalesce(old.campaign_id, ''), old.matching_status, old.processing_state, old.is_test, coalesce(old.reason = 'test_lead_ignored', FALSE), -1)
    ON CONFLICT (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test)
    DO UPDATE SET submissions = submissions + excluded.submissions;
    INSERT INTO submission_counts (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test, submissions)
    VALUES (new.account_id, coalesce(new.form_id, ''), coalesce(new.campaign_id, ''), new.matching_status, new.processing_state, new.is_test, coalesce(new.reason = 'test_lead_ignored', FALSE), 1)
    ON CONFLICT (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test)
    DO UPDATE SET submissions = submissions + excluded.submissions;
END;
CREATE TRIGGER IF NOT EXISTS submission_counts_deleted AFTER DELETE ON form_submissions BEGIN
    INSERT INTO submission_counts (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test, submissions)
    VALUES (old.account_id, coalesce(old.form_id, ''), coalesce(old.campaign_id, ''), old.matching_status, old.processing_state, old.is_test, coalesce(old.reason = 'test_lead_ignored', FALSE), -1)
    ON CONFLICT (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test)
    DO UPDATE SET submissions = submissions + excluded.submissions;
END;

INSERT INTO campaign_lead_counts (campaign_id, leads)
SELECT o.campaign_id, count(*) FROM lead_origins o
WHERE o.campaign_id IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM campaign_lead_counts)
GROUP BY 1;
CREATE TRIGGER IF NOT EXISTS campaign_lead_counts_inserted AFTER INSERT ON lead_origins WHEN new.campaign_id IS NOT NULL BEGIN
    INSERT INTO campaign_lead_counts (campaign_id, leads) SELECT new.campaign_id, 1 WHERE new.campaign_id IS NOT NULL
    ON CONFLICT (campaign_id) DO UPDATE SET leads = leads + excluded.leads;
END;
CREATE TRIGGER IF NOT EXISTS campaign_lead_counts_changed AFTER UPDATE OF campaign_id ON lead_origins
WHEN old.campaign_id IS NOT new.campaign_id BEGIN
    INSERT INTO campaign_lead_counts (campaign_id, leads) SELECT old.campaign_id, -1 WHERE old.campaign_id IS NOT NULL
    ON CONFLICT (campaign_id) DO UPDATE SET leads = leads + excluded.leads;
    INSERT INTO campaign_lead_counts (campaign_id, leads) SELECT new.campaign_id, 1 WHERE new.campaign_id IS NOT NULL
    ON CONFLICT (campaign_id) DO UPDATE SET leads = leads + excluded.leads;
END;
CREATE TRIGGER IF NOT EXISTS campaign_lead_counts_deleted AFTER DELETE ON lead_origins WHEN old.campaign_id IS NOT NULL BEGIN
    INSERT INTO campaign_lead_counts (campaign_id, leads) SELECT old.campaign_id, -1 WHERE old.campaign_id IS NOT NULL
    ON CONFLICT (campaign_id) DO UPDATE SET leads = leads + excluded.leads;
END;

DROP INDEX sync_runs_status;
DROP INDEX form_submissions_unprocessed_form;
DROP TABLE processes;
DROP TABLE app_credential_checks;
DROP TABLE api_calls;
DROP TABLE synchronization_resets;
DROP TABLE account_pauses;

DROP TABLE sync_runs;
DROP TABLE endpoint_blocks;
DROP TABLE account_streams;

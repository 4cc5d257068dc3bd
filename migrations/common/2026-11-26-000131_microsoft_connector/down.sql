DROP TABLE connector_records;

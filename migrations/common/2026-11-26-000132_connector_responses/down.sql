DROP TABLE connector_responses;

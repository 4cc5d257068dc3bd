DROP TABLE assignment_rules;
DROP TABLE matching_strategy_fields;
DROP TABLE matching_strategies;
DROP TABLE field_mappings;
DROP TABLE integration_settings;

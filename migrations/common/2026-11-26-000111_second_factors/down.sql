DROP TABLE second_factor_roles;
DROP TABLE recovery_codes;
DROP TABLE second_factors;

UPDATE dataverse_organizations SET lead_columns = NULL, columns_read_at = NULL;

-- Columns are kept with the bounds of their numbers and with what they keep of days: they are read anew.
UPDATE dataverse_organizations SET lead_columns = NULL, columns_read_at = NULL;

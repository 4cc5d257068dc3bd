DROP TABLE group_addition_rows;
DROP TABLE group_additions;
DROP TABLE group_members;
DROP TABLE groups;

DROP TABLE dismissed_questions;

//! How many submissions and leads there are, kept by triggers of the database (`migrations/sqlite/counts.sql`,
//! `migrations/postgres/counts.sql`): a page sums a few rows instead of counting a million.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::BigInt;

/// The submissions of a group of `submission_counts`. PostgreSQL answers a sum of BIGINT as NUMERIC, hence the cast.
pub(super) fn counted_submissions() -> SqlLiteral<BigInt> {
    sql("CAST(sum(submission_counts.submissions) AS BIGINT)")
}

//! Reads cells into domain values, and the two query shapes that lists need: bounded counts and word search.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::BigInt;

use super::connection::MultiBackend;
use super::{AnyConn, StoreError};

/// How many rows a list shows on one page.
pub const PAGE_SIZE: i64 = 50;

/// How far a list counts: beyond this it says “1,000+”, because counting a million rows costs more than it tells.
pub const COUNT_LIMIT: i64 = 1_000;

/// Which row a cell belongs to, for the error when the domain does not know what the cell holds.
#[derive(Clone, Copy)]
pub(crate) struct Cells<'a> {
    pub(crate) table: &'static str,
    pub(crate) id: &'a str,
}

impl Cells<'_> {
    /// Parses a cell that must hold a known word, an identifier or the like.
    pub(crate) fn word<T: std::str::FromStr>(
        &self,
        column: &'static str,
        text: &str,
    ) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt(column))
    }

    /// The same for a cell that may be NULL.
    pub(crate) fn optional<T: std::str::FromStr>(
        &self,
        column: &'static str,
        text: Option<&str>,
    ) -> Result<Option<T>, StoreError> {
        text.map(|text| self.word(column, text)).transpose()
    }

    /// Parses a cell that holds JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: &'static str,
        text: &str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|_| self.corrupt(column))
    }

    pub(crate) fn corrupt(&self, column: &'static str) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column,
            id: self.id.to_owned(),
        }
    }
}

/// Parses the identifier of a row.
pub(crate) fn id<T: std::str::FromStr>(table: &'static str, text: &str) -> Result<T, StoreError> {
    Cells { table, id: text }.word("id", text)
}

/// A count that stops at [`COUNT_LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundedCount {
    /// The rows counted, at most [`COUNT_LIMIT`].
    pub rows: i64,
    /// Whether there are more than counted.
    pub is_more: bool,
}

impl BoundedCount {
    /// More than a list counts.
    #[must_use]
    pub const fn beyond_the_limit() -> Self {
        Self {
            rows: COUNT_LIMIT,
            is_more: true,
        }
    }

    /// An exact count.
    #[must_use]
    pub const fn exactly(rows: i64) -> Self {
        Self {
            rows,
            is_more: false,
        }
    }
}

impl std::fmt::Display for BoundedCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = self.rows.to_string();
        let mut text = String::with_capacity(digits.len() + 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        if self.is_more {
            text.push('+');
        }
        f.pad(&text)
    }
}

/// `SELECT count(*) FROM (query)`; the query inside brings its own limit.
#[derive(QueryId)]
struct CountOf<Q>(Q);

impl<Q: QueryFragment<MultiBackend>> QueryFragment<MultiBackend> for CountOf<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        out.push_sql("SELECT count(*) FROM (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(") AS counted");
        Ok(())
    }
}

impl<Q> Query for CountOf<Q> {
    type SqlType = BigInt;
}

impl<Q> RunQueryDsl<AnyConn> for CountOf<Q> {}

/// Counts the rows of a query, which the caller has limited to `COUNT_LIMIT + 1`.
pub(crate) fn bounded_count<Q>(conn: &mut AnyConn, limited: Q) -> Result<BoundedCount, StoreError>
where
    Q: QueryFragment<MultiBackend> + QueryId,
{
    let rows: i64 = CountOf(limited).get_result(conn)?;
    Ok(BoundedCount {
        rows: rows.min(COUNT_LIMIT),
        is_more: rows > COUNT_LIMIT,
    })
}

/// The words of a search text as `LIKE` patterns (escape character `\`), lower-cased; at most eight words.
pub(crate) fn search_patterns(text: &str) -> Vec<String> {
    text.split_whitespace()
        .take(8)
        .map(|word| {
            let mut pattern = String::with_capacity(word.len() + 2);
            pattern.push('%');
            for character in word.to_lowercase().chars() {
                if matches!(character, '%' | '_' | '\\') {
                    pattern.push('\\');
                }
                pattern.push(character);
            }
            pattern.push('%');
            pattern
        })
        .collect()
}

diesel::define_sql_function! {
    /// SQL's `lower`: ASCII letters only on SQLite, by the locale on PostgreSQL.
    fn lower(text: diesel::sql_types::Nullable<diesel::sql_types::Text>) -> diesel::sql_types::Nullable<diesel::sql_types::Text>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_count_says_where_it_stopped() {
        assert_eq!(BoundedCount::exactly(7).to_string(), "7");
        assert_eq!(
            BoundedCount {
                rows: 1_000,
                is_more: true
            }
            .to_string(),
            "1,000+"
        );
        assert_eq!(BoundedCount::exactly(1_234_567).to_string(), "1,234,567");
    }

    #[test]
    fn search_words_are_taken_literally() {
        assert_eq!(
            search_patterns(" Ada  100%_\\ "),
            ["%ada%", "%100\\%\\_\\\\%"]
        );
        assert!(search_patterns("  ").is_empty());
    }
}

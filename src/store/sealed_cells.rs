//! Every column that holds what the secret key sealed, in one list, so that a rotation forgets none; a store test compares
//! the list with the schema.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};

use super::{AnyConn, StoreError};
use crate::each;

/// A column of sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedColumn {
    /// The table it stands in.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The primary key of the table: one column of text.
    pub id: &'static str,
    /// The column with the name of the table for which a value was sealed; `None`: the one it stands in.
    pub bound_table: Option<&'static str>,
    /// The column with the row for which a value was sealed.
    pub bound_row: &'static str,
}

const fn of_profile(table: &'static str, column: &'static str) -> SealedColumn {
    SealedColumn {
        table,
        column,
        id: "profile_id",
        bound_table: None,
        bound_row: "profile_id",
    }
}

const fn revoked(column: &'static str) -> SealedColumn {
    SealedColumn {
        table: "token_revocations",
        column,
        id: "id",
        // A token that waits to be revoked is still sealed for the place it was taken from.
        bound_table: Some("source_table"),
        bound_row: "profile_id",
    }
}

const fn of_webhook(column: &'static str) -> SealedColumn {
    SealedColumn {
        table: "webhooks",
        column,
        id: "id",
        bound_table: None,
        bound_row: "id",
    }
}

/// Every sealed column. Whoever adds one to the schema adds it here.
pub const COLUMNS: &[SealedColumn] = &[
    of_profile("linkedin_tokens", "access_token"),
    of_profile("linkedin_tokens", "refresh_token"),
    of_profile("pending_authorizations", "access_token"),
    of_profile("pending_authorizations", "refresh_token"),
    revoked("access_token"),
    revoked("refresh_token"),
    of_webhook("secret"),
    of_webhook("previous_secret"),
    SealedColumn {
        table: "dataverse_organizations",
        column: "credential",
        id: "organization_id",
        bound_table: None,
        bound_row: "organization_id",
    },
    SealedColumn {
        table: "second_factors",
        column: "secret",
        id: "user_id",
        bound_table: None,
        bound_row: "user_id",
    },
    SealedColumn {
        table: "mails",
        column: "link",
        id: "id",
        bound_table: None,
        bound_row: "id",
    },
    SealedColumn {
        table: "signing_roots",
        column: "root_sealed",
        id: "name",
        bound_table: None,
        bound_row: "name",
    },
];

/// One sealed value and where it belongs.
#[derive(Debug, Clone, QueryableByName)]
pub struct SealedCell {
    /// Primary key of its row.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// The table for which it was sealed.
    #[diesel(sql_type = Text)]
    pub bound_table: String,
    /// The row for which it was sealed.
    #[diesel(sql_type = Text)]
    pub bound_row: String,
    /// The sealed value.
    #[diesel(sql_type = Binary)]
    pub sealed: Vec<u8>,
}

/// The next values of a column that begin with `prefix`, by primary key from behind `after` on.
///
/// # Errors
/// As any query.
pub fn sealed_with(
    conn: &mut AnyConn,
    of: SealedColumn,
    prefix: &[u8],
    after: &str,
    limit: u32,
) -> Result<Vec<SealedCell>, StoreError> {
    let SealedColumn {
        table,
        column,
        id,
        bound_table,
        bound_row,
    } = of;
    let bound_table = bound_table.map_or_else(|| format!("CAST('{table}' AS TEXT)"), str::to_owned);
    let query = format!(
        "SELECT {id} AS id, {bound_table} AS bound_table, {bound_row} AS bound_row, {column} AS sealed \
         FROM {table} WHERE substr({column}, 1, {length}) = $1 AND {id} > $2 ORDER BY {id} LIMIT {limit}",
        length = prefix.len()
    );
    Ok(each!(conn, |c| diesel::sql_query(query)
        .bind::<Binary, _>(prefix)
        .bind::<Text, _>(after)
        .load(c)?))
}

/// Puts a value that was sealed anew into the place of the one that was read, unless somebody replaced that meanwhile;
/// whether it did.
///
/// # Errors
/// As any query.
pub fn replace(
    conn: &mut AnyConn,
    of: SealedColumn,
    cell: &SealedCell,
    sealed: &[u8],
) -> Result<bool, StoreError> {
    let SealedColumn {
        table, column, id, ..
    } = of;
    let statement = format!("UPDATE {table} SET {column} = $1 WHERE {id} = $2 AND {column} = $3");
    let changed = each!(conn, |c| diesel::sql_query(statement)
        .bind::<Binary, _>(sealed)
        .bind::<Text, _>(&cell.id)
        .bind::<Binary, _>(&cell.sealed)
        .execute(c)?);
    Ok(changed == 1)
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Binary)]
    prefix: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    cells: i64,
}

/// How many values there are for each beginning of `length` bytes, all columns together.
///
/// # Errors
/// As any query.
pub fn counts(conn: &mut AnyConn, length: usize) -> Result<BTreeMap<Vec<u8>, i64>, StoreError> {
    let mut counts = BTreeMap::new();
    for SealedColumn { table, column, .. } in COLUMNS {
        let query = format!(
            "SELECT substr({column}, 1, {length}) AS prefix, count(*) AS cells FROM {table} \
             WHERE {column} IS NOT NULL GROUP BY 1"
        );
        let rows: Vec<Counted> = each!(conn, |c| diesel::sql_query(query).load(c)?);
        for row in rows {
            *counts.entry(row.prefix).or_insert(0) += row.cells;
        }
    }
    Ok(counts)
}

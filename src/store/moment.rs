//! A time on its way into a row and out of it. Diesel writes times to SQLite through a general format, which cost more than
//! finding the row's place; here the same text is put together digit by digit.

use chrono::{Datelike as _, NaiveDateTime, Timelike as _};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Timestamp;
use diesel::sqlite::Sqlite;

/// A time in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamp)]
pub(super) struct Moment(pub(super) NaiveDateTime);

impl<DB: Backend> FromSql<Timestamp, DB> for Moment
where
    NaiveDateTime: FromSql<Timestamp, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        NaiveDateTime::from_sql(bytes).map(Self)
    }
}

impl ToSql<Timestamp, Pg> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamp, Pg>::to_sql(&self.0, out)
    }
}

impl ToSql<Timestamp, Sqlite> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        let at = &self.0;
        let (Ok(year @ 0..=9_999), nanoseconds @ 0..1_000_000_000) =
            (u32::try_from(at.year()), at.nanosecond())
        else {
            // Beyond four digits, or a leap second: as Diesel writes them.
            return ToSql::<Timestamp, Sqlite>::to_sql(at, out);
        };
        let mut text = String::with_capacity(29);
        digits(&mut text, year, 1_000);
        for (separator, number) in [
            ('-', at.month()),
            ('-', at.day()),
            (' ', at.hour()),
            (':', at.minute()),
            (':', at.second()),
        ] {
            text.push(separator);
            digits(&mut text, number, 10);
        }
        // No fraction, or one of three, six or nine digits, like Diesel's `%.f`.
        if nanoseconds != 0 {
            text.push('.');
            if nanoseconds.is_multiple_of(1_000_000) {
                digits(&mut text, nanoseconds / 1_000_000, 100);
            } else if nanoseconds.is_multiple_of(1_000) {
                digits(&mut text, nanoseconds / 1_000, 100_000);
            } else {
                digits(&mut text, nanoseconds, 100_000_000);
            }
        }
        out.set_value(text);
        Ok(IsNull::No)
    }
}

/// Appends a number with leading zeros; `place` is the value of its first digit.
fn digits(text: &mut String, number: u32, mut place: u32) {
    while place > 0 {
        text.push(char::from_digit(number / place % 10, 10).unwrap_or('0'));
        place /= 10;
    }
}

#[cfg(test)]
mod tests {
    use diesel::prelude::*;
    use diesel::sql_types::Text;

    use super::*;

    #[test]
    fn a_time_is_written_as_diesel_writes_it() {
        let mut conn = SqliteConnection::establish(":memory:").expect("SQLite");
        for text in [
            "2026-11-21T09:00:00",
            "2026-01-02T03:04:05.7",
            "2026-12-31T23:59:59.000001",
            "0001-02-03T00:00:00.000000001",
            "1969-12-31T23:59:59.120",
            "2016-12-31T23:59:60.5",
        ] {
            let at: NaiveDateTime = text.parse().expect(text);
            let (ours, diesels): (String, String) = diesel::select((
                diesel::dsl::sql::<Text>("CAST(")
                    .bind::<Timestamp, _>(Moment(at))
                    .sql(" AS TEXT)"),
                diesel::dsl::sql::<Text>("CAST(")
                    .bind::<Timestamp, _>(at)
                    .sql(" AS TEXT)"),
            ))
            .get_result(&mut conn)
            .expect(text);
            assert_eq!(ours, diesels, "{text}");
        }
    }
}

//! Keyset paging: a list is cut at the (time, id) of its first and last row, so that page one thousand costs what page one costs.

use chrono::{DateTime, Utc};

use super::columns::PAGE_SIZE;

/// A place in a list that is sorted by time and identifier, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Time of the row.
    pub at: DateTime<Utc>,
    /// Identifier of the row.
    pub id: String,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.at.timestamp_micros(), self.id)
    }
}

/// Text that is no place in a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a list")]
pub struct InvalidCursor;

impl std::str::FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (micros, id) = text.split_once('.').ok_or(InvalidCursor)?;
        let at = micros
            .parse()
            .ok()
            .and_then(DateTime::from_timestamp_micros)
            // PostgreSQL's timestamps end where chrono's do not; nothing of ours lies outside of these.
            .filter(|at| (0..=253_402_300_799).contains(&at.timestamp()))
            .ok_or(InvalidCursor)?;
        let id = uuid::Uuid::try_parse(id).map_err(|_| InvalidCursor)?;
        Ok(Self {
            at,
            id: id.hyphenated().to_string(),
        })
    }
}

impl<'de> serde::Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PageStart {
    /// The newest rows.
    #[default]
    Newest,
    /// Rows older than this one.
    After(Cursor),
    /// Rows newer than this one, next to it.
    Before(Cursor),
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// At most [`PAGE_SIZE`] rows, newest first.
    pub rows: Vec<T>,
    /// Where the page with newer rows ends, if there is one.
    pub newer: Option<Cursor>,
    /// Where the page with older rows begins, if there is one.
    pub older: Option<Cursor>,
}

impl<T> Page<T> {
    /// Cuts a page out of what a query gave: up to `PAGE_SIZE + 1` rows, in ascending order for `Before`.
    pub(crate) fn cut(rows: Vec<T>, start: &PageStart, cursor: impl Fn(&T) -> Cursor) -> Self {
        Self::cut_at(PAGE_SIZE, rows, start, cursor)
    }

    /// The same for pages of another size: the query gave up to `size + 1` rows.
    pub(crate) fn cut_at(
        size: i64,
        mut rows: Vec<T>,
        start: &PageStart,
        cursor: impl Fn(&T) -> Cursor,
    ) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let is_more = rows.len() > size;
        rows.truncate(size);
        let is_before = matches!(start, PageStart::Before(_));
        if is_before {
            rows.reverse();
        }
        let (has_newer, has_older) = match start {
            PageStart::Newest => (false, is_more),
            PageStart::After(_) => (true, is_more),
            PageStart::Before(_) => (is_more, true),
        };
        Self {
            newer: rows.first().filter(|_| has_newer).map(&cursor),
            older: rows.last().filter(|_| has_older).map(&cursor),
            rows,
        }
    }

    /// The exact number of rows, where the first page holds them all.
    pub(crate) fn known_count(&self, start: &PageStart) -> Option<i64> {
        (*start == PageStart::Newest && self.older.is_none())
            .then(|| i64::try_from(self.rows.len()).unwrap_or(i64::MAX))
    }
}

/// Sorts a boxed query newest first, begins it at a [`PageStart`] and limits it to one row more than a page.
///
/// The time is compared alone first, so that the index on (time, id) finds the place.
macro_rules! keyset {
    ($query:ident, $start:expr, $at:expr, $id:expr) => {
        $query = match $start {
            $crate::store::paging::PageStart::Newest => $query.order(($at.desc(), $id.desc())),
            $crate::store::paging::PageStart::After(cursor) => {
                let at = cursor.at.naive_utc();
                $query
                    .filter($at.le(at))
                    .filter($at.lt(at).or($id.lt(cursor.id.clone())))
                    .order(($at.desc(), $id.desc()))
            }
            $crate::store::paging::PageStart::Before(cursor) => {
                let at = cursor.at.naive_utc();
                $query
                    .filter($at.ge(at))
                    .filter($at.gt(at).or($id.gt(cursor.id.clone())))
                    .order(($at.asc(), $id.asc()))
            }
        }
        .limit($crate::store::columns::PAGE_SIZE + 1);
    };
}
pub(crate) use keyset;

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(n: i64) -> Cursor {
        Cursor {
            at: DateTime::from_timestamp_micros(n).unwrap(),
            id: uuid::Uuid::from_u128(u128::from(n.unsigned_abs())).to_string(),
        }
    }

    #[test]
    fn a_cursor_survives_its_text_and_nonsense_is_refused() {
        let place = cursor(1_789_894_599_288_001);
        assert_eq!(place.to_string().parse(), Ok(place));
        for bad in [
            "",
            ".",
            "1",
            "x.y",
            "1.x",
            "-5.00000000-0000-0000-0000-000000000001",
            "999999999999999999.00000000-0000-0000-0000-000000000001",
            "1;DROP.1",
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(InvalidCursor), "{bad}");
        }
    }

    #[test]
    fn pages_know_their_neighbours() {
        let all: Vec<i64> = (1..=PAGE_SIZE + 1).rev().collect();
        let first = Page::cut(all.clone(), &PageStart::Newest, |n| cursor(*n));
        assert_eq!(
            (first.newer.is_some(), first.older),
            (false, Some(cursor(2)))
        );
        let second = Page::cut(vec![1], &PageStart::After(cursor(2)), |n| cursor(*n));
        assert_eq!((second.newer, second.older), (Some(cursor(1)), None));
        let back = Page::cut(
            (2..=PAGE_SIZE + 1).collect(),
            &PageStart::Before(cursor(1)),
            |n| cursor(*n),
        );
        assert_eq!(back.rows.first(), Some(&(PAGE_SIZE + 1)));
        assert_eq!((back.newer, back.older), (None, Some(cursor(2))));
        assert_eq!(
            Page::cut(vec![1, 2], &PageStart::Newest, |n| cursor(*n))
                .known_count(&PageStart::Newest),
            Some(2)
        );
    }
}

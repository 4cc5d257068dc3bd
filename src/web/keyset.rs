//! Lists that are cut by time and identifier: the place comes from the URL, and the links keep the filter.

use crate::store::columns::BoundedCount;
use crate::store::paging::{Cursor, Page, PageStart};

/// Links to newer and older rows, and what the list says about itself.
#[derive(Debug, Clone)]
pub struct KeysetPager {
    /// How many rows pass the filter.
    pub count: Option<BoundedCount>,
    path: String,
    filter: Vec<(String, String)>,
    newer: Option<Cursor>,
    older: Option<Cursor>,
    is_first: bool,
}

impl KeysetPager {
    /// For the list at `path`. `filter` is what the links must keep; empty values are left out.
    #[must_use]
    pub fn new(path: &str, filter: &[(&str, &str)], start: &PageStart) -> Self {
        Self {
            count: None,
            path: path.to_owned(),
            filter: filter
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            newer: None,
            older: None,
            is_first: *start == PageStart::Newest,
        }
    }

    /// Takes the rows of a page and notes its neighbours.
    pub fn take<T>(&mut self, page: Page<T>) -> Vec<T> {
        self.newer = page.newer;
        self.older = page.older;
        page.rows
    }

    fn link(&self, place: Option<(&str, &Cursor)>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.filter);
        if let Some((name, cursor)) = place {
            query.append_pair(name, &cursor.to_string());
        }
        let query = query.finish();
        if query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{query}", self.path)
        }
    }

    /// The page with newer rows.
    #[must_use]
    pub fn newer(&self) -> Option<String> {
        self.newer
            .as_ref()
            .map(|cursor| self.link(Some(("before", cursor))))
    }

    /// The page with older rows.
    #[must_use]
    pub fn older(&self) -> Option<String> {
        self.older
            .as_ref()
            .map(|cursor| self.link(Some(("after", cursor))))
    }

    /// The first page, unless this is it.
    #[must_use]
    pub fn newest(&self) -> Option<String> {
        (!self.is_first).then(|| self.link(None))
    }

    /// Whether a filter is set: an empty list then says something else.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        !self.filter.is_empty()
    }

    /// Another page of the same records, with the same filter: an export, say.
    #[must_use]
    pub fn with_filter(&self, path: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.filter);
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// The list without a filter.
    #[must_use]
    pub fn unfiltered(&self) -> &str {
        &self.path
    }
}

/// The place in a list that the query parameters `after` and `before` name; `after` wins.
#[must_use]
pub fn start(after: Option<Cursor>, before: Option<Cursor>) -> PageStart {
    match (after, before) {
        (Some(cursor), _) => PageStart::After(cursor),
        (None, Some(cursor)) => PageStart::Before(cursor),
        (None, None) => PageStart::Newest,
    }
}

/// A day in a filter; years outside of 1970 to 9998 are refused, because no database could compare with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterDay(pub chrono::NaiveDate);

impl<'de> serde::Deserialize<'de> for FilterDay {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use chrono::Datelike as _;
        let day = chrono::NaiveDate::deserialize(deserializer)?;
        if (1970..=9998).contains(&day.year()) {
            Ok(Self(day))
        } else {
            Err(serde::de::Error::custom("a day out of range"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn links_keep_the_filter_and_name_the_place() {
        let cursor = Cursor {
            at: DateTime::from_timestamp_micros(5).unwrap(),
            id: "00000000-0000-7000-8000-000000000001".to_owned(),
        };
        let mut pager = KeysetPager::new(
            "/leads",
            &[("q", "a&b"), ("status", "")],
            &PageStart::Newest,
        );
        let rows = pager.take(Page {
            rows: vec![1],
            newer: None,
            older: Some(cursor),
        });
        assert_eq!((rows.len(), pager.newer(), pager.newest()), (1, None, None));
        assert_eq!(
            pager.older().as_deref(),
            Some("/leads?q=a%26b&after=5.00000000-0000-7000-8000-000000000001")
        );
        assert!(pager.is_filtered());
        assert!(serde_json::from_str::<FilterDay>("\"2026-02-30\"").is_err());
        assert!(serde_json::from_str::<FilterDay>("\"+12026-01-01\"").is_err());
    }
}

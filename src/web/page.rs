//! Lists page by page: the page number comes from the URL, and the links keep the filter.

use serde::Deserialize;

/// Where in a list somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pager {
    /// The page shown, from 1.
    pub number: u32,
    /// Rows on a page.
    pub size: i64,
    /// Whether there is another page behind this one.
    pub has_next: bool,
    /// The page's path.
    path: String,
    /// The filter as name and value, without the page number.
    filter: Vec<(String, String)>,
}

/// A state of a list's rows, as a link that filters by it.
#[derive(Debug, Clone)]
pub struct StateTab {
    /// What it says.
    pub label: String,
    /// How many rows, when counted; with a plus where the count is bounded.
    pub count: Option<String>,
    /// The list with this filter.
    pub path: String,
    /// Whether the list shows it.
    pub is_current: bool,
}

/// A filter that is set, with the way to take it back.
#[derive(Debug, Clone)]
pub struct Chip {
    /// Which filter.
    pub name: &'static str,
    /// What it is set to.
    pub value: String,
    /// The list without it.
    pub path: String,
}

/// One tab a state with its count, behind one for all. `filter` is what the links keep; `name` is the state's parameter.
#[must_use]
pub fn state_tabs<'a>(
    path: &str,
    name: &str,
    filter: &[(&str, &str)],
    current: &str,
    states: impl Iterator<Item = (&'a str, &'a str, usize)>,
) -> Vec<StateTab> {
    let mut tabs: Vec<StateTab> = states
        .map(|(word, label, count)| {
            let mut pairs = vec![(name, word)];
            pairs.extend_from_slice(filter);
            StateTab {
                label: label.to_owned(),
                count: Some(count.to_string()),
                path: Pager::new(path, None, 1, &pairs).link(1),
                is_current: word == current,
            }
        })
        .collect();
    tabs.insert(
        0,
        StateTab {
            label: "All".to_owned(),
            count: None,
            path: Pager::new(path, None, 1, filter).link(1),
            is_current: current.is_empty(),
        },
    );
    tabs
}

/// The last page that can be asked for: further back, narrow the filter.
const LAST_PAGE: u32 = 2_000;

/// The query parameter `page`, for handlers that flatten nothing else into it.
#[derive(Debug, Default, Deserialize)]
pub struct PageNumber {
    /// From 1.
    pub page: Option<u32>,
}

impl Pager {
    /// For the list at `path`. `filter` is what the links must keep; empty values are left out.
    #[must_use]
    pub fn new(path: &str, page: Option<u32>, size: i64, filter: &[(&str, &str)]) -> Self {
        Self {
            number: page.unwrap_or(1).clamp(1, LAST_PAGE),
            size,
            has_next: false,
            path: path.to_owned(),
            filter: filter
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    /// Rows before this page.
    #[must_use]
    pub fn offset(&self) -> i64 {
        i64::from(self.number - 1) * self.size
    }

    /// How many rows to read: one more than shown, to know whether there is a next page.
    #[must_use]
    pub fn limit(&self) -> i64 {
        self.size + 1
    }

    /// Keeps the rows of this page and notes whether there are more.
    #[must_use]
    pub fn take<T>(&mut self, mut rows: Vec<T>) -> Vec<T> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        self.has_next = rows.len() > size && self.number < LAST_PAGE;
        rows.truncate(size);
        rows
    }

    /// The address of another page with the same filter.
    #[must_use]
    pub fn link(&self, page: u32) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.filter);
        if page > 1 {
            query.append_pair("page", &page.to_string());
        }
        let query = query.finish();
        if query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{query}", self.path)
        }
    }

    /// The address of the page before.
    #[must_use]
    pub fn previous(&self) -> Option<String> {
        (self.number > 1).then(|| self.link(self.number - 1))
    }

    /// The address of the next page.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        self.has_next.then(|| self.link(self.number + 1))
    }

    /// Whether a filter is set: an empty list then says something else.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        !self.filter.is_empty()
    }

    /// The list without a filter.
    #[must_use]
    pub fn unfiltered(&self) -> &str {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_the_filter_and_the_first_page_has_no_number() {
        let mut pager = Pager::new("/leads", Some(2), 2, &[("q", "a&b"), ("status", "")]);
        assert_eq!((pager.offset(), pager.limit()), (2, 3));
        assert_eq!(pager.take(vec![1, 2, 3]), [1, 2]);
        assert_eq!(pager.previous().as_deref(), Some("/leads?q=a%26b"));
        assert_eq!(pager.next().as_deref(), Some("/leads?q=a%26b&page=3"));
        assert_eq!(Pager::new("/leads", Some(0), 2, &[]).number, 1);
        assert_eq!(
            Pager::new("/leads", Some(u32::MAX), 50, &[]).number,
            LAST_PAGE
        );
    }
}

//! The filter of the submissions in the address: every page of the group keeps it, so that a view can be shared and walked through.

use serde::Deserialize;

use crate::domain::ids::{AccountId, CampaignId, FormId, FormVersionId};
use crate::domain::submission::{MatchingStatus, ProcessingState, SubmissionView};
use crate::domain::time_zone::TimeZone;
use crate::store::paging::Cursor;
use crate::store::submissions::SubmissionFilter;
use crate::web::keyset::FilterDay;

/// Rows on a page, unless the address says otherwise.
pub const DEFAULT_SIZE: i64 = 50;

/// How many rows a page may have: the addresses of bulk acts stay short enough.
pub const SIZES: [i64; 3] = [25, 50, 100];

/// Whether test leads are shown.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestChoice {
    /// Only test leads.
    Yes,
    /// Only real ones.
    No,
}

impl TestChoice {
    const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
        }
    }
}

/// The filter, and the place in the list or the page.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct SubmissionsQuery {
    pub(in crate::web) q: Option<String>,
    pub(in crate::web) account: Option<AccountId>,
    pub(in crate::web) form: Option<FormId>,
    pub(in crate::web) version: Option<FormVersionId>,
    pub(in crate::web) campaign: Option<CampaignId>,
    pub(in crate::web) status: Option<MatchingStatus>,
    pub(in crate::web) state: Option<ProcessingState>,
    pub(in crate::web) view: Option<SubmissionView>,
    pub(in crate::web) test: Option<TestChoice>,
    pub(in crate::web) from: Option<FilterDay>,
    pub(in crate::web) to: Option<FilterDay>,
    pub(in crate::web) size: Option<i64>,
    pub(in crate::web) after: Option<Cursor>,
    pub(in crate::web) before: Option<Cursor>,
}

/// `path`, with these parameters.
pub fn address(path: &str, pairs: &[(&str, String)]) -> String {
    if pairs.is_empty() {
        return path.to_owned();
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    format!("{path}?{}", query.finish())
}

impl SubmissionsQuery {
    /// Reads it from the text of a form's hidden field; what cannot be read is no filter.
    ///
    /// # Errors
    /// When the text is no filter.
    pub fn read(text: &str) -> Result<Self, crate::web::WebError> {
        serde_html_form::from_str(text).map_err(|_| {
            crate::web::WebError::Invalid("The form does not say what is filtered.".to_owned())
        })
    }

    /// What the store is asked, for somebody in this time zone.
    pub fn filter(&self, zone: TimeZone) -> SubmissionFilter {
        SubmissionFilter {
            search: self.q.clone(),
            account_id: self.account.clone(),
            form_id: self.form.clone(),
            version_id: self.version.clone(),
            campaign_id: self.campaign.clone(),
            view: self.view,
            matching_status: self.status,
            processing_state: self.state,
            is_test: self.test.map(|choice| matches!(choice, TestChoice::Yes)),
            from: self.from.map(|FilterDay(day)| zone.start_of_day(day)),
            // The day itself is still in it.
            until: self
                .to
                .and_then(|FilterDay(day)| day.succ_opt())
                .map(|next| zone.start_of_day(next)),
        }
    }

    /// Rows on a page.
    pub fn rows(&self) -> i64 {
        self.size
            .filter(|size| SIZES.contains(size))
            .unwrap_or(DEFAULT_SIZE)
    }

    /// The filter as parameters, without the place and the size.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let day = |day: Option<FilterDay>| day.map(|FilterDay(day)| day.to_string());
        let word = |word: Option<&'static str>| word.map(str::to_owned);
        [
            (
                "q",
                self.q
                    .as_deref()
                    .map(str::trim)
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned),
            ),
            ("account", self.account.as_ref().map(ToString::to_string)),
            ("form", self.form.as_ref().map(ToString::to_string)),
            ("version", self.version.as_ref().map(ToString::to_string)),
            ("campaign", self.campaign.as_ref().map(ToString::to_string)),
            ("status", word(self.status.map(MatchingStatus::as_str))),
            ("state", word(self.state.map(ProcessingState::as_str))),
            ("view", word(self.view.map(SubmissionView::as_str))),
            ("test", word(self.test.map(TestChoice::word))),
            ("from", day(self.from)),
            ("to", day(self.to)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    /// The filter, and the size where it is not the usual one: what every link keeps.
    pub fn kept(&self) -> Vec<(&'static str, String)> {
        let mut pairs = self.pairs();
        if self.rows() != DEFAULT_SIZE {
            pairs.push(("size", self.rows().to_string()));
        }
        pairs
    }

    /// The same as text, for a form's hidden field.
    pub fn text(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.kept());
        query.finish()
    }

    /// A page of the group with this filter and more parameters.
    pub fn link(&self, path: &str, more: &[(&'static str, &str)]) -> String {
        let mut pairs = self.kept();
        pairs.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        pairs.extend(
            more.iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        address(path, &pairs)
    }

    /// The value of a parameter of the filter; empty when it is not set.
    pub fn value(&self, name: &str) -> String {
        self.pairs()
            .into_iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
            .unwrap_or_default()
    }
}

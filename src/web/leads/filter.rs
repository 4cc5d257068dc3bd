//! The filter, the order and the place of the list, as they stand in its address.

use serde::Deserialize;

use crate::domain::ids::{AccountId, CampaignId, FormId, UserId};
use crate::domain::lead::{LeadSource, LeadStatus};
use crate::domain::time_zone::TimeZone;
use crate::store::lead_lists::LeadOrder;
use crate::store::leads::LeadFilter;
use crate::store::paging::Cursor;
use crate::web::keyset::FilterDay;

/// How many leads a page may show.
pub const SIZES: [i64; 4] = [25, 50, 100, 200];
const DEFAULT_SIZE: i64 = 50;

/// What the address of the list says.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct LeadsQuery {
    /// Words to search for.
    pub q: Option<String>,
    /// Only in this status.
    pub status: Option<LeadStatus>,
    /// Only of this owner.
    pub owner: Option<UserId>,
    /// Only from this source.
    pub source: Option<LeadSource>,
    /// Only through this account.
    pub account: Option<AccountId>,
    /// Only from this form.
    pub form: Option<FormId>,
    /// Only from this campaign.
    pub campaign: Option<CampaignId>,
    /// Made on this day or later.
    pub created_from: Option<FilterDay>,
    /// Made on this day or before.
    pub created_to: Option<FilterDay>,
    /// With a latest submission of this day or later.
    pub submitted_from: Option<FilterDay>,
    /// With a latest submission of this day or before.
    pub submitted_to: Option<FilterDay>,
    /// The order.
    pub sort: Option<LeadOrder>,
    /// Leads on a page.
    pub size: Option<i64>,
    /// The place in the list.
    pub after: Option<Cursor>,
    /// The same, backwards.
    pub before: Option<Cursor>,
}

impl LeadsQuery {
    /// Reads what [`LeadsQuery::encoded`] gave; `None` for anything that no list of ours has as its address.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > 4_000 {
            return None;
        }
        serde_html_form::from_str(text).ok()
    }

    /// The filter's parts that are set, without order, size and place.
    #[must_use]
    pub fn filter_pairs(&self) -> Vec<(&'static str, String)> {
        fn text<T: ToString>(value: Option<&T>) -> String {
            value.map(ToString::to_string).unwrap_or_default()
        }
        let day = |day: Option<FilterDay>| text(day.map(|FilterDay(day)| day).as_ref());
        let word = |word: Option<&'static str>| word.unwrap_or_default().to_owned();
        [
            ("q", self.q.as_deref().unwrap_or_default().trim().to_owned()),
            ("status", word(self.status.map(LeadStatus::as_str))),
            ("owner", text(self.owner.as_ref())),
            ("source", word(self.source.map(LeadSource::as_str))),
            ("account", text(self.account.as_ref())),
            ("form", text(self.form.as_ref())),
            ("campaign", text(self.campaign.as_ref())),
            ("created_from", day(self.created_from)),
            ("created_to", day(self.created_to)),
            ("submitted_from", day(self.submitted_from)),
            ("submitted_to", day(self.submitted_to)),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
    }

    /// The same with order and size, where they are not the usual ones.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = self.filter_pairs();
        if self.order() != LeadOrder::Newest {
            pairs.push(("sort", self.order().as_str().to_owned()));
        }
        if self.size() != DEFAULT_SIZE {
            pairs.push(("size", self.size().to_string()));
        }
        pairs
    }

    /// Filter, order and size as the query of an address; empty for the list as it is.
    #[must_use]
    pub fn encoded(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs());
        query.finish()
    }

    /// A page with this query in its address.
    #[must_use]
    pub fn address(&self, path: &str) -> String {
        let query = self.encoded();
        if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        }
    }

    /// Whether the list is narrowed.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        !self.filter_pairs().is_empty()
    }

    /// Whether one of the rarer filters is set.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.filter_pairs()
            .iter()
            .any(|(name, _)| !matches!(*name, "q" | "status" | "owner" | "source"))
    }

    /// The value of one parameter, empty when it is not set.
    #[must_use]
    pub fn value(&self, name: &str) -> String {
        self.pairs()
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
            .unwrap_or_default()
    }

    /// The list without one of the filters.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs().iter().filter(|(known, _)| *known != name));
        Self::decode(&query.finish()).unwrap_or_default()
    }

    /// The order of the list.
    #[must_use]
    pub fn order(&self) -> LeadOrder {
        self.sort.unwrap_or(LeadOrder::Newest)
    }

    /// Leads on a page.
    #[must_use]
    pub fn size(&self) -> i64 {
        self.size
            .filter(|size| SIZES.contains(size))
            .unwrap_or(DEFAULT_SIZE)
    }

    /// The filter; its days are those of a person in this zone.
    #[must_use]
    pub fn filter(&self, zone: TimeZone) -> LeadFilter {
        let begin = |day: Option<FilterDay>| day.map(|FilterDay(day)| zone.start_of_day(day));
        // The day itself is still in it.
        let end = |day: Option<FilterDay>| {
            day.and_then(|FilterDay(day)| day.succ_opt())
                .map(|next| zone.start_of_day(next))
        };
        LeadFilter {
            search: self.q.clone(),
            status: self.status,
            owner_id: self.owner.clone(),
            source: self.source,
            account_id: self.account.clone(),
            form_id: self.form.clone(),
            campaign_id: self.campaign.clone(),
            created_from: begin(self.created_from),
            created_until: end(self.created_to),
            submitted_from: begin(self.submitted_from),
            submitted_until: end(self.submitted_to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_survives_its_address_and_filters_are_taken_back_one_by_one() {
        let text = "q=a%26b&status=new&created_from=2026-11-01&sort=name&size=100";
        let query = LeadsQuery::decode(text).unwrap();
        assert_eq!(query.encoded(), text);
        assert_eq!(query.address("/leads"), format!("/leads?{text}"));
        assert_eq!(query.without("q").value("q"), "");
        assert_eq!(query.without("q").value("status"), "new");
        assert!(query.has_more());
        assert!(!query.without("created_from").has_more());
    }

    #[test]
    fn nonsense_is_no_query_and_odd_sizes_are_the_usual_one() {
        for bad in [
            "status=won",
            "owner=1",
            "created_from=2026-02-30",
            "sort=email",
        ] {
            assert!(LeadsQuery::decode(bad).is_none(), "{bad}");
        }
        for size in ["size=7", "size=-1", "size=99999"] {
            assert_eq!(LeadsQuery::decode(size).unwrap().size(), 50, "{size}");
        }
        assert!(LeadsQuery::decode(&"q=".repeat(3_000)).is_none());
    }

    #[test]
    fn the_last_day_of_a_filter_is_still_in_it() {
        let query = LeadsQuery::decode("created_from=2026-11-01&created_to=2026-11-01").unwrap();
        let filter = query.filter(TimeZone::UTC);
        let day = filter.created_until.unwrap() - filter.created_from.unwrap();
        assert_eq!(day.num_hours(), 24);
    }
}

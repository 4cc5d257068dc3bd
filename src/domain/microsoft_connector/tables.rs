//! Which exported table a file is of, what its columns are called, and what identifies its records.
//!
//! An export has logical names (`msdyncrm_linkedinaccounttextid`) or, from Excel, the display names that people see (“LinkedIn
//! Account Text”). The same display name stands for other columns in other tables, so names are translated once the table is known.
//! Version 1 of the connector displayed some tables by other names than later ones; both are known.

use super::ConnectorRecord;
use super::cells::{RecordCells, folded};
use super::values::option;
use crate::domain::matching::OnMatchFail;
use crate::domain::words::words;

words! {
    /// An exported table, in the order in which they are best brought.
    pub enum ConnectorTable {
        MatchingStrategies = "matching_strategies" => "Lead matching strategies",
        StrategyFields = "strategy_fields" => "Fields of the matching strategies",
        FieldMappings = "field_mappings" => "Lead field mappings",
        LeadFields = "lead_fields" => "Lead entity fields",
        Accounts = "accounts" => "LinkedIn accounts",
        Campaigns = "campaigns" => "LinkedIn campaigns",
        Forms = "forms" => "Lead Gen forms",
        Questions = "questions" => "Form questions",
        Submissions = "submissions" => "Form submissions",
        Answers = "answers" => "Submission answers",
    }
}

/// What a table is recognised by.
struct Known {
    table: ConnectorTable,
    /// Its name in Dataverse.
    logical_name: &'static str,
    /// What people see as its name: Excel heads the hidden column of the GUIDs “(Do Not Modify)” and this name.
    called: &'static [&'static str],
    /// The column that holds the GUID of its records; blank for none.
    id: &'static str,
    /// Display names of columns that are no logical name, with the logical name of each.
    displayed: &'static [(&'static str, &'static str)],
    /// Columns that identify a record where there is no GUID; all that are there count.
    natural: &'static [&'static str],
    /// What people know a record by: the first of these that is there.
    labels: &'static [&'static str],
    /// Columns that hold times.
    times: &'static [&'static str],
    /// Headers of which one is enough to know the table; joined by `+` when all of them are needed.
    signs: &'static [&'static str],
}

/// A table stands before those whose signs it has, too.
const KNOWN: &[Known] = &[
    Known {
        table: ConnectorTable::Answers,
        logical_name: "msdyncrm_linkedinformanswer",
        // Version 1 displayed the submissions by this name, and the answers as later versions do again.
        called: &[
            "linkedinformsubmission",
            "linkedinformsubmissionanswer",
            "linkedinformanswer",
        ],
        id: "linkedinformanswerid",
        displayed: &[
            ("linkedinformanswer", "linkedinformanswerid"),
            ("answerid", "answertextid"),
            ("linkedinquestion", "linkedinformquestion"),
            ("linkedinformsubmissionid", "linkedinformsubmission"),
        ],
        natural: &[
            "linkedinformsubmission",
            "answertextid",
            "linkedinquestionid",
            "linkedinformquestion",
        ],
        labels: &["linkedinformsubmission", "name"],
        times: &[],
        signs: &["answertext", "linkedinformanswerid"],
    },
    Known {
        table: ConnectorTable::Submissions,
        logical_name: "msdyncrm_linkedinformsubmission",
        called: &["linkedinleadgenformsubmission", "linkedinformsubmission"],
        id: "linkedinformsubmissionid",
        displayed: &[
            ("linkedinid", "linkedinformsubmissionid"),
            ("linkedinleadgen", "linkedinformsubmissiontextid"),
            ("linkedinleadgenform", "linkedinformid"),
            ("sourceform", "linkedinformname"),
            ("linkedinaccount", "linkedinaccountid"),
            ("linkedinuserprofile", "linkedinuserprofileid"),
        ],
        natural: &["linkedinformsubmissiontextid"],
        labels: &["name", "linkedinformsubmissiontextid"],
        times: &["submissiondate", "createdon"],
        signs: &[
            "linkedinformsubmissiontextid",
            "matchingstatus+submissiondate",
            "linkedinleadgen+linkedinleadgenform",
            "linkedinleadgen+matchingstatus",
            "linkedinleadgen+submissiondate",
        ],
    },
    Known {
        table: ConnectorTable::Questions,
        logical_name: "msdyncrm_linkedinformquestion",
        called: &["linkedinformquestion"],
        id: "linkedinformquestionid",
        displayed: &[("linkedinformquestion", "linkedinformquestionid")],
        natural: &["linkedinform", "linkedinid", "name"],
        labels: &["name", "displayname"],
        times: &[],
        signs: &[
            "iscustomquestion",
            "isconsentcheckbox",
            "linkedinformquestionid",
            "linkedinform+linkedinid",
        ],
    },
    Known {
        table: ConnectorTable::Campaigns,
        logical_name: "msdyncrm_linkedincampaign",
        called: &["linkedincampaign"],
        id: "linkedincampaignid",
        displayed: &[
            ("linkedincampaign", "linkedincampaignid"),
            ("proposedstartdate", "startdate"),
            ("proposedenddate", "enddate"),
        ],
        natural: &["linkedinid"],
        labels: &["name", "linkedinid"],
        times: &["startdate", "enddate"],
        signs: &[
            "campaigntype+linkedinid",
            "linkedincampaignid+linkedinid",
            "linkedinstatus+linkedinid",
            "proposedstartdate+linkedinid",
        ],
    },
    Known {
        table: ConnectorTable::Forms,
        logical_name: "msdyncrm_linkedinform",
        called: &["linkedinleadgenform", "linkedinform"],
        id: "linkedinformid",
        displayed: &[
            ("linkedinleadgen", "linkedinformid"),
            ("linkedinform", "linkedinformid"),
            ("linkedinaccount", "linkedinparentaccount"),
            ("parentaccount", "linkedinparentaccount"),
            ("linkedinformheadline", "headline"),
        ],
        natural: &["linkedinid"],
        labels: &["name", "headline", "linkedinid"],
        times: &[],
        signs: &[
            "linkedinparentaccount+linkedinid",
            "linkedinformid+linkedinid",
            "privacypolicyurl+linkedinid",
            "headline+linkedinid",
            "linkedinformheadline+linkedinid",
            "thankyoumessage+linkedinid",
        ],
    },
    Known {
        table: ConnectorTable::Accounts,
        logical_name: "msdyncrm_linkedinaccount",
        called: &["linkedinaccount"],
        id: "linkedinaccountid",
        displayed: &[
            ("linkedinaccount", "linkedinaccountid"),
            ("linkedinaccounttext", "linkedinaccounttextid"),
            ("syncenabled", "enabledforsync"),
        ],
        natural: &["linkedinaccounttextid"],
        labels: &["name", "linkedinaccounttextid"],
        times: &[],
        signs: &[
            "linkedinaccounttextid",
            "linkedinaccounttext",
            "defaultleadowner",
        ],
    },
    Known {
        table: ConnectorTable::StrategyFields,
        logical_name: "msdyncrm_msdyncrm_linkedinlms_fieldmapping",
        called: &[],
        id: "",
        displayed: &[
            ("linkedinmatching", "linkedinleadmatchingstrategy"),
            ("fieldmapping", "linkedinfieldmapping"),
        ],
        natural: &[
            "linkedinleadmatchingstrategyid",
            "linkedinleadmatchingstrategy",
            "linkedinfieldmappingid",
            "linkedinfieldmapping",
        ],
        labels: &[
            "linkedinleadmatchingstrategy",
            "linkedinleadmatchingstrategyid",
        ],
        times: &[],
        signs: &[
            "linkedinleadmatchingstrategyid+linkedinfieldmappingid",
            "linkedinleadmatchingstrategy+linkedinfieldmapping",
            "linkedinmatching+fieldmapping",
        ],
    },
    Known {
        table: ConnectorTable::MatchingStrategies,
        logical_name: "msdyncrm_linkedinleadmatchingstrategy",
        called: &["linkedinmatching", "linkedinleadmatchingstrategy"],
        id: "linkedinleadmatchingstrategyid",
        displayed: &[
            ("linkedinmatching", "linkedinleadmatchingstrategyid"),
            (
                "linkedinleadmatchingstrategy",
                "linkedinleadmatchingstrategyid",
            ),
        ],
        natural: &["name"],
        labels: &["name"],
        times: &[],
        signs: &[
            "activated",
            "alwayscreatelead",
            "enablecontactcreation",
            "linkedinleadmatchingstrategyid",
        ],
    },
    Known {
        table: ConnectorTable::FieldMappings,
        logical_name: "msdyncrm_linkedinfieldmapping",
        called: &["fieldmapping", "linkedinfieldmapping"],
        id: "linkedinfieldmappingid",
        displayed: &[
            ("fieldmapping", "linkedinfieldmappingid"),
            ("linkedinfieldmapping", "linkedinfieldmappingid"),
        ],
        natural: &["name", "linkedinpredefinedfield"],
        labels: &["name", "linkedinpredefinedfield"],
        times: &[],
        signs: &[
            "leadfieldlookup",
            "linkedinpredefinedfield+leadfield",
            "name+leadfield",
            "linkedinfieldmappingid",
        ],
    },
    Known {
        table: ConnectorTable::LeadFields,
        logical_name: "msdyncrm_leadentityfield",
        called: &["leadentityfield"],
        id: "leadentityfieldid",
        displayed: &[("leadentityfield", "leadentityfieldid")],
        natural: &["logicalname"],
        labels: &["name", "logicalname"],
        times: &[],
        signs: &["leadentityfieldid", "name+logicalname"],
    },
];

/// A table of the connector that does not come along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCarried {
    /// Its name in Dataverse.
    pub logical_name: &'static str,
    /// Why, in a sentence.
    pub why: &'static str,
    /// Its name on the hidden column of an Excel export.
    called: &'static str,
    signs: &'static [&'static str],
}

const NOT_CARRIED: &[NotCarried] = &[
    NotCarried {
        logical_name: "msdyncrm_linkedinconfiguration",
        why: "It holds settings of Microsoft’s service. Only “On Matching Fail” matters here: choose the same under Integration \
              Configuration, On Match fail.",
        called: "linkedinleadgenintegrationconfiguration",
        signs: &[
            "onmatchingfail",
            "linkedinconfigurationid",
            "clientid+redirecturl",
        ],
    },
    NotCarried {
        logical_name: "msdyncrm_linkedinuserprofile",
        why: "LinkedIn gave its tokens to Microsoft’s app, and they work for no other. Authorize a profile under LinkedIn User \
              Profile.",
        called: "linkedinuserprofile",
        signs: &[
            "linkedinauthorizedname",
            "linkedinauthorizedusername",
            "authorized+expiresin",
        ],
    },
    NotCarried {
        logical_name: "msdyncrm_linkedinactivity",
        why: "It is the log of Microsoft’s connector, and nothing here is made of it.",
        called: "linkedinactivity",
        signs: &[
            "linkedinactivityid",
            "activityadditionalparams",
            "actionstatus+errormessage",
        ],
    },
];

/// How Excel begins the header of a hidden column, folded.
const HIDDEN: &str = "donotmodify";

impl ConnectorTable {
    fn known(self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.table == self)
    }

    /// Its name in Dataverse.
    #[must_use]
    pub fn logical_name(self) -> &'static str {
        self.known().map_or("", |known| known.logical_name)
    }

    /// Its columns that hold times.
    pub(super) fn times(self) -> &'static [&'static str] {
        self.known().map_or(&[], |known| known.times)
    }

    /// The logical names of columns with these folded headers, folded as well; what is no display name stays.
    #[must_use]
    pub fn columns(self, headers: &[String]) -> Vec<String> {
        let Some(known) = self.known() else {
            return headers.to_vec();
        };
        headers
            .iter()
            .map(|header| {
                let is_id = header
                    .strip_prefix(HIDDEN)
                    .is_some_and(|name| known.called.contains(&name));
                if is_id {
                    return known.id.to_owned();
                }
                known
                    .displayed
                    .iter()
                    .find(|(display, _)| display == header)
                    .map_or_else(|| header.clone(), |(_, logical)| (*logical).to_owned())
            })
            .collect()
    }
}

fn fits(headers: &[String], signs: &[&str]) -> bool {
    let has = |name: &str| headers.iter().any(|header| header == name);
    signs.iter().any(|sign| sign.split('+').all(has))
}

/// What the hidden columns of an Excel export say that its table is called.
fn hidden_names(headers: &[String]) -> impl Iterator<Item = &str> {
    headers
        .iter()
        .filter_map(|header| header.strip_prefix(HIDDEN))
}

/// The table of a file with these folded headers. The file's name counts where two tables have the same columns.
#[must_use]
pub fn recognise(headers: &[String], file_name: &str) -> Option<ConnectorTable> {
    let is_fit = |known: &&Known| fits(headers, known.signs);
    let so_called = || {
        KNOWN
            .iter()
            .filter(|known| hidden_names(headers).any(|name| known.called.contains(&name)))
    };
    // Two tables had one name in different versions: then the columns tell.
    let hidden = so_called().find(is_fit).or_else(|| so_called().next());
    let stem = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = folded(stem.split('.').next().unwrap_or_default());
    let named = || {
        KNOWN
            .iter()
            .filter(is_fit)
            .find(|known| folded(known.logical_name) == stem.trim_end_matches('s'))
    };
    hidden
        .or_else(named)
        .or_else(|| KNOWN.iter().find(is_fit))
        .map(|known| known.table)
}

/// The table of a file with these folded headers, if it is one of the connector's that do not come along.
#[must_use]
pub fn not_carried(headers: &[String]) -> Option<&'static NotCarried> {
    NOT_CARRIED.iter().find(|table| {
        hidden_names(headers).any(|name| name == table.called) || fits(headers, table.signs)
    })
}

/// A row of a table as a record; `None` when nothing identifies it. The cells stand under the names of
/// [`ConnectorTable::columns`].
#[must_use]
pub fn record_of(table: ConnectorTable, cells: RecordCells) -> Option<ConnectorRecord> {
    let known = table.known()?;
    let natural: Vec<String> = known
        .natural
        .iter()
        .filter_map(|name| cells.lookup(&[*name]))
        .collect();
    let key = cells
        .guid(&[known.id])
        .or_else(|| Some(natural.join(" | ").to_lowercase()).filter(|key| !key.is_empty()))?;
    let label = cells.text(known.labels).unwrap_or(&key);
    Some(ConnectorRecord {
        label: label.chars().take(300).collect(),
        key: key.chars().take(600).collect(),
        cells,
    })
}

/// A submission of which only LinkedIn's response id is kept: what it said came along.
#[must_use]
pub fn record_of_response(key: String, response_id: String) -> ConnectorRecord {
    let mut cells = RecordCells::default();
    cells.set("linkedinformsubmissiontextid", response_id);
    ConnectorRecord {
        label: key.clone(),
        key,
        cells,
    }
}

/// What the row of Microsoft's configuration says about partial matches, the one setting of it that matters here.
#[must_use]
pub fn matching_fail_of(cells: &RecordCells) -> Option<OnMatchFail> {
    let labels = [OnMatchFail::Ignore, OnMatchFail::CreateNewLead].map(OnMatchFail::label);
    match option(cells.text(&["onmatchingfail"])?, &labels)? {
        0 => Some(OnMatchFail::Ignore),
        _ => Some(OnMatchFail::CreateNewLead),
    }
}

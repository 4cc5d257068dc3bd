//! Which exported table a file is of, and what identifies its records.

use super::ConnectorRecord;
use super::cells::{RecordCells, folded};
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
    /// The columns that hold the GUID of its records.
    ids: &'static [&'static str],
    /// Columns that identify a record where there is no GUID; all that are there count.
    natural: &'static [&'static str],
    /// What people know a record by: the first of these that is there.
    labels: &'static [&'static str],
    /// Headers of which one is enough to know the table; joined by `+` when all of them are needed.
    signs: &'static [&'static str],
}

/// A table stands before those whose signs it has, too.
const KNOWN: &[Known] = &[
    Known {
        table: ConnectorTable::Answers,
        logical_name: "msdyncrm_linkedinformanswer",
        ids: &["linkedinformanswerid", "donotmodifylinkedinformanswer"],
        natural: &[
            "linkedinformsubmission",
            "answertextid",
            "linkedinquestionid",
            "linkedinformquestion",
        ],
        labels: &["linkedinformsubmission", "name"],
        signs: &["answertext", "linkedinformanswerid"],
    },
    Known {
        table: ConnectorTable::Submissions,
        logical_name: "msdyncrm_linkedinformsubmission",
        ids: &[
            "linkedinformsubmissionid",
            "donotmodifylinkedinformsubmission",
        ],
        natural: &["linkedinformsubmissiontextid", "textid"],
        labels: &["name", "linkedinformsubmissiontextid", "textid"],
        signs: &[
            "linkedinformsubmissiontextid",
            "matchingstatus+submissiondate",
        ],
    },
    Known {
        table: ConnectorTable::Questions,
        logical_name: "msdyncrm_linkedinformquestion",
        ids: &["linkedinformquestionid", "donotmodifylinkedinformquestion"],
        natural: &["linkedinform", "linkedinid", "name"],
        labels: &["name", "displayname"],
        signs: &[
            "iscustomquestion",
            "isconsentcheckbox",
            "linkedinformquestionid",
        ],
    },
    Known {
        table: ConnectorTable::Campaigns,
        logical_name: "msdyncrm_linkedincampaign",
        ids: &["linkedincampaignid", "donotmodifylinkedincampaign"],
        natural: &["linkedinid"],
        labels: &["name", "linkedinid"],
        signs: &[
            "campaigntype+linkedinid",
            "linkedincampaignid+linkedinid",
            "linkedinstatus+linkedinid",
        ],
    },
    Known {
        table: ConnectorTable::Forms,
        logical_name: "msdyncrm_linkedinform",
        ids: &["linkedinformid", "donotmodifylinkedinform"],
        natural: &["linkedinid"],
        labels: &["name", "headline", "linkedinid"],
        signs: &[
            "linkedinparentaccount+linkedinid",
            "linkedinformid+linkedinid",
            "privacypolicyurl+linkedinid",
            "headline+linkedinid",
        ],
    },
    Known {
        table: ConnectorTable::Accounts,
        logical_name: "msdyncrm_linkedinaccount",
        ids: &["linkedinaccountid", "donotmodifylinkedinaccount"],
        natural: &["linkedinaccounttextid"],
        labels: &["name", "linkedinaccounttextid"],
        signs: &["linkedinaccounttextid"],
    },
    Known {
        table: ConnectorTable::StrategyFields,
        logical_name: "msdyncrm_linkedinleadmatchingstrategy_linkedinfieldmapping",
        ids: &[],
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
        signs: &[
            "linkedinleadmatchingstrategyid+linkedinfieldmappingid",
            "linkedinleadmatchingstrategy+linkedinfieldmapping",
        ],
    },
    Known {
        table: ConnectorTable::MatchingStrategies,
        logical_name: "msdyncrm_linkedinleadmatchingstrategy",
        ids: &[
            "linkedinleadmatchingstrategyid",
            "donotmodifylinkedinleadmatchingstrategy",
        ],
        natural: &["name"],
        labels: &["name"],
        signs: &[
            "activated",
            "alwayscreatelead",
            "enablecontactcreation",
            "linkedinleadmatchingstrategyid",
            "donotmodifylinkedinleadmatchingstrategy",
        ],
    },
    Known {
        table: ConnectorTable::FieldMappings,
        logical_name: "msdyncrm_linkedinfieldmapping",
        ids: &["linkedinfieldmappingid", "donotmodifylinkedinfieldmapping"],
        natural: &["name", "linkedinpredefinedfield"],
        labels: &["name", "linkedinpredefinedfield"],
        signs: &[
            "leadfieldlookup",
            "linkedinpredefinedfield+leadfield",
            "name+leadfield",
            "linkedinfieldmappingid",
            "donotmodifylinkedinfieldmapping",
        ],
    },
    Known {
        table: ConnectorTable::LeadFields,
        logical_name: "msdyncrm_leadentityfield",
        ids: &["leadentityfieldid", "donotmodifyleadentityfield"],
        natural: &["logicalname"],
        labels: &["name", "logicalname"],
        signs: &[
            "leadentityfieldid",
            "donotmodifyleadentityfield",
            "name+logicalname",
        ],
    },
];

impl ConnectorTable {
    fn known(self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.table == self)
    }

    /// Its name in Dataverse.
    #[must_use]
    pub fn logical_name(self) -> &'static str {
        self.known().map_or("", |known| known.logical_name)
    }
}

/// The table of a file with these folded headers. The file's name counts where two tables have the same columns.
#[must_use]
pub fn recognise(headers: &[String], file_name: &str) -> Option<ConnectorTable> {
    let has = |name: &str| headers.iter().any(|header| header == name);
    let fits = |known: &&Known| known.signs.iter().any(|sign| sign.split('+').all(has));
    let stem = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = folded(stem.split('.').next().unwrap_or_default());
    let named = KNOWN
        .iter()
        .filter(fits)
        .find(|known| folded(known.logical_name) == stem.trim_end_matches('s'));
    named
        .or_else(|| KNOWN.iter().find(fits))
        .map(|known| known.table)
}

/// A row of a table as a record; `None` when nothing identifies it.
#[must_use]
pub fn record_of(table: ConnectorTable, cells: RecordCells) -> Option<ConnectorRecord> {
    let known = table.known()?;
    let natural: Vec<String> = known
        .natural
        .iter()
        .filter_map(|name| cells.lookup(&[*name]))
        .collect();
    let key = cells
        .guid(known.ids)
        .or_else(|| Some(natural.join(" | ").to_lowercase()).filter(|key| !key.is_empty()))?;
    let label = cells.text(known.labels).unwrap_or(&key);
    Some(ConnectorRecord {
        label: label.chars().take(300).collect(),
        key: key.chars().take(600).collect(),
        cells,
    })
}

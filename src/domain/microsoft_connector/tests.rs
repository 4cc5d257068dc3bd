//! Exports as people have them, and what becomes of them.

use super::*;
use crate::domain::configuration::{ConfigurationFile, FORMAT, FileMapping, FileStrategy, VERSION};
use crate::domain::field_mapping::{Source, WritePolicy};
use crate::domain::lead::{FieldKey, LeadField};

fn headers(text: &str) -> Vec<String> {
    text.split(',').map(folded).collect()
}

/// Records of a table from lines of values.
pub(super) fn table(records: &mut ConnectorRecords, text: &str) -> ConnectorTable {
    let mut lines = text.lines();
    let headers = headers(lines.next().unwrap());
    let table = recognise(&headers, "export.csv").unwrap();
    let headers = table.columns(&headers);
    for line in lines {
        let row: Vec<String> = line.split(',').map(str::to_owned).collect();
        records
            .entry(table)
            .or_default()
            .push(record_of(table, RecordCells::of(&headers, &row)).unwrap());
    }
    table
}

fn before() -> ConfigurationFile {
    let mapping = |source: &str, target: LeadField| FileMapping {
        name: format!("{source} here"),
        form: None,
        source: Source::Predefined(source.to_owned()),
        target: FieldKey::Standard(target),
        policy: WritePolicy::Overwrite,
        transforms: Vec::new(),
        position: 7,
    };
    ConfigurationFile {
        format: FORMAT.to_owned(),
        version: VERSION,
        field_mappings: Some(vec![
            mapping("EMAIL", LeadField::Email),
            mapping("PHONE_NUMBER", LeadField::MobilePhone),
        ]),
        matching_strategies: Some(vec![FileStrategy {
            name: "E-mail address".to_owned(),
            fields: vec![FieldKey::Standard(LeadField::Email)],
            is_active: true,
        }]),
        custom_fields: None,
        integration_configuration: None,
        assignment_rules: None,
    }
}

#[test]
fn tables_are_recognised_in_every_shape_of_export() {
    for (line, name, wanted) in [
        (
            "msdyncrm_linkedinfieldmappingid,msdyncrm_name,msdyncrm_linkedinpredefinedfield,msdyncrm_leadfield",
            "a.csv",
            Some(ConnectorTable::FieldMappings),
        ),
        (
            "(Do Not Modify) Field mapping,Name,LinkedIn Predefined Field,Lead field",
            "a.csv",
            Some(ConnectorTable::FieldMappings),
        ),
        (
            "(Do Not Modify) LinkedIn Field Mapping,Name,LinkedIn predefined field,Lead field",
            "a.csv",
            Some(ConnectorTable::FieldMappings),
        ),
        (
            "(Do Not Modify) LinkedIn Lead Matching Strategy,Name",
            "a.csv",
            Some(ConnectorTable::MatchingStrategies),
        ),
        (
            "(Do Not Modify) LinkedIn Form,Name,LinkedIn ID",
            "a.csv",
            Some(ConnectorTable::Forms),
        ),
        (
            "(Do Not Modify) LinkedIn Form Submission,Name,Submission date,Matching status",
            "a.csv",
            Some(ConnectorTable::Submissions),
        ),
        (
            "(Do Not Modify) LinkedIn form submission,Name,LinkedIn question,Answer text",
            "a.csv",
            Some(ConnectorTable::Answers),
        ),
        (
            "(Do Not Modify) LinkedIn form submission,(Do Not Modify) Row Checksum,Name",
            "a.csv",
            Some(ConnectorTable::Answers),
        ),
        (
            "(Do Not Modify) LinkedIn Lead Gen Form Submission,Name",
            "a.csv",
            Some(ConnectorTable::Submissions),
        ),
        (
            "_msdyncrm_leadfieldlookup_value,msdyncrm_name",
            "a.csv",
            Some(ConnectorTable::FieldMappings),
        ),
        (
            "Name,Activated,Always create lead",
            "a.csv",
            Some(ConnectorTable::MatchingStrategies),
        ),
        (
            "msdyncrm_linkedinleadmatchingstrategyid,msdyncrm_linkedinfieldmappingid",
            "a.csv",
            Some(ConnectorTable::StrategyFields),
        ),
        (
            "msdyncrm_leadentityfieldid,msdyncrm_name,msdyncrm_logicalname",
            "a.csv",
            Some(ConnectorTable::LeadFields),
        ),
        ("First name,Last name,E-mail", "leads.csv", None),
        ("", "msdyncrm_linkedinfieldmappings.csv", None),
    ] {
        assert_eq!(recognise(&headers(line), name), wanted, "{line}");
    }
}

#[test]
fn tables_that_do_not_come_along_are_named() {
    for (line, wanted) in [
        (
            "msdyncrm_linkedinconfigurationid,msdyncrm_clientid,msdyncrm_onmatchingfail",
            "msdyncrm_linkedinconfiguration",
        ),
        (
            "(Do Not Modify) LinkedIn Lead Gen Integration Configuration,Client ID,Redirect URL",
            "msdyncrm_linkedinconfiguration",
        ),
        (
            "(Do Not Modify) LinkedIn User Profile,Name,Authorized",
            "msdyncrm_linkedinuserprofile",
        ),
        (
            "msdyncrm_linkedinuserprofileid,msdyncrm_authorized,msdyncrm_expiresin",
            "msdyncrm_linkedinuserprofile",
        ),
        (
            "msdyncrm_linkedinactivityid,msdyncrm_action_status",
            "msdyncrm_linkedinactivity",
        ),
    ] {
        let headers = headers(line);
        assert_eq!(recognise(&headers, "a.csv"), None, "{line}");
        assert_eq!(not_carried(&headers).unwrap().logical_name, wanted);
    }
    let cells = RecordCells::of(
        &headers("On Matching Fail"),
        &["Create new lead".to_owned()],
    );
    assert_eq!(
        matching_fail_of(&cells),
        Some(crate::domain::matching::OnMatchFail::CreateNewLead)
    );
}

#[test]
fn a_record_is_the_same_one_in_two_files() {
    let headers = headers("msdyncrm_leadentityfieldid,msdyncrm_name,msdyncrm_logicalname");
    let record = |row: [&str; 3]| {
        record_of(
            ConnectorTable::LeadFields,
            RecordCells::of(&headers, &row.map(str::to_owned)),
        )
    };
    let guid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let one = record([guid, "Email", "emailaddress1"]).unwrap();
    let braces = format!("{{{}}}", guid.to_uppercase());
    let other = record([&braces, "E-mail", "emailaddress1"]).unwrap();
    assert_eq!(one.key, other.key);
    assert_eq!(
        record(["", "Email", " emailaddress1 "]).unwrap().key,
        "emailaddress1"
    );
    assert_eq!(record(["", "", " "]), None);
}

#[test]
fn mappings_become_mappings_and_what_is_here_stays() {
    let mut records = ConnectorRecords::new();
    table(
        &mut records,
        "msdyncrm_leadentityfieldid,msdyncrm_name,msdyncrm_logicalname\n\
         0f8fad5b-d9cb-469f-a165-70867728950e,City,address1_city",
    );
    table(
        &mut records,
        "msdyncrm_name,msdyncrm_linkedinpredefinedfield,msdyncrm_leadfield,_msdyncrm_leadfieldlookup_value\n\
         First name,firstName,firstname,\n\
         Email,EMAIL,emailaddress1,\n\
         Phone number,,telephone1,\n\
         What do you need?,,description,\n\
         what do YOU need?,,description,\n\
         Town,CITY,,{0F8FAD5B-D9CB-469F-A165-70867728950E}\n\
         Lost,,,7c9e6679-7425-40de-944b-e07fc1f90ae7\n\
         Shoe size,,new_shoesize,\n\
         Seniority,SENIORITY,msdyncrm_linkedinseniority,\n\
         Nowhere,,,",
    );
    let carried = carry_configuration(&records, &before(), &[]);
    let became: Vec<String> = carried
        .mappings
        .iter()
        .map(|one| {
            format!(
                "{} {} {} {}",
                one.source.kind().as_str(),
                one.source.key(),
                one.target.word(),
                one.position
            )
        })
        .collect();
    assert_eq!(
        became,
        [
            "predefined FIRST_NAME first_name 8",
            "question_text What do you need? description 9",
            "predefined CITY city 10",
            "predefined SENIORITY seniority 11",
        ]
    );
    let of = |label: &str| {
        let record = records[&ConnectorTable::FieldMappings]
            .iter()
            .find(|record| record.label == label)
            .unwrap();
        &carried.verdicts[&(ConnectorTable::FieldMappings, record.key.clone())]
    };
    for (label, outcome, part) in [
        ("Email", Outcome::There, "does the same"),
        (
            "Phone number",
            Outcome::LeftOut,
            "takes LinkedIn’s field PHONE_NUMBER to Mobile phone",
        ),
        ("what do YOU need?", Outcome::LeftOut, "maps the same"),
        ("Lost", Outcome::LeftOut, "msdyncrm_leadentityfield"),
        ("Shoe size", Outcome::LeftOut, "“new_shoesize”"),
        ("Nowhere", Outcome::LeftOut, "names no lead field"),
        ("Town", Outcome::Becomes, "goes to City"),
    ] {
        let verdict = of(label);
        assert_eq!(verdict.outcome, outcome, "{label}: {verdict:?}");
        assert!(verdict.explanation.contains(part), "{label}: {verdict:?}");
    }
    // Two records of one name are one record.
    assert_eq!(carried.verdicts.len(), 10);
}

#[test]
fn strategies_come_along_with_their_fields_and_not_active() {
    let mut records = ConnectorRecords::new();
    table(
        &mut records,
        "msdyncrm_name,msdyncrm_activated,msdyncrm_alwayscreatelead\n\
         Phone and name,true,1\n\
         E-MAIL ADDRESS,false,0\n\
         Alone,false,0\n\
         Broken,false,0",
    );
    table(
        &mut records,
        "msdyncrm_name,msdyncrm_linkedinpredefinedfield,msdyncrm_leadfield\n\
         Mobile,PHONE_NUMBER,mobilephone\n\
         Last name,LAST_NAME,lastname\n\
         Shoe size,,new_shoesize",
    );
    table(
        &mut records,
        "LinkedIn lead matching strategy,LinkedIn field mapping\n\
         Phone and name,Mobile\n\
         Phone and name,Last name\n\
         Broken,Shoe size\n\
         Gone,Mobile",
    );
    let carried = carry_configuration(&records, &before(), &[]);
    assert_eq!(
        carried.strategies,
        [FileStrategy {
            name: "Phone and name".to_owned(),
            fields: vec![
                FieldKey::Standard(LeadField::MobilePhone),
                FieldKey::Standard(LeadField::LastName),
            ],
            is_active: false,
        }]
    );
    let of =
        |name: &str| &carried.verdicts[&(ConnectorTable::MatchingStrategies, name.to_lowercase())];
    for (name, outcome, part) in [
        (
            "Phone and name",
            Outcome::Becomes,
            "compares Mobile phone and Last name",
        ),
        (
            "Phone and name",
            Outcome::Becomes,
            "Integration Configuration",
        ),
        ("E-MAIL ADDRESS", Outcome::There, "of this name"),
        ("Alone", Outcome::LeftOut, "Its fields are not known"),
        ("Broken", Outcome::LeftOut, "stays behind"),
    ] {
        let verdict = of(name);
        assert_eq!(verdict.outcome, outcome, "{name}: {verdict:?}");
        assert!(verdict.explanation.contains(part), "{name}: {verdict:?}");
    }
    let joins: Vec<Outcome> = carried
        .verdicts
        .iter()
        .filter(|((table, _), _)| *table == ConnectorTable::StrategyFields)
        .map(|(_, verdict)| verdict.outcome)
        .collect();
    assert_eq!(joins.len(), 4);
    assert_eq!(
        joins.iter().filter(|one| **one == Outcome::Becomes).count(),
        2
    );
}

fn outcome_of<'a>(verdicts: &'a Verdicts, table: ConnectorTable, key: &str) -> (Outcome, &'a str) {
    let verdict = &verdicts[&(table, key.to_owned())];
    (verdict.outcome, &verdict.explanation)
}

fn exported() -> ConnectorRecords {
    let mut records = ConnectorRecords::new();
    for (text, wanted) in [
        (
            "msdyncrm_linkedinaccountid,msdyncrm_linkedinaccounttextid,msdyncrm_name,msdyncrm_enabledforsync\n\
             0f8fad5b-d9cb-469f-a165-70867728950e,500,Northwind,false\n\
             ,none,Nameless,true",
            ConnectorTable::Accounts,
        ),
        (
            "msdyncrm_linkedinid,msdyncrm_name,_msdyncrm_linkedinaccount_value,msdyncrm_campaigntype,msdyncrm_linkedinstatus\n\
             9,Spring,0F8FAD5B-D9CB-469F-A165-70867728950E,192350001,Paused",
            ConnectorTable::Campaigns,
        ),
        (
            "msdyncrm_linkedinid,msdyncrm_name,msdyncrm_linkedinparentaccount,msdyncrm_headline\n\
             70,Fair,Northwind,Come and see\n\
             71,Blank,Northwind,Nothing asked\n\
             72,Elsewhere,Contoso,Whose?",
            ConnectorTable::Forms,
        ),
        (
            "msdyncrm_linkedinid,msdyncrm_name,msdyncrm_linkedinform,msdyncrm_isconsentcheckbox,msdyncrm_linkedinpredefinedfield\n\
             1,Email,Fair,No,EMAIL\n\
             2,Need,Fair,No,\n\
             3,I agree,Fair,Yes,\n\
             4,Lost,Gone,No,",
            ConnectorTable::Questions,
        ),
        (
            "msdyncrm_linkedinformsubmission_textid,msdyncrm_name,msdyncrm_submissiondate,msdyncrm_linkedinformid,msdyncrm_matchingstatus,msdyncrm_linkedincampaignid\n\
             r-1,Ada,2024-03-05T10:20:00Z,Fair,192350002,9\n\
             r-2,Bob,3/5/2024 10:20,Fair,Match failed,\n\
             r-3,Cleo,2024-03-05T10:20:00,Fair,Match failed,\n\
             r-4,Dan,2024-03-05T10:20:00Z,Gone,Match failed,\n\
             r-5,Eve,2024-03-05T10:20:00Z,Fair,Whatever,\n\
             r-6,Fay,2024-03-05T10:20:00Z,70,0,",
            ConnectorTable::Submissions,
        ),
        (
            "msdyncrm_answertext,msdyncrm_linkedinquestionid,msdyncrm_linkedinformquestion,msdyncrm_linkedinformsubmission\n\
             ada@example.com,1,,r-1\n\
             A crane,,Need,Ada\n\
             true,3,,r-1\n\
             what?,,Unknown,r-1\n\
             bob@example.com,1,,r-2\n\
             eve@example.com,1,,r-5\n\
             fay@example.com,1,,r-6\n\
             gone@example.com,1,,r-99",
            ConnectorTable::Answers,
        ),
    ] {
        assert_eq!(table(&mut records, text), wanted);
    }
    records
}

#[test]
fn accounts_campaigns_and_forms_come_along_where_they_are_not_here() {
    let records = exported();
    let carried = carry_directory(&records, &DirectoryHere::default());
    assert_eq!(
        carried.accounts,
        [CarriedAccount {
            linkedin_id: 500,
            name: "Northwind".to_owned(),
            is_sync_enabled: false,
            default_lead_owner: None,
        }]
    );
    let campaign = &carried.campaigns[0];
    assert_eq!(
        (
            campaign.account,
            campaign.campaign_type,
            campaign.linkedin_status
        ),
        (500, Some("SPONSORED_UPDATES"), Some("PAUSED"))
    );
    let [form] = carried.forms.as_slice() else {
        panic!("{:?}", carried.forms)
    };
    assert_eq!(
        (form.account, form.linkedin_id, form.version.number),
        (500, 70, 0)
    );
    let questions: Vec<_> = form
        .version
        .questions
        .iter()
        .map(|question| (question.id, question.predefined_field.as_deref()))
        .collect();
    assert_eq!(questions, [(1, Some("EMAIL")), (2, None)]);
    assert_eq!(form.version.consents[0].id, 3);
    for (key, part) in [
        ("71", "Its questions are in no"),
        ("72", "Its account is neither"),
    ] {
        let (outcome, why) = outcome_of(&carried.verdicts, ConnectorTable::Forms, key);
        assert_eq!(outcome, Outcome::LeftOut);
        assert!(why.contains(part), "{why}");
    }

    let account = AccountHere {
        is_sync_enabled: true,
        has_owner: false,
    };
    let here = DirectoryHere {
        accounts: [(500, account)].into(),
        campaigns: [9].into(),
        forms: [(70, 500)].into(),
        people: Vec::new(),
    };
    let again = carry_directory(&records, &here);
    let key = "0f8fad5b-d9cb-469f-a165-70867728950e";
    assert_eq!(
        outcome_of(&again.verdicts, ConnectorTable::Accounts, key),
        (
            Outcome::There,
            "The account is here. Sync enabled stays on; at the connector it was off."
        )
    );
    assert!(again.accounts.is_empty() && again.campaigns.is_empty() && again.forms.is_empty());
    assert_eq!(
        outcome_of(&again.verdicts, ConnectorTable::Forms, "70").0,
        Outcome::There
    );
}

#[test]
fn the_default_lead_owner_comes_along_where_exactly_one_person_is_meant() {
    let mut records = ConnectorRecords::new();
    table(
        &mut records,
        "LinkedIn Account Text,Name,Default Lead Owner\n\
         1,One,ada LOVELACE\n\
         2,Two,Grace@Example.com\n\
         3,Three,Twin\n\
         4,Four,Nobody Known\n\
         5,Five,",
    );
    let person = |number: u128, name: &str, email: &str| PersonHere {
        id: crate::domain::ids::UserId::new(uuid::Uuid::from_u128(number)),
        name: name.to_owned(),
        email: email.to_owned(),
    };
    let here = DirectoryHere {
        people: vec![
            person(1, "Ada Lovelace", "ada@example.com"),
            person(2, "Grace", "grace@example.com"),
            person(3, "Twin", "a@example.com"),
            person(4, "twin", "b@example.com"),
        ],
        ..DirectoryHere::default()
    };
    let carried = carry_directory(&records, &here);
    let owners: Vec<_> = carried
        .accounts
        .iter()
        .map(|account| account.default_lead_owner.clone())
        .collect();
    assert_eq!(
        owners,
        [
            Some(here.people[0].id.clone()),
            Some(here.people[1].id.clone()),
            None,
            None,
            None
        ]
    );
    for (key, part) in [
        ("1", "Its Default Lead Owner is Ada Lovelace."),
        ("3", "several people"),
        ("4", "“Nobody Known”, which is neither"),
        ("5", "had no Default Lead Owner"),
    ] {
        let (outcome, why) = outcome_of(&carried.verdicts, ConnectorTable::Accounts, key);
        assert_eq!(outcome, Outcome::Becomes);
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn submissions_come_along_with_their_answers_and_what_became_of_them() {
    let records = exported();
    let directory = carry_directory(&records, &DirectoryHere::default());
    let here = ResponsesHere {
        known: ["r-6".to_owned()].into(),
        noted: ["r-3".to_owned()].into(),
        ..ResponsesHere::default()
    };
    let carried = carry_submissions(&records, &directory, &here);
    let [ada] = carried.submissions.as_slice() else {
        panic!("{:#?}", carried.submissions)
    };
    assert_eq!((ada.account, ada.form, ada.campaign), (500, 70, Some(9)));
    assert_eq!(ada.status.as_str(), "updated_existing_lead");
    assert_eq!(ada.answers[&2], "A crane");
    assert_eq!(ada.consents, [(3, true)].into());
    for (key, outcome, part) in [
        ("r-1", Outcome::Becomes, "“Updated existing lead”"),
        ("r-1", Outcome::Becomes, "1 of its answers stays behind"),
        ("r-2", Outcome::Notes, "cannot be read"),
        ("r-3", Outcome::LeftOut, "is noted as handled"),
        ("r-4", Outcome::Notes, "Its form is neither"),
        ("r-4", Outcome::Notes, "is noted as handled"),
        ("r-5", Outcome::LeftOut, "matching status"),
        ("r-6", Outcome::There, "is here"),
    ] {
        let (found, why) = outcome_of(&carried.verdicts, ConnectorTable::Submissions, key);
        assert_eq!(found, outcome, "{key}: {why}");
        assert!(why.contains(part), "{key}: {why}");
    }
    assert_eq!(
        carried
            .handled
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["r-2", "r-4"]
    );
    let answers = |outcome: Outcome| {
        carried
            .verdicts
            .iter()
            .filter(|((table, _), verdict)| {
                *table == ConnectorTable::Answers && verdict.outcome == outcome
            })
            .count()
    };
    assert_eq!(
        (
            answers(Outcome::Becomes),
            answers(Outcome::There),
            answers(Outcome::LeftOut)
        ),
        (3, 1, 4)
    );

    // Its member took it back meanwhile.
    let here = ResponsesHere {
        deleted: ["r-1".to_owned(), "r-2".to_owned()].into(),
        ..ResponsesHere::default()
    };
    let carried = carry_submissions(&records, &directory, &here);
    for key in ["r-1", "r-2"] {
        let (outcome, why) = outcome_of(&carried.verdicts, ConnectorTable::Submissions, key);
        assert_eq!(outcome, Outcome::LeftOut);
        assert!(why.contains("Its member deleted it"), "{why}");
        assert!(!carried.handled.contains_key(key));
    }
}

#[test]
fn answers_that_come_later_are_added_to_their_submission() {
    let records = exported();
    let directory = carry_directory(&records, &DirectoryHere::default());
    let here = ResponsesHere {
        known: ["r-1".to_owned(), "r-6".to_owned()].into(),
        open: [("r-1".to_owned(), [1].into())].into(),
        ..ResponsesHere::default()
    };
    let carried = carry_submissions(&records, &directory, &here);
    assert_eq!(
        carried.late,
        [LateAnswers {
            response_id: "r-1".to_owned(),
            answers: [(2, "A crane".to_owned())].into(),
            consents: [(3, true)].into(),
        }]
    );
    let of_ada: Vec<_> = carried
        .verdicts
        .iter()
        .filter(|((table, key), _)| {
            *table == ConnectorTable::Answers && (key.starts_with("r-1 ") || key.starts_with("ada"))
        })
        .map(|(_, verdict)| verdict.outcome)
        .collect();
    let count = |outcome| of_ada.iter().filter(|one| **one == outcome).count();
    assert_eq!(
        (
            count(Outcome::Becomes),
            count(Outcome::There),
            count(Outcome::LeftOut)
        ),
        (2, 1, 1),
        "{of_ada:?}"
    );
    assert_eq!(
        answered_response_ids(&records)
            .into_iter()
            .collect::<Vec<_>>(),
        ["r-1", "r-2", "r-5", "r-6"]
    );
}

/// The tables as Excel exports them, with the display names that Microsoft publishes.
#[test]
fn exports_with_display_names_come_along() {
    let mut records = ConnectorRecords::new();
    for (text, wanted) in [
        (
            "(Do Not Modify) LinkedIn matching,(Do Not Modify) Row Checksum,(Do Not Modify) Modified On,Name,Activated,Always create Lead,Enable contact creation\n\
             00000000-0000-4000-8000-000000000001,x,y,By need,Yes,No,Yes",
            ConnectorTable::MatchingStrategies,
        ),
        (
            "LinkedIn matching,Field mapping\n\
             By need,What do you need?",
            ConnectorTable::StrategyFields,
        ),
        (
            "(Do Not Modify) Lead Entity Field,Name,Logical Name\n\
             00000000-0000-4000-8000-000000000002,Description,description",
            ConnectorTable::LeadFields,
        ),
        (
            "(Do Not Modify) Field mapping,Name,LinkedIn Predefined Field,Lead Field\n\
             00000000-0000-4000-8000-000000000003,What do you need?,,Description\n\
             00000000-0000-4000-8000-000000000004,E-mail,EMAIL,emailaddress1",
            ConnectorTable::FieldMappings,
        ),
        (
            "(Do Not Modify) LinkedIn Account,Name,LinkedIn Account Text,Sync enabled,Default Lead Owner,Form sync status\n\
             00000000-0000-4000-8000-000000000005,Northwind,500,No,Ada,Active",
            ConnectorTable::Accounts,
        ),
        (
            "(Do Not Modify) LinkedIn Campaign,Name,LinkedIn ID,LinkedIn Account,Campaign Type,LinkedIn Status,Proposed Start Date\n\
             00000000-0000-4000-8000-000000000006,Spring,9,Northwind,LinkedIn Sponsored Content,Paused,2024-03-05T00:00:00Z",
            ConnectorTable::Campaigns,
        ),
        (
            "(Do Not Modify) LinkedIn Lead Gen Form,Name,LinkedIn ID,LinkedIn Account,LinkedIn form headline,Privacy policy URL\n\
             00000000-0000-4000-8000-000000000007,Fair,70,Northwind,Come and see,https://example.com",
            ConnectorTable::Forms,
        ),
        (
            "(Do Not Modify) LinkedIn Form Question,Name,LinkedIn ID,LinkedIn form,Is Custom Question,Is Consent Checkbox,LinkedIn Predefined Field\n\
             00000000-0000-4000-8000-000000000008,E-mail,1,Fair,No,No,E-mail\n\
             00000000-0000-4000-8000-000000000009,I agree,3,Fair,Yes,Yes,",
            ConnectorTable::Questions,
        ),
        (
            "(Do Not Modify) LinkedIn Lead Gen Form Submission,Name,LinkedIn Lead Gen,LinkedIn Lead Gen Form,LinkedIn account,LinkedIn Campaign,Submission date,Matching status,Lead,Contact\n\
             00000000-0000-4000-8000-00000000000a,Ada,r-1,Fair,500,Spring,2024-03-05T10:20:00Z,New lead created,Ada Lovelace,Ada Lovelace\n\
             00000000-0000-4000-8000-00000000000b,Bob,r-2,Fair,500,Autumn,2024-03-05T10:21:00Z,Match failed,,",
            ConnectorTable::Submissions,
        ),
        (
            "(Do Not Modify) LinkedIn form submission,Name,LinkedIn form submission ID,LinkedIn question,LinkedIn question ID,Answer text\n\
             00000000-0000-4000-8000-00000000000c,a,Ada,E-mail,1,ada@example.com\n\
             00000000-0000-4000-8000-00000000000d,b,Ada,I agree,3,Ja\n\
             00000000-0000-4000-8000-00000000000e,c,Bob,E-mail,1,bob@example.com\n\
             00000000-0000-4000-8000-00000000000f,d,Bob,I agree,3,Perhaps",
            ConnectorTable::Answers,
        ),
    ] {
        assert_eq!(table(&mut records, text), wanted);
    }
    assert!(
        records
            .values()
            .flatten()
            .filter(|record| record.key.starts_with("00000000-0000-4000-8000-0000000000"))
            .count()
            == 15
    );
    let configuration = carry_configuration(&records, &before(), &[]);
    assert_eq!(configuration.mappings.len(), 1);
    assert_eq!(configuration.mappings[0].target.word(), "description");
    assert_eq!(configuration.strategies.len(), 1);
    let (_, why) = outcome_of(
        &configuration.verdicts,
        ConnectorTable::MatchingStrategies,
        "00000000-0000-4000-8000-000000000001",
    );
    assert!(why.contains("It was the active one"), "{why}");

    let directory = carry_directory(&records, &DirectoryHere::default());
    assert_eq!(directory.accounts[0].linkedin_id, 500);
    assert!(!directory.accounts[0].is_sync_enabled);
    let campaign = &directory.campaigns[0];
    assert_eq!(campaign.campaign_type, Some("SPONSORED_UPDATES"));
    assert!(campaign.schedule.0.is_some());
    let version = &directory.forms[0].version;
    assert_eq!(version.headline.as_deref(), Some("Come and see"));
    assert_eq!((version.questions[0].id, version.consents[0].id), (1, 3));
    assert_eq!(
        version.questions[0].predefined_field.as_deref(),
        Some("EMAIL")
    );

    let carried = carry_submissions(&records, &directory, &ResponsesHere::default());
    let [ada, bob] = carried.submissions.as_slice() else {
        panic!("{:#?}", carried.verdicts)
    };
    assert_eq!((ada.response_id.as_str(), ada.campaign), ("r-1", Some(9)));
    assert_eq!(ada.answers, [(1, "ada@example.com".to_owned())].into());
    assert_eq!(ada.consents, [(3, true)].into());
    assert_eq!(bob.answers, [(1, "bob@example.com".to_owned())].into());
    assert!(bob.consents.is_empty());
    for (key, part) in [
        ("a", "It has no lead here"),
        ("a", "this portal has no contacts"),
        ("b", "Its campaign is not known"),
    ] {
        let key = format!("00000000-0000-4000-8000-00000000000{key}");
        let (outcome, why) = outcome_of(&carried.verdicts, ConnectorTable::Submissions, &key);
        assert_eq!(outcome, Outcome::Becomes);
        assert!(why.contains(part), "{why}");
    }
    let (outcome, why) = outcome_of(
        &carried.verdicts,
        ConnectorTable::Answers,
        "00000000-0000-4000-8000-00000000000f",
    );
    assert_eq!(outcome, Outcome::LeftOut);
    assert!(why.contains("neither yes nor no"), "{why}");
}

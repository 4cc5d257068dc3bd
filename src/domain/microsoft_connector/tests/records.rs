//! What becomes of the directory and of submissions.

use super::*;

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

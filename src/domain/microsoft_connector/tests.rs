//! Exports as people have them: which table they are, and what becomes of mappings and strategies; [`records`] is the rest.

mod records;

use super::*;
use crate::domain::configuration::{ConfigurationFile, FORMAT, FileMapping, FileStrategy, VERSION};
use crate::domain::field_mapping::{Source, WritePolicy};
use crate::domain::lead::{FieldKey, LeadField};

fn headers(text: &str) -> Vec<String> {
    text.split(',').map(folded).collect()
}

/// Records of a table from lines of values.
fn table(records: &mut ConnectorRecords, text: &str) -> ConnectorTable {
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

//! Files that can be read, files that cannot, and what differs.

use super::*;
use crate::domain::lead::LeadField;
use proptest::prelude::*;

fn mapping(key: &str, target: LeadField) -> FileMapping {
    FileMapping {
        name: key.to_owned(),
        form: None,
        source: Source::Predefined(key.to_owned()),
        target: target.into(),
        policy: WritePolicy::Overwrite,
        transforms: Vec::new(),
        position: 1,
    }
}

fn file() -> ConfigurationFile {
    ConfigurationFile {
        format: FORMAT.to_owned(),
        version: VERSION,
        field_mappings: Some(vec![
            mapping("EMAIL", LeadField::Email),
            mapping("CITY", LeadField::City),
        ]),
        matching_strategies: Some(vec![FileStrategy {
            name: "E-mail".to_owned(),
            fields: vec![LeadField::Email.into()],
            is_active: true,
        }]),
        custom_fields: Some(Vec::new()),
        integration_configuration: Some(FileSettings {
            matching: MatchingSettings::default(),
            fallback_owner: None,
        }),
        assignment_rules: Some(Vec::new()),
    }
}

fn text(file: &ConfigurationFile) -> String {
    serde_json::to_string_pretty(file).unwrap()
}

#[test]
fn what_is_written_is_read_again_and_differs_in_nothing() {
    let read = ConfigurationFile::read(&text(&file())).unwrap();
    assert_eq!(read, file());
    assert_eq!(read.check(&file(), &Known::default()), []);
    assert_eq!(read.differences(&file()), []);
    let only = format!("{{\"format\":\"{FORMAT}\",\"version\":1}}");
    let only = ConfigurationFile::read(&only).unwrap();
    assert_eq!(only.differences(&file()), []);
}

#[test]
fn a_file_that_cannot_be_read_says_where() {
    let good = text(&file());
    for (bad, place) in [
        ("", "line 1, column 0"),
        ("{\n  \"format\": 1\n}", "line 2, column 13"),
        ("{}", "format"),
        ("{\"format\":\"other\",\"version\":1}", "format"),
        (&good.replace("\"version\": 1", "\"version\": 2"), "version"),
        (
            &good.replace("\"CITY\"\n", "\"CI\\u0000TY\"\n"),
            "field_mappings[1].source.key",
        ),
    ] {
        assert_eq!(
            ConfigurationFile::read(bad).unwrap_err().place,
            place,
            "{bad}"
        );
    }
    let unknown = good.replace("\"policy\": \"overwrite\"", "\"policy\": \"sing\"");
    let told = ConfigurationFile::read(&unknown).unwrap_err();
    assert!(told.place.starts_with("line "), "{told:?}");
    assert!(told.message.contains("sing"), "{told:?}");
}

#[test]
fn what_the_portal_cannot_take_is_told_with_its_place() {
    let mut bad = file();
    let mut wrong = mapping("EMAIL", LeadField::Email);
    wrong.form = Some(7);
    wrong.position = -1;
    wrong.name = " ".to_owned();
    wrong.target = FieldKey::Custom("tier".to_owned());
    bad.field_mappings = Some(vec![
        wrong,
        mapping("CITY", LeadField::City),
        mapping("CITY", LeadField::City),
    ]);
    bad.integration_configuration = Some(FileSettings {
        matching: MatchingSettings {
            default_country: Some("Germany".to_owned()),
            ..MatchingSettings::default()
        },
        fallback_owner: Some("nobody@example.com".to_owned()),
    });
    bad.assignment_rules = Some(vec![FileRule {
        condition: FileCondition::Form { linkedin_id: 7 },
        owner: "nobody@example.com".to_owned(),
    }]);
    let places: Vec<String> = bad
        .check(&file(), &Known::default())
        .into_iter()
        .map(|problem| problem.place)
        .collect();
    assert_eq!(
        places,
        [
            "field_mappings[0].name",
            "field_mappings[0].form",
            "field_mappings[0].target",
            "field_mappings[0].position",
            "field_mappings[2]",
            "matching_strategies[0].fields",
            "integration_configuration.matching.default_country",
            "integration_configuration.fallback_owner",
            "assignment_rules[0].owner",
            "assignment_rules[0].condition",
        ]
    );
    let mut two = file();
    two.matching_strategies = Some(Vec::new());
    assert_eq!(
        two.check(&file(), &Known::default())[0].place,
        "matching_strategies"
    );
    let mut without = file();
    without.matching_strategies = None;
    without.field_mappings = Some(Vec::new());
    assert_eq!(
        without.check(&file(), &Known::default())[0].place,
        "field_mappings"
    );
}

#[test]
fn added_changed_and_removed_records_are_told_apart() {
    let mut after = file();
    let mut city = mapping("CITY", LeadField::City);
    city.policy = WritePolicy::Append;
    after.field_mappings = Some(vec![city, mapping("STATE", LeadField::State)]);
    let told: Vec<_> = after
        .differences(&file())
        .into_iter()
        .map(|one| (one.kind, one.name, one.members))
        .collect();
    let change = (
        "policy".to_owned(),
        "overwrite".to_owned(),
        "append".to_owned(),
    );
    assert_eq!(
        told,
        [
            (
                DifferenceKind::Changed,
                "LinkedIn field CITY → City".to_owned(),
                vec![change]
            ),
            (
                DifferenceKind::Added,
                "LinkedIn field STATE → State".to_owned(),
                vec![]
            ),
            (
                DifferenceKind::Removed,
                "LinkedIn field EMAIL → Email".to_owned(),
                vec![]
            ),
        ]
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _either = ConfigurationFile::read(&text);
    }
}

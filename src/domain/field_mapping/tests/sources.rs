//! Tests of where values come from, how that is stored, and of the set that ships.

use super::*;

#[test]
fn each_source_gives_its_value() {
    let predefined = |word: &str| Source::Predefined(word.to_owned());
    let by_text = |text: &str| Source::QuestionText(text.to_owned());
    for (source, expected) in [
        (predefined("EMAIL"), Some("ada@example.com")),
        (predefined("email"), Some("ada@example.com")),
        (predefined("LAST_NAME"), None),
        (Source::QuestionId(4), Some("10 000")),
        (Source::QuestionId(99), None),
        (by_text("What is your budget?"), Some("10 000")),
        (by_text(" WHAT is  your BUDGET? "), Some("10 000")),
        (by_text("budget"), Some("10 000")),
        (by_text("custom question 4"), Some("10 000")),
        (by_text("budget?"), None),
        (by_text("favourite colour?"), Some("red; green")),
        (
            Source::HiddenField("source_code".to_owned()),
            Some("abc678"),
        ),
        (Source::HiddenField("SOURCE_CODE".to_owned()), None),
        (Source::CampaignName, Some("Q3 leads")),
        (Source::FormName, Some("Whitepaper")),
        (Source::AccountName, Some("Northwind Ads")),
        (Source::Constant("LinkedIn".to_owned()), Some("LinkedIn")),
    ] {
        let answers = vec![
            (4, text("10 000")),
            (3, AnswerValue::Choices(vec![2, 0])),
            (1, text("ada@example.com")),
        ];
        let mapped = map(
            vec![mapping(1, source.clone(), LeadField::Description)],
            answers,
        );
        assert_eq!(
            mapped.values.first().map(|value| value.value.as_str()),
            expected,
            "{source}"
        );
        assert_eq!(mapped.flags, [], "{source}");
        let outcomes: Vec<_> = mapped
            .applied
            .iter()
            .map(|applied| applied.outcome)
            .collect();
        assert_eq!(
            outcomes,
            if expected.is_some() {
                vec![MappingOutcome::Mapped]
            } else {
                vec![]
            },
            "{source}"
        );
    }
}

#[test]
fn the_question_that_a_text_names_is_the_one_that_members_read() {
    let mut version = version();
    version.questions[0].name = "What is your budget?".to_owned();
    let set = MappingSet::new(vec![mapping(
        1,
        Source::QuestionText("What is your budget?".to_owned()),
        LeadField::City,
    )]);
    let mapped = set.map(
        &submission(vec![(1, text("by name")), (4, text("by text"))]),
        &version,
        None,
    );
    assert_eq!(values(&mapped), [("city".to_owned(), "by text")]);
}

#[test]
fn the_shipped_set_maps_every_predefined_field_once_per_target() {
    let shipped = shipped_mappings();
    let mut names: Vec<String> = shipped.iter().map(ShippedMapping::name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), shipped.len());
    for word in [
        "FIRST_NAME",
        "LAST_NAME",
        "EMAIL",
        "WORK_EMAIL",
        "JOB_TITLE",
        "JOB_FUNCTION",
        "SENIORITY",
        "INDUSTRY",
        "PHONE_NUMBER",
        "WORK_PHONE_NUMBER",
        "COMPANY_NAME",
        "LINKEDIN_PROFILE_LINK",
        "CITY",
        "STATE",
        "COUNTRY",
        "ZIP_CODE",
        "POSTAL_CODE",
        "COMPANY_SIZE",
        "DEGREE",
        "FIELD_OF_STUDY",
        "SCHOOL",
        "UNIVERSITY",
        "START_DATE",
        "GRADUATION_DATE",
    ] {
        assert!(
            shipped
                .iter()
                .any(|mapping| mapping.predefined_field == word),
            "{word}"
        );
    }
    let target = |word, policy| {
        shipped
            .iter()
            .find(|mapping| mapping.predefined_field == word && mapping.policy == policy)
            .map(|m| m.target)
    };
    assert_eq!(
        target("WORK_EMAIL", WritePolicy::Overwrite),
        Some(LeadField::WorkEmail)
    );
    assert_eq!(
        target("WORK_EMAIL", WritePolicy::FillIfEmpty),
        Some(LeadField::Email)
    );
}

#[test]
fn a_source_is_stored_as_a_kind_and_a_key() {
    for source in [
        Source::Predefined("EMAIL".to_owned()),
        Source::QuestionId(6_851_219_773_716_516_864),
        Source::QuestionText("Budget?".to_owned()),
        Source::HiddenField("source_code".to_owned()),
        Source::CampaignName,
        Source::FormName,
        Source::AccountName,
        Source::Constant("x".to_owned()),
    ] {
        assert_eq!(
            Source::from_parts(source.kind().as_str(), &source.key()),
            Ok(source.clone())
        );
        let json = serde_json::to_string(&source).unwrap();
        assert_eq!(serde_json::from_str::<Source>(&json).unwrap(), source);
    }
    assert_eq!(
        Source::from_parts("magic", "x"),
        Err(InvalidSource::UnknownKind)
    );
    assert_eq!(
        Source::from_parts("predefined", " "),
        Err(InvalidSource::MissingKey("predefined field"))
    );
    assert_eq!(
        Source::from_parts("question_id", "1.5"),
        Err(InvalidSource::NotAQuestionId)
    );
}

#[test]
fn answer_details_of_every_shape_are_read_or_kept() {
    for (details, value) in [
        (
            json!({"textQuestionAnswer": {"answer": "Ada\u{0}"}}),
            text("Ada"),
        ),
        (
            json!({"textQuestionAnswer": {"answer": " "}}),
            AnswerValue::Blank,
        ),
        (json!({"textQuestionAnswer": {}}), AnswerValue::Blank),
        (
            json!({"textQuestionAnswer": {"answer": 5}}),
            AnswerValue::Unknown(json!({"textQuestionAnswer": {"answer": 5}})),
        ),
        (
            json!({"multipleChoiceAnswer": {"options": [0]}}),
            AnswerValue::Choices(vec![0]),
        ),
        (
            json!({"multipleChoiceAnswer": {"options": []}}),
            AnswerValue::Blank,
        ),
        (
            json!({"multipleChoiceAnswer": {"options": ["a"]}}),
            AnswerValue::Unknown(json!({"multipleChoiceAnswer": {"options": ["a"]}})),
        ),
        (
            json!({"ratingAnswer": {"stars": 5}}),
            AnswerValue::Unknown(json!({"ratingAnswer": {"stars": 5}})),
        ),
        (json!({}), AnswerValue::Blank),
        (json!(null), AnswerValue::Blank),
        (json!([1]), AnswerValue::Unknown(json!([1]))),
    ] {
        assert_eq!(AnswerValue::from_details(&details), value, "{details}");
        let stored = serde_json::to_string(&value).unwrap();
        assert_eq!(
            serde_json::from_str::<AnswerValue>(&stored).unwrap(),
            value,
            "{details}"
        );
    }
}

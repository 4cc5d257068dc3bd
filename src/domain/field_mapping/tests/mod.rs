//! Tests of mapping: overrides, policies, flags; sources, values and transforms have files of their own.

mod properties;
mod sources;
mod transforms;
mod values;

use chrono::{TimeZone as _, Utc};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::domain::account::LeadType;
use crate::domain::form::{ChoiceOption, FormVersion, HiddenField, Locale, Question, QuestionKind};
use crate::domain::ids::{FormVersionId, SubmissionId};
use crate::domain::lead::{CustomField, FieldKind, LeadField};
use crate::domain::submission::{Answer, AnswerValue, Submission};

fn form(n: u8) -> FormId {
    FormId::new(Uuid::from_u128(u128::from(n)))
}

fn question(id: i64, text: &str, predefined: Option<&str>, options: &[(i64, &str)]) -> Question {
    Question {
        id,
        name: format!("Custom question {id}"),
        text: text.to_owned(),
        label: None,
        predefined_field: predefined.map(str::to_owned),
        kind: if options.is_empty() {
            QuestionKind::Text {
                max_length: Some(300),
            }
        } else {
            let option = |(id, text): &(i64, &str)| ChoiceOption {
                id: *id,
                text: (*text).to_owned(),
            };
            QuestionKind::MultipleChoice {
                options: options.iter().map(option).collect(),
            }
        },
        required: false,
        editable: true,
    }
}

/// A form with e-mail (1), first name (2), a colour to choose (3) and a free question (4, label `budget`).
fn version() -> FormVersion {
    let mut questions = vec![
        question(1, "E-Mail", Some("EMAIL"), &[]),
        question(2, "Vorname", Some("FIRST_NAME"), &[]),
        question(
            3,
            "Favourite colour?",
            None,
            &[(0, "red"), (1, "blue"), (2, "green")],
        ),
        question(4, "What is your budget?", None, &[]),
    ];
    questions[3].label = Some("budget".to_owned());
    FormVersion {
        id: FormVersionId::new(Uuid::from_u128(9)),
        form_id: form(1),
        number: 1,
        name: "Whitepaper".to_owned(),
        locale: Locale {
            language: "de".to_owned(),
            country: "DE".to_owned(),
        },
        questions,
        hidden_fields: vec![HiddenField {
            name: "source_code".to_owned(),
            value: "abc678".to_owned(),
        }],
        consents: vec![],
        headline: None,
        description: None,
        privacy_policy_url: None,
        landing_page_url: None,
        thank_you_message: None,
        legal_disclaimer: None,
    }
}

fn submission(answers: Vec<(i64, AnswerValue)>) -> Submission {
    Submission {
        id: SubmissionId::new(Uuid::from_u128(77)),
        response_id: "249592fc-d272-44ba-a7db-c2bdce579507-6".to_owned(),
        submitted_at: Utc.timestamp_opt(1_790_000_000, 0).unwrap(),
        lead_type: LeadType::Sponsored,
        is_test: false,
        submitter: None,
        form_id: Some(form(1)),
        form_version: Some(FormVersionId::new(Uuid::from_u128(9))),
        campaign_name: Some("Q3 leads".to_owned()),
        form_name: Some("Whitepaper".to_owned()),
        account_name: Some("Northwind Ads".to_owned()),
        country: Some("DE".to_owned()),
        answers: answers
            .into_iter()
            .map(|(question_id, value)| Answer { question_id, value })
            .collect(),
        consent_responses: vec![],
    }
}

fn text(value: &str) -> AnswerValue {
    AnswerValue::Text(value.to_owned())
}

fn mapping(n: u8, source: Source, target: LeadField) -> FieldMapping {
    FieldMapping {
        id: MappingId::new(Uuid::from_u128(u128::from(n))),
        name: format!("mapping {n}"),
        form_id: None,
        source,
        target: FieldKey::Standard(target),
        policy: WritePolicy::Overwrite,
        transforms: vec![],
        position: i64::from(n),
    }
}

fn map(mappings: Vec<FieldMapping>, answers: Vec<(i64, AnswerValue)>) -> MappedSubmission {
    MappingSet::new(mappings).map(&submission(answers), &version(), None)
}

fn values(mapped: &MappedSubmission) -> Vec<(String, &str)> {
    mapped
        .values
        .iter()
        .map(|value| (value.field.to_string(), value.value.as_str()))
        .collect()
}

#[test]
fn blank_answers_give_no_value_and_no_flag() {
    for answer in [
        AnswerValue::Blank,
        text(""),
        text(" \t\u{a0}"),
        AnswerValue::Choices(vec![]),
    ] {
        let mapped = map(
            vec![mapping(1, Source::QuestionId(4), LeadField::City)],
            vec![(4, answer)],
        );
        assert_eq!((mapped.values, mapped.flags), (vec![], vec![]));
        assert_eq!(mapped.applied[0].outcome, MappingOutcome::Blank);
    }
}

#[test]
fn what_does_not_fit_is_left_out_and_flagged_and_the_rest_is_kept() {
    let mappings = vec![
        mapping(1, Source::Predefined("EMAIL".to_owned()), LeadField::Email),
        mapping(
            2,
            Source::Predefined("FIRST_NAME".to_owned()),
            LeadField::FirstName,
        ),
    ];
    let mapped = map(
        mappings,
        vec![(1, text("not an address")), (2, text("Ada"))],
    );
    assert_eq!(values(&mapped), [("first_name".to_owned(), "Ada")]);
    assert_eq!(
        mapped.flags,
        [MappingFlag {
            mapping_id: Some(MappingId::new(Uuid::from_u128(1))),
            field: Some(FieldKey::Standard(LeadField::Email)),
            question_id: Some(1),
            problem: FlagKind::NotAnEmailAddress,
        }]
    );
    assert_eq!(mapped.applied[0].outcome, MappingOutcome::LeftOut);
    assert_eq!(
        mapped.value_for(&FieldKey::Standard(LeadField::Email)),
        None
    );
}

#[test]
fn answers_that_cannot_be_read_are_flagged_mapped_or_not() {
    for (answer, problem, outcome) in [
        (
            AnswerValue::Unknown(json!({"rating": 5})),
            FlagKind::UnreadableAnswer,
            MappingOutcome::LeftOut,
        ),
        (
            AnswerValue::Choices(vec![7]),
            FlagKind::UnknownOption,
            MappingOutcome::LeftOut,
        ),
        (
            AnswerValue::Choices(vec![0, 7]),
            FlagKind::UnknownOption,
            MappingOutcome::Mapped,
        ),
    ] {
        for is_mapped in [true, false] {
            let mappings = if is_mapped {
                vec![mapping(1, Source::QuestionId(3), LeadField::City)]
            } else {
                vec![]
            };
            let mapped = map(mappings, vec![(3, answer.clone())]);
            let problems: Vec<_> = mapped
                .flags
                .iter()
                .map(|flag| (flag.question_id, flag.problem))
                .collect();
            assert_eq!(problems, [(Some(3), problem)]);
            assert_eq!(
                mapped.unmapped_questions,
                if is_mapped { vec![] } else { vec![3] }
            );
            assert_eq!(
                mapped.applied.first().map(|applied| applied.outcome),
                is_mapped.then_some(outcome)
            );
        }
    }
}

#[test]
fn a_text_on_a_choice_question_and_a_choice_on_a_text_question_do_no_harm() {
    let mappings = vec![
        mapping(1, Source::QuestionId(3), LeadField::City),
        mapping(2, Source::QuestionId(4), LeadField::State),
    ];
    let mapped = map(
        mappings,
        vec![(3, text("purple")), (4, AnswerValue::Choices(vec![0]))],
    );
    assert_eq!(values(&mapped), [("city".to_owned(), "purple")]);
    assert_eq!(mapped.flags[0].problem, FlagKind::UnknownOption);
}

#[test]
fn option_zero_is_an_answer_and_options_belong_to_their_version() {
    let set = MappingSet::new(vec![mapping(1, Source::QuestionId(3), LeadField::City)]);
    let mut second = version();
    second.questions[2] = question(3, "Favourite colour?", None, &[(0, "black"), (1, "red")]);
    let answered = submission(vec![(3, AnswerValue::Choices(vec![0]))]);
    assert_eq!(set.map(&answered, &version(), None).values[0].value, "red");
    assert_eq!(set.map(&answered, &second, None).values[0].value, "black");
}

#[test]
fn answered_questions_that_no_mapping_reads_are_listed() {
    let mapped = map(
        vec![mapping(1, Source::QuestionId(1), LeadField::City)],
        vec![
            (99, text("x")),
            (4, text("y")),
            (2, AnswerValue::Blank),
            (99, text("z")),
            (1, text("a")),
        ],
    );
    assert_eq!(mapped.unmapped_questions, [4, 99]);
    let flags: Vec<_> = mapped
        .flags
        .iter()
        .map(|flag| (flag.question_id, flag.problem))
        .collect();
    assert_eq!(flags, [(Some(99), FlagKind::UnknownQuestion)]);
    let compiled = MappingSet::default().compile(&version());
    assert_eq!(
        compiled.unmapped_questions().collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
}

#[test]
fn an_override_replaces_the_organisations_mappings_of_the_same_field_on_its_form_only() {
    let organisation = mapping(1, Source::QuestionId(4), LeadField::City);
    let other_field = mapping(2, Source::QuestionId(2), LeadField::FirstName);
    let own = FieldMapping {
        form_id: Some(form(1)),
        ..mapping(3, Source::QuestionId(3), LeadField::City)
    };
    let foreign = FieldMapping {
        form_id: Some(form(2)),
        ..mapping(4, Source::Constant("x".to_owned()), LeadField::State)
    };
    let set = MappingSet::new(vec![foreign, own, other_field, organisation]);
    let answers = vec![
        (4, text("four")),
        (3, AnswerValue::Choices(vec![1])),
        (2, text("Ada")),
    ];
    let mapped = set.map(&submission(answers.clone()), &version(), None);
    assert_eq!(
        values(&mapped),
        [
            ("first_name".to_owned(), "Ada"),
            ("city".to_owned(), "blue")
        ]
    );
    let elsewhere = FormVersion {
        form_id: form(3),
        ..version()
    };
    let mapped = set.map(&submission(answers), &elsewhere, None);
    assert_eq!(
        values(&mapped),
        [
            ("city".to_owned(), "four"),
            ("first_name".to_owned(), "Ada")
        ]
    );
    assert!(
        set.targets()
            .contains(&FieldKey::Standard(LeadField::State))
    );
}

#[test]
fn several_mappings_of_one_field_are_settled_by_policy_and_position() {
    use MappingOutcome::{Blank, LeftOut, Mapped, Superseded};
    use WritePolicy::{Append, FillIfEmpty, Overwrite};
    type Case = (
        &'static str,
        [(WritePolicy, &'static str); 2],
        Vec<&'static str>,
        [MappingOutcome; 2],
    );
    let cases: [Case; 9] = [
        (
            "the later overwrite counts",
            [(Overwrite, "a"), (Overwrite, "b")],
            vec!["b"],
            [Superseded, Mapped],
        ),
        (
            "a blank one does not count",
            [(Overwrite, "a"), (Overwrite, " ")],
            vec!["a"],
            [Mapped, Blank],
        ),
        (
            "filling comes after overwriting",
            [(FillIfEmpty, "a"), (Overwrite, "b")],
            vec!["b"],
            [Superseded, Mapped],
        ),
        (
            "whatever the position",
            [(Overwrite, "a"), (FillIfEmpty, "b")],
            vec!["a"],
            [Mapped, Superseded],
        ),
        (
            "filling takes the first",
            [(FillIfEmpty, "a"), (FillIfEmpty, "b")],
            vec!["a"],
            [Mapped, Superseded],
        ),
        (
            "filling takes what is there",
            [(Overwrite, ""), (FillIfEmpty, "b")],
            vec!["b"],
            [Blank, Mapped],
        ),
        (
            "appending adds",
            [(Append, "a"), (Append, "b")],
            vec!["a", "b"],
            [Mapped, Mapped],
        ),
        (
            "appending comes last",
            [(Append, "a"), (Overwrite, "b")],
            vec!["b", "a"],
            [Mapped, Mapped],
        ),
        (
            "what does not fit does not count",
            [(Overwrite, "a"), (Overwrite, TOO_LONG)],
            vec!["a"],
            [Mapped, LeftOut],
        ),
    ];
    for (why, [first, second], expected, outcomes) in cases {
        let with = |n, source, policy| FieldMapping {
            policy,
            ..mapping(n, source, LeadField::PostalCode)
        };
        let mapped = map(
            vec![
                with(2, Source::QuestionId(2), second.0),
                with(1, Source::QuestionId(1), first.0),
            ],
            vec![(1, text(first.1)), (2, text(second.1))],
        );
        let found: Vec<&str> = mapped
            .values
            .iter()
            .map(|value| value.value.as_str())
            .collect();
        assert_eq!(found, expected, "{why}");
        let ran: Vec<_> = mapped
            .applied
            .iter()
            .map(|applied| applied.outcome)
            .collect();
        assert_eq!(ran, outcomes, "{why}");
        assert_eq!(
            mapped.value_for(&FieldKey::Standard(LeadField::PostalCode)),
            expected.first().copied(),
            "{why}"
        );
    }
}

/// Too long for a postal code.
const TOO_LONG: &str = "12345678901234567890123456789012345678901";

#[test]
fn custom_fields_take_what_their_definition_says() {
    let custom = |name: &str| FieldMapping {
        target: FieldKey::Custom(name.to_owned()),
        ..mapping(1, Source::QuestionId(4), LeadField::City)
    };
    let field = |name: &str, kind| CustomField {
        name: name.to_owned(),
        label: name.to_owned(),
        kind,
    };
    let choice = FieldKind::Choice {
        values: vec!["Small".to_owned(), "Large".to_owned()],
    };
    let map = |name: &str, answer: &str| {
        MappingSet::new(vec![custom(name)])
            .with_custom_fields([
                field("size", choice.clone()),
                field("budget", FieldKind::Number),
            ])
            .map(&submission(vec![(4, text(answer))]), &version(), None)
    };
    assert_eq!(
        values(&map("size", " LARGE ")),
        [("custom.size".to_owned(), "Large")]
    );
    assert_eq!(map("size", "medium").flags[0].problem, FlagKind::NotAChoice);
    assert_eq!(
        values(&map("budget", "10 000")),
        [("custom.budget".to_owned(), "10000")]
    );
    assert_eq!(map("gone", "x").flags[0].problem, FlagKind::UnknownField);
}

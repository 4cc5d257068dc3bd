//! Tests of the transforms and of their checks.

use super::*;

fn transformed(chain: Vec<Transform>, answer: AnswerValue) -> Option<String> {
    let mapping = FieldMapping {
        transforms: chain,
        ..mapping(1, Source::QuestionId(3), LeadField::Description)
    };
    let mapped = map(vec![mapping], vec![(3, answer), (2, text("Ada"))]);
    assert_eq!(mapped.flags, []);
    mapped.values.into_iter().next().map(|value| value.value)
}

fn split(separator: &str, part: i64) -> Transform {
    Transform::Split {
        separator: separator.to_owned(),
        part,
    }
}

fn join(separator: &str, with: Vec<Source>) -> Transform {
    Transform::Join {
        separator: separator.to_owned(),
        with,
    }
}

fn default(value: &str) -> Transform {
    Transform::Default {
        value: value.to_owned(),
    }
}

fn pairs(pairs: &[(&str, &str)], otherwise: Otherwise) -> Transform {
    let pairs = pairs
        .iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
        .collect();
    Transform::ValueMap { pairs, otherwise }
}

#[test]
fn each_transform_does_what_it_says() {
    use Transform::{Lower, TitleCase, Trim, Upper};
    let both = || AnswerValue::Choices(vec![1, 0]);
    let colours = |otherwise| pairs(&[("red", "warm"), ("blue", "cold")], otherwise);
    let sources = || {
        vec![
            Source::QuestionId(2),
            Source::FormName,
            Source::QuestionId(99),
        ]
    };
    for (chain, answer, expected) in [
        (vec![], text(" a b "), Some("a b")),
        (vec![Trim], text(" a b "), Some("a b")),
        (vec![Upper], text("straße"), Some("STRASSE")),
        (vec![Lower], text("ADA"), Some("ada")),
        (
            vec![TitleCase],
            text("ADA o'neil-LOVELACE"),
            Some("Ada O'neil-Lovelace"),
        ),
        (vec![], both(), Some("red; blue")),
        (vec![join(", ", vec![])], both(), Some("red, blue")),
        (vec![Upper, join("+", vec![])], both(), Some("RED+BLUE")),
        (
            vec![join(" / ", sources())],
            text("x"),
            Some("x / Ada / Whitepaper"),
        ),
        (
            vec![join(" / ", sources())],
            AnswerValue::Blank,
            Some("Ada / Whitepaper"),
        ),
        (vec![split("-", 1)], text("a - b - c"), Some("a")),
        (vec![split("-", 3)], text("a - b - c"), Some("c")),
        (vec![split("-", -1)], text("a - b - c"), Some("c")),
        (vec![split("-", 4)], text("a - b - c"), None),
        (vec![split("-", 0)], text("a-b"), None),
        (vec![split("-", i64::MIN)], text("a-b"), None),
        (vec![split("", 1)], text("a-b"), Some("a-b")),
        (
            vec![default("unknown")],
            AnswerValue::Blank,
            Some("unknown"),
        ),
        (vec![default("unknown")], text("known"), Some("known")),
        (
            vec![split("-", 4), default("none")],
            text("a-b"),
            Some("none"),
        ),
        (vec![colours(Otherwise::Keep)], text("red"), Some("warm")),
        (vec![colours(Otherwise::Keep)], text("green"), Some("green")),
        (vec![colours(Otherwise::LeaveOut)], text("green"), None),
        (
            vec![colours(Otherwise::LeaveOut)],
            AnswerValue::Choices(vec![0, 1, 2]),
            Some("warm; cold"),
        ),
        (vec![colours(Otherwise::Keep)], text("RED"), Some("RED")),
        (
            vec![Lower, colours(Otherwise::Keep), TitleCase],
            text(" RED "),
            Some("Warm"),
        ),
    ] {
        assert_eq!(
            transformed(chain.clone(), answer).as_deref(),
            expected,
            "{chain:?}"
        );
    }
}

#[test]
fn a_joined_question_counts_as_mapped_and_a_join_needs_no_own_source() {
    let join = join(" ", vec![Source::QuestionId(1), Source::QuestionId(2)]);
    let mapping = FieldMapping {
        transforms: vec![join],
        ..mapping(1, Source::QuestionId(99), LeadField::Description)
    };
    let mapped = map(
        vec![mapping],
        vec![(1, text("a")), (2, text("b")), (4, text("c"))],
    );
    assert_eq!(values(&mapped), [("description".to_owned(), "a b")]);
    assert_eq!(mapped.unmapped_questions, [4]);
}

#[test]
fn a_chain_is_checked_before_it_is_saved() {
    let long = "x".repeat(1_001);
    let many: Vec<(String, String)> = (0..501).map(|n| (n.to_string(), String::new())).collect();
    let many: Vec<(&str, &str)> = many
        .iter()
        .map(|(from, to)| (from.as_str(), to.as_str()))
        .collect();
    for (chain, expected) in [
        (vec![], Ok(())),
        (vec![Transform::Trim; 10], Ok(())),
        (
            vec![Transform::Trim; 11],
            Err(TransformError::TooMany { max: 10 }),
        ),
        (vec![split("", 1)], Err(TransformError::EmptySeparator)),
        (vec![split("-", 0)], Err(TransformError::PartZero)),
        (vec![default(" ")], Err(TransformError::BlankDefault)),
        (
            vec![default(&long)],
            Err(TransformError::TooLong { max: 1_000 }),
        ),
        (
            vec![join("", vec![Source::Constant(long.clone())])],
            Err(TransformError::TooLong { max: 1_000 }),
        ),
        (
            vec![pairs(&[], Otherwise::Keep)],
            Err(TransformError::Pairs { max: 500 }),
        ),
        (
            vec![pairs(&many, Otherwise::Keep)],
            Err(TransformError::Pairs { max: 500 }),
        ),
        (vec![pairs(&[("a", "")], Otherwise::LeaveOut)], Ok(())),
    ] {
        assert_eq!(check_transforms(&chain), expected, "{chain:.0?}");
    }
}

#[test]
fn a_chain_is_stored_as_json() {
    let chain = vec![
        Transform::TitleCase,
        split(",", 2),
        join(" ", vec![]),
        join(" ", vec![Source::FormName]),
        default("x"),
        pairs(&[("a", "b")], Otherwise::LeaveOut),
    ];
    let json = serde_json::to_string(&chain).unwrap();
    assert_eq!(
        json,
        r#"[{"type":"title_case"},{"type":"split","separator":",","part":2},{"type":"join","separator":" "},{"type":"join","separator":" ","with":[{"kind":"form_name"}]},{"type":"default","value":"x"},{"type":"value_map","pairs":{"a":"b"},"otherwise":"leave_out"}]"#
    );
    assert_eq!(
        serde_json::from_str::<Vec<Transform>>(&json).unwrap(),
        chain
    );
}

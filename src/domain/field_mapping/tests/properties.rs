//! Property tests of mapping: any answer gives a value or a flag, whatever the order.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Any JSON, with the shapes of answers among it.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 4.0)),
        ".{0,12}".prop_map(Value::from),
        (0_i64..4).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            Just("textQuestionAnswer".to_owned()),
            Just("multipleChoiceAnswer".to_owned()),
            Just("answer".to_owned()),
            Just("options".to_owned()),
            "[a-z]{0,4}",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn any_transform() -> impl Strategy<Value = Transform> {
    prop_oneof![
        Just(Transform::Trim),
        Just(Transform::Upper),
        Just(Transform::Lower),
        Just(Transform::TitleCase),
        ("[;, ]{0,2}", any::<bool>()).prop_map(|(separator, more)| Transform::Join {
            separator,
            with: if more {
                vec![Source::QuestionId(2), Source::QuestionId(77)]
            } else {
                vec![]
            },
        }),
        ("[;, a]{0,2}", -4_i64..4)
            .prop_map(|(separator, part)| Transform::Split { separator, part }),
        ".{0,4}".prop_map(|value| Transform::Default { value }),
        any::<bool>().prop_map(|keep| Transform::ValueMap {
            pairs: [("red".to_owned(), "blue".to_owned())].into(),
            otherwise: if keep {
                Otherwise::Keep
            } else {
                Otherwise::LeaveOut
            },
        }),
    ]
}

fn any_mapping() -> impl Strategy<Value = FieldMapping> {
    let source = prop_oneof![
        (1_i64..6).prop_map(Source::QuestionId),
        Just(Source::Predefined("EMAIL".to_owned())),
        Just(Source::QuestionText("budget".to_owned())),
        Just(Source::HiddenField("source_code".to_owned())),
        Just(Source::CampaignName),
        ".{0,8}".prop_map(Source::Constant),
    ];
    let target = (0_usize..LeadField::ALL.len() + 1).prop_map(|n| match LeadField::ALL.get(n) {
        Some(field) => FieldKey::Standard(*field),
        None => FieldKey::Custom("gone".to_owned()),
    });
    let policy = (0_usize..3).prop_map(|n| WritePolicy::ALL[n]);
    (
        any::<u8>(),
        source,
        target,
        policy,
        proptest::collection::vec(any_transform(), 0..3),
        any::<bool>(),
    )
        .prop_map(
            |(n, source, target, policy, transforms, is_override)| FieldMapping {
                target,
                policy,
                transforms,
                form_id: is_override.then(|| form(1)),
                ..mapping(n, source, LeadField::City)
            },
        )
}

proptest! {
    #[test]
    fn any_json_as_an_answer_gives_a_value_or_a_flag(details in any_json(), n in 0_usize..24) {
        let answer = AnswerValue::from_details(&details);
        let target = LeadField::ALL[n];
        let mapped = map(vec![mapping(1, Source::QuestionId(3), target)], vec![(3, answer.clone())]);
        if answer.is_blank() {
            prop_assert!(mapped.values.is_empty() && mapped.flags.is_empty());
        } else {
            prop_assert_eq!(mapped.applied.len(), 1);
            let is_mapped = mapped.applied[0].outcome == MappingOutcome::Mapped;
            prop_assert_eq!(mapped.values.len(), usize::from(is_mapped));
            prop_assert!(is_mapped || !mapped.flags.is_empty());
        }
        // It is stored as JSON and comes back the same.
        let stored = serde_json::to_string(&answer).unwrap();
        prop_assert_eq!(serde_json::from_str::<AnswerValue>(&stored).unwrap(), answer);
    }

    #[test]
    fn mapping_is_total_and_what_it_gives_fits(
        mappings in proptest::collection::vec(any_mapping(), 0..8),
        answers in proptest::collection::vec((0_i64..7, any_json()), 0..8),
    ) {
        let answers = answers.into_iter().map(|(id, details)| (id, AnswerValue::from_details(&details))).collect();
        let mapped = map(mappings, answers);
        let mut settled = Vec::new();
        for value in &mapped.values {
            prop_assert!(!value.value.trim().is_empty());
            let kind = value.field.standard().expect("no custom field exists").kind();
            prop_assert_eq!(fit(&kind, &value.value, Some("DE")), Ok(value.value.clone()));
            if value.policy != WritePolicy::Append {
                prop_assert!(!settled.contains(&&value.field), "one value per field");
                settled.push(&value.field);
            }
        }
        let stored = serde_json::to_string(&mapped).unwrap();
        prop_assert_eq!(serde_json::from_str::<MappedSubmission>(&stored).unwrap(), mapped);
    }

    #[test]
    fn the_order_of_answers_and_mappings_does_not_matter(
        (mappings, shuffled) in proptest::collection::vec(any_mapping(), 0..6)
            .prop_map(|mappings| mappings.into_iter().zip(1_u8..).map(|(m, n)| FieldMapping {
                id: MappingId::new(Uuid::from_u128(u128::from(n))), ..m
            }).collect::<Vec<_>>())
            .prop_flat_map(|mappings| (Just(mappings.clone()), Just(mappings).prop_shuffle())),
        (answers, reordered) in proptest::collection::btree_map(1_i64..6, "[a-z@.0-9]{0,8}", 0..5)
            .prop_map(|answers| answers.into_iter().map(|(id, answer)| (id, AnswerValue::text(&answer))).collect::<Vec<_>>())
            .prop_flat_map(|answers| (Just(answers.clone()), Just(answers).prop_shuffle())),
    ) {
        prop_assert_eq!(map(mappings, answers), map(shuffled, reordered));
    }
}

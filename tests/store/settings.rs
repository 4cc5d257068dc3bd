//! First start, integration settings, field mappings, matching strategies and assignment rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use leadgen::domain::assignment::{AssignmentRule, Condition};
use leadgen::domain::field_mapping::{
    FieldMapping, Otherwise, Source, Transform, WritePolicy, shipped_mappings,
};
use leadgen::domain::ids::{MappingId, RuleId, StrategyId, UserId};
use leadgen::domain::lead::{FieldKey, LeadField};
use leadgen::domain::matching::{MatchingSettings, MatchingStrategy, OnMatchFail};
use leadgen::store::assignment_rules::{self, Direction};
use leadgen::store::{
    Store, StoreError, field_mappings, integration_settings, matching_strategies, seed,
};
use uuid::Uuid;

use crate::support::TestDatabase;

fn now() -> DateTime<Utc> {
    "2026-11-21T07:00:00Z".parse().unwrap()
}

pub(crate) async fn seeded(database: &TestDatabase) -> Store {
    let store = database.store();
    store
        .write(|conn| seed::run(conn, now(), Uuid::now_v7))
        .await
        .map(|ran| assert!(ran))
        .unwrap();
    store
}

pub(crate) fn field(field: LeadField) -> FieldKey {
    FieldKey::Standard(field)
}

fn mapping(name: &str, source: Source, target: LeadField) -> FieldMapping {
    FieldMapping {
        id: MappingId::new(Uuid::now_v7()),
        name: name.to_owned(),
        form_id: None,
        source,
        target: field(target),
        policy: WritePolicy::Overwrite,
        transforms: Vec::new(),
        position: 100,
    }
}

fn strategy(name: &str, fields: &[LeadField]) -> MatchingStrategy {
    MatchingStrategy {
        id: StrategyId::new(Uuid::now_v7()),
        name: name.to_owned(),
        fields: fields.iter().copied().map(field).collect(),
        is_active: false,
    }
}

pub(crate) async fn a_user(store: &Store, name: &str) -> UserId {
    let id = UserId::new(Uuid::now_v7());
    let (id_text, name) = (id.as_str().to_owned(), name.to_owned());
    store
        .write(move |conn| {
            use diesel::prelude::*;
            use leadgen::store::schema::users;
            diesel::insert_into(users::table)
                .values((
                    users::id.eq(&id_text),
                    users::email.eq(format!("{id_text}@example.com")),
                    users::email_key.eq(format!("{id_text}@example.com")),
                    users::name.eq(name),
                    users::is_enabled.eq(true),
                    users::time_zone.eq("UTC"),
                    users::created_at.eq(now().naive_utc()),
                    users::updated_at.eq(now().naive_utc()),
                    users::lock_version.eq(0_i64),
                ))
                .execute(conn)?;
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
    id
}

async fn rule_message(outcome: Result<impl Sized, StoreError>) -> String {
    match outcome {
        Err(StoreError::Rule(message)) => message,
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("it was allowed"),
    }
}

#[tokio::test]
async fn a_first_start_seeds_once_and_what_is_deleted_stays_deleted() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let mappings = store.read(field_mappings::list).await.unwrap();
    assert_eq!(mappings.len(), shipped_mappings().len());
    let settings = store.read(integration_settings::get).await.unwrap();
    assert_eq!(settings.matching, MatchingSettings::default());
    assert_eq!(settings.fallback_owner_id, None);
    let active = store.read(matching_strategies::active).await.unwrap();
    assert_eq!(active.name, "E-mail address");
    assert_eq!(active.fields, [field(LeadField::Email)]);
    assert_eq!(
        store
            .read(integration_settings::organization_name)
            .await
            .unwrap(),
        "My organization"
    );

    let degree = mappings
        .into_iter()
        .find(|mapping| mapping.target == field(LeadField::Degree))
        .unwrap();
    store
        .write(move |conn| field_mappings::delete(conn, &degree.id, 0))
        .await
        .unwrap();
    let ran = store
        .write(|conn| seed::run(conn, now(), Uuid::now_v7))
        .await
        .unwrap();
    assert!(!ran);
    let again = store.read(field_mappings::list).await.unwrap();
    assert_eq!(again.len(), shipped_mappings().len() - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_at_once_seed_once() {
    let database = Arc::new(TestDatabase::new());
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let store = database.store();
        tasks.push(tokio::spawn(async move {
            store
                .write(|conn| seed::run(conn, now(), Uuid::now_v7))
                .await
                .unwrap()
        }));
    }
    let mut ran = 0;
    for task in tasks {
        ran += u32::from(task.await.unwrap());
    }
    assert_eq!(ran, 1);
    assert_eq!(
        database.number("SELECT count(*) FROM field_mappings"),
        i64::try_from(shipped_mappings().len()).unwrap()
    );
}

#[tokio::test]
async fn integration_settings_come_back_as_saved_and_a_second_editor_is_told() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let owner = a_user(&store, "Olga").await;
    let mut settings = store.read(integration_settings::get).await.unwrap();
    let version = settings.lock_version;
    settings.matching.on_match_fail = OnMatchFail::CreateNewLead;
    settings.matching.always_create_lead = true;
    settings.matching.default_country = Some("DE".to_owned());
    settings.fallback_owner_id = Some(owner);
    let first = settings.clone();
    store
        .write(move |conn| integration_settings::save(conn, &first, version, now()))
        .await
        .unwrap();
    let stored = store.read(integration_settings::get).await.unwrap();
    assert_eq!(stored.matching, settings.matching);
    assert_eq!(stored.fallback_owner_id, settings.fallback_owner_id);
    assert_eq!(stored.lock_version, version + 1);
    let outcome = store
        .write(move |conn| integration_settings::save(conn, &settings, version, now()))
        .await;
    assert!(matches!(outcome, Err(StoreError::Stale(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_mapping_comes_back_as_saved_with_every_kind_of_source_and_transform() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let sources = [
        Source::Predefined("FIRST_NAME".into()),
        Source::QuestionId(0),
        Source::QuestionText("What’s “new”? '; DROP TABLE leads; -- 🦊".into()),
        Source::HiddenField("utm_source".into()),
        Source::CampaignName,
        Source::FormName,
        Source::AccountName,
        Source::Constant("מזל".into()),
    ];
    for source in sources {
        let mut wanted = mapping("One", source, LeadField::Description);
        wanted.policy = WritePolicy::Append;
        wanted.transforms = vec![
            Transform::Trim,
            Transform::Join {
                separator: ", ".into(),
                with: vec![Source::CampaignName],
            },
            Transform::Split {
                separator: "@".into(),
                part: -1,
            },
            Transform::ValueMap {
                pairs: [("a".to_owned(), "b".to_owned())].into(),
                otherwise: Otherwise::LeaveOut,
            },
            Transform::Default {
                value: "none".into(),
            },
        ];
        let stored = wanted.clone();
        store
            .write(move |conn| field_mappings::insert(conn, &stored, now()))
            .await
            .unwrap();
        let id = wanted.id.clone();
        let found = store
            .read(move |conn| field_mappings::find(conn, &id))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.mapping, wanted);
        let mut twice = wanted.clone();
        twice.id = MappingId::new(Uuid::now_v7());
        let outcome = store
            .write(move |conn| field_mappings::insert(conn, &twice, now()))
            .await;
        assert!(rule_message(outcome).await.contains("already"));
    }
}

#[tokio::test]
async fn a_mapping_that_somebody_else_saved_meanwhile_is_stale_and_a_deleted_one_is_not_found() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let mut one = mapping("One", Source::FormName, LeadField::Description);
    let inserted = one.clone();
    store
        .write(move |conn| field_mappings::insert(conn, &inserted, now()))
        .await
        .unwrap();
    one.name = "Two".into();
    let saved = one.clone();
    store
        .write(move |conn| field_mappings::save(conn, &saved, 0, now()))
        .await
        .unwrap();
    let again = one.clone();
    let outcome = store
        .write(move |conn| field_mappings::save(conn, &again, 0, now()))
        .await;
    assert!(matches!(outcome, Err(StoreError::Stale(_))));
    let id = one.id.clone();
    let outcome = store
        .write(move |conn| field_mappings::delete(conn, &id, 0))
        .await;
    assert!(matches!(outcome, Err(StoreError::Stale(_))));
    let id = one.id.clone();
    store
        .write(move |conn| field_mappings::delete(conn, &id, 1))
        .await
        .unwrap();
    let outcome = store
        .write(move |conn| field_mappings::save(conn, &one, 1, now()))
        .await;
    assert!(matches!(outcome, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn the_last_mapping_of_a_field_that_the_active_strategy_compares_can_neither_be_deleted_nor_moved()
 {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let of_email: Vec<FieldMapping> = store
        .read(field_mappings::list)
        .await
        .unwrap()
        .into_iter()
        .filter(|mapping| mapping.target == field(LeadField::Email))
        .collect();
    let [first, second] = of_email.as_slice() else {
        panic!("two shipped mappings fill Email")
    };
    let id = first.id.clone();
    store
        .write(move |conn| field_mappings::delete(conn, &id, 0))
        .await
        .unwrap();
    let id = second.id.clone();
    let message = rule_message(
        store
            .write(move |conn| field_mappings::delete(conn, &id, 0))
            .await,
    )
    .await;
    assert!(
        message.contains("“E-mail address”") && message.contains("Email"),
        "{message}"
    );
    let mut moved = second.clone();
    moved.target = field(LeadField::Website);
    let outcome = store
        .write(move |conn| field_mappings::save(conn, &moved, 0, now()))
        .await;
    assert!(rule_message(outcome).await.contains("last mapping"));
    let still = store.read(field_mappings::targets).await.unwrap();
    assert!(
        still.contains(&field(LeadField::Email)),
        "nothing is half done"
    );
}

#[tokio::test]
async fn the_rules_of_strategies_hold() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let default = store.read(matching_strategies::active).await.unwrap();

    for (wanted, says) in [
        (strategy("", &[LeadField::Phone]), "Enter a name"),
        (
            strategy(&"x".repeat(101), &[LeadField::Phone]),
            "at most 100",
        ),
        (
            strategy("  e-MAIL   address ", &[LeadField::Phone]),
            "this name already",
        ),
        (strategy("None", &[]), "at least one field"),
        (
            strategy("Twice", &[LeadField::Phone, LeadField::Phone]),
            "already",
        ),
        (
            strategy("Unmapped", &[LeadField::Website]),
            "no field mapping",
        ),
    ] {
        let outcome = store
            .write(move |conn| matching_strategies::insert(conn, &wanted, now()))
            .await;
        let message = rule_message(outcome).await;
        assert!(message.contains(says), "{message}");
    }

    let phone = strategy("Phone", &[LeadField::Phone]);
    let inserted = phone.clone();
    store
        .write(move |conn| matching_strategies::insert(conn, &inserted, now()))
        .await
        .unwrap();

    let id = default.id.clone();
    let outcome = store
        .write(move |conn| matching_strategies::delete(conn, &id))
        .await;
    assert!(rule_message(outcome).await.contains("cannot be deleted"));
    let id = default.id.clone();
    let outcome = store
        .write(move |conn| {
            matching_strategies::remove_field(conn, &id, &field(LeadField::Email), now())
        })
        .await;
    assert!(rule_message(outcome).await.contains("at least one field"));
    let id = phone.id.clone();
    let outcome = store
        .write(move |conn| {
            matching_strategies::add_field(conn, &id, &field(LeadField::Website), now())
        })
        .await;
    assert!(rule_message(outcome).await.contains("no field mapping"));

    let id = phone.id.clone();
    let before = store
        .write(move |conn| matching_strategies::activate(conn, &id, now()))
        .await
        .unwrap();
    assert_eq!(before.unwrap().id, default.id);
    assert_eq!(
        store.read(matching_strategies::active).await.unwrap().id,
        phone.id
    );
    let id = default.id.clone();
    store
        .write(move |conn| matching_strategies::delete(conn, &id))
        .await
        .unwrap();
    assert_eq!(
        store.read(matching_strategies::list).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_strategy_whose_field_lost_its_mapping_cannot_become_active_but_can_be_repaired() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let degree = strategy("Degree", &[LeadField::Degree]);
    let inserted = degree.clone();
    store
        .write(move |conn| matching_strategies::insert(conn, &inserted, now()))
        .await
        .unwrap();
    let unmapped = store
        .read(field_mappings::list)
        .await
        .unwrap()
        .into_iter()
        .find(|mapping| mapping.target == field(LeadField::Degree))
        .unwrap();
    store
        .write(move |conn| field_mappings::delete(conn, &unmapped.id, 0))
        .await
        .unwrap();
    let id = degree.id.clone();
    let outcome = store
        .write(move |conn| matching_strategies::activate(conn, &id, now()))
        .await;
    assert!(rule_message(outcome).await.contains("Degree"));
    let id = degree.id.clone();
    store
        .write(move |conn| {
            matching_strategies::add_field(conn, &id, &field(LeadField::Phone), now())?;
            matching_strategies::remove_field(conn, &id, &field(LeadField::Degree), now())?;
            matching_strategies::activate(conn, &id, now())
        })
        .await
        .unwrap();
    assert_eq!(
        store.read(matching_strategies::active).await.unwrap().id,
        degree.id
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_strategy_is_active_whatever_several_administrators_do_at_once() {
    let database = Arc::new(TestDatabase::new());
    let store = seeded(&database).await;
    let strategies: Vec<MatchingStrategy> = (0..4)
        .map(|n| {
            strategy(
                &format!("Strategy {n}"),
                &[LeadField::Phone, LeadField::Email],
            )
        })
        .collect();
    for one in strategies.clone() {
        store
            .write(move |conn| matching_strategies::insert(conn, &one, now()))
            .await
            .unwrap();
    }
    let ids: Vec<StrategyId> = strategies.into_iter().map(|one| one.id).collect();
    let mut tasks = Vec::new();
    for turn in 0..32_usize {
        let store = database.store();
        let id = ids[turn % ids.len()].clone();
        tasks.push(tokio::spawn(async move {
            store
                .write(move |conn| match turn % 3 {
                    0 | 1 => matching_strategies::activate(conn, &id, now()).map(drop),
                    _ => matching_strategies::delete(conn, &id).map(drop),
                })
                .await
        }));
    }
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) | Err(StoreError::Rule(_) | StoreError::NotFound(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(
        database.number("SELECT count(*) FROM matching_strategies WHERE is_active"),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_mapping_and_using_its_field_at_once_never_leaves_the_active_strategy_unmapped()
{
    for _ in 0..5 {
        let database = TestDatabase::new();
        let store = seeded(&database).await;
        let active = store.read(matching_strategies::active).await.unwrap();
        let degree = store
            .read(field_mappings::list)
            .await
            .unwrap()
            .into_iter()
            .find(|mapping| mapping.target == field(LeadField::Degree))
            .unwrap();
        let (one, other) = (database.store(), database.store());
        let deletes = tokio::spawn(async move {
            one.write(move |conn| field_mappings::delete(conn, &degree.id, 0))
                .await
        });
        let uses = tokio::spawn(async move {
            other
                .write(move |conn| {
                    matching_strategies::add_field(
                        conn,
                        &active.id,
                        &field(LeadField::Degree),
                        now(),
                    )
                })
                .await
        });
        let outcomes = (deletes.await.unwrap().is_ok(), uses.await.unwrap().is_ok());
        assert!(
            outcomes == (true, false) || outcomes == (false, true),
            "{outcomes:?}"
        );
        let mapped: BTreeSet<FieldKey> = store.read(field_mappings::targets).await.unwrap();
        let active = store.read(matching_strategies::active).await.unwrap();
        assert!(active.fields.iter().all(|field| mapped.contains(field)));
    }
}

#[tokio::test]
async fn assignment_rules_keep_their_order_when_they_are_moved_and_deleted() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let owner = a_user(&store, "Olga").await;
    let rules: Vec<AssignmentRule> = ["A", "B", "C"]
        .into_iter()
        .map(|city| AssignmentRule {
            id: RuleId::new(Uuid::now_v7()),
            position: 0,
            condition: Condition::FieldEquals(field(LeadField::City), city.to_owned()),
            owner_id: owner.clone(),
        })
        .collect();
    for rule in rules.clone() {
        store
            .write(move |conn| assignment_rules::insert(conn, &rule, now()))
            .await
            .unwrap();
    }
    let mut double = rules[0].clone();
    double.id = RuleId::new(Uuid::now_v7());
    let outcome = store
        .write(move |conn| assignment_rules::insert(conn, &double, now()))
        .await;
    assert!(rule_message(outcome).await.contains("already"));
    let cities = async || -> String {
        let rules = store.read(assignment_rules::list).await.unwrap();
        rules
            .into_iter()
            .map(|rule| match rule.condition {
                Condition::FieldEquals(_, city) => city,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(cities().await, "ABC");
    for (index, direction, expected) in [
        (0, Direction::Up, "ABC"),
        (0, Direction::Down, "BAC"),
        (2, Direction::Up, "BCA"),
        (0, Direction::Down, "BCA"),
    ] {
        let id = rules[index].id.clone();
        store
            .write(move |conn| assignment_rules::shift(conn, &id, direction, now()))
            .await
            .unwrap();
        assert_eq!(cities().await, expected);
    }
    let id = rules[2].id.clone();
    store
        .write(move |conn| assignment_rules::delete(conn, &id))
        .await
        .unwrap();
    assert_eq!(cities().await, "BA");
}

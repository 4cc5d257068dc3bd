//! Match keys: what is stored for a lead, how it is found, and that a change of strategy makes all anew.

use leadgen::domain::ids::LeadId;
use leadgen::domain::lead::{FieldKey, LeadField, LeadValues};
use leadgen::domain::matching::MatchingStrategy;
use leadgen::store::match_keys::{
    composite, first_per_key, full, keys_of, rebuild, replace, stored_key,
};
use leadgen::store::{
    Store, StoreError, integration_settings, lock_leads, matching_strategies, schema,
};
use uuid::Uuid;

use crate::settings::{a_user, field, seeded};
use crate::support::TestDatabase;

fn strategy(fields: &[LeadField]) -> MatchingStrategy {
    MatchingStrategy {
        id: leadgen::domain::ids::StrategyId::new(Uuid::now_v7()),
        name: "One".into(),
        fields: fields.iter().copied().map(field).collect(),
        is_active: true,
    }
}

fn values(of: &[(LeadField, &str)]) -> LeadValues {
    of.iter()
        .map(|(key, value)| (field(*key), (*value).to_owned()))
        .collect()
}

/// Leads with an e-mail address and a phone number.
async fn leads(store: &Store, of: Vec<(Option<String>, Option<String>)>) -> Vec<LeadId> {
    let owner = a_user(store, "Olga").await;
    store
        .write(move |conn| {
            use diesel::prelude::*;
            use schema::leads;
            let at: chrono::NaiveDateTime = "2026-11-21T07:00:00".parse().unwrap();
            let mut ids = Vec::new();
            for (email, phone) in of {
                let id = LeadId::new(Uuid::now_v7());
                diesel::insert_into(leads::table)
                    .values((
                        leads::id.eq(id.as_str()),
                        leads::email.eq(email),
                        leads::phone.eq(phone),
                        leads::custom_values.eq(r#"{"tier":"Gold"}"#),
                        leads::topic.eq("A lead"),
                        leads::status.eq("new"),
                        leads::owner_id.eq(owner.as_str()),
                        leads::created_at.eq(at),
                        leads::updated_at.eq(at),
                        leads::lock_version.eq(0_i64),
                    ))
                    .execute(conn)?;
                ids.push(id);
            }
            Ok::<_, StoreError>(ids)
        })
        .await
        .unwrap()
}

#[test]
fn long_keys_are_hashed_and_cannot_be_imitated_by_short_ones() {
    assert_eq!(stored_key("ada@example.com"), "ada@example.com");
    assert_eq!(stored_key(&"a".repeat(200)).len(), 200);
    let long = stored_key(&"ü".repeat(101));
    assert!(long.starts_with("sha256:") && long.len() == 71, "{long}");
    assert_ne!(stored_key(&long), long);
}

#[test]
fn joined_keys_differ_whenever_their_parts_differ() {
    let parts: [&[&str]; 7] = [
        &["a", "b"],
        &["ab"],
        &["a\u{1f}b"],
        &["a\u{1f}", "b"],
        &["a", "\u{1f}b"],
        &["a\u{1e}f", "b"],
        &["a", "b", "c"],
    ];
    let mut joined: Vec<String> = parts.iter().map(|parts| composite(parts)).collect();
    assert_eq!(joined[0], "a\u{1f}b");
    joined.sort();
    joined.dedup();
    assert_eq!(joined.len(), parts.len());
}

#[test]
fn a_lead_has_a_joined_key_only_with_a_value_for_every_field() {
    let both = strategy(&[LeadField::Email, LeadField::Phone]);
    let complete = values(&[
        (LeadField::Email, " ADA@Example.com"),
        (LeadField::Phone, "0171 2345678"),
    ]);
    assert_eq!(
        keys_of(&both, &complete, Some("DE")),
        [
            ("email".to_owned(), "ada@example.com".to_owned()),
            ("phone".to_owned(), "+491712345678".to_owned()),
            (
                "*".to_owned(),
                "ada@example.com\u{1f}+491712345678".to_owned()
            ),
        ]
    );
    let half = values(&[(LeadField::Email, "ada@example.com")]);
    assert_eq!(
        keys_of(&both, &half, None),
        [("email".to_owned(), "ada@example.com".to_owned())]
    );
    assert_eq!(
        keys_of(&strategy(&[LeadField::Email]), &half, None),
        [("*".to_owned(), "ada@example.com".to_owned())]
    );
    assert!(keys_of(&both, &LeadValues::new(), None).is_empty());
}

#[tokio::test]
async fn a_rebuild_finds_every_lead_of_a_large_table_under_the_new_strategy() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let many: Vec<_> = (0..2_101)
        .map(|n| {
            (
                Some(format!("Person{n}@Example.com")),
                (n % 2 == 0).then(|| format!("+49171{n:07}")),
            )
        })
        .collect();
    let ids = leads(&store, many).await;
    let by = strategy(&[LeadField::Email, LeadField::Phone]);
    store
        .write(move |conn| {
            lock_leads(conn)?;
            rebuild(conn, &by, None)
        })
        .await
        .unwrap();
    assert_eq!(
        database.number("SELECT count(*) FROM lead_match_keys WHERE field = 'email'"),
        2_101
    );
    assert_eq!(
        database.number("SELECT count(*) FROM lead_match_keys WHERE field = '*'"),
        1_051
    );
    let wanted: Vec<String> = (0..2_101)
        .map(|n| composite(&[&format!("person{n}@example.com"), &format!("+49171{n:07}")]))
        .collect();
    let found = store.read(move |conn| full(conn, &wanted)).await.unwrap();
    assert_eq!(found.len(), 1_051);
    let email: Vec<String> = vec!["person7@example.com".into(), "nobody@example.com".into()];
    let found = store
        .read(move |conn| first_per_key(conn, &field(LeadField::Email), &email))
        .await
        .unwrap();
    assert_eq!(found, [("person7@example.com".to_owned(), ids[7].clone())]);
}

#[tokio::test]
async fn lookups_are_bounded_and_take_hostile_keys() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let hostile = [
        "same",
        "'; DROP TABLE leads; --",
        "\"\\",
        "🦊\u{202e}",
        "a\u{1f}b",
        "%",
        "null",
        "[1]",
    ];
    let ids = leads(&store, vec![(None, None); 25]).await;
    let mut rows = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        let key = if index < 15 {
            "same"
        } else {
            hostile[index % hostile.len()]
        };
        rows.push((
            id.clone(),
            vec![
                ("*".to_owned(), key.to_owned()),
                ("email".to_owned(), key.to_owned()),
            ],
        ));
    }
    store.write(move |conn| replace(conn, &rows)).await.unwrap();
    let wanted: Vec<String> = hostile
        .iter()
        .map(|key| (*key).to_owned())
        .chain(["same".into()])
        .collect();
    let keys = wanted.clone();
    let found = store.read(move |conn| full(conn, &keys)).await.unwrap();
    assert_eq!(found.iter().filter(|(key, _)| key == "same").count(), 10);
    let mut seen: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
    seen.dedup();
    assert_eq!(seen.len(), hostile.len());
    let first = store
        .read(move |conn| first_per_key(conn, &field(LeadField::Email), &wanted))
        .await
        .unwrap();
    assert_eq!(first.len(), hostile.len());
    assert!(first.contains(&("same".to_owned(), ids[0].clone())));
    assert!(store.read(|conn| full(conn, &[])).await.unwrap().is_empty());
}

#[tokio::test]
async fn replacing_keys_leaves_exactly_the_new_ones() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let ids = leads(&store, vec![(None, None); 3]).await;
    let row = |id: &LeadId, keys: &[&str]| {
        (
            id.clone(),
            keys.iter()
                .map(|key| ("*".to_owned(), (*key).to_owned()))
                .collect::<Vec<_>>(),
        )
    };
    let first = vec![
        row(&ids[0], &["a"]),
        row(&ids[1], &["b"]),
        row(&ids[2], &["c"]),
    ];
    let second = vec![
        row(&ids[0], &["a"]),
        row(&ids[1], &["d"]),
        row(&ids[2], &[]),
    ];
    for rows in [first, second] {
        store.write(move |conn| replace(conn, &rows)).await.unwrap();
    }
    assert_eq!(
        database.texts("SELECT match_key FROM lead_match_keys ORDER BY match_key"),
        ["a", "d"]
    );
}

#[tokio::test]
async fn activating_another_strategy_or_changing_its_fields_or_the_country_makes_the_keys_anew() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    leads(
        &store,
        vec![(Some("ada@example.com".into()), Some("0171 2345678".into()))],
    )
    .await;
    let keys =
        || database.texts("SELECT field || '=' || match_key FROM lead_match_keys ORDER BY 1");
    let at = "2026-11-21T07:00:00Z".parse().unwrap();
    let mut phone = strategy(&[LeadField::Phone]);
    phone.name = "Phone".into();
    let id = phone.id.clone();
    store
        .write(move |conn| {
            matching_strategies::insert(conn, &phone, at)?;
            matching_strategies::activate(conn, &phone.id, at)
        })
        .await
        .unwrap();
    assert_eq!(keys(), ["*=01712345678"]);
    store
        .write(move |conn| {
            let mut settings = integration_settings::get(conn)?;
            settings.matching.default_country = Some("DE".into());
            let version = settings.lock_version;
            integration_settings::save(conn, &settings, version, at)
        })
        .await
        .unwrap();
    assert_eq!(keys(), ["*=+491712345678"]);
    let strategy_id = id.clone();
    store
        .write(move |conn| {
            matching_strategies::add_field(conn, &strategy_id, &field(LeadField::Email), at)
        })
        .await
        .unwrap();
    assert_eq!(
        keys(),
        [
            "*=+491712345678\u{1f}ada@example.com",
            "email=ada@example.com",
            "phone=+491712345678"
        ]
    );
    store
        .write(move |conn| {
            matching_strategies::remove_field(conn, &id, &field(LeadField::Phone), at)
        })
        .await
        .unwrap();
    assert_eq!(keys(), ["*=ada@example.com"]);
}

#[tokio::test]
async fn a_custom_field_can_be_compared() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    leads(&store, vec![(Some("ada@example.com".into()), None)]).await;
    let mut by = strategy(&[LeadField::Email]);
    by.fields.push(FieldKey::Custom("tier".into()));
    store
        .write(move |conn| rebuild(conn, &by, None))
        .await
        .unwrap();
    assert_eq!(
        database.texts("SELECT match_key FROM lead_match_keys WHERE field = '*'"),
        ["ada@example.com\u{1f}gold"]
    );
}

#[tokio::test]
async fn of_many_leads_with_one_key_the_most_recently_updated_and_the_open_ones_are_named() {
    let database = TestDatabase::new();
    let store = seeded(&database).await;
    let ids = leads(&store, vec![(None, None); 40]).await;
    let rows: Vec<_> = ids
        .iter()
        .map(|id| (id.clone(), vec![("*".to_owned(), "same".to_owned())]))
        .collect();
    store.write(move |conn| replace(conn, &rows)).await.unwrap();
    // The oldest one was touched last; the only open one is neither new nor touched.
    database.execute("UPDATE leads SET status = 'qualified'");
    let (touched, open) = (&ids[0], &ids[3]);
    database.execute(&format!(
        "UPDATE leads SET updated_at = '2026-11-22 07:00:00' WHERE id = '{touched}'; \
         UPDATE leads SET status = 'new' WHERE id = '{open}'"
    ));
    let found = store
        .read(|conn| full(conn, &["same".to_owned()]))
        .await
        .unwrap();
    let named: Vec<&LeadId> = found.iter().map(|(_, lead)| lead).collect();
    assert!(
        named.contains(&touched) && named.contains(&open),
        "{named:?}"
    );
    assert!((10..=20).contains(&named.len()), "{}", named.len());
}

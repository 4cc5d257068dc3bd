//! The audit log: filters in the address, pages, the export, and the check of its chain.

use chrono::TimeDelta;
use leadgen::domain::access::{Role, TokenRole};
use leadgen::domain::ids::UserId;
use leadgen::store::StoreError;
use leadgen::store::audit::{self, Actor, ActorKind};
use serde_json::json;

use crate::api_program::Program;
use crate::start::TestPortal;
use crate::support::{Browserlike, a_moment, a_user};

const LOG: &str = "/settings/audit-log";

async fn portal() -> (TestPortal, Browserlike, UserId) {
    let portal = TestPortal::start().await;
    let ada = portal.add(
        a_user()
            .email("ada@example.com")
            .name("Ada")
            .role(Role::Administrator),
    );
    let browser = portal.sign_in("ada@example.com").await;
    (portal, browser, ada)
}

async fn note(portal: &TestPortal, days: i64, actor: Actor, action: &'static str, name: &str) {
    let (at, name) = (a_moment() + TimeDelta::days(days), name.to_owned());
    portal
        .store
        .write(move |tx| {
            audit::record(
                tx,
                at,
                &actor,
                action,
                ("thing", &format!("id-of-{name}"), &name),
                Some(json!({ "name": "old", "is_new": false })),
                Some(json!({ "name": name, "is_new": true })),
            )?;
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn the_filter_stands_in_the_address_and_each_part_can_be_taken_back() {
    let (portal, browser, ada) = portal().await;
    let acts_as = |kind| Actor {
        kind,
        user_id: (kind == ActorKind::User).then(|| ada.clone()),
        name: "Ada".to_owned(),
        roles: vec![Role::Administrator],
        request_id: Some("request-77".to_owned()),
        address: None,
    };
    note(
        &portal,
        -3,
        acts_as(ActorKind::User),
        "thing.made",
        "earliest",
    )
    .await;
    note(
        &portal,
        -2,
        acts_as(ActorKind::User),
        "thing.bent",
        "middle",
    )
    .await;
    note(&portal, -1, Actor::system(), "thing_more.made", "latest").await;
    let day = (a_moment() - TimeDelta::days(2))
        .format("%Y-%m-%d")
        .to_string();
    for (query, shown, hidden) in [
        (
            format!("user={ada}"),
            vec!["earliest", "middle"],
            vec!["latest"],
        ),
        (
            "actor_kind=system".to_owned(),
            vec!["latest"],
            vec!["middle"],
        ),
        (
            "action=thing.".to_owned(),
            vec!["earliest", "middle"],
            vec!["latest"],
        ),
        (
            "action=thing.bent".to_owned(),
            vec!["middle"],
            vec!["earliest", "latest"],
        ),
        (
            "object_kind=thing&object_id=id-of-latest".to_owned(),
            vec!["latest"],
            vec!["middle"],
        ),
        ("id=id-of-middle".to_owned(), vec!["middle"], vec!["latest"]),
        (
            "id=request-77".to_owned(),
            vec!["earliest", "middle"],
            vec!["latest"],
        ),
        (
            format!("from={day}&to={day}"),
            vec!["middle"],
            vec!["earliest", "latest"],
        ),
        (
            format!("to={day}"),
            vec!["earliest", "middle"],
            vec!["latest"],
        ),
    ] {
        let page = browser.visit(&format!("{LOG}?{query}")).await.expect(200);
        for name in shown {
            assert!(
                page.body.contains(&format!("<ins>{name}</ins>")),
                "{query} shows {name}"
            );
        }
        for name in hidden {
            assert!(
                !page.body.contains(&format!("<ins>{name}</ins>")),
                "{query} hides {name}"
            );
        }
    }
    let page = browser
        .visit(&format!("{LOG}?user={ada}&action=thing.bent"))
        .await;
    let page = page
        .expect_text("1 entry")
        .expect_text("Ada (Administrator)")
        .expect_text("Name: old")
        .expect_text("Is new: no");
    assert!(page.body.contains(&format!("href=\"{LOG}?user={ada}\"")));
    assert!(
        page.body
            .contains(&format!("href=\"{LOG}?action=thing.bent\""))
    );
    browser
        .visit(&format!("{LOG}?object_kind=nothing"))
        .await
        .expect(200)
        .expect_text("Nothing in the log matches the filter");
}

#[tokio::test]
async fn an_entry_leads_to_its_record() {
    let (_portal, browser, ada) = portal().await;
    let page = browser
        .visit(&format!("{LOG}?action=sign_in.succeeded"))
        .await
        .expect(200);
    let body = page.body.replace("&#38;", "&");
    for path in [
        format!("/settings/users/{ada}"),
        format!("{LOG}?object_kind=user&object_id={ada}"),
    ] {
        assert!(body.contains(&format!("href=\"{path}\"")), "{path}: {body}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_keep_the_filter() {
    let (portal, browser, _) = portal().await;
    for number in 0..120 {
        note(
            &portal,
            0,
            Actor::system(),
            "thing.made",
            &format!("thing-{number:03}"),
        )
        .await;
    }
    let first = browser
        .visit(&format!("{LOG}?action=thing."))
        .await
        .expect(200)
        .expect_text("120 entries");
    assert!(
        first.body.contains("<ins>thing-119</ins>") && !first.body.contains("<ins>thing-069</ins>")
    );
    let second = browser.visit(&first.link("Older")).await.expect(200);
    assert!(
        second.body.contains("<ins>thing-069</ins>")
            && !second.body.contains("<ins>thing-070</ins>")
    );
    let third = browser.visit(&second.link("Older")).await.expect(200);
    assert!(third.body.contains("<ins>thing-000</ins>"));
    assert!(!third.body.contains(">Older<"));
    let back = browser.visit(&third.link("Newer")).await.expect(200);
    assert!(
        back.body.contains("<ins>thing-069</ins>") && back.body.contains("<ins>thing-020</ins>")
    );
    assert!(back.link("Newest").contains("action=thing."));
}

#[tokio::test]
async fn the_export_has_exactly_what_is_filtered_and_nothing_that_a_spreadsheet_calculates() {
    let (portal, browser, _) = portal().await;
    note(
        &portal,
        0,
        Actor::system(),
        "thing.made",
        "=HYPERLINK(\"http://x\")",
    )
    .await;
    note(&portal, 0, Actor::system(), "other.made", "elsewhere").await;
    let list = browser
        .visit(&format!(
            "{LOG}?action=thing.made&id=id-of-%3DHYPERLINK(%22http://x%22)"
        ))
        .await;
    let path = list.link("Export as CSV");
    let file = browser.get(&path).await.expect(200);
    let text = file.body.trim_start_matches('\u{feff}');
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(text.as_bytes())
        .into_records()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), 1, "{text}");
    let headings = csv::Reader::from_reader(text.as_bytes())
        .headers()
        .unwrap()
        .clone();
    let cell = |name: &str| {
        let at = headings.iter().position(|heading| heading == name).unwrap();
        rows[0][at].to_owned()
    };
    assert_eq!(cell("Action"), "thing.made");
    assert_eq!(cell("Record name"), "'=HYPERLINK(\"http://x\")");
    assert!(cell("After").contains("\"is_new\":true"));
    assert_eq!(cell("Hash").len(), 64);
    // The export is an entry, which has the filter but not what was typed.
    let noted = portal
        .database
        .texts("SELECT after_state FROM audit_entries WHERE action = 'audit_log.exported'");
    assert_eq!(noted.len(), 1);
    assert!(
        noted[0].contains("thing.made") && !noted[0].contains("HYPERLINK"),
        "{noted:?}"
    );
}

#[tokio::test]
async fn the_chain_is_verified_from_the_page_and_a_broken_entry_is_named() {
    let (portal, browser, _) = portal().await;
    for number in 0..3 {
        note(
            &portal,
            0,
            Actor::system(),
            "thing.made",
            &format!("n{number}"),
        )
        .await;
    }
    let list = browser.visit(LOG).await.expect(200);
    let page = browser
        .visit(&list.link("Verify"))
        .await
        .expect(200)
        .expect_text("All entries are intact")
        .expect_text("4 entries, numbers 1 to 4");
    let end = portal
        .database
        .texts("SELECT last_number || ':' || last_hash FROM audit_chain")
        .remove(0);
    assert!(page.body.contains(&end));
    browser
        .visit(&format!("{LOG}/verification?from=3"))
        .await
        .expect(200)
        .expect_text("These entries are intact")
        .expect_text("2 entries, numbers 3 to 4");
    for from in ["-5", "0", "99999"] {
        browser
            .visit(&format!("{LOG}/verification?from={from}"))
            .await
            .expect(200);
    }
    portal.database.execute(match portal.database.system() {
        crate::support::System::Sqlite => include_str!("../../migrations/sqlite/audit_down.sql"),
        crate::support::System::Postgres => {
            include_str!("../../migrations/postgres/audit_down.sql")
        }
    });
    portal
        .database
        .execute("UPDATE audit_entries SET actor_name = 'Mallory' WHERE chain_number = 3");
    browser
        .visit(&format!("{LOG}/verification"))
        .await
        .expect(200)
        .expect_text("not as it was written")
        .expect_text("Entry 3")
        .expect_text("The entries 1 to 2 before it are intact");
}

#[tokio::test]
async fn what_a_program_did_is_found_by_its_token_on_the_page_and_in_the_export() {
    let (portal, browser, _) = portal().await;
    let program = Program::new(&portal, TokenRole::S2sInbound);
    let other = Program::new(&portal, TokenRole::ReadOnly);
    let called = |name: &str| Actor {
        name: format!("API token “{name}”"),
        ..Actor::s2s_inbound()
    };
    note(
        &portal,
        -1,
        called("S2S Inbound program"),
        "lead.edited",
        "by the program",
    )
    .await;
    note(
        &portal,
        -1,
        Actor::s2s_inbound(),
        "lead.edited",
        "by the sync",
    )
    .await;
    let page = browser
        .get(&format!("/settings/api-tokens/{}", program.id))
        .await
        .expect(200);
    let log = page.link("What it did, in the audit log");
    let page = browser
        .get(&log)
        .await
        .expect(200)
        .expect_text("S2S Inbound program (lgc_")
        .expect_text("by the program")
        .expect_no_text("by the sync");
    let file = browser.get(&page.link("Export as CSV")).await.expect(200);
    assert!(file.body.contains("by the program"), "{}", file.body);
    assert!(!file.body.contains("by the sync"), "{}", file.body);
    for nothing in [other.id.to_string(), uuid::Uuid::now_v7().to_string()] {
        browser
            .get(&format!("{LOG}?token={nothing}"))
            .await
            .expect(200)
            .expect_text("Nothing in the log matches the filter.");
    }
}

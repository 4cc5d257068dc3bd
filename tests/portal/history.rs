//! The history of a record on its page: what changed, who did it, when; and the whole of it in the audit log.

use leadgen::domain::access::Role;
use leadgen::store::StoreError;
use leadgen::store::audit::{self, Actor};

use crate::settings_pages::seeded;
use crate::support::{Page, a_moment, a_profile, a_user, an_account};

/// The text of the section.
#[track_caller]
fn history(page: &Page) -> String {
    let (_, section) = page
        .body
        .split_once("id=\"history-heading\"")
        .expect("the page has a history");
    let (section, _) = section.split_once("</section>").unwrap();
    let mut text = String::new();
    for part in section.split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, text)| text));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_tells(page: &Page, parts: &[&str]) {
    let text = history(page);
    for part in parts {
        assert!(text.contains(part), "“{part}” in: {text}");
    }
}

#[tokio::test]
async fn a_user_s_page_tells_who_changed_the_roles_from_what_to_what() {
    let (portal, browser) = seeded().await;
    let sam = portal.add(
        a_user()
            .email("sam@example.com")
            .name("Sam")
            .role(Role::Salesperson),
    );
    let path = format!("/settings/users/{sam}");
    let page = browser.get(&path).await.expect(200);
    assert_tells(&page, &["Nothing was changed here yet."]);
    let changes = [("roles", Some("sales_manager"))];
    browser
        .submit(&page, "Save access", &changes)
        .await
        .expect(303);
    let page = browser.get(&path).await.expect(200);
    assert_tells(
        &page,
        &[
            "Access changed by Person",
            "(Administrator)",
            "Roles: salesperson →changed to",
            "sales_manager",
        ],
    );
    let log = browser
        .visit(&page.link("In the audit log"))
        .await
        .expect(200);
    log.expect_text("user.access_changed");
}

#[tokio::test]
async fn settings_mappings_strategies_rules_and_custom_fields_have_a_history() {
    let (_portal, browser) = seeded().await;
    let settings = "/settings/integration-configuration";
    let page = browser.get(settings).await.expect(200);
    let page = browser
        .submit_and_follow(&page, "Save", &[("always_create_lead", Some("yes"))])
        .await
        .expect(200);
    assert_tells(
        &page,
        &["Updated by", "Always create lead: no →changed to yes"],
    );

    let page = browser
        .get("/settings/field-mappings/new")
        .await
        .expect(200);
    let mapping = [
        ("name", Some("Budget")),
        ("source_kind", Some("question_text")),
        ("source_key", Some("What is your budget?")),
        ("target", Some("description")),
    ];
    let list = browser
        .submit_and_follow(&page, "Save", &mapping)
        .await
        .expect(200);
    let path = list.link("Budget");
    let page = browser.get(&path).await.expect(200);
    assert_tells(&page, &["Created by", "Name: Budget"]);
    let wrong = browser
        .submit(&page, "Save", &[("name", Some(""))])
        .await
        .expect(422);
    assert_tells(&wrong, &["Created by"]);
    assert!(
        !browser
            .get("/settings/field-mappings/new")
            .await
            .body
            .contains("history-heading")
    );

    let page = browser
        .get("/settings/matching-strategies/new")
        .await
        .expect(200);
    let fields = [("name", Some("By phone")), ("field", Some("phone"))];
    let page = browser
        .submit_and_follow(&page, "Save", &fields)
        .await
        .expect(200);
    assert_tells(&page, &["Created by", "Name: By phone"]);

    let page = browser.get("/settings/custom-fields/new").await.expect(200);
    let field = [("label", Some("Region")), ("kind", Some("text"))];
    browser
        .submit_and_follow(&page, "Add field", &field)
        .await
        .expect(200);
    let page = browser
        .get("/settings/custom-fields/region")
        .await
        .expect(200);
    assert_tells(&page, &["by Person", "Label: Region"]);

    let page = browser.get("/settings/assignment-rules").await.expect(200);
    let owner = page.form("Add rule").options["owner"]
        .iter()
        .find(|(value, _)| !value.is_empty())
        .unwrap()
        .0
        .clone();
    let rule = [
        ("kind", Some("field_equals")),
        ("field", Some("country")),
        ("value", Some("Germany")),
        ("owner", Some(owner.as_str())),
    ];
    let page = browser
        .submit_and_follow(&page, "Add rule", &rule)
        .await
        .expect(200);
    assert_tells(&page, &["Created: Country is “Germany” by"]);
}

#[tokio::test]
async fn what_the_sync_reads_does_not_hide_what_people_changed() {
    let (portal, browser) = seeded().await;
    let sam = portal.add(a_user().email("sam@example.com").role(Role::Salesperson));
    let mut conn = portal.database.conn();
    let profile = a_profile()
        .name("Contoso")
        .of(&sam)
        .authorized()
        .insert(&mut conn);
    let account = an_account()
        .name("Contoso ads")
        .seen_by(&profile)
        .insert(&mut conn);
    let (of_profile, of_account) = (profile.to_string(), account.to_string());
    portal
        .store
        .write(move |tx| {
            let mut note = |actor: &Actor, action: &str, kind: &str, id: &str| {
                audit::record(tx, a_moment(), actor, action, (kind, id, "x"), None, None)
            };
            note(
                &Actor::system(),
                "linkedin_account.paused",
                "linkedin_account",
                &of_account,
            )?;
            for _ in 0..12 {
                note(
                    &Actor::s2s_inbound(),
                    "campaigns.synchronized",
                    "linkedin_account",
                    &of_account,
                )?;
            }
            for _ in 0..12 {
                note(
                    &Actor::system(),
                    "linkedin_user_profile.renamed",
                    "linkedin_user_profile",
                    &of_profile,
                )?;
            }
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
    let path = format!("/linkedin-accounts/{account}");
    let page = browser.get(&path).await.expect(200);
    assert_tells(&page, &["Paused by System"]);
    assert!(!history(&page).contains("Synchronized"));

    // Somebody who may not read the audit log has the history all the same, without what links to it.
    let own = portal.sign_in("sam@example.com").await;
    let page = own
        .get(&format!("/linkedin-user-profiles/{profile}"))
        .await
        .expect(200);
    let text = history(&page);
    assert_eq!(text.matches("Renamed by System").count(), 10, "{text}");
    assert!(text.contains("An Administrator can read older entries"));
    assert!(!page.body.contains("/settings/audit-log"));
}

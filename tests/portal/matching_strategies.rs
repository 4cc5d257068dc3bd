//! Lead Matching Strategies over HTTP.

use leadgen::domain::access::Role;

use crate::settings_pages::{
    NO_CHOICES, STRANGE_TEXTS, audited_changes, four_thousand, refuse, refuse_mangled, seeded,
};
use crate::start::TestPortal;
use crate::support::{Browserlike, Page, a_lead, a_user};

const INDEX: &str = "/settings/matching-strategies";
const NEW: &str = "/settings/matching-strategies/new";

async fn make(browser: &Browserlike, name: &str, field: &str) -> Page {
    let page = browser.get(NEW).await.expect(200);
    let fields = [("name", Some(name)), ("field", Some(field))];
    browser
        .submit_and_follow(&page, "Save", &fields)
        .await
        .expect(200)
}

fn active(portal: &TestPortal) -> Vec<String> {
    portal
        .database
        .texts("SELECT name FROM matching_strategies WHERE is_active")
}

#[tokio::test]
async fn a_strategy_is_made_given_fields_and_activated_in_place_of_the_default() {
    let (portal, browser) = seeded().await;
    let mut conn = portal.database.conn();
    let owner = a_user().insert(&mut conn);
    a_lead()
        .email("Ada@Example.com")
        .owner(&owner)
        .insert(&mut conn);
    browser
        .get(INDEX)
        .await
        .expect(200)
        .expect_text("E-mail address")
        .expect_text(
            "Updates the lead whose Email matches; when no lead has it, a lead is created.",
        );
    let page = make(&browser, "E-mail and name", "email").await;
    let page = page
        .expect_text("It is not active yet")
        .expect_text("Inactive");
    let page = browser
        .submit_and_follow(&page, "Add field", &[("field", Some("last_name"))])
        .await
        .expect(200)
        .expect_text("Updates the lead whose Email and Last name both match");
    let path = page.url.path().to_owned();
    let page = browser
        .submit_and_follow(&page, "Activate", &[])
        .await
        .expect(200)
        .expect_text("“E-mail and name” is the active strategy now, in place of “E-mail address”");
    assert_eq!(page.body.matches(">Active<").count(), 1);
    assert_eq!(active(&portal), ["E-mail and name"]);
    assert_eq!(
        portal
            .database
            .texts("SELECT field FROM lead_match_keys WHERE match_key = 'ada@example.com'"),
        ["email"]
    );
    let page = browser.get(&path).await.expect(200);
    assert!(
        !page.body.contains("/activation\""),
        "the active one has no button"
    );
    browser
        .submit_and_follow(&page, "Remove Last name", &[])
        .await
        .expect(200)
        .expect_text("Last name was removed.")
        .expect_text("The last field stays.");
    assert_eq!(
        audited_changes(&portal),
        [
            "matching_strategy.created",
            "matching_strategy.field_added",
            "matching_strategy.activated",
            "matching_strategy.field_removed"
        ]
    );
}

#[tokio::test]
async fn the_active_strategy_can_neither_be_deleted_nor_emptied() {
    let (portal, browser) = seeded().await;
    let page = browser.get(INDEX).await.expect(200);
    let path = page.link("E-mail address");
    let page = browser
        .get(&path)
        .await
        .expect(200)
        .expect_text("It cannot be switched off or deleted")
        .expect_no_text("Delete this strategy");
    browser
        .get(&format!("{path}/deletion"))
        .await
        .expect(200)
        .expect_text("The active strategy cannot be deleted. Activate another strategy first.");
    let answer = browser
        .post_with_token_of(&path, &format!("{path}/deletion"), &[])
        .await;
    answer.expect(422).expect_text("cannot be deleted");
    browser
        .post_with_token_of(
            &path,
            &format!("{path}/fields/removal"),
            &[("field", "email")],
        )
        .await
        .expect(422)
        .expect_text("A strategy needs at least one field.");
    assert_eq!(active(&portal), ["E-mail address"]);
    assert!(page.text().contains("Email"));
}

#[tokio::test]
async fn an_inactive_strategy_is_renamed_and_deleted() {
    let (portal, browser) = seeded().await;
    let page = make(&browser, "Phone", "phone").await;
    let page = browser
        .submit_and_follow(&page, "Save name", &[("name", Some("Telephone"))])
        .await
        .expect(200)
        .expect_text("The name was saved.");
    let page = browser
        .get(&page.link("Delete this strategy"))
        .await
        .expect(200);
    browser
        .submit_and_follow(&page, "Delete strategy", &[])
        .await
        .expect(200)
        .expect_text("The strategy “Telephone” was deleted.");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM matching_strategies"),
        1
    );
}

#[tokio::test]
async fn bad_input_is_told_at_its_field_and_nothing_is_saved() {
    let (portal, browser) = seeded().await;
    let long = four_thousand();
    let good = [("name", "Phone"), ("field", "phone")];
    for (field, value) in [
        ("name", ""),
        ("name", " \t "),
        ("name", long.as_str()),
        ("name", "e-MAIL  address"),
        ("field", "website"),
        ("field", "custom.tier"),
        ("field", "custom."),
        ("field", long.as_str()),
    ] {
        refuse(&browser, NEW, "Save", &good, field, value, field).await;
    }
    for choice in NO_CHOICES {
        refuse(&browser, NEW, "Save", &good, "field", choice, "field").await;
    }
    refuse_mangled(&browser, INDEX, &good, NEW).await;
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM matching_strategies"),
        1
    );

    let path = make(&browser, "Phone", "phone").await.url.path().to_owned();
    for choice in NO_CHOICES {
        refuse(&browser, &path, "Add field", &[], "field", choice, "field").await;
    }
    for value in ["phone", "website", "custom.tier"] {
        refuse(&browser, &path, "Add field", &[], "field", value, "field").await;
    }
    for value in ["", "E-mail address", long.as_str()] {
        refuse(&browser, &path, "Save name", &[], "name", value, "name").await;
    }
    browser
        .post_with_token_of(&path, &path, &[("name", "x"), ("lock_version", "one")])
        .await
        .expect(400);
    for id in ["x", "00000000-0000-7000-8000-000000000009", "%00"] {
        browser.get(&format!("{INDEX}/{id}")).await.expect(404);
        for (rest, fields) in [
            ("/activation", vec![]),
            ("/deletion", vec![]),
            ("/fields", vec![("field", "phone")]),
            ("/fields/removal", vec![("field", "phone")]),
            ("", vec![("name", "x"), ("lock_version", "0")]),
        ] {
            browser
                .post_with_token_of(NEW, &format!("{INDEX}/{id}{rest}"), &fields)
                .await
                .expect(404);
        }
    }
}

#[tokio::test]
async fn strange_names_come_back_as_typed_and_never_as_markup() {
    let (_portal, browser) = seeded().await;
    for text in STRANGE_TEXTS {
        let page = make(&browser, text, "phone").await;
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"));
        let form = page.form("Save name");
        assert!(
            form.fields
                .contains(&("name".to_owned(), (*text).to_owned()))
        );
        let page = browser
            .get(INDEX)
            .await
            .expect(200)
            .expect_text(text.trim());
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_who_activate_and_delete_at_once_leave_exactly_one_active() {
    let (portal, first) = seeded().await;
    let second = portal.sign_in_as(&[Role::Administrator]).await;
    for round in 0..6 {
        let one = make(&first, &format!("One {round}"), "phone")
            .await
            .url
            .path()
            .to_owned();
        let other = make(&first, &format!("Other {round}"), "last_name")
            .await
            .url
            .path()
            .to_owned();
        let activation_of_one = format!("{one}/activation");
        let activation_of_other = format!("{other}/activation");
        let deletion_of_one = format!("{one}/deletion");
        let (activated, activated_too) = tokio::join!(
            first.post_with_token_of(&one, &activation_of_one, &[]),
            second.post_with_token_of(&other, &activation_of_other, &[])
        );
        assert_eq!((activated.status, activated_too.status), (303, 303));
        assert_eq!(active(&portal).len(), 1, "round {round}");
        let (activated, deleted) = tokio::join!(
            first.post_with_token_of(&one, &activation_of_one, &[]),
            second.post_with_token_of(&one, &deletion_of_one, &[])
        );
        let outcome = (activated.status, deleted.status);
        assert!(
            matches!(outcome, (303, 422) | (404, 303)),
            "round {round}: {outcome:?}"
        );
        assert_eq!(active(&portal).len(), 1, "round {round}");
    }
}

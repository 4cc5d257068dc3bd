//! Integration Configuration over HTTP.

use crate::settings_pages::{
    NO_CHOICES, STRANGE_TEXTS, audited_changes, four_thousand, refuse, refuse_mangled, seeded,
};
use crate::support::{a_lead, a_user};
use leadgen::domain::access::Role;
use leadgen::domain::lead::LeadField;

const PATH: &str = "/settings/integration-configuration";

#[tokio::test]
async fn the_defaults_are_those_of_the_product_and_every_setting_is_saved() {
    let (portal, browser) = seeded().await;
    let olga = portal.add(a_user().name("Olga Owner").role(Role::Salesperson));
    let page = browser
        .get(PATH)
        .await
        .expect(200)
        .expect_text("Nobody is chosen.");
    let form = page.form("Save");
    for (name, value) in [
        ("organization_name", "My organization"),
        ("on_match_fail", "ignore"),
        ("several_match", "match_failed"),
        ("closed_lead", "attach_only"),
        ("no_match_answer", "match_failed"),
        ("always_create_lead", "no"),
        ("test_leads", "ignore"),
        ("default_country", ""),
        ("fallback_owner", ""),
        ("member_deletion", "erase"),
    ] {
        assert!(
            form.fields.contains(&(name.to_owned(), value.to_owned())),
            "{name}"
        );
    }
    let wanted = [
        ("organization_name", "Contoso"),
        ("on_match_fail", "create_new_lead"),
        ("several_match", "most_recently_updated"),
        ("closed_lead", "reopen"),
        ("no_match_answer", "create_anyway"),
        ("always_create_lead", "yes"),
        ("test_leads", "process"),
        ("default_country", "de"),
        ("fallback_owner", olga.as_str()),
        ("member_deletion", "keep"),
    ];
    let changes: Vec<_> = wanted
        .iter()
        .map(|(name, value)| (*name, Some(*value)))
        .collect();
    let page = browser
        .submit_and_follow(&page, "Save", &changes)
        .await
        .expect(200)
        .expect_text("The integration configuration was saved.")
        .expect_no_text("Nobody is chosen.");
    let form = page.form("Save");
    for (name, value) in wanted {
        let value = if name == "default_country" {
            "DE"
        } else {
            value
        };
        assert!(
            form.fields.contains(&(name.to_owned(), value.to_owned())),
            "{name}"
        );
    }
    assert_eq!(
        audited_changes(&portal),
        ["integration_configuration.updated"]
    );
}

#[tokio::test]
async fn bad_input_is_told_at_its_field_and_nothing_is_saved() {
    let (portal, browser) = seeded().await;
    let gone = portal.add(a_user().name("Gone").disabled());
    let long = four_thousand();
    for name in [
        "on_match_fail",
        "several_match",
        "closed_lead",
        "no_match_answer",
        "always_create_lead",
        "test_leads",
    ] {
        for choice in NO_CHOICES {
            refuse(&browser, PATH, "Save", &[], name, choice, name).await;
        }
        refuse(&browser, PATH, "Save", &[], name, &long, name).await;
    }
    for (name, value) in [
        ("organization_name", ""),
        ("organization_name", "  "),
        ("organization_name", long.as_str()),
        ("default_country", "XX"),
        ("default_country", "Germany"),
        ("default_country", "D"),
        ("default_country", "🦊"),
        ("default_country", "<b>"),
        ("default_country", long.as_str()),
        ("fallback_owner", "00000000-0000-7000-8000-000000000009"),
        ("fallback_owner", gone.as_str()),
        ("fallback_owner", long.as_str()),
    ] {
        let other = [("organization_name", "Kept"), ("default_country", "fr")];
        refuse(&browser, PATH, "Save", &other, name, value, name).await;
    }
    let page = browser.get(PATH).await.expect(200);
    let fields: Vec<(String, String)> = page.form("Save").fields;
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .filter(|(name, _)| name != "csrf_token")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    refuse_mangled(&browser, PATH, &fields, PATH).await;
    assert_eq!(
        portal
            .database
            .number("SELECT lock_version FROM integration_settings"),
        0
    );
}

#[tokio::test]
async fn the_organization_can_have_any_name() {
    let (_portal, browser) = seeded().await;
    for text in STRANGE_TEXTS {
        let page = browser.get(PATH).await.expect(200);
        let change = [("organization_name", Some(*text))];
        let page = browser
            .submit_and_follow(&page, "Save", &change)
            .await
            .expect(200);
        let form = page.form("Save");
        assert!(
            form.fields
                .contains(&("organization_name".to_owned(), text.trim().to_owned()))
        );
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"));
    }
}

#[tokio::test]
async fn the_second_of_two_administrators_is_told_and_overwrites_nothing() {
    let (portal, browser) = seeded().await;
    let mine = browser.get(PATH).await.expect(200);
    let theirs = browser.get(PATH).await.expect(200);
    browser
        .submit(&theirs, "Save", &[("organization_name", Some("Theirs"))])
        .await
        .expect(303);
    browser
        .submit(
            &mine,
            "Save",
            &[
                ("organization_name", Some("Mine")),
                ("test_leads", Some("process")),
            ],
        )
        .await
        .expect(409);
    assert_eq!(
        portal.database.texts("SELECT name FROM organizations"),
        ["Theirs"]
    );
    assert_eq!(
        portal
            .database
            .texts("SELECT test_leads FROM integration_settings"),
        ["ignore"]
    );
}

#[tokio::test]
async fn another_default_country_makes_the_match_keys_of_phone_numbers_anew() {
    let (portal, browser) = seeded().await;
    let mut conn = portal.database.conn();
    let owner = a_user().insert(&mut conn);
    a_lead()
        .value(LeadField::Phone, "0171 2345678")
        .owner(&owner)
        .insert(&mut conn);
    let page = browser
        .get("/settings/matching-strategies/new")
        .await
        .expect(200);
    let fields = [("name", Some("Phone")), ("field", Some("phone"))];
    let page = browser
        .submit_and_follow(&page, "Save", &fields)
        .await
        .expect(200);
    browser.submit(&page, "Activate", &[]).await.expect(303);
    let page = browser.get(PATH).await.expect(200);
    browser
        .submit(&page, "Save", &[("default_country", Some("DE"))])
        .await
        .expect(303);
    assert_eq!(
        portal
            .database
            .texts("SELECT match_key FROM lead_match_keys"),
        ["+491712345678"]
    );
}

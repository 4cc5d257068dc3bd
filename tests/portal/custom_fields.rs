//! Custom fields over HTTP: define, use, retire, delete.

use crate::settings_pages::{
    NO_CHOICES, STRANGE_TEXTS, audited_changes, four_thousand, refuse, refuse_mangled, seeded,
};
use crate::start::TestPortal;
use crate::support::{Browserlike, Page, a_lead};

const INDEX: &str = "/settings/custom-fields";
const NEW: &str = "/settings/custom-fields/new";

async fn define(browser: &Browserlike, label: &str, kind: &str, choices: &str) -> Page {
    let page = browser.get(NEW).await.expect(200);
    let fields = [
        ("label", Some(label)),
        ("kind", Some(kind)),
        ("choices", Some(choices)),
    ];
    browser
        .submit_and_follow(&page, "Add field", &fields)
        .await
        .expect(200)
}

fn stored(portal: &TestPortal) -> Vec<String> {
    portal.database.texts(
        "SELECT name || '|' || label || '|' || kind || '|' || choices FROM custom_fields ORDER BY name",
    )
}

#[tokio::test]
async fn a_field_is_defined_and_offered_wherever_fields_are_chosen() {
    let (portal, browser) = seeded().await;
    browser
        .get(INDEX)
        .await
        .expect(200)
        .expect_text("No custom fields yet");
    define(&browser, "Budget (EUR)", "number", "")
        .await
        .expect_text("The field “Budget (EUR)” was added.");
    define(&browser, "Region", "choice", "EMEA\r\n\r\n APAC ")
        .await
        .expect_text("2 fields");
    assert_eq!(
        stored(&portal),
        [
            "budget_eur|Budget (EUR)|number|[]",
            "region|Region|choice|[\"EMEA\",\"APAC\"]"
        ]
    );
    let page = browser
        .get("/settings/field-mappings/new")
        .await
        .expect(200);
    let targets = &page.form("Save").options["target"];
    assert!(targets.contains(&("custom.region".to_owned(), "Region".to_owned())));
    let changes = [
        ("name", Some("Region of the form")),
        ("source_kind", Some("constant")),
        ("source_key", Some("EMEA")),
        ("target", Some("custom.region")),
    ];
    browser
        .submit_and_follow(&page, "Save", &changes)
        .await
        .expect(200)
        .expect_text("Region of the form");
    browser
        .get("/settings/field-mappings?q=custom.region")
        .await
        .expect(200)
        .expect_text("Region of the form");
    // What has a mapping may be compared; what was defined may decide about the owner.
    let page = browser
        .get("/settings/matching-strategies/new")
        .await
        .expect(200);
    let changes = [
        ("name", Some("By region")),
        ("field", Some("custom.region")),
    ];
    browser
        .submit_and_follow(&page, "Save", &changes)
        .await
        .expect(200)
        .expect_text(
            "Updates the lead whose Region matches; when no lead has it, a lead is created.",
        );
    let page = browser.get("/settings/assignment-rules").await.expect(200);
    let form = page.form("Add rule");
    let owner = form.options["owner"].last().unwrap().0.clone();
    let changes = [
        ("field", Some("custom.region")),
        ("value", Some("EMEA")),
        ("owner", Some(owner.as_str())),
    ];
    browser
        .submit_and_follow(&page, "Add rule", &changes)
        .await
        .expect(200)
        .expect_text("Region is “EMEA”");
    browser
        .get("/settings/custom-fields/region")
        .await
        .expect(200)
        .expect_text("Field mappings fill it: Region of the form")
        .expect_text("Matching strategies compare it: By region")
        .expect_text("Assignment rules look at it: 1");
    assert_eq!(
        audited_changes(&portal)[..2],
        ["custom_field.created", "custom_field.created"]
    );
}

#[tokio::test]
async fn wrong_definitions_are_refused_with_their_values_kept() {
    let (portal, browser) = seeded().await;
    define(&browser, "Region", "text", "").await;
    let base = [
        ("label", "Area"),
        ("name", "area"),
        ("kind", "choice"),
        ("choices", "North\nSouth"),
    ];
    let long = four_thousand();
    for (field, value, at) in [
        ("label", "", "label"),
        ("label", " ", "label"),
        ("label", "REGION", "label"),
        ("label", "First name", "label"),
        ("label", long.as_str(), "label"),
        ("name", "email", "name"),
        ("name", "new", "name"),
        ("name", "region", "name"),
        ("name", "Area", "name"),
        ("name", "a b", "name"),
        ("name", "../x", "name"),
        ("name", "<script>alert(1)</script>", "name"),
        ("choices", "", "choices"),
        ("choices", "one", "choices"),
        ("choices", "a\nA", "choices"),
        ("choices", long.as_str(), "choices"),
    ] {
        refuse(&browser, NEW, "Add field", &base, field, value, at).await;
    }
    for kind in NO_CHOICES {
        refuse(&browser, NEW, "Add field", &base, "kind", kind, "kind").await;
    }
    // A label without a Latin letter gives no name of its own.
    let page = browser.get(NEW).await.expect(200);
    browser
        .submit(&page, "Add field", &[("label", Some("مرحبا"))])
        .await
        .expect(422)
        .expect_text("A name begins with a lower-case letter");
    refuse_mangled(&browser, INDEX, &base, NEW).await;
    assert_eq!(stored(&portal).len(), 1);
}

#[tokio::test]
async fn strange_labels_and_values_come_back_as_they_were_typed() {
    let (portal, browser) = seeded().await;
    for (number, text) in STRANGE_TEXTS.iter().enumerate() {
        let page = browser.get(NEW).await.expect(200);
        let name = format!("field_{number}");
        let choices = format!("{text}\nother");
        let changes = [
            ("label", Some(*text)),
            ("name", Some(name.as_str())),
            ("kind", Some("choice")),
            ("choices", Some(choices.as_str())),
        ];
        let page = browser
            .submit_and_follow(&page, "Add field", &changes)
            .await
            .expect(200);
        assert!(!page.body.contains("<script>alert"), "{text}");
        let page = browser.get(&format!("{INDEX}/{name}")).await.expect(200);
        assert!(!page.body.contains("<script>alert"), "{text}");
        let kept = page.form("Save").fields;
        assert!(
            kept.contains(&("label".to_owned(), (*text).to_owned())),
            "{text}"
        );
    }
    assert_eq!(stored(&portal).len(), STRANGE_TEXTS.len());
    for name in ["nobody", "%3Cscript%3E", "..%2f", "a%00b"] {
        browser.get(&format!("{INDEX}/{name}")).await.expect(404);
    }
}

#[tokio::test]
async fn label_and_choices_change_name_and_type_do_not() {
    let (portal, browser) = seeded().await;
    define(&browser, "Region", "choice", "EMEA\nAPAC").await;
    let path = format!("{INDEX}/region");
    let page = browser.get(&path).await.expect(200);
    assert!(
        !page
            .form("Save")
            .names
            .iter()
            .any(|name| name == "kind" || name == "name")
    );
    let changes = [
        ("label", Some("Area")),
        ("choices", Some("EMEA\nAPAC\nAMER")),
    ];
    browser
        .submit_and_follow(&page, "Save", &changes)
        .await
        .expect(200)
        .expect_text("The field “Area” was saved.");
    assert_eq!(
        stored(&portal),
        ["region|Area|choice|[\"EMEA\",\"APAC\",\"AMER\"]"]
    );
    let base = [("label", "Area"), ("choices", "a\nb")];
    refuse(&browser, &path, "Save", &base, "label", "", "label").await;
    refuse(&browser, &path, "Save", &base, "choices", "a", "choices").await;
    // The page was read before that change.
    browser
        .submit(&page, "Save", &[("label", Some("Zone"))])
        .await
        .expect(409);
    assert!(stored(&portal)[0].contains("|Area|"));
}

#[tokio::test]
async fn a_used_field_is_retired_and_an_unused_one_deleted() {
    let (portal, browser) = seeded().await;
    define(&browser, "Region", "text", "").await;
    let path = format!("{INDEX}/region");
    let unused = browser
        .get(&path)
        .await
        .expect(200)
        .expect_text("Delete field");
    let lead = a_lead().insert(&mut portal.database.conn());
    portal.database.execute(&format!(
        "UPDATE leads SET custom_values = '{{\"region\":\"EMEA\"}}' WHERE id = '{lead}'"
    ));
    // The page is older than the value.
    browser
        .submit(&unused, "Delete field", &[])
        .await
        .expect(422)
        .expect_text("Retire it instead");
    let page = browser
        .get(&path)
        .await
        .expect(200)
        .expect_text("Leads have values of it")
        .expect_no_text("Delete field");
    let retired = browser
        .submit_and_follow(&page, "Retire field", &[])
        .await
        .expect(200)
        .expect_text("is retired: leads keep their values");
    let mapping = browser
        .get("/settings/field-mappings/new")
        .await
        .expect(200);
    assert!(
        !mapping.form("Save").options["target"]
            .iter()
            .any(|(word, _)| word == "custom.region")
    );
    // Twice does no harm.
    browser
        .submit_and_follow(&page, "Retire field", &[])
        .await
        .expect(200);
    browser
        .submit_and_follow(&retired, "Offer it again", &[])
        .await
        .expect(200)
        .expect_text("is offered again");
    portal
        .database
        .execute("UPDATE leads SET custom_values = NULL");
    let page = browser.get(&path).await.expect(200);
    browser
        .submit_and_follow(&page, "Delete field", &[])
        .await
        .expect(200)
        .expect_text("was deleted")
        .expect_text("No custom fields yet");
    let changes = audited_changes(&portal);
    assert_eq!(
        changes,
        [
            "custom_field.created",
            "custom_field.retired",
            "custom_field.restored",
            "custom_field.deleted"
        ]
    );
}

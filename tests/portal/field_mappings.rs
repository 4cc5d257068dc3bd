//! Lead Field Mappings over HTTP.

use crate::settings_pages::{
    NO_CHOICES, STRANGE_TEXTS, audited_changes, four_thousand, refuse, refuse_mangled, seeded,
};
use crate::support::{a_form, an_account};

const INDEX: &str = "/settings/field-mappings";
const NEW: &str = "/settings/field-mappings/new";

/// A mapping that is right.
const GOOD: &[(&str, &str)] = &[
    ("name", "Budget"),
    ("form", ""),
    ("source_kind", "question_text"),
    ("source_key", "What is your budget?"),
    ("target", "description"),
    ("policy", "append"),
    ("position", "7"),
];

fn good() -> Vec<(&'static str, Option<&'static str>)> {
    GOOD.iter()
        .map(|(name, value)| (*name, Some(*value)))
        .collect()
}

#[tokio::test]
async fn the_list_shows_the_shipped_mappings_and_what_matching_uses() {
    let (_portal, browser) = seeded().await;
    let page = browser
        .get(INDEX)
        .await
        .expect(200)
        .expect_text("Whole organization")
        .expect_text("LinkedIn field FIRST_NAME")
        .expect_text("Used for matching")
        .expect_text("Lead fields that no mapping fills:");
    assert_eq!(page.body.matches("Used for matching").count(), 2);
    browser
        .get("/settings/field-mappings?q=postal")
        .await
        .expect(200)
        .expect_text("2 mappings found")
        .expect_no_text("FIRST_NAME");
    browser
        .get("/settings/field-mappings?q=%3Cscript%3Ealert(1)%3C/script%3E")
        .await
        .expect(200)
        .expect_text("No mapping matches the filter");
}

#[tokio::test]
async fn a_mapping_is_made_changed_and_deleted_and_the_audit_log_knows() {
    let (portal, browser) = seeded().await;
    let page = browser.get(NEW).await.expect(200);
    let page = browser
        .submit_and_follow(&page, "Save", &good())
        .await
        .expect(200)
        .expect_text("The mapping “Budget” was saved.")
        .expect_text("Question “What is your budget?”");
    let path = page.link("Budget");
    let page = browser.get(&path).await.expect(200);
    let changes = [
        ("name", Some("Budget in EUR")),
        ("step_1_kind", Some("trim")),
    ];
    let page = browser
        .submit_and_follow(&page, "Save", &changes)
        .await
        .expect(200)
        .expect_text("Budget in EUR")
        .expect_text("trim");
    let page = browser.get(&page.link("Budget in EUR")).await.expect(200);
    let page = browser.get(&page.link("Delete")).await.expect(200);
    browser
        .submit_and_follow(&page, "Delete mapping", &[])
        .await
        .expect(200)
        .expect_text("was deleted")
        .expect_no_text("What is your budget?");
    browser.get(&path).await.expect(404);
    assert_eq!(
        audited_changes(&portal),
        [
            "field_mapping.created",
            "field_mapping.updated",
            "field_mapping.deleted"
        ]
    );
    let states = portal
        .database
        .texts("SELECT before_state FROM audit_entries WHERE action = 'field_mapping.updated'");
    assert!(states[0].contains("\"Budget\""), "{states:?}");
}

#[tokio::test]
async fn every_kind_of_step_is_saved_and_shown_again() {
    let (_portal, browser) = seeded().await;
    let mut page = browser.get(NEW).await.expect(200);
    let steps: [(&str, &[(&str, &str)]); 8] = [
        ("trim", &[]),
        ("upper", &[]),
        ("lower", &[]),
        ("title_case", &[]),
        (
            "join",
            &[
                ("separator", " – "),
                ("sources", "LinkedIn field: LAST_NAME\nCampaign name"),
            ],
        ),
        ("split", &[("separator", "@"), ("part", "-1")]),
        ("default", &[("value", "unknown")]),
        (
            "value_map",
            &[
                ("pairs", "a\\=b = c\nGermany = DE"),
                ("otherwise", "leave_out"),
            ],
        ),
    ];
    let mut changes = good();
    let names: Vec<(String, &str)> = steps
        .iter()
        .enumerate()
        .flat_map(|(index, (kind, controls))| {
            let number = index + 1;
            std::iter::once((format!("step_{number}_kind"), *kind)).chain(
                controls
                    .iter()
                    .map(move |(name, value)| (format!("step_{number}_{name}"), *value)),
            )
        })
        .collect();
    for (name, value) in &names {
        if !page.form("Save").names.contains(name) {
            page = browser
                .submit(&page, "Add a step", &changes)
                .await
                .expect(200);
        }
        changes.push((name.as_str(), Some(*value)));
    }
    let page = browser
        .submit_and_follow(&page, "Save", &changes)
        .await
        .expect(200);
    let page = browser.get(&page.link("Budget")).await.expect(200);
    let form = page.form("Save");
    for (name, value) in &names {
        let shown = form.fields.iter().find(|(known, _)| known == name);
        let shown = shown.map(|(_, value)| value.replace("\r\n", "\n"));
        assert!(
            shown.as_deref() == Some(*value) || name.ends_with("pairs"),
            "{name}: {shown:?}"
        );
    }
    let pairs = form.fields.iter().find(|(name, _)| name == "step_8_pairs");
    assert_eq!(pairs.unwrap().1, "Germany = DE\na\\=b = c");
}

#[tokio::test]
async fn asking_for_a_step_keeps_what_was_typed_and_saves_nothing() {
    let (portal, browser) = seeded().await;
    let before = portal
        .database
        .number("SELECT count(*) FROM field_mappings");
    let page = browser.get(NEW).await.expect(200);
    let changes = [("name", Some("Half")), ("target", Some("website"))];
    let page = browser
        .submit(&page, "Add a step", &changes)
        .await
        .expect(200);
    let form = page.form("Save");
    assert!(form.names.contains(&"step_2_kind".to_owned()));
    assert!(
        form.fields
            .contains(&("name".to_owned(), "Half".to_owned()))
    );
    assert!(
        form.fields
            .contains(&("target".to_owned(), "website".to_owned()))
    );
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM field_mappings"),
        before
    );
}

#[tokio::test]
async fn bad_input_is_told_at_its_field_and_nothing_is_saved() {
    let (portal, browser) = seeded().await;
    let before = portal
        .database
        .number("SELECT count(*) FROM field_mappings");
    let long = four_thousand();
    let mut cases: Vec<(&str, &str, &str)> = vec![
        ("name", "", "name"),
        ("name", "   ", "name"),
        ("name", &long, "name"),
        ("source_key", "", "source_key"),
        ("source_key", &long, "source_key"),
        ("position", "-1", "position"),
        ("position", "1.5", "position"),
        ("position", "99999999999999999999", "position"),
        ("position", "first", "position"),
        ("position", &long, "position"),
        ("form", "00000000-0000-7000-8000-000000000009", "form"),
        ("form", &long, "form"),
        ("target", "custom.tier", "target"),
        ("target", "id", "target"),
        ("step_1_kind", "sing", "step_1_kind"),
        ("step_1_kind", "split", "step_1_separator"),
        ("step_1_kind", "default", "step_1_value"),
        ("step_1_kind", "value_map", "step_1_pairs"),
    ];
    for choice in NO_CHOICES {
        cases.push(("source_kind", choice, "source_kind"));
        cases.push(("target", choice, "target"));
        cases.push(("policy", choice, "policy"));
        if !choice.is_empty() {
            cases.push(("form", choice, "form"));
            cases.push((
                "position",
                if *choice == "0" { "x" } else { choice },
                "position",
            ));
        }
    }
    for (field, value, at) in cases {
        refuse(&browser, NEW, "Save", GOOD, field, value, at).await;
    }
    let question = [("source_kind", "question_id")];
    let base: Vec<(&str, &str)> = GOOD.iter().chain(&question).copied().collect();
    for value in ["x", "9999999999999999999999", "1.0", "🦊"] {
        refuse(
            &browser,
            NEW,
            "Save",
            &base,
            "source_key",
            value,
            "source_key",
        )
        .await;
    }
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM field_mappings"),
        before
    );
}

#[tokio::test]
async fn strange_texts_come_back_as_typed_and_never_as_markup() {
    let (_portal, browser) = seeded().await;
    for (index, text) in STRANGE_TEXTS.iter().enumerate() {
        let page = browser.get(NEW).await.expect(200);
        let position = (index + 1_000).to_string();
        let changes = [
            ("name", Some(*text)),
            ("source_kind", Some("constant")),
            ("source_key", Some(*text)),
            ("target", Some("description")),
            ("position", Some(position.as_str())),
            ("step_1_kind", Some("value_map")),
            ("step_1_pairs", Some("x = y")),
        ];
        let page = browser
            .submit_and_follow(&page, "Save", &changes)
            .await
            .expect(200);
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"));
        let page = browser.get(&page.link(text.trim())).await.expect(200);
        let form = page.form("Save");
        for name in ["name", "source_key"] {
            let shown = form.fields.iter().find(|(known, _)| known == name).unwrap();
            assert_eq!(shown.1, text.trim());
        }
        let page = browser.get(&page.link("Delete")).await.expect(200);
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"));
    }
}

#[tokio::test]
async fn a_mangled_form_gets_the_page_for_bad_requests() {
    let (portal, browser) = seeded().await;
    let before = portal
        .database
        .number("SELECT count(*) FROM field_mappings");
    refuse_mangled(&browser, INDEX, GOOD, NEW).await;
    let mut half_a_step = GOOD.to_vec();
    half_a_step.push(("step_1_kind", "trim"));
    browser
        .post_with_token_of(NEW, INDEX, &half_a_step)
        .await
        .expect(400);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM field_mappings"),
        before
    );
    for path in [
        "x",
        "0",
        "00000000-0000-7000-8000-000000000009",
        "%00",
        "%F0%9F%A6%8A",
    ] {
        browser.get(&format!("{INDEX}/{path}")).await.expect(404);
        browser
            .get(&format!("{INDEX}/{path}/deletion"))
            .await
            .expect(404);
        browser
            .post_with_token_of(
                NEW,
                &format!("{INDEX}/{path}/deletion"),
                &[("lock_version", "0")],
            )
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn the_second_of_two_people_who_edit_a_mapping_is_told_and_overwrites_nothing() {
    let (_portal, browser) = seeded().await;
    let page = browser.get(INDEX).await.expect(200);
    let path = page.link("DEGREE → Degree");
    let mine = browser.get(&path).await.expect(200);
    let theirs = browser.get(&path).await.expect(200);
    browser
        .submit(&theirs, "Save", &[("name", Some("Theirs"))])
        .await
        .expect(303);
    browser
        .submit(&mine, "Save", &[("name", Some("Mine"))])
        .await
        .expect(409)
        .expect_text("changed");
    browser
        .get(INDEX)
        .await
        .expect(200)
        .expect_text("Theirs")
        .expect_no_text("Mine");
    let page = browser.get(&format!("{path}/deletion")).await.expect(200);
    browser
        .submit(&page, "Delete mapping", &[("lock_version", Some("0"))])
        .await
        .expect(409);
}

#[tokio::test]
async fn the_mapping_that_matching_needs_is_kept_with_a_clear_message() {
    let (portal, browser) = seeded().await;
    let page = browser
        .get("/settings/field-mappings?q=email")
        .await
        .expect(200);
    let page = browser
        .get(&page.link("WORK_EMAIL → Email"))
        .await
        .expect(200);
    let page = browser.get(&page.link("Delete")).await.expect(200);
    browser
        .submit(&page, "Delete mapping", &[])
        .await
        .expect(303);
    let page = browser
        .get("/settings/field-mappings?q=email")
        .await
        .expect(200);
    let edit = browser.get(&page.link("EMAIL → Email")).await.expect(200);
    let page = browser.get(&edit.link("Delete")).await.expect(200);
    browser
        .submit(&page, "Delete mapping", &[])
        .await
        .expect(422)
        .expect_text("The active matching strategy “E-mail address” compares Email");
    browser
        .submit(&edit, "Save", &[("target", Some("website"))])
        .await
        .expect(422)
        .expect_text("this is the last mapping that fills that field");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM field_mappings WHERE target_field = 'email'"),
        1
    );
}

#[tokio::test]
async fn a_mapping_of_a_single_form_stands_under_that_form_and_a_double_is_refused() {
    let (portal, browser) = seeded().await;
    let mut conn = portal.database.conn();
    let account = an_account().name("Contoso Ads").insert(&mut conn);
    let form = a_form().name("Spring fair").of(&account).insert(&mut conn);
    let link =
        format!("{NEW}?form={form}&name=Budget&source_kind=question_text&source_key=Budget%3F");
    let page = browser.get(&link).await.expect(200);
    let page = browser
        .submit_and_follow(&page, "Save", &[("target", Some("description"))])
        .await
        .expect(200)
        .expect_text("Form: Spring fair (Contoso Ads)");
    assert!(page.text().contains("Question “Budget?”"));
    let page = browser.get(&link).await.expect(200);
    browser
        .submit(&page, "Save", &[("target", Some("description"))])
        .await
        .expect(422)
        .expect_text("There is a mapping from this source to this lead field already");
}

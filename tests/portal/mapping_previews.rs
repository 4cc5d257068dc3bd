//! The source picker, the live example, the preview of a change, the inbox of unmapped questions, and coverage, over HTTP.

use leadgen::domain::access::Role;
use leadgen::domain::form::{ChoiceOption, Question, QuestionKind};
use leadgen::domain::ids::FormId;

use crate::settings_pages::{NO_CHOICES, STRANGE_TEXTS, audited_changes, seeded};
use crate::start::TestPortal;
use crate::support::{Page, a_form, a_submission, question};

const INDEX: &str = "/settings/field-mappings";
const NEW: &str = "/settings/field-mappings/new";
const INBOX: &str = "/settings/field-mappings/inbox";

fn choice(id: i64, text: &str, options: &[&str]) -> Question {
    Question {
        kind: QuestionKind::MultipleChoice {
            options: (0..)
                .zip(options)
                .map(|(id, text)| ChoiceOption {
                    id,
                    text: (*text).to_owned(),
                })
                .collect(),
        },
        ..question(id, text, None)
    }
}

/// A form with a budget question and a choice, and two submissions.
fn spring_fair(portal: &TestPortal) -> FormId {
    let mut conn = portal.database.conn();
    let form = a_form()
        .name("Spring fair")
        .questions(vec![
            question(1, "First name", Some("FIRST_NAME")),
            question(3, "Email", Some("EMAIL")),
            question(4, "What is your website?", None),
            choice(
                5,
                "How soon?",
                &["This month", "Next = year", "<b>Never</b>"],
            ),
        ])
        .insert(&mut conn);
    a_submission()
        .of(&form)
        .answer(4, "  ACME.example ")
        .name("Ada")
        .insert(&mut conn);
    a_submission()
        .of(&form)
        .answer(4, "not a web address")
        .name("Bob")
        .insert(&mut conn);
    form
}

fn value(page: &Page, button: &str, name: &str) -> String {
    let form = page.form(button);
    let mut fields = form.fields.iter();
    fields
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.replace("\r\n", "\n"))
        .unwrap_or_default()
}

fn website<'a>() -> Vec<(&'a str, Option<&'a str>)> {
    vec![
        ("name", Some("Website")),
        ("source_pick", Some("question_text:What is your website?")),
        ("target", Some("website")),
    ]
}

#[tokio::test]
async fn the_picker_offers_what_the_forms_really_ask() {
    let (portal, browser) = seeded().await;
    spring_fair(&portal);
    let page = browser.get(NEW).await.expect(200);
    let offered = page.form("Preview").options["source_pick"].clone();
    for wanted in [
        "predefined:FIRST_NAME",
        "question_text:How soon?",
        "question_id:5",
        "campaign_name:",
    ] {
        assert!(
            offered.iter().any(|(known, _)| known == wanted),
            "{wanted}: {offered:?}"
        );
    }
    let page = browser
        .submit(&page, "Show example", &website())
        .await
        .expect(200);
    assert_eq!(value(&page, "Save", "source_kind"), "question_text");
    assert_eq!(value(&page, "Save", "source_key"), "What is your website?");
    // What the list does not offer leaves the fields as they are.
    for strange in STRANGE_TEXTS.iter().chain(NO_CHOICES) {
        let changes = [
            ("source_pick", Some(*strange)),
            ("source_key", Some("EMAIL")),
        ];
        let page = browser
            .submit(&page, "Show example", &changes)
            .await
            .expect(200);
        assert_eq!(value(&page, "Save", "source_key"), "EMAIL");
        assert!(!page.body.contains("<script>alert"));
    }
}

#[tokio::test]
async fn the_example_is_worked_out_on_a_real_answer_and_nothing_is_saved() {
    let (portal, browser) = seeded().await;
    let page = browser.get(NEW).await.expect(200);
    browser
        .submit(
            &page,
            "Show example",
            &[("target", Some("website")), ("source_key", Some("EMAIL"))],
        )
        .await
        .expect(200)
        .expect_text("No submission has come in yet");
    spring_fair(&portal);
    let before = portal
        .database
        .number("SELECT count(*) FROM field_mappings");
    browser
        .submit(&page, "Show example", &[])
        .await
        .expect(200)
        .expect_text("The example needs a little more");
    let mut changes = website();
    changes.push(("step_1_kind", Some("lower")));
    browser
        .submit(&page, "Show example", &changes)
        .await
        .expect(200)
        .expect_text("https://acme.example")
        .expect_text("ACME.example")
        .expect_text("Left out The value is no web address");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM field_mappings"),
        before
    );
}

#[tokio::test]
async fn a_value_map_is_filled_with_the_options_of_the_form() {
    let (portal, browser) = seeded().await;
    spring_fair(&portal);
    let page = browser.get(NEW).await.expect(200);
    let changes = [
        ("name", Some("Soon")),
        ("source_pick", Some("question_text:How soon?")),
        ("target", Some("description")),
    ];
    let page = browser
        .submit(&page, "Show example", &changes)
        .await
        .expect(200)
        .expect_text("a choice with 3 options");
    let page = browser
        .submit(
            &page,
            "Replace values: fill in these options",
            &[
                ("step_1_kind", Some("value_map")),
                ("step_1_pairs", Some("This month = now")),
            ],
        )
        .await
        .expect(200);
    assert!(!page.body.contains("<b>Never"));
    assert_eq!(
        value(&page, "Save", "step_1_pairs").trim_start(),
        "This month = now\nNext \\= year = Next = year\n<b>Never</b> = <b>Never</b>"
    );
    browser
        .submit_and_follow(&page, "Save", &[])
        .await
        .expect(200)
        .expect_text("replace 3 values");
}

#[tokio::test]
async fn a_change_is_previewed_now_beside_then_and_saved_from_there() {
    let (portal, browser) = seeded().await;
    spring_fair(&portal);
    let page = browser.get(NEW).await.expect(200);
    let page = browser
        .submit(&page, "Preview", &website())
        .await
        .expect(200)
        .expect_text("2 of the latest 2 submissions give other values")
        .expect_text("https://ACME.example")
        .expect_text("The value is no web address");
    assert_eq!(audited_changes(&portal), Vec::<String>::new());
    let again = browser
        .submit(&page, "Preview again", &[("n", Some("20"))])
        .await
        .expect(200)
        .expect_text("2 of the latest 2");
    let form = browser.submit(&again, "Change it", &[]).await.expect(200);
    assert_eq!(value(&form, "Save", "name"), "Website");
    let list = browser
        .submit_and_follow(&again, "Save", &[])
        .await
        .expect(200)
        .expect_text("The mapping “Website” was saved.");
    let edit = browser.get(&list.link("Website")).await.expect(200);
    // Another policy alone is told, too; the same again changes nothing.
    browser
        .submit(&edit, "Preview", &[("policy", Some("fill_if_empty"))])
        .await
        .expect(200)
        .expect_text("1 of the latest 2 submissions gives other values")
        .expect_text("Fill if empty, now Overwrite");
    browser
        .submit(&edit, "Preview", &[])
        .await
        .expect(200)
        .expect_text("Nothing changes on the latest 2 submissions");
    browser
        .submit(&edit, "Preview", &[("name", Some(""))])
        .await
        .expect(422)
        .expect_text("Enter a name");
    // Deleting shows what is lost.
    browser
        .get(&edit.link("Delete"))
        .await
        .expect(200)
        .expect_text("1 of the latest 2 submissions gives other values")
        .expect_text("Website:");
}

#[tokio::test]
async fn hostile_mappings_and_answers_are_previewed_as_text() {
    let (portal, browser) = seeded().await;
    let mut conn = portal.database.conn();
    let form = a_form().name("<script>alert(1)</script>").insert(&mut conn);
    for text in STRANGE_TEXTS {
        a_submission()
            .of(&form)
            .answer(4, text)
            .name(text)
            .insert(&mut conn);
    }
    portal
        .database
        .execute("UPDATE form_submissions SET form_version_number = 7 WHERE name LIKE 'Robert%'");
    let page = browser.get(NEW).await.expect(200);
    for text in STRANGE_TEXTS {
        let changes = [
            ("name", Some(*text)),
            ("source_kind", Some("question_text")),
            ("source_key", Some("What do you need?")),
            ("target", Some("description")),
            ("step_1_kind", Some("default")),
            ("step_1_value", Some(*text)),
        ];
        for button in ["Preview", "Show example"] {
            let page = browser.submit(&page, button, &changes).await.expect(200);
            assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"));
        }
    }
}

#[tokio::test]
async fn a_question_that_nobody_mapped_waits_in_the_inbox_and_is_mapped_by_one_click() {
    let (portal, browser) = seeded().await;
    let form = spring_fair(&portal);
    browser
        .get("/forms")
        .await
        .expect(200)
        .expect_text("2 of 4 mapped");
    let page = browser
        .get(INDEX)
        .await
        .expect(200)
        .expect_text("2 questions wait for a mapping");
    let page = browser
        .get(&page.link("2 questions wait for a mapping"))
        .await
        .expect(200)
        .expect_text("2 questions of 1 form")
        .expect_text("2 of the latest 2")
        .expect_text("0 of the latest 2");
    // The suggestion stands there already.
    let page = browser
        .submit_and_follow(&page, "Map What is your website?", &[])
        .await
        .expect(200)
        .expect_text("is mapped to Website")
        .expect_text("1 question of 1 form");
    let page = browser
        .submit_and_follow(&page, "Map How soon?", &[])
        .await
        .expect(200)
        .expect_text("Choose a lead field, then press Map.");
    let page = browser
        .submit_and_follow(&page, "Dismiss How soon?", &[])
        .await
        .expect(200)
        .expect_text("Nothing waits here")
        .expect_text("Dismissed questions (1)");
    browser
        .submit_and_follow(&page, "Bring back How soon?", &[])
        .await
        .expect(200)
        .expect_text("1 question of 1 form");
    assert_eq!(
        audited_changes(&portal),
        [
            "field_mapping.created",
            "question.dismissed",
            "question.restored"
        ]
    );
    browser
        .get("/forms")
        .await
        .expect(200)
        .expect_text("3 of 4 mapped");
    let page = browser
        .get(&format!("/forms/{form}"))
        .await
        .expect(200)
        .expect_text("3 of 4 mapped")
        .expect_text("Mappings on this form")
        .expect_text("Whole organization");
    // From the form one overrides, and the page tells the two apart.
    let page = browser
        .get(&page.link("Override: What is your website?"))
        .await
        .expect(200);
    browser.submit(&page, "Save", &[]).await.expect(303);
    browser
        .get(&format!("/forms/{form}"))
        .await
        .expect(200)
        .expect_text("Only this form")
        .expect_text("Replaced on this form");
    let salesperson = portal.sign_in_as(&[Role::Salesperson]).await;
    salesperson
        .get(&format!("/forms/{form}"))
        .await
        .expect(200)
        .expect_text("3 of 4 mapped")
        .expect_no_text("Add an override");
}

#[tokio::test]
async fn the_inbox_refuses_what_it_does_not_hold() {
    let (portal, browser) = seeded().await;
    let form = spring_fair(&portal);
    let nobody = "00000000-0000-7000-8000-000000000009";
    for (path, fields, status) in [
        (
            "/mappings",
            vec![("form", nobody), ("question", "4"), ("target", "website")],
            404,
        ),
        (
            "/mappings",
            vec![
                ("form", form.as_str()),
                ("question", "99"),
                ("target", "website"),
            ],
            404,
        ),
        (
            "/mappings",
            vec![("form", "x"), ("question", "4"), ("target", "website")],
            400,
        ),
        (
            "/mappings",
            vec![
                ("form", form.as_str()),
                ("question", "x"),
                ("target", "website"),
            ],
            400,
        ),
        (
            "/mappings",
            vec![
                ("form", form.as_str()),
                ("question", "4"),
                ("target", "custom.tier"),
            ],
            303,
        ),
        (
            "/mappings",
            vec![
                ("form", form.as_str()),
                ("question", "4"),
                ("target", "a\0b"),
            ],
            400,
        ),
        (
            "/dismissals",
            vec![("form", form.as_str()), ("question", "99")],
            404,
        ),
        (
            "/dismissals/removal",
            vec![("form", nobody), ("question", "4")],
            404,
        ),
    ] {
        browser
            .post_with_token_of(INBOX, &format!("{INBOX}{path}"), &fields)
            .await
            .expect(status);
    }
    browser.get(&format!("{INBOX}?page=99")).await.expect(200);
    assert_eq!(audited_changes(&portal), Vec::<String>::new());
}

//! Leads over HTTP: list, search, detail, edit.

use leadgen::domain::access::Role;
use leadgen::domain::lead::{LeadField, LeadSource, LeadStatus};

use crate::records_world::{HOSTILE, seeded, shows_hostile_text_as_text, with_world};
use crate::support::records::{a_lead, a_user, day, save_lead};

#[tokio::test]
async fn an_empty_list_says_what_will_appear() {
    let portal = seeded().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    browser
        .get("/leads")
        .await
        .expect(200)
        .expect_text("No leads yet");
    browser
        .get("/leads?q=nobody&status=new")
        .await
        .expect(200)
        .expect_text("No lead matches");
}

#[tokio::test]
async fn leads_are_searched_filtered_and_turned_page_by_page() {
    let portal = seeded().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    {
        let conn = &mut portal.database.conn();
        let owner = a_user(conn, "Sam Sales", &[Role::Salesperson]);
        for n in 0..60 {
            let mut lead = a_lead(&owner, &[(LeadField::LastName, &format!("Person{n:02}"))]);
            lead.created_at = day() + chrono::TimeDelta::seconds(n);
            if n == 7 {
                lead.status = LeadStatus::Qualified;
                lead.source = LeadSource::LinkedinEvent;
            }
            save_lead(conn, &lead);
        }
    }
    let first = browser
        .get("/leads")
        .await
        .expect(200)
        .expect_text("60 leads")
        .expect_text("Person59")
        .expect_no_text("Person09");
    let second = browser
        .get(&first.link("Older"))
        .await
        .expect(200)
        .expect_text("Person09")
        .expect_text("Person00")
        .expect_no_text("Person10");
    browser
        .get(&second.link("Newer"))
        .await
        .expect(200)
        .expect_text("Person59")
        .expect_no_text("Person09");
    for (query, found, other) in [
        ("q=person42", "Person42", "Person41"),
        ("status=qualified", "Person07", "Person08"),
        ("source=linkedin_event", "Person07", "Person08"),
        ("q=%20&status=&owner=&source=", "Person59", "Person09"),
    ] {
        browser
            .get(&format!("/leads?{query}"))
            .await
            .expect(200)
            .expect_text(found)
            .expect_no_text(other);
    }
}

#[tokio::test]
async fn a_wrong_parameter_or_identifier_has_a_page_that_says_so() {
    let portal = seeded().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    for query in [
        "status=open",
        "owner=1",
        "source=<script>",
        "after=x",
        "before=1.2",
        "status=new&status=new",
        "q=a%00b",
    ] {
        browser
            .get(&format!("/leads?{query}"))
            .await
            .expect(400)
            .expect_no_text("alert(");
    }
    for id in [
        "1",
        "nobody",
        "018f2a3c-0000-7000-8000-0000000000ab",
        "%3Cscript%3E",
        "..%2f",
    ] {
        browser.get(&format!("/leads/{id}")).await.expect(404);
        browser.get(&format!("/leads/{id}/edit")).await.expect(404);
    }
}

#[tokio::test]
async fn a_lead_shows_where_each_value_came_from() {
    let (portal, world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let page = browser
        .get(&format!("/leads/{}", world.lead))
        .await
        .expect(200)
        .expect_text("Ada Lovelace")
        .expect_text("ada@acme.example")
        .expect_text("Form submission of 2026-11-21 12:00 UTC")
        .expect_text("Forms submitted by this lead")
        .expect_text("New lead created")
        .expect_no_text("Save status and owner");
    shows_hostile_text_as_text(&page);
    let list = browser
        .get("/leads")
        .await
        .expect(200)
        .expect_text("1 lead");
    shows_hostile_text_as_text(&list);
    browser
        .get(&format!("/leads/{}/edit", world.lead))
        .await
        .expect(403);
}

#[tokio::test]
async fn an_edit_is_saved_with_journal_and_audit_entry() {
    let (portal, world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let path = format!("/leads/{}/edit", world.lead);
    let page = browser.get(&path).await.expect(200);
    let changes = [
        ("email", Some("ada@new.example")),
        ("city", Some(HOSTILE)),
        ("description", Some("one\r\ntwo")),
        ("first_name", Some("")),
        ("status", Some("contacted")),
    ];
    let page = browser
        .submit_and_follow(&page, "Save", &changes)
        .await
        .expect(200)
        .expect_text("The lead was saved.")
        .expect_text("ada@new.example")
        .expect_text("Contacted")
        .expect_text("Edited by Person")
        .expect_text("emptied");
    shows_hostile_text_as_text(&page);
    assert!(portal.audit().contains(&"lead.edited".to_owned()));
    let audit = portal
        .database
        .texts("SELECT after_state FROM audit_entries WHERE action = 'lead.edited'");
    assert!(
        audit[0].contains("email") && !audit[0].contains("new.example"),
        "{audit:?}"
    );
    // Nothing else changed.
    assert_eq!(
        portal.database.texts("SELECT description FROM leads"),
        ["one\ntwo"]
    );
}

#[tokio::test]
async fn a_wrong_value_is_kept_in_the_form_with_a_message_and_nothing_is_saved() {
    let (portal, world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let path = format!("/leads/{}/edit", world.lead);
    for (field, value, message) in [
        ("email", "not an address", "no e-mail address"),
        ("phone", "call me", "no phone number"),
        ("website", "javascript:alert(1)", "no web address"),
        ("start_date", "yesterday", "no date"),
        ("city", &"ü".repeat(301), "too long"),
        ("status", "won", "Choose one of the statuses"),
        ("owner", "somebody", "Choose one of the people"),
        (
            "owner",
            "018f2a3c-0000-7000-8000-0000000000ab",
            "disabled or no longer a user",
        ),
    ] {
        let page = browser.get(&path).await.expect(200);
        let page = browser
            .submit(
                &page,
                "Save",
                &[(field, Some(value)), ("job_title", Some("Poet"))],
            )
            .await
            .expect(422)
            .expect_text(message)
            .expect_text("Nothing was saved yet");
        assert!(page.body.contains("value=\"Poet\""), "{field}");
    }
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM leads WHERE job_title IS NOT NULL"),
        0
    );
    assert_eq!(portal.database.number("SELECT lock_version FROM leads"), 0);
    for version in ["", "x", "99999999999999999999"] {
        browser
            .post_with_token_of(
                &path,
                &format!("/leads/{}", world.lead),
                &[("lock_version", version)],
            )
            .await
            .expect(400);
    }
}

#[tokio::test]
async fn two_people_who_edit_at_once_are_told() {
    let (portal, world) = with_world().await;
    let one = portal.sign_in_as(&[Role::Salesperson]).await;
    let two = portal.sign_in_as(&[Role::Administrator]).await;
    let path = format!("/leads/{}", world.lead);
    let seen_by_one = one.get(&path).await.expect(200);
    let seen_by_two = two.get(&path).await.expect(200);
    one.submit_and_follow(
        &seen_by_one,
        "Save status and owner",
        &[("status", Some("qualified"))],
    )
    .await
    .expect(200)
    .expect_text("Qualified");
    two.submit(
        &seen_by_two,
        "Save status and owner",
        &[("status", Some("disqualified"))],
    )
    .await
    .expect(409)
    .expect_text("Somebody else was quicker");
    assert_eq!(
        portal.database.texts("SELECT status FROM leads"),
        ["qualified"]
    );
}

#[tokio::test]
async fn an_edit_that_collides_keeps_what_was_entered_and_shows_both_values() {
    let (portal, world) = with_world().await;
    let one = portal.sign_in_as(&[Role::Salesperson]).await;
    let two = portal.sign_in_as(&[Role::Administrator]).await;
    let path = format!("/leads/{}/edit", world.lead);
    let seen_by_one = one.get(&path).await.expect(200);
    let seen_by_two = two.get(&path).await.expect(200);
    let changes = [("city", Some("Paris")), ("job_title", Some("Poet"))];
    one.submit_and_follow(&seen_by_one, "Save", &changes)
        .await
        .expect(200);
    let page = two
        .submit(&seen_by_two, "Save", &[("city", Some("Rome"))])
        .await
        .expect(409)
        .expect_text("Somebody else was quicker")
        .expect_text("This lead was changed by")
        .expect_text("Saved meanwhile: Paris");
    let form = page.form("Save");
    let value = |name: &str| {
        let found = form.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap()
    };
    // What the second person entered is kept; what only the first one changed is not undone.
    assert_eq!(
        (value("city"), value("job_title")),
        ("Rome".to_owned(), "Poet".to_owned())
    );
    two.submit_and_follow(&page, "Save", &[]).await.expect(200);
    assert_eq!(
        portal
            .database
            .texts("SELECT city || '|' || job_title FROM leads"),
        ["Rome|Poet"]
    );
}

#[tokio::test]
async fn custom_fields_are_shown_and_edited_and_retired_ones_only_where_they_have_a_value() {
    let (portal, world) = with_world().await;
    portal.database.execute(
        "INSERT INTO custom_fields (name, label, kind, choices, is_retired, created_at, updated_at, lock_version) VALUES \
         ('region', 'Region <i>', 'choice', '[\"EMEA\",\"APAC\"]', FALSE, '2026-11-21 00:00:00', '2026-11-21 00:00:00', 0), \
         ('budget', 'Budget', 'number', '[]', FALSE, '2026-11-21 00:00:00', '2026-11-21 00:00:00', 0), \
         ('opted', 'Opted in', 'yes_no', '[]', FALSE, '2026-11-21 00:00:00', '2026-11-21 00:00:00', 0), \
         ('old', 'Old field', 'text', '[]', TRUE, '2026-11-21 00:00:00', '2026-11-21 00:00:00', 0)",
    );
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let path = format!("/leads/{}/edit", world.lead);
    let page = browser
        .get(&path)
        .await
        .expect(200)
        .expect_no_text("Old field");
    for (field, value) in [
        ("custom.region", "Mars"),
        ("custom.budget", "much"),
        ("custom.opted", "perhaps"),
    ] {
        browser
            .submit(&page, "Save", &[(field, Some(value))])
            .await
            .expect(422)
            .expect_text("Nothing was saved yet");
    }
    let changes = [
        ("custom.region", Some("APAC")),
        ("custom.budget", Some("1200")),
        ("custom.opted", Some("yes")),
    ];
    browser
        .submit_and_follow(&page, "Save", &changes)
        .await
        .expect(200)
        .expect_text("Region <i>")
        .expect_text("APAC")
        .expect_text("Budget");
    assert_eq!(
        portal
            .database
            .texts("SELECT custom_values AS value FROM leads"),
        ["{\"budget\":\"1200\",\"opted\":\"yes\",\"region\":\"APAC\"}"]
    );
    portal
        .database
        .execute("UPDATE custom_fields SET is_retired = (name <> 'old')");
    browser
        .get(&path)
        .await
        .expect(200)
        .expect_text("Budget")
        .expect_text("Old field");
}

#[tokio::test]
async fn notes_are_added_changed_and_deleted_by_who_wrote_them() {
    let (portal, world) = with_world().await;
    let author = portal.sign_in_as(&[Role::Salesperson]).await;
    let other = portal.sign_in_as(&[Role::Administrator]).await;
    let path = format!("/leads/{}", world.lead);
    let page = author.get(&path).await.expect(200);
    for (body, message) in [
        ("", "Write something first"),
        (" \r\n ", "Write something first"),
    ] {
        author
            .submit(&page, "Add note", &[("body", Some(body))])
            .await
            .expect(422)
            .expect_text(message);
    }
    let long = "ü".repeat(10_001);
    let kept = author
        .submit(&page, "Add note", &[("body", Some(&long))])
        .await
        .expect(422)
        .expect_text("at most 10,000 characters");
    assert!(kept.body.contains(&long));
    let text = format!("Called her.\r\n{HOSTILE}");
    let page = author
        .submit_and_follow(&page, "Add note", &[("body", Some(&text))])
        .await
        .expect(200)
        .expect_text("The note was added")
        .expect_text("Called her.");
    shows_hostile_text_as_text(&page);
    let note = page.link("/notes/");
    // Somebody else reads it and can do nothing to it.
    other
        .get(&path)
        .await
        .expect(200)
        .expect_text("Called her.")
        .expect_no_text("Delete note");
    other
        .get(&note)
        .await
        .expect(409)
        .expect_text("Only the person who wrote a note");
    other
        .post_with_token_of(&path, &format!("{note}/deletion"), &[])
        .await
        .expect(409);
    other
        .post_with_token_of(&path, &note, &[("body", "mine"), ("lock_version", "0")])
        .await
        .expect(409);
    let form = author.get(&note).await.expect(200);
    author
        .submit(&form, "Save note", &[("body", Some(" "))])
        .await
        .expect(422);
    author
        .submit_and_follow(&form, "Save note", &[("body", Some("Called her twice."))])
        .await
        .expect(200)
        .expect_text("Called her twice.");
    author
        .submit(&form, "Save note", &[("body", Some("again"))])
        .await
        .expect(409);
    let page = author.get(&path).await.expect(200);
    author
        .submit_and_follow(&page, "Delete note", &[])
        .await
        .expect(200)
        .expect_text("The note was deleted")
        .expect_no_text("Called her twice");
    author.get(&note).await.expect(404);
    author
        .get(&format!("{path}/notes/%3Cscript%3E"))
        .await
        .expect(404);
    let audit = portal.database.texts(
        "SELECT action || COALESCE(after_state, '') AS value FROM audit_entries WHERE action LIKE 'lead.note%' ORDER BY created_at, id",
    );
    assert_eq!(
        audit,
        ["lead.note_added", "lead.note_edited", "lead.note_deleted"]
    );
    let manager = portal.sign_in_as(&[Role::SalesManager]).await;
    manager
        .get(&path)
        .await
        .expect(200)
        .expect_no_text("Add note");
}

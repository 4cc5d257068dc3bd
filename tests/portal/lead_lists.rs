//! The list of leads over HTTP: filters, orders, saved views, changes of many.

use leadgen::domain::access::Role;
use leadgen::domain::ids::LeadId;
use leadgen::domain::lead::{LeadField, LeadStatus};

use crate::records_world::{seeded, with_world};
use crate::settings_pages::STRANGE_TEXTS;
use crate::start::TestPortal;
use crate::support::records::{a_lead, a_user, day, save_lead};

/// Leads with names in another order than their days; the fifth is Qualified.
fn some_leads(portal: &TestPortal) -> Vec<LeadId> {
    let conn = &mut portal.database.conn();
    let owner = a_user(conn, "Olga Owner", &[Role::Salesperson]);
    ["Delta", "Alpha", "Echo", "Bravo", "Charlie"]
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let mut lead = a_lead(&owner, &[(LeadField::LastName, name)]);
            let number = i64::try_from(number).unwrap();
            lead.created_at = day() + chrono::TimeDelta::days(number);
            // The oldest one has the latest submission.
            lead.latest_submitted_at = Some(day() + chrono::TimeDelta::days(100 - number));
            if *name == "Charlie" {
                lead.status = LeadStatus::Qualified;
            }
            save_lead(conn, &lead)
        })
        .collect()
}

fn names(page: &crate::support::Page) -> Vec<&'static str> {
    let mut found: Vec<(usize, &str)> = ["Alpha", "Bravo", "Charlie", "Delta", "Echo"]
        .into_iter()
        .filter_map(|name| Some((page.body.find(&format!("<bdi>{name}</bdi>"))?, name)))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).collect()
}

#[tokio::test]
async fn the_list_is_sorted_and_turned_in_every_order() {
    let portal = seeded().await;
    let ids = some_leads(&portal);
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    for (sort, wanted) in [
        ("", ["Charlie", "Bravo", "Echo", "Alpha", "Delta"]),
        (
            "sort=latest",
            ["Delta", "Alpha", "Echo", "Bravo", "Charlie"],
        ),
        ("sort=name", ["Alpha", "Bravo", "Charlie", "Delta", "Echo"]),
    ] {
        let page = browser.get(&format!("/leads?{sort}")).await.expect(200);
        assert_eq!(names(&page), wanted, "{sort}");
        // From each lead to the one before and the one after it.
        let third = page.link(wanted[2]);
        let page = browser.get(&third).await.expect(200);
        let next = page.link("Next lead ›");
        browser.get(&next).await.expect(200).expect_text(wanted[3]);
        let previous = page.link("‹ Previous lead");
        let first = browser.get(&previous).await.expect(200);
        assert!(first.body.contains(wanted[1]), "{sort}");
        let first = browser
            .get(&first.link("‹ Previous lead"))
            .await
            .expect(200);
        assert!(!first.body.contains("Previous lead"), "{sort}");
    }
    // Pages in every order, both ways.
    {
        let conn = &mut portal.database.conn();
        let owner = a_user(conn, "Other Owner", &[Role::Salesperson]);
        for number in 0..60 {
            let mut lead = a_lead(
                &owner,
                &[(LeadField::LastName, &format!("Person{number:02}"))],
            );
            lead.created_at = day() - chrono::TimeDelta::hours(number);
            save_lead(conn, &lead);
        }
    }
    for (sort, next, previous) in [
        ("sort=newest", "Older", "Newer"),
        ("sort=latest", "Older", "Newer"),
        ("sort=name", "Next", "Previous"),
    ] {
        let first = browser
            .get(&format!("/leads?{sort}&size=25"))
            .await
            .expect(200);
        let second = browser.get(&first.link(next)).await.expect(200);
        let third = browser.get(&second.link(next)).await.expect(200);
        let rows = |page: &crate::support::Page| page.body.matches("class=\"owner\"").count();
        assert_eq!(
            [rows(&first), rows(&second), rows(&third)],
            [25, 25, 15],
            "{sort}"
        );
        let back = browser.get(&third.link(previous)).await.expect(200);
        assert_eq!(rows(&back), 25);
        assert_eq!(names(&back), names(&second), "{sort}");
        assert!(
            !third.url.as_str().contains("erson"),
            "no name in an address: {}",
            third.url
        );
    }
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn filters_are_shown_as_chips_and_numbers_by_status() {
    let (portal, world) = with_world().await;
    some_leads(&portal);
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    for (query, count) in [
        (format!("account={}", world.account), "1 lead"),
        (format!("form={}", world.form), "1 lead"),
        (format!("owner={}", world.owner), "1 lead"),
        (
            "created_from=2026-11-22&created_to=2026-11-23".to_owned(),
            "2 leads",
        ),
        ("submitted_from=2027-02-28".to_owned(), "2 leads"),
        ("q=alpha".to_owned(), "1 lead"),
    ] {
        let page = browser.get(&format!("/leads?{query}")).await.expect(200);
        let page = page.expect_text(count).expect_text("Remove the filter");
        let cleared = browser.get("/leads").await.expect(200);
        assert!(!cleared.text().contains("Remove the filter"));
        assert!(page.body.contains("state-tabs"), "{query}");
    }
    let page = browser.get("/leads?status=qualified").await.expect(200);
    let page = page.expect_text("1 lead").expect_text("Charlie");
    assert!(page.link("Qualified 1").contains("status=qualified"));
    assert!(page.link("New 5").contains("status=new"));
    for query in [
        "account=1",
        "created_from=tomorrow",
        "sort=email",
        "size=x",
        "campaign=%3Cscript%3E",
    ] {
        browser.get(&format!("/leads?{query}")).await.expect(400);
    }
    for text in STRANGE_TEXTS {
        let query = crate::support::browserlike::encode(&[("q", text)]);
        let page = browser.get(&format!("/leads?{query}")).await.expect(200);
        assert!(!page.body.contains("<script>alert"), "{text}");
    }
}

#[tokio::test]
async fn a_view_is_saved_renamed_shared_and_deleted() {
    let portal = seeded().await;
    some_leads(&portal);
    let boss = portal.sign_in_as(&[Role::Administrator]).await;
    let page = boss
        .get("/leads?status=qualified&sort=name")
        .await
        .expect(200);
    let changes = [("name", Some("Won <b>leads</b>")), ("shared", Some("on"))];
    let page = boss
        .submit_and_follow(&page, "Save view", &changes)
        .await
        .expect(200)
        .expect_text("The view was saved")
        .expect_text("Won <b>leads</b>");
    boss.submit(&page, "Save view", &[("name", Some("WON <b>Leads</b>"))])
        .await
        .expect(422)
        .expect_text("Another view of yours has this name");
    for name in ["", "  ", &"x".repeat(61)] {
        boss.submit(&page, "Save view", &[("name", Some(name))])
            .await
            .expect(422);
    }
    // Everybody sees it, but cannot change it.
    let other = portal.sign_in_as(&[Role::SalesManager]).await;
    let seen = other.get("/leads").await.expect(200);
    let change = page.link("/leads/views/");
    assert!(!seen.body.contains(&change));
    let opened = other.get(&seen.link("status=qualified&sort=name")).await;
    assert_eq!(names(&opened.expect(200)), ["Charlie"]);
    other.get(&change).await.expect(404);
    other
        .post_with_token_of("/leads", &format!("{change}/deletion"), &[])
        .await
        .expect(404);
    // Who may not share only saves for oneself.
    let page = other.get("/leads?status=new").await.expect(200);
    other
        .submit_and_follow(&page, "Save view", &[("name", Some("Mine"))])
        .await
        .expect(200);
    boss.get("/leads").await.expect(200).expect_no_text("Mine");
    let page = boss.get(&change).await.expect(200);
    boss.submit(&page, "Save view", &[("name", Some(""))])
        .await
        .expect(422);
    let page = boss
        .submit_and_follow(
            &page,
            "Save view",
            &[("name", Some("Won")), ("shared", None)],
        )
        .await
        .expect(200)
        .expect_text("Won");
    other
        .get("/leads")
        .await
        .expect(200)
        .expect_no_text("Won by");
    let page = boss.get(&page.link("/leads/views/")).await.expect(200);
    boss.submit_and_follow(&page, "Delete view", &[])
        .await
        .expect(200)
        .expect_text("The view was deleted");
    boss.get(&change).await.expect(404);
    assert_eq!(portal.database.number("SELECT count(*) FROM lead_views"), 1);
    for query in ["status=won", "owner=1", &"q=".repeat(3_000)] {
        boss.post_with_token_of("/leads", "/leads/views", &[("name", "x"), ("query", query)])
            .await
            .expect(400);
    }
}

#[tokio::test]
async fn owner_and_status_of_many_change_after_a_look_at_the_number() {
    let portal = seeded().await;
    let ids = some_leads(&portal);
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = browser.get("/leads").await.expect(200);
    let owner = page.form("Look at the change").options["bulk_owner"]
        .iter()
        .find(|(_, name)| name != "Olga Owner" && name != "Leave as it is")
        .unwrap()
        .0
        .clone();
    let changes = [
        ("scope", Some("all")),
        ("bulk_status", Some("contacted")),
        ("bulk_owner", Some(owner.as_str())),
    ];
    let preview = browser
        .submit(&page, "Look at the change", &changes)
        .await
        .expect(200)
        .expect_text("Change 4 leads?")
        .expect_text("5 leads are what the filter finds")
        .expect_text("1 is Qualified or Disqualified, and therefore left alone");
    assert_eq!(
        portal
            .database
            .number("SELECT sum(lock_version) FROM leads"),
        0
    );
    browser
        .submit_and_follow(&preview, "Change leads", &[])
        .await
        .expect(200)
        .expect_text("4 leads were changed. 1 lead stayed as before, being closed.");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM leads WHERE status = 'contacted' AND lock_version = 1"),
        4
    );
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM lead_changes WHERE kind = 'edited'"),
        4
    );
    let audit = portal
        .database
        .texts("SELECT object_name AS value FROM audit_entries WHERE action = 'lead.bulk_edited'");
    assert_eq!(audit, ["4 leads"]);
    browser
        .get(&format!("/leads/{}", ids[0]))
        .await
        .expect(200)
        .expect_text("Status: New → changed to Contacted")
        .expect_text("Owner: Olga Owner");
    // The second of two clicks finds it done.
    browser
        .submit_and_follow(&preview, "Change leads", &[])
        .await
        .expect(200)
        .expect_text("Nothing was changed");
    // One chosen lead, closed, with the box that says so.
    let fields = |more: &[(&'static str, &'static str)]| {
        let mut fields = vec![("query", ""), ("scope", "chosen"), ("bulk_status", "new")];
        fields.extend_from_slice(more);
        fields
    };
    let mut one = fields(&[("with_closed", "on"), ("expected", "1")]);
    one.push(("id", ids[4].as_str()));
    browser
        .post_with_token_of("/leads", "/leads/bulk-edits", &one)
        .await
        .expect(303);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM leads WHERE status = 'qualified'"),
        0
    );
}

#[tokio::test]
async fn a_change_of_many_says_what_is_wrong_and_changes_nothing() {
    let portal = seeded().await;
    let ids = some_leads(&portal);
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let id = ids[0].as_str();
    for (fields, message) in [
        (
            vec![("scope", "chosen"), ("bulk_status", "new")],
            "Tick the leads",
        ),
        (vec![("scope", "all")], "Choose a new status"),
        (
            vec![("scope", "all"), ("bulk_status", "won")],
            "Choose one of the statuses",
        ),
        (
            vec![
                ("scope", "all"),
                ("bulk_owner", "<script>alert(1)</script>"),
            ],
            "Choose one of the people",
        ),
        (
            vec![
                ("id", id),
                ("bulk_owner", "018f2a3c-0000-7000-8000-0000000000ab"),
            ],
            "Choose one of the people",
        ),
    ] {
        for path in ["/leads/selection", "/leads/bulk-edits"] {
            let mut fields = fields.clone();
            fields.push(("query", "status=new"));
            let page = browser
                .post_with_token_of("/leads", path, &fields)
                .await
                .expect(422)
                .expect_text(message);
            assert!(!page.body.contains("<script>alert"));
        }
    }
    // Somebody was told about another number.
    let told = [
        ("scope", "all"),
        ("query", ""),
        ("bulk_status", "contacted"),
        ("expected", "7"),
    ];
    browser
        .post_with_token_of("/leads", "/leads/bulk-edits", &told)
        .await
        .expect(422)
        .expect_text("There are other leads meanwhile: 5 instead of 7");
    for query in ["status=won", "owner=%00"] {
        let bad = [("scope", "all"), ("query", query), ("bulk_status", "new")];
        browser
            .post_with_token_of("/leads", "/leads/selection", &bad)
            .await
            .expect(400);
    }
    // Ids that are none, or of no lead, are no leads.
    let odd = [
        ("scope", "chosen"),
        ("query", ""),
        ("bulk_status", "contacted"),
        ("id", "'; DROP TABLE leads; --"),
        ("id", "018f2a3c-0000-7000-8000-0000000000ab"),
    ];
    browser
        .post_with_token_of("/leads", "/leads/selection", &odd)
        .await
        .expect(200)
        .expect_text("Change 0 leads?");
    assert_eq!(
        portal
            .database
            .number("SELECT sum(lock_version) FROM leads"),
        0
    );
    let manager = portal.sign_in_as(&[Role::SalesManager]).await;
    manager
        .get("/leads")
        .await
        .expect(200)
        .expect_no_text("Change many leads");
}

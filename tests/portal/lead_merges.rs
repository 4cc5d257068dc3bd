//! Merging two leads over HTTP.

use leadgen::domain::access::Role;
use leadgen::domain::ids::LeadId;
use leadgen::domain::lead::LeadField;

use crate::records_world::{HOSTILE, seeded, shows_hostile_text_as_text};
use crate::start::TestPortal;
use crate::support::records::{a_lead, a_user, save_lead};

/// Two leads called Ada and Adeline.
fn two(portal: &TestPortal) -> (LeadId, LeadId) {
    let conn = &mut portal.database.conn();
    let owner = a_user(conn, "Sam Sales", &[Role::Salesperson]);
    let lead = |first: &str, last: &str| {
        let values = [(LeadField::FirstName, first), (LeadField::LastName, last)];
        a_lead(&owner, &values)
    };
    let ada = save_lead(conn, &lead("Ada", &format!("Lovelace {HOSTILE}")));
    let adeline = save_lead(conn, &lead("Adeline", "Lovelace"));
    (ada, adeline)
}

#[tokio::test]
async fn the_other_lead_is_found_compared_merged_and_brought_back_with_audit_entries() {
    let portal = seeded().await;
    let (ada, adeline) = two(&portal);
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let lead = browser.get(&format!("/leads/{ada}")).await.expect(200);
    browser
        .get(&lead.link("Merge…"))
        .await
        .expect(200)
        .expect_text("No other lead was found");
    let find = browser
        .get(&format!("/leads/{ada}/merge?find=lovelace"))
        .await
        .expect(200);
    let compare = find.link("Compare with Adeline Lovelace");
    let page = browser.get(&compare).await.expect(200);
    shows_hostile_text_as_text(&page);
    let done = browser
        .submit_and_follow(
            &page,
            "Merge the two leads",
            &[("field:first_name", Some("merged"))],
        )
        .await
        .expect(200)
        .expect_text("Adeline Lovelace is part of this lead now.");
    shows_hostile_text_as_text(&done);
    let gone = browser.get(&format!("/leads/{adeline}")).await.expect(303);
    assert_eq!(gone.location().unwrap(), format!("/leads/{ada}"));
    browser
        .follow(gone)
        .await
        .expect_text("Adeline Lovelace was merged into this lead.");
    browser
        .get(&format!("/leads/{adeline}/edit"))
        .await
        .expect(404);

    let page = browser
        .get(&done.link("Undo the merge"))
        .await
        .expect(200)
        .expect_text("Nothing changed since");
    browser
        .submit_and_follow(&page, "Undo the merge", &[])
        .await
        .expect(200)
        .expect_text("Adeline Lovelace is a lead of its own again.");
    browser
        .get(&format!("/leads/{adeline}"))
        .await
        .expect(200)
        .expect_text("Adeline");
    // Again, from a page that was left open.
    browser
        .submit_and_follow(&page, "Undo the merge", &[])
        .await
        .expect_text("This merge was undone already.");
    let audit = portal.database.texts(
        "SELECT action || COALESCE(after_state, '') AS value FROM audit_entries WHERE action LIKE 'lead.merge%' ORDER BY action",
    );
    assert_eq!(audit.len(), 4, "{audit:?}");
    assert!(
        audit.iter().all(|entry| !entry.contains("Lovelace")),
        "{audit:?}"
    );
}

#[tokio::test]
async fn a_lead_that_changed_meanwhile_is_shown_again_with_what_changed_and_the_choices_kept() {
    let portal = seeded().await;
    let (ada, adeline) = two(&portal);
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let page = browser
        .get(&format!("/leads/{ada}/merge?with={adeline}"))
        .await
        .expect(200);
    let edit = browser.get(&format!("/leads/{adeline}/edit")).await;
    browser
        .submit(&edit, "Save", &[("city", Some("Oslo"))])
        .await
        .expect(303);
    let again = browser
        .submit(
            &page,
            "Merge the two leads",
            &[("field:first_name", Some("merged"))],
        )
        .await
        .expect(409)
        .expect_text("Nothing was merged: a lead changed meanwhile")
        .expect_text("Oslo");
    assert_eq!(
        portal.database.number("SELECT count(*) FROM lead_merges"),
        0
    );
    browser
        .submit_and_follow(&again, "Merge the two leads", &[])
        .await
        .expect(200)
        .expect_text("is part of this lead now");
    let kept = portal
        .database
        .texts("SELECT first_name || ' ' || city AS value FROM leads");
    assert_eq!(kept, ["Adeline Oslo"]);
}

#[tokio::test]
async fn exactly_two_ticked_leads_are_merged_from_the_list_and_only_by_those_who_may_edit() {
    let portal = seeded().await;
    let (ada, adeline) = two(&portal);
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let token = browser.get("/leads").await.csrf_token().unwrap();
    let one = [("csrf_token", token.as_str()), ("id", ada.as_str())];
    browser
        .post_raw("/leads/merges", &one)
        .await
        .expect(422)
        .expect_text("Tick exactly two leads");
    let both = [one[0], one[1], ("id", adeline.as_str())];
    let way = browser.post_raw("/leads/merges", &both).await.expect(303);
    let path = way.location().unwrap().to_owned();
    assert!(path.contains("/merge?with="), "{path}");

    let manager = portal.sign_in_as(&[Role::SalesManager]).await;
    manager.get(&path).await.expect(403);
    manager
        .get(&format!("/leads/{ada}"))
        .await
        .expect(200)
        .expect_no_text("Merge…");
}

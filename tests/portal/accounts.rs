//! LinkedIn accounts, forms and campaigns over HTTP.

use leadgen::domain::access::Role;

use crate::records_world::{seeded, shows_hostile_text_as_text, with_world};

#[tokio::test]
async fn empty_lists_say_what_will_appear() {
    let portal = seeded().await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    for (path, text) in [
        ("/linkedin-accounts", "No accounts yet"),
        ("/linkedin-accounts?enabled=no", "No account matches"),
        ("/forms", "No forms yet"),
        ("/forms?q=x", "No form matches"),
        ("/campaigns", "No campaigns yet"),
        ("/campaigns?q=x", "No campaign matches"),
    ] {
        browser.get(path).await.expect(200).expect_text(text);
    }
}

#[tokio::test]
async fn lists_and_details_show_states_counts_and_hostile_names_as_text() {
    let (portal, world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    for (path, text) in [
        ("/linkedin-accounts".to_owned(), "Pending Synchronization"),
        (
            format!("/linkedin-accounts/{}", world.account),
            "How far submissions are read",
        ),
        ("/forms".to_owned(), "Pending"),
        (format!("/forms/{}", world.form), "Not mapped"),
        ("/campaigns".to_owned(), "Sponsored updates"),
    ] {
        let page = browser.get(&path).await.expect(200).expect_text(text);
        shows_hostile_text_as_text(&page);
    }
    browser
        .get(&format!("/forms/{}", world.form))
        .await
        .expect(200)
        .expect_text("Version 1")
        .expect_text("2 of 4 mapped")
        .expect_text("This month · Next year")
        .expect_text("I agree to be called.");
    for path in [
        "/linkedin-accounts/1",
        "/linkedin-accounts/018f2a3c-0000-7000-8000-0000000000ab",
        "/forms/x",
        "/forms/018f2a3c-0000-7000-8000-0000000000ab",
    ] {
        browser.get(path).await.expect(404);
    }
    for path in [
        "/linkedin-accounts?enabled=1",
        "/forms?account=1",
        "/forms?status=x",
        "/campaigns?after=1",
    ] {
        browser.get(path).await.expect(400);
    }
}

#[tokio::test]
async fn an_administrator_switches_sync_and_sets_the_default_lead_owner() {
    let (portal, world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let path = format!("/linkedin-accounts/{}", world.account);
    let page = browser.get(&path).await.expect(200);
    let changes = [
        ("is_sync_enabled", None),
        ("default_lead_owner", Some(world.owner.as_str())),
    ];
    browser
        .submit_and_follow(&page, "Save", &changes)
        .await
        .expect(200)
        .expect_text("was saved")
        .expect_text("switched off")
        .expect_no_text("Sync submissions");
    assert_eq!(
        portal
            .database
            .texts("SELECT form_sync_status FROM linkedin_accounts"),
        ["not_syncing"]
    );
    // From the profile's page, and back to it.
    let profile = format!("/linkedin-user-profiles/{}", world.profile);
    let page = browser.get(&profile).await.expect(200);
    let answer = browser
        .submit(&page, &path, &[("is_sync_enabled", Some("on"))])
        .await
        .expect(303);
    assert_eq!(answer.location(), Some(profile.as_str()));
    let saved = portal
        .audit()
        .iter()
        .filter(|action| *action == "linkedin_account.saved")
        .count();
    assert_eq!(saved, 2);
    for owner in [
        "nobody",
        "018f2a3c-0000-7000-8000-0000000000ab",
        "<script>alert(1)</script>",
    ] {
        browser
            .post_with_token_of(&path, &path, &[("default_lead_owner", owner)])
            .await
            .expect(422)
            .expect_text("Choose one of the people");
    }
}

#[tokio::test]
async fn only_whose_profile_sees_the_account_asks_for_a_sync() {
    let (portal, world) = with_world().await;
    let path = format!("/linkedin-accounts/{}", world.account);
    let runs = format!("{path}/sync-runs");
    let stranger = portal.sign_in_as(&[Role::Salesperson]).await;
    stranger
        .get(&path)
        .await
        .expect(200)
        .expect_no_text("Sync submissions");
    stranger
        .post_with_token_of(&path, &runs, &[])
        .await
        .expect(403);
    stranger
        .post_with_token_of(&path, &path, &[])
        .await
        .expect(403);
    let administrator = portal.sign_in_as(&[Role::Administrator]).await;
    let page = administrator.get(&path).await.expect(200);
    administrator
        .submit_and_follow(&page, "Sync submissions", &[])
        .await
        .expect(200)
        .expect_text("being synchronized");
    assert_eq!(
        portal
            .database
            .texts("SELECT requested_trigger FROM linkedin_accounts"),
        ["manual"]
    );
    portal
        .database
        .execute("UPDATE linkedin_accounts SET is_sync_enabled = FALSE");
    administrator
        .post_with_token_of(&path, &runs, &[])
        .await
        .expect(409)
        .expect_text("Sync is switched off");
}

//! Pausing an account over HTTP: what it says first, everywhere afterwards, and how it ends.

use chrono::TimeDelta;
use leadgen::domain::access::Role;

use crate::records_world::{HOSTILE, shows_hostile_text_as_text, with_world};

#[tokio::test]
async fn a_paused_account_says_so_everywhere_since_when_by_whom_and_what_it_costs() {
    let (portal, world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let path = format!("/linkedin-accounts/{}", world.account);
    let page = browser.get(&path).await.expect(200);
    assert!(page.link("Pause").ends_with("/pauses/new"));
    let page = browser
        .get(&format!("{path}/pauses/new"))
        .await
        .expect(200)
        .expect_text("LinkedIn keeps some submissions for 90 days only");
    for bad in ["a\nb", &"x".repeat(201)] {
        browser
            .submit(&page, "Pause", &[("reason", Some(bad))])
            .await
            .expect(422)
            .expect_text("The reason");
    }
    browser
        .post_with_token_of(
            &path,
            &format!("{path}/pauses"),
            &[("reason", ""), ("from", "nowhere")],
        )
        .await
        .expect(400);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM account_pauses"),
        0
    );
    let page = browser
        .submit_and_follow(&page, "Pause", &[("reason", Some(HOSTILE))])
        .await
        .expect(200)
        .expect_text("is paused. Nothing of it is read until somebody resumes it.")
        .expect_text("resume it before")
        .expect_no_text("Sync submissions");
    shows_hostile_text_as_text(&page);
    portal.clock.advance(TimeDelta::minutes(3));
    for place in [
        "/sync-status".to_owned(),
        "/sync-status/forms".to_owned(),
        "/linkedin-accounts".to_owned(),
        path.clone(),
        format!("/linkedin-user-profiles/{}", world.profile),
        format!("/forms/{}", world.form),
    ] {
        let page = browser.get(&place).await.expect(200);
        for text in ["Paused", "3 minutes ago", "Person", "90 days"] {
            assert!(
                page.text().contains(text),
                "{text} on {place}\n{}",
                page.text()
            );
        }
        shows_hostile_text_as_text(&page);
    }
    browser
        .get("/sync-status")
        .await
        .expect_text("Nothing is synchronized: 1 account is paused.");
    // Twice is refused with a sentence, and so is a sync.
    browser
        .post_with_token_of(&path, &format!("{path}/pauses"), &[("reason", "again")])
        .await
        .expect(409)
        .expect_text("paused already");
    browser
        .post_with_token_of(&path, &format!("{path}/sync-runs"), &[])
        .await
        .expect(409)
        .expect_text("paused this account");
    portal.clock.advance(TimeDelta::days(61));
    portal
        .database
        .execute("UPDATE linkedin_tokens SET access_token_expires_at = '2027-03-02 10:00:00'");
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let page = browser
        .get("/sync-status")
        .await
        .expect(200)
        .expect_text("An account has been paused for 61 days");
    let page = browser
        .submit_and_follow(&page, &format!("{path}/pauses/end"), &[])
        .await
        .expect(200)
        .expect_text("is resumed. It is read at once.");
    assert!(page.url.path().ends_with("/sync-status"), "{}", page.url);
    assert_eq!(
        portal
            .audit()
            .iter()
            .filter(|action| action.contains("linkedin_account."))
            .collect::<Vec<_>>(),
        ["linkedin_account.paused", "linkedin_account.resumed"]
    );
    browser
        .post_with_token_of(&path, &format!("{path}/pauses/end"), &[])
        .await
        .expect(409)
        .expect_text("not paused");
}

#[tokio::test]
async fn only_administrators_pause_and_others_read_about_it() {
    let (portal, world) = with_world().await;
    let path = format!("/linkedin-accounts/{}", world.account);
    portal.database.execute(&format!(
        "INSERT INTO account_pauses (account_id, paused_at, paused_by_name, reason) \
         VALUES ('{}', '2026-03-01 10:00:00', 'Ada', 'the form changes')",
        world.account
    ));
    for role in [Role::Salesperson, Role::SalesManager] {
        let browser = portal.sign_in_as(&[role]).await;
        let page = browser
            .get("/sync-status")
            .await
            .expect(200)
            .expect_text("Ada")
            .expect_text("the form changes")
            .expect_no_text("Resume");
        let token = page.csrf_token().unwrap();
        for address in [format!("{path}/pauses"), format!("{path}/pauses/end")] {
            browser
                .post_raw(&address, &[("csrf_token", &token)])
                .await
                .expect(403);
        }
        browser.get(&format!("{path}/pauses/new")).await.expect(403);
    }
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM account_pauses"),
        1
    );
}

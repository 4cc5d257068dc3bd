//! Live pages: the event stream of Sync Status.

use std::time::Duration;

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use reqwest::Response;

use crate::records_world::{World, with_world};
use crate::start::TestPortal;
use crate::support::records::a_run;
use crate::support::{Browserlike, a_moment, eventually};

const PATH: &str = "/sync-status/events";

/// What an EventSource sends, with the cookies of this browser.
async fn listen(portal: &TestPortal, browser: &Browserlike) -> Response {
    let cookies: Vec<String> = browser
        .cookies()
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
        .get(format!("{}{PATH}", portal.address))
        .header("accept", "text/event-stream")
        .header("cookie", cookies.join("; "))
        .send()
        .await
        .unwrap()
}

/// Reads until `wanted` came; the text so far. `None` for `wanted`: until the stream ends.
async fn read_until(mut response: Response, wanted: Option<&str>) -> (String, bool) {
    let mut text = String::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), async {
        while let Some(chunk) = response.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            if wanted.is_some_and(|wanted| text.contains(wanted)) {
                return false;
            }
        }
        true
    })
    .await
    .unwrap_or_else(|_| panic!("nothing of {wanted:?} within 20 s"));
    (text, ended)
}

fn pause(portal: &TestPortal, world: &World) {
    portal.database.execute(&format!(
        "INSERT INTO account_pauses (account_id, paused_at, paused_by_name, reason) VALUES ('{}', '2026-03-01 10:00:00', 'Ada', '')",
        world.account
    ));
}

#[tokio::test]
async fn a_change_arrives_as_an_event() {
    let (portal, world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let response = listen(&portal, &browser).await;
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!(header("cache-control"), "no-store");
    let reading = tokio::spawn(read_until(response, Some("event: changed")));
    // The first look only remembers how it is: what changed before it is nothing new.
    while !reading.is_finished() {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        portal.database.execute("DELETE FROM account_pauses");
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        pause(&portal, &world);
    }
    let (text, _) = reading.await.unwrap();
    assert!(text.starts_with("retry: "), "{text}");
}

#[tokio::test]
async fn a_run_at_work_is_told_as_it_goes() {
    let (portal, world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let run = a_run(
        &mut portal.database.conn(),
        &world.account,
        "running",
        None,
        a_moment(),
    );
    portal.database.execute(
        "UPDATE linkedin_accounts SET lease_owner = 'test', lease_term = 1, lease_expires_at = '2099-01-01 00:00:00'",
    );
    browser
        .get("/sync-status")
        .await
        .expect(200)
        .expect_text("At work now")
        .expect_text("30 responses read, 20 new");
    let response = listen(&portal, &browser).await;
    let reading = tokio::spawn(read_until(response, Some("responses read")));
    while !reading.is_finished() {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        portal
            .database
            .execute("UPDATE sync_runs SET responses = responses + 47");
    }
    let (text, _) = reading.await.unwrap();
    assert!(text.contains("event: progress"), "{text}");
    let told = (1..20).any(|times| text.contains(&format!("{} responses read", 30 + 47 * times)));
    assert!(told, "{text}");
    assert!(text.contains(&format!("/sync-status/runs/{run}")), "{text}");
    assert!(!text.contains("<script"), "{text}");
    // A run whose lease ran out is not at work.
    portal
        .database
        .execute("UPDATE linkedin_accounts SET lease_expires_at = '2020-01-01 00:00:00'");
    browser
        .get("/sync-status")
        .await
        .expect(200)
        .expect_no_text("At work now");
}

#[tokio::test]
async fn strangers_and_people_without_the_permission_get_no_stream() {
    let (portal, _world) = with_world().await;
    let response = listen(&portal, &portal.browser()).await;
    assert_eq!(response.status(), 303);
    let nobody = portal.sign_in_as(&[]).await;
    assert_eq!(listen(&portal, &nobody).await.status(), 403);
    // By hand it leads to the page.
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let page = browser.get(PATH).await.expect(303);
    assert_eq!(page.location(), Some("/sync-status"));
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_with_its_permission() {
    let (portal, _world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let ends = tokio::spawn(read_until(listen(&portal, &browser).await, None));
    let page = browser.get("/sync-status").await.expect(200);
    browser.submit(&page, "Sign out", &[]).await.expect(303);
    assert!(ends.await.unwrap().1);

    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let ends = tokio::spawn(read_until(listen(&portal, &browser).await, None));
    portal.database.execute("DELETE FROM user_roles");
    assert!(ends.await.unwrap().1);

    // Listening is no use of the session: who does nothing for an hour is signed out.
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let ends = tokio::spawn(read_until(listen(&portal, &browser).await, None));
    portal.clock.advance(TimeDelta::minutes(61));
    assert!(ends.await.unwrap().1);
}

#[tokio::test]
async fn only_so_many_may_listen_and_the_process_does_not_wait_for_them() {
    let (portal, _world) = with_world().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let mut open = Vec::new();
    for _ in 0..leadgen::web::events::MOST_LISTENERS {
        let response = listen(&portal, &browser).await;
        assert_eq!(response.status(), 200);
        open.push(response);
    }
    assert_eq!(listen(&portal, &browser).await.status(), 503);
    let last = open.pop().unwrap();
    drop(open);
    // Those who went away make room.
    eventually("there is room", Duration::from_secs(40), || async {
        listen(&portal, &browser).await.status() == 200
    })
    .await;
    let ends = tokio::spawn(read_until(last, None));
    portal.portal.events.close();
    assert!(ends.await.unwrap().1);
    assert_eq!(listen(&portal, &browser).await.status(), 503);
}

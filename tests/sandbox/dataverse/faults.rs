//! What can go wrong, by switch; the service protection limits; and the controls over HTTPS.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use leadgen::sandbox::dataverse::{
    DataverseFault, DataverseFaultKind as Kind, DataverseSettings, ServiceLimits,
};
use serde_json::json;

use super::{ana, bench};

#[tokio::test]
async fn every_fault_has_its_status_and_the_next_request_is_whole() {
    let bench = bench(DataverseSettings::default()).await;
    for (kind, status, code) in [
        (Kind::ExpiredToken, 401, "0x80072571"),
        (Kind::NotMember, 403, "0x80072560"),
        (Kind::MissingPrivilege, 403, "0x80040220"),
        (Kind::WrongOrganization, 404, ""),
        (Kind::ThrottledRequests, 429, "0x80072322"),
        (Kind::ThrottledTime, 429, "0x80072321"),
        (Kind::ThrottledConcurrency, 429, "0x80072326"),
        (Kind::Plugin, 400, "0x80040265"),
        (Kind::Status500, 500, "0x80040216"),
        (Kind::Status502, 502, ""),
        (Kind::Status503, 503, "0x80040216"),
        (Kind::Status504, 504, ""),
        (Kind::Html, 200, ""),
    ] {
        bench
            .sandbox
            .add_fault(DataverseFault::new(kind).times(1).seconds(7));
        let reply = bench.post("leads", ana()).await;
        assert_eq!(reply.status, status, "{kind:?}");
        if code.is_empty() {
            assert!(!reply.text.starts_with('{'), "{kind:?}");
        } else {
            assert_eq!(reply.refusal().1, code, "{kind:?}");
        }
        if [429, 503].contains(&status) {
            assert_eq!(reply.header("retry-after"), "7", "{kind:?}");
        }
        assert_eq!(bench.get("WhoAmI").await.status, 200, "{kind:?}");
    }
    assert_eq!(bench.sandbox.count("lead"), 0);
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_record_was_made_or_before() {
    let bench = bench(DataverseSettings::default()).await;
    for (kind, made) in [(Kind::Close, 0), (Kind::LostAnswer, 1)] {
        bench.sandbox.add_fault(DataverseFault::new(kind).times(1));
        let url = format!("{}/api/data/v9.2/leads", bench.sandbox.url());
        let sent = bench
            .http
            .post(url)
            .bearer_auth(&bench.token)
            .json(&ana())
            .send()
            .await;
        assert!(sent.is_err(), "{kind:?}");
        assert_eq!(bench.sandbox.count("lead"), made, "{kind:?}");
    }
    bench
        .sandbox
        .add_fault(DataverseFault::new(Kind::CutJson).method("GET").times(1));
    let cut = bench.get("leads").await.text;
    assert!(serde_json::from_str::<serde_json::Value>(&cut).is_err());
    let played: Vec<_> = bench
        .sandbox
        .requests()
        .into_iter()
        .filter_map(|request| request.fault)
        .collect();
    assert_eq!(played, ["close", "lost-answer", "cut-json"]);
}

#[tokio::test]
async fn the_limits_hold_for_the_user_until_the_window_has_moved() {
    let limits = ServiceLimits {
        requests: 3,
        ..ServiceLimits::default()
    };
    let bench = bench(DataverseSettings {
        limits,
        ..DataverseSettings::default()
    })
    .await;
    for left in ["2", "1", "0"] {
        let reply = bench.get("WhoAmI").await;
        assert_eq!(reply.status, 200);
        assert_eq!(
            reply.header("x-ms-ratelimit-burst-remaining-xrm-requests"),
            left
        );
    }
    let refused = bench.post("leads", ana()).await;
    assert_eq!(refused.refusal(), (429, "0x80072322".to_owned()));
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    bench.sandbox.advance(TimeDelta::seconds(wait));
    assert_eq!(bench.post("leads", ana()).await.status, 204);
}

#[tokio::test]
async fn the_controls_are_there_over_https() {
    let bench = bench(DataverseSettings::default()).await;
    let control = |path: &str| format!("{}/sandbox/{path}", bench.sandbox.url());
    let empty = bench.get(&control("")).await;
    assert!(empty.text.contains("No lead has arrived yet"));

    let fault = json!({ "kind": "500", "method": "POST", "times": 1 });
    let added = bench
        .send("POST", &control("faults"), Some(fault), &[])
        .await;
    assert_eq!(added.json()["number"], 1);
    assert_eq!(bench.post("leads", ana()).await.status, 500);
    bench.lead(json!({ "lastname": "<Ruiz>" })).await;
    let page = bench.get(&control("")).await.text;
    assert!(page.contains("&lt;Ruiz&gt;") && !page.contains("<Ruiz>"));
    let records = bench.get(&control("records/lead")).await.json();
    assert_eq!(records[0]["lastname"], "<Ruiz>");

    let lacks = json!({ "missing_privileges": ["prvReadLead"] });
    let changed = bench
        .send("POST", &control("settings"), Some(lacks), &[])
        .await;
    assert_eq!(changed.json()["member"], true);
    assert_eq!(bench.get("leads").await.status, 403);
    let unknown = json!({ "nonsense": 1 });
    let refused = bench
        .send("POST", &control("settings"), Some(unknown), &[])
        .await;
    assert_eq!(refused.status, 400);
    let ended = bench.send("DELETE", &control("tokens"), None, &[]).await;
    assert_eq!(ended.status, 200);
    assert_eq!(bench.get("WhoAmI").await.status, 401);
}

#[tokio::test]
async fn a_request_that_hangs_is_not_carried_out_and_a_slow_one_is() {
    let bench = bench(DataverseSettings::default()).await;
    let send = |limit: u64| {
        bench
            .http
            .post(format!("{}/api/data/v9.2/leads", bench.sandbox.url()))
            .bearer_auth(&bench.token)
            .timeout(Duration::from_millis(limit))
            .json(&ana())
            .send()
    };
    let hang = DataverseFault::new(Kind::Hang).times(1).seconds(2);
    bench.sandbox.add_fault(hang.clone());
    let error = send(300).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    // Who waits longer gets no answer either.
    bench.sandbox.add_fault(hang.seconds(1));
    let error = send(20_000).await.unwrap_err();
    assert!(!error.is_timeout(), "{error:?}");
    assert_eq!(bench.sandbox.count("lead"), 0);

    let slow = DataverseFault::new(Kind::Slow).times(1).seconds(1);
    bench.sandbox.add_fault(slow);
    let begun = Instant::now();
    let answer = send(20_000).await.unwrap();
    assert_eq!(answer.status().as_u16(), 204);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(bench.sandbox.count("lead"), 1);
    assert_eq!(send(20_000).await.unwrap().status().as_u16(), 204);
    let requests = bench.sandbox.requests();
    assert_eq!(requests.last().unwrap().fault, None);
}

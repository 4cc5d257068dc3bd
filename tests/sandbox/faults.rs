//! Each fault of the matrix and what the portal's client makes of it: never an empty page.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use leadgen::linkedin::{
    AccessToken, DayLimit, LeadType, LinkedInClient, LinkedInError, Owner, ResponsesQuery,
};
use leadgen::sandbox::{Decision, Fault, FaultKind, SandboxHandle, Settings, TruthFilter};

use crate::leads::everything;
use crate::support::*;

struct Bench {
    sandbox: SandboxHandle,
    client: LinkedInClient,
    token: AccessToken,
    query: ResponsesQuery,
}

async fn bench(settings: Settings) -> Bench {
    let sandbox = sandbox(100, settings);
    let client = client(&sandbox);
    let token = ada(&sandbox).await;
    let owner = Owner::SponsoredAccount(sandbox.accounts()[0].id);
    Bench {
        client,
        token,
        query: everything(owner, LeadType::Sponsored, 1000),
        sandbox,
    }
}

impl Bench {
    /// The same with a client that waits for two seconds. The others wait longer, so that a busy machine changes nothing.
    fn impatient(self) -> Self {
        Self {
            client: client_with(&self.sandbox, Duration::from_secs(2), "202607"),
            ..self
        }
    }

    async fn ids(&self) -> Result<Vec<String>, LinkedInError> {
        let page = self
            .client
            .lead_form_responses(&self.token, &self.query)
            .await?
            .value;
        Ok(page
            .elements
            .iter()
            .map(|element| element.id().unwrap())
            .collect())
    }

    fn truth(&self) -> BTreeSet<String> {
        let account = Some(self.sandbox.accounts()[0].id);
        let filter = TruthFilter {
            account,
            test: Some(false),
            ..TruthFilter::default()
        };
        self.sandbox
            .truth(filter)
            .into_iter()
            .map(|one| one.id)
            .collect()
    }
}

#[tokio::test]
async fn every_broken_answer_has_its_class_and_the_next_one_is_whole() {
    use FaultKind as K;
    let bench = bench(Settings::default()).await;
    let account = bench.sandbox.accounts()[0].id;
    for (kind_of_fault, expected) in [
        (K::RateLimitSeconds, "rate_limited"),
        (K::RateLimitDate, "rate_limited"),
        (K::RateLimitBare, "rate_limited"),
        (K::RateLimitGarbage, "rate_limited"),
        (K::RateLimitDayApplication, "rate_limited"),
        (K::RateLimitDayMember, "rate_limited"),
        (K::Status500, "server"),
        (K::Status502, "server"),
        (K::Status503, "server"),
        (K::Status504, "server"),
        (K::Reset, "network"),
        (K::Close, "network"),
        (K::LostAnswer, "network"),
        (K::Truncate, "unexpected_answer"),
        (K::CutJson, "unexpected_answer"),
        (K::GarbageJson, "unexpected_answer"),
        (K::Html, "unexpected_answer"),
        (K::WrongType, "unexpected_answer"),
        (K::EmptyBody, "unexpected_answer"),
        (K::GzipLie, "unexpected_answer"),
        (K::Oversized, "unexpected_answer"),
        (K::Redirect, "unexpected_answer"),
        (K::Unauthorized, "unauthorized"),
        (K::RevokedToken, "unauthorized"),
        (K::Forbidden, "forbidden"),
        (K::NotFound, "not_found"),
        (K::VersionNotActive, "version_not_active"),
    ] {
        bench
            .sandbox
            .add_fault(Fault::new(kind_of_fault).owner(account).times(1));
        let outcome = bench.ids().await;
        assert_eq!(kind(&outcome), expected, "{kind_of_fault:?}: {outcome:?}");
        if let Err(error) = &outcome {
            assert!(!format!("{error:?}").contains(bench.token.secret()));
        }
        let ids = bench.ids().await.unwrap();
        assert_eq!(
            ids.into_iter().collect::<BTreeSet<_>>(),
            bench.truth(),
            "{kind_of_fault:?}"
        );
    }
    assert!(
        bench
            .sandbox
            .requests()
            .iter()
            .any(|request| request.fault.as_deref() == Some("gzip-lie"))
    );
}

#[tokio::test]
async fn slow_answers_end_in_a_timeout() {
    let bench = bench(Settings::default()).await.impatient();
    for fault in [FaultKind::Hang, FaultKind::SlowHeaders, FaultKind::SlowBody] {
        bench.sandbox.add_fault(Fault::new(fault).times(1));
        assert_eq!(kind(&bench.ids().await), "timeout", "{fault:?}");
    }
    bench
        .sandbox
        .add_fault(Fault::new(FaultKind::SlowBody).times(1).seconds(1));
    // A slow answer that comes in time is whole.
    let patient = Bench {
        client: client(&bench.sandbox),
        ..bench
    };
    assert_eq!(patient.ids().await.unwrap().len(), patient.truth().len());
}

#[tokio::test]
async fn a_head_that_drips_is_given_up_after_the_whole_time_not_after_the_next_byte() {
    let bench = bench(Settings::default()).await.impatient();
    bench
        .sandbox
        .add_fault(Fault::new(FaultKind::SlowHeaders).times(1).seconds(20));
    let begun = std::time::Instant::now();
    assert_eq!(kind(&bench.ids().await), "timeout");
    let waited = begun.elapsed();
    // The client allows two seconds; a piece comes every half second, so that waiting for silence would take twenty.
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(8)).contains(&waited),
        "{waited:?}"
    );
    // The bytes do drip: a plain socket reads the beginning of the head long before its end.
    bench
        .sandbox
        .add_fault(Fault::new(FaultKind::SlowHeaders).times(1).seconds(4));
    let address = bench.sandbox.base_url().replace("http://", "");
    let (first, whole, took) = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket
            .write_all(b"GET /rest/me HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
        let begun = std::time::Instant::now();
        let mut piece = [0_u8; 4096];
        let size = socket.read(&mut piece).unwrap();
        let first = begun.elapsed();
        let mut text = String::from_utf8_lossy(&piece[..size]).into_owned();
        let _until_the_end = socket.read_to_string(&mut text);
        (first, text, begun.elapsed())
    })
    .await
    .unwrap();
    assert!(whole.starts_with("HTTP/1.1 4"), "{whole}");
    assert!(whole.contains("\r\n\r\n{"), "{whole}");
    assert!(
        first < Duration::from_secs(2) && took >= Duration::from_secs(3),
        "{first:?} {took:?}"
    );
    // A slow head that comes in time is an answer like any other.
    bench
        .sandbox
        .add_fault(Fault::new(FaultKind::SlowHeaders).times(1).seconds(1));
    let patient = Bench {
        client: client(&bench.sandbox),
        ..bench
    };
    assert_eq!(patient.ids().await.unwrap().len(), patient.truth().len());
}

#[tokio::test]
async fn rate_limits_say_how_long() {
    let bench = bench(Settings::default()).await;
    let limited = async |kind, seconds| {
        bench
            .sandbox
            .add_fault(Fault::new(kind).times(1).seconds(seconds));
        match bench.ids().await {
            Err(LinkedInError::RateLimited {
                day_limit,
                retry_after,
                ..
            }) => (day_limit, retry_after),
            other => panic!("{other:?}"),
        }
    };
    let wait = |seconds| Some(Duration::from_secs(seconds));
    use FaultKind as K;
    assert_eq!(limited(K::RateLimitSeconds, 7).await, (None, wait(7)));
    assert_eq!(limited(K::RateLimitDate, 90).await, (None, wait(90)));
    assert_eq!(limited(K::RateLimitBare, 7).await, (None, None));
    assert_eq!(limited(K::RateLimitGarbage, 7).await, (None, None));
    assert_eq!(limited(K::RateLimitSeconds, -7).await, (None, None));
    assert_eq!(
        limited(K::RateLimitSeconds, 40_000_000).await,
        (None, wait(86_400))
    );
    assert_eq!(
        limited(K::RateLimitDayApplication, 0).await,
        (Some(DayLimit::Application), None)
    );
    assert_eq!(
        limited(K::RateLimitDayMember, 0).await,
        (Some(DayLimit::ApplicationAndMember), None)
    );
}

#[tokio::test]
async fn odd_data_on_a_page_is_read_or_flagged_and_kept() {
    use FaultKind as K;
    let bench = bench(Settings::default()).await;
    let truth = bench.truth();
    for fault in [
        K::Bom,
        K::ReverseItems,
        K::NullFields,
        K::ExtraFields,
        K::HugeAnswers,
        K::Nul,
        K::LoneSurrogate,
        K::WrongTotal,
        K::NegativeTotal,
        K::MissingTotal,
        K::MisleadingNext,
        K::DateSkew,
    ] {
        bench.sandbox.add_fault(Fault::new(fault).times(1));
        let page = bench
            .client
            .lead_form_responses(&bench.token, &bench.query)
            .await;
        let page = page.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        if fault == K::DateSkew {
            assert_eq!(page.date, Some(noon() + TimeDelta::hours(1)));
        }
        let ids: BTreeSet<String> = page.value.values().map(|one| one.id.clone()).collect();
        assert_eq!(ids, truth, "{fault:?}");
    }

    bench
        .sandbox
        .add_fault(Fault::new(K::LoneSurrogate).times(1));
    let page = bench
        .client
        .lead_form_responses(&bench.token, &bench.query)
        .await
        .unwrap()
        .value;
    assert!(page.elements[0].raw.get().contains("\\ud83d\""));

    bench.sandbox.add_fault(Fault::new(K::OddElement).times(1));
    let page = bench
        .client
        .lead_form_responses(&bench.token, &bench.query)
        .await
        .unwrap()
        .value;
    assert_eq!(page.values().count(), truth.len() - 1);
    assert!(page.elements[0].value.is_err());
    assert!(truth.contains(&page.elements[0].id().unwrap()));
}

#[tokio::test]
async fn pages_can_double_shift_and_lose_elements() {
    use FaultKind as K;
    let mut bench = bench(Settings::default()).await;
    let all = bench.ids().await.unwrap();
    bench.sandbox.add_fault(Fault::new(K::DupItems).times(1));
    assert_eq!(bench.ids().await.unwrap().len(), all.len() * 2);
    bench.sandbox.add_fault(Fault::new(K::DropItem).times(1));
    assert_eq!(bench.ids().await.unwrap().len(), all.len() - 1);
    (bench.query.start, bench.query.count) = (10, 5);
    bench.sandbox.add_fault(Fault::new(K::ShiftPage).times(1));
    assert_eq!(bench.ids().await.unwrap(), all[9..14]);
    assert_eq!(bench.ids().await.unwrap(), all[10..15]);
}

#[tokio::test]
async fn leads_arrive_between_pages_and_late() {
    let bench = bench(Settings::default()).await;
    let before = bench.truth().len();
    bench
        .sandbox
        .add_fault(Fault::new(FaultKind::InsertBetweenPages).times(1));
    assert_eq!(bench.ids().await.unwrap().len(), before);
    let ids = bench.ids().await.unwrap();
    assert_eq!(ids.len(), before + 1);
    bench
        .sandbox
        .add_fault(Fault::new(FaultKind::LateLeads).times(1));
    bench.ids().await.unwrap();
    let with_late = bench.ids().await.unwrap();
    assert_eq!(with_late.len(), before + 2);
    assert_eq!(with_late[0], ids[0], "the late one is not the newest");
}

#[tokio::test]
async fn one_account_can_fail_while_another_works() {
    let bench = bench(Settings::default()).await;
    let accounts = bench.sandbox.accounts();
    bench
        .sandbox
        .add_fault(Fault::new(FaultKind::Status503).owner(accounts[0].id));
    for _ in 0..3 {
        assert_eq!(kind(&bench.ids().await), "server");
        let other = everything(
            Owner::SponsoredAccount(accounts[1].id),
            LeadType::Sponsored,
            10,
        );
        assert_eq!(
            kind(&bench.client.lead_form_responses(&bench.token, &other).await),
            "ok"
        );
    }
    bench.sandbox.clear_faults();
    assert_eq!(kind(&bench.ids().await), "ok");
}

#[tokio::test]
async fn the_token_endpoint_fails_in_its_own_ways() {
    use FaultKind as K;
    let sandbox = sandbox(
        20,
        Settings {
            refresh_tokens: true,
            ..Settings::default()
        },
    );
    let oauth = oauth(&sandbox);
    let impatient = oauth_with(
        &client_with(&sandbox, Duration::from_secs(2), "202607"),
        leadgen::sandbox::CLIENT_ID,
        leadgen::sandbox::CLIENT_SECRET,
    );
    let refresh = authorize(&sandbox, "ada@northwind.example", SCOPES)
        .await
        .refresh_token
        .unwrap();
    for (fault, expected) in [
        (K::Status500, "server"),
        (K::Status502, "server"),
        (K::Html, "unexpected_answer"),
        (K::Hang, "timeout"),
        (K::SlowHeaders, "timeout"),
        (K::Close, "network"),
        (K::LostAnswer, "network"),
        (K::Reset, "network"),
        (K::CutJson, "unexpected_answer"),
        (K::EmptyBody, "unexpected_answer"),
        (K::WrongType, "unexpected_answer"),
        (K::GzipLie, "unexpected_answer"),
        (K::Truncate, "unexpected_answer"),
        (K::Oversized, "unexpected_answer"),
        (K::Redirect, "unexpected_answer"),
        (K::RateLimitBare, "rate_limited"),
        (K::InvalidGrant, "token"),
        (K::InvalidRequest, "token"),
        (K::Bom, "ok"),
    ] {
        sandbox.add_fault(Fault::new(fault).on("accessToken").times(1));
        let asked = if expected == "timeout" {
            &impatient
        } else {
            &oauth
        };
        let outcome = asked.refresh(&refresh).await;
        assert_eq!(kind(&outcome), expected, "{fault:?}: {outcome:?}");
        assert_eq!(kind(&oauth.refresh(&refresh).await), "ok", "{fault:?}");
    }
    sandbox.add_fault(Fault::new(K::Status503).on("introspectToken").times(1));
    let token = ada(&sandbox).await;
    assert_eq!(kind(&oauth.introspect(&token).await), "server");
    sandbox.add_fault(Fault::new(K::Status503).on("/revoke").times(1));
    assert_eq!(kind(&oauth.revoke(token.secret()).await), "server");
    assert_eq!(kind(&oauth.revoke(token.secret()).await), "ok");
    let back = come_back(&oauth, "ada@northwind.example", SCOPES, Decision::Allow).await;
    assert!(parameter(&back, "code").is_some());
}

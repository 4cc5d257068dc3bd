//! The controls over HTTP, and the page on which a person submits a lead.

use leadgen::sandbox::{SandboxHandle, Settings, TruthFilter};
use serde_json::{Value, json};

use crate::support::*;

struct Remote {
    sandbox: SandboxHandle,
    http: reqwest::Client,
}

fn remote() -> Remote {
    let http = http();
    Remote {
        sandbox: sandbox(60, Settings::default()),
        http,
    }
}

impl Remote {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    async fn get(&self, path: &str) -> Value {
        self.http
            .get(self.url(path))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self
            .http
            .post(self.url(path))
            .json(&body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn delete(&self, path: &str) -> u16 {
        self.http
            .delete(self.url(path))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }
}

#[tokio::test]
async fn another_process_can_read_the_truth_submit_and_delete() {
    let remote = remote();
    let world = remote.get("/sandbox/world").await;
    assert_eq!(world["members"][0]["email"], "ada@northwind.example");
    let account = world["accounts"][0]["id"].as_i64().unwrap();
    let truth = async || {
        remote
            .get(&format!("/sandbox/truth?account={account}&test=false"))
            .await
            .as_array()
            .unwrap()
            .len()
    };
    let before = truth().await;
    assert_eq!(
        before,
        remote
            .sandbox
            .truth(TruthFilter {
                account: Some(account),
                test: Some(false),
                ..TruthFilter::default()
            })
            .len()
    );
    let (status, made) = remote
        .post(
            "/sandbox/submissions",
            json!({ "account": account, "answers": { "EMAIL": "x@example.com" } }),
        )
        .await;
    assert_eq!((status, truth().await), (200, before + 1));
    let id = made["id"].as_str().unwrap();
    let all = remote
        .get(&format!("/sandbox/truth?account={account}"))
        .await;
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .any(|one| one["id"] == id && one["email"] == "x@example.com")
    );
    assert_eq!(
        remote.delete(&format!("/sandbox/submissions/{id}")).await,
        200
    );
    assert_eq!(
        remote.delete(&format!("/sandbox/submissions/{id}")).await,
        404
    );
    let readable = remote.get("/sandbox/truth?readable=true&test=false").await;
    assert_eq!(readable.as_array().unwrap().len(), 60);
}

#[tokio::test]
async fn another_process_can_set_faults_settings_roles_tokens_and_the_clock() {
    let remote = remote();
    let linkedin = client(&remote.sandbox);
    let token = ada(&remote.sandbox).await;
    let (_, made) = remote
        .post(
            "/sandbox/faults",
            json!({ "kind": "503", "path": "adAccounts", "times": 1 }),
        )
        .await;
    assert_eq!(made["number"], 1);
    assert_eq!(
        remote.get("/sandbox/faults").await[0]["fault"]["kind"],
        "503"
    );
    assert_eq!(kind(&linkedin.ad_accounts(&token, None).await), "server");
    assert_eq!(kind(&linkedin.ad_accounts(&token, None).await), "ok");
    remote
        .post("/sandbox/faults", json!({ "kind": "500" }))
        .await;
    assert_eq!(remote.delete("/sandbox/faults/2").await, 200);
    assert_eq!(remote.delete("/sandbox/faults/2").await, 404);
    assert_eq!(remote.delete("/sandbox/faults").await, 200);

    let (_, settings) = remote
        .post("/sandbox/settings", json!({ "page_cap": 5 }))
        .await;
    assert_eq!(
        (&settings["page_cap"], &settings["newest_first"]),
        (&json!(5), &json!(true))
    );
    assert_eq!(remote.get("/sandbox/settings").await["page_cap"], 5);

    let world = remote.get("/sandbox/world").await;
    let (member, account) = (
        world["members"][0]["key"].clone(),
        world["accounts"][0]["id"].clone(),
    );
    let change = json!({ "member": member, "account": account, "role": null });
    assert_eq!(remote.post("/sandbox/roles", change).await.0, 200);
    assert_eq!(
        kind(&linkedin.ad_account(&token, account.as_i64().unwrap()).await),
        "forbidden"
    );

    let now = remote.get("/sandbox/clock").await["now_ms"]
        .as_i64()
        .unwrap();
    let (_, later) = remote
        .post("/sandbox/clock", json!({ "advance_seconds": 60 }))
        .await;
    assert_eq!(later["now_ms"], now + 60_000);
    assert_eq!(
        remote
            .post("/sandbox/tokens", json!({ "action": "expire" }))
            .await
            .0,
        200
    );
    assert_eq!(
        linkedin
            .ad_accounts(&token, None)
            .await
            .unwrap_err()
            .service_error_code(),
        Some(65602)
    );
    assert_eq!(
        remote
            .post("/sandbox/tokens", json!({ "action": "withdraw" }))
            .await
            .0,
        200
    );
    assert_eq!(
        linkedin
            .ad_accounts(&token, None)
            .await
            .unwrap_err()
            .service_error_code(),
        Some(65601)
    );

    let form = world["forms"][0]["id"].as_i64().unwrap();
    assert_eq!(
        remote
            .post(&format!("/sandbox/forms/{form}/versions"), json!({}))
            .await
            .1["version"],
        3
    );
    let log = remote.get("/sandbox/requests").await;
    assert!(
        log.as_array()
            .unwrap()
            .iter()
            .any(|one| one["token"] == "access-1" && one["fault"] == "503")
    );
    assert!(
        !log.to_string().contains(token.secret()),
        "no token in the log"
    );
    assert_eq!(remote.delete("/sandbox/requests").await, 200);
    assert_eq!(remote.get("/sandbox/requests").await, json!([]));
}

#[tokio::test]
async fn wrong_control_requests_are_refused_with_a_reason() {
    let remote = remote();
    for (path, body) in [
        ("/sandbox/faults", json!({ "kind": "earthquake" })),
        ("/sandbox/faults", json!({ "kind": "500", "nonsense": 1 })),
        ("/sandbox/faults", json!([])),
        ("/sandbox/submissions", json!({ "form_id": 1 })),
        ("/sandbox/submissions", json!({ "answers": 5 })),
        ("/sandbox/submissions", json!({ "account": 1 })),
        ("/sandbox/settings", json!({ "page_cap": "many" })),
        ("/sandbox/settings", json!({ "unheard_of": 1 })),
        ("/sandbox/settings", json!(5)),
        ("/sandbox/clock", json!({ "advance_seconds": "1" })),
        (
            "/sandbox/roles",
            json!({ "member": "nobody", "account": 1, "role": "VIEWER" }),
        ),
        ("/sandbox/tokens", json!({ "action": "print" })),
    ] {
        let (status, answer) = remote.post(path, body.clone()).await;
        assert_eq!(status, 400, "{path} {body}");
        assert!(!answer["error"].as_str().unwrap().is_empty());
    }
    assert_eq!(
        remote.post("/sandbox/forms/1/versions", json!({})).await.0,
        404
    );
    assert_eq!(
        remote
            .http
            .get(remote.url("/sandbox/truth?test=perhaps"))
            .send()
            .await
            .unwrap()
            .status(),
        400
    );
}

#[tokio::test]
async fn a_person_answers_a_form_on_the_page_and_the_response_is_there() {
    let remote = remote();
    let page = async |path: &str| {
        remote
            .http
            .get(remote.url(path))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    let index = page("/sandbox/").await;
    let form = remote.sandbox.forms()[0].clone();
    assert!(
        index.contains(&format!("/sandbox/forms/{}", form.id))
            && index.contains("this is not LinkedIn")
    );
    assert!(
        !index.contains("Draft of next year"),
        "drafts cannot be answered"
    );
    let path = format!("/sandbox/forms/{}", form.id);
    assert!(
        page(&path)
            .await
            .contains("Which topic interests you most?")
    );

    let field = |name: &str| {
        let question = form
            .questions
            .iter()
            .find(|q| q.predefined.as_deref() == Some(name) || q.label.as_deref() == Some(name));
        format!("q{}", question.unwrap().id)
    };
    let mut fields = vec![
        (field("FIRST_NAME"), "Zoë <script>".to_owned()),
        (field("LAST_NAME"), String::new()),
        (field("EMAIL"), "zoe@example.com".to_owned()),
        (field("topic"), "2".to_owned()),
        ("c0".to_owned(), "1".to_owned()),
    ];
    let answer = remote
        .http
        .post(remote.url(&path))
        .form(&fields)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 422);
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("Last name: an answer is needed.")
            && text.contains("Zoë &lt;script&gt;")
            && text.contains(" checked")
    );
    fields[1].1 = "Lind".to_owned();
    let answer = remote
        .http
        .post(remote.url(&path))
        .form(&fields)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 303);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(page(&location).await.contains("Submitted."));
    let id = location.split_once('=').unwrap().1;
    let truth = remote.sandbox.truth(TruthFilter::default());
    let made = truth.iter().find(|one| one.id == id).unwrap();
    assert_eq!(
        (made.form_id, made.email.as_deref(), made.test),
        (form.id, Some("zoe@example.com"), false)
    );
    assert_eq!(made.answers.len(), 4, "blank questions are left out");
    for path in ["/sandbox/forms/1", "/sandbox/forms/x"] {
        assert_eq!(
            remote
                .http
                .get(remote.url(path))
                .send()
                .await
                .unwrap()
                .status(),
            404
        );
    }
}

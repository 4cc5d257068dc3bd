//! The wire itself, by raw requests: headers, versions, encodings, projections, errors word for word.

use leadgen::sandbox::{SandboxHandle, Settings, TruthFilter};
use serde_json::{Value, json};

use crate::support::*;

struct Wire {
    sandbox: SandboxHandle,
    http: reqwest::Client,
    token: String,
    account: i64,
}

async fn wire() -> Wire {
    let sandbox = sandbox(100, Settings::default());
    let token = ada(&sandbox).await.secret().to_owned();
    Wire {
        http: http(),
        token,
        account: sandbox.accounts()[0].id,
        sandbox,
    }
}

impl Wire {
    fn request(&self, path: &str) -> reqwest::RequestBuilder {
        self.http
            .get(format!("{}{path}", self.sandbox.base_url()))
            .bearer_auth(&self.token)
            .header("linkedin-version", "202607")
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(path)).await
    }

    fn owner(&self) -> String {
        format!(
            "owner=(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A{})",
            self.account
        )
    }

    fn leads(&self, rest: &str) -> String {
        format!(
            "/rest/leadFormResponses?q=owner&{}&leadType=(leadType:SPONSORED){rest}",
            self.owner()
        )
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

#[tokio::test]
async fn versions_are_mandatory_active_or_refused_in_linkedins_words() {
    let wire = wire().await;
    let url = format!("{}/rest/adAccounts?q=search", wire.sandbox.base_url());
    let with = |version: Option<&str>| {
        let request = wire.http.get(&url).bearer_auth(&wire.token);
        match version {
            Some(version) => request.header("LinkedIn-Version", version),
            None => request,
        }
    };
    assert_eq!(
        answer(with(None)).await,
        (
            400,
            json!({ "status": 400, "code": "VERSION_MISSING",
            "message": "A version must be present. Please specify a version by adding the LinkedIn-Version header." })
        )
    );
    for version in ["202504", "202512", "209901", "latest"] {
        let (status, body) = answer(with(Some(version))).await;
        assert_eq!(
            (status, &body["code"]),
            (426, &json!("NONEXISTENT_VERSION"))
        );
        assert_eq!(
            body["message"],
            format!("Requested version {version}01 is not active")
        );
    }
    for version in ["202511", "202607", "202607.01"] {
        assert_eq!(answer(with(Some(version))).await.0, 200, "{version}");
    }
    let client = client_with(&wire.sandbox, std::time::Duration::from_secs(5), "202504");
    let outcome = client
        .ad_accounts(&leadgen::linkedin::AccessToken::new(&*wire.token), None)
        .await;
    assert_eq!(kind(&outcome), "version_not_active");
}

#[tokio::test]
async fn the_checks_come_in_the_order_route_version_token_scope_role_parameters() {
    let wire = wire().await;
    let base = wire.sandbox.base_url();
    let bare = |path: &str| wire.http.get(format!("{base}{path}"));
    let (status, body) = answer(bare("/rest/openapi.json")).await;
    assert_eq!(
        (status, &body["code"], &body["message"]),
        (
            404,
            &json!("RESOURCE_NOT_FOUND"),
            &json!("No virtual resource found")
        )
    );
    assert_eq!(answer(bare("/rest/adAccounts?q=search")).await.0, 400);
    let version = |request: reqwest::RequestBuilder| request.header("linkedin-version", "202607");
    let (status, body) = answer(version(bare("/rest/adAccounts?q=search"))).await;
    assert_eq!((status, &body["code"]), (401, &json!("EMPTY_ACCESS_TOKEN")));
    let (status, body) =
        answer(version(bare("/rest/adAccounts?q=search")).bearer_auth("AQXfoo")).await;
    assert_eq!(
        (status, &body["serviceErrorCode"], &body["code"]),
        (401, &json!(65600), &json!("INVALID_ACCESS_TOKEN"))
    );
    assert_eq!(
        wire.get("/rest/adAccounts?q=nonsense").await.1["code"],
        "RESOURCE_NOT_FOUND"
    );
    let owner = wire.owner();
    assert_eq!(
        wire.get("/rest/leadForms?q=owner").await,
        (
            400,
            json!({ "status": 400, "message": "Parameter 'owner' is required" })
        )
    );
    for bad in [
        format!("/rest/leadForms?q=owner&{owner}&count=-1"),
        format!("/rest/leadForms?q=owner&{owner}&count=0"),
        format!("/rest/leadForms?q=owner&{owner}&start=x"),
        "/rest/leadForms?q=owner&owner=(sponsoredAccount".to_owned(),
        "/rest/leadForms?q=owner&owner=(sponsoredAccount:urn%3Ali%3Aperson%3A1)".to_owned(),
        format!("/rest/leadForms?q=owner&{owner}&fields=(("),
        wire.leads("&submittedAtTimeRange=(end:5)"),
        wire.leads("&submittedAtTimeRange=(start:5,end:4)"),
        wire.leads("&versionedLeadGenFormUrn=urn%3Ali%3AleadGenForm%3A5"),
        wire.leads("&limitedToTestLeads=maybe"),
        "/rest/adAccounts?q=search&pageToken=nonsense".to_owned(),
        "/rest/organizationAcls?q=roleAssignee&fields=role".to_owned(),
        "/rest/adAccounts/urn:li:sponsoredAccount:5".to_owned(),
    ] {
        let (status, body) = wire.get(&bad).await;
        assert_eq!(status, 400, "{bad}: {body}");
    }
    let (_, body) = wire.get("/rest/creatives/urn:li:sponsoredCreative:1").await;
    assert_eq!(body["message"], "Syntax exception in path variables");
    let posted = wire
        .http
        .post(format!("{base}/rest/leadForms"))
        .bearer_auth(&wire.token)
        .header("linkedin-version", "202607")
        .body("{}");
    assert_eq!(answer(posted).await.0, 405);
}

#[tokio::test]
async fn answers_carry_the_headers_that_support_asks_for() {
    let wire = wire().await;
    let answer = wire
        .request("/rest/adAccounts?q=search")
        .send()
        .await
        .unwrap();
    for name in [
        "x-restli-protocol-version",
        "x-li-uuid",
        "x-li-fabric",
        "x-li-request-id",
        "date",
    ] {
        assert!(answer.headers().contains_key(name), "{name}");
    }
    assert_eq!(answer.headers()["date"], "Fri, 20 Nov 2026 12:00:00 GMT");
    assert_eq!(answer.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn both_kinds_of_tunneling_old_syntax_and_whole_encoding_are_understood() {
    let wire = wire().await;
    let query = format!("q=owner&{}&count=2", wire.owner());
    let plain = wire.get(&format!("/rest/leadForms?{query}")).await;
    assert_eq!(plain.0, 200);
    let post = || {
        wire.http
            .post(format!("{}/rest/leadForms", wire.sandbox.base_url()))
            .bearer_auth(&wire.token)
            .header("linkedin-version", "202607")
            .header("x-http-method-override", "GET")
    };
    let urlencoded = post()
        .header("content-type", "application/x-www-form-urlencoded")
        .body(query.clone());
    assert_eq!(answer(urlencoded).await.1["elements"], plain.1["elements"]);
    let multipart = post().header("content-type", "multipart/mixed; boundary=B").body(format!(
        "--B\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{query}\r\n--B\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--B--"
    ));
    assert_eq!(answer(multipart).await.1["elements"], plain.1["elements"]);
    let encoded = format!(
        "/rest/leadForms?q=owner&count=2&owner=%28sponsoredAccount%3Aurn%3Ali%3AsponsoredAccount%3A{}%29",
        wire.account
    );
    assert_eq!(wire.get(&encoded).await.1["elements"], plain.1["elements"]);
    let old = format!(
        "/rest/adAccountUsers?q=accounts&count=500&accounts=urn:li:sponsoredAccount:{}",
        wire.account
    );
    assert_eq!(
        wire.get(&old).await.1["elements"].as_array().unwrap().len(),
        2,
        "Ada and Grace"
    );
    let none = "/rest/adAccounts?q=search&search.status.values[0]=DRAFT";
    assert_eq!(wire.get(none).await.1["elements"], json!([]));
    let some = "/rest/adAccounts?q=search&search=(status:(values:List(ACTIVE,DRAFT)))";
    assert_eq!(
        wire.get(some).await.1["elements"].as_array().unwrap().len(),
        6
    );
}

#[tokio::test]
async fn offset_paging_defaults_clamps_and_links() {
    let wire = wire().await;
    let (_, body) = wire.get(&wire.leads("")).await;
    assert_eq!(body["paging"]["count"], 10);
    assert_eq!(body["elements"].as_array().unwrap().len(), 10);
    let next = body["paging"]["links"][0]["href"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(next.starts_with("/rest/leadFormResponses?q=owner&owner=(sponsoredAccount:"));
    assert!(next.ends_with("&start=10&count=10"), "{next}");
    let second = wire.get(&next).await.1;
    assert_eq!(second["paging"]["start"], 10);
    assert_ne!(second["elements"], body["elements"]);
    let (_, body) = wire.get(&wire.leads("&count=5000")).await;
    assert_eq!(body["paging"]["count"], 1000, "cut to the cap, and said so");
    let (_, body) = wire.get("/rest/adAccountUsers?q=authenticatedUser").await;
    assert_eq!(body["paging"]["count"], 2_147_483_647_i64);
}

#[tokio::test]
async fn cursor_paging_goes_on_while_there_is_a_token() {
    let wire = wire().await;
    let mut names = Vec::new();
    let mut path = "/rest/adAccounts?q=search&pageSize=4".to_owned();
    loop {
        let (_, body) = wire.get(&path).await;
        names.extend(
            body["elements"]
                .as_array()
                .unwrap()
                .iter()
                .map(|a| a["name"].clone()),
        );
        match body["metadata"]["nextPageToken"].as_str() {
            Some(token) => {
                path = format!("/rest/adAccounts?q=search&pageSize=4&pageToken={token}");
            }
            None => break,
        }
    }
    assert_eq!(names.len(), 6);
    let recipe = "/rest/adAccounts?q=search&count=10&start=0&fields=id,name,test,referenceInfo";
    let (_, body) = wire.get(recipe).await;
    assert_eq!(body["paging"]["total"], 6);
    assert!(
        body["elements"]
            .as_array()
            .unwrap()
            .iter()
            .any(|a| a["referenceInfo"] == json!({}))
    );
    assert!(
        body["elements"][0].get("currency").is_none(),
        "only what was asked for"
    );
}

#[tokio::test]
async fn projections_batches_and_unknown_fields_are_as_documented() {
    let wire = wire().await;
    let account = Some(wire.account);
    let filter = TruthFilter {
        account,
        test: Some(false),
        ..TruthFilter::default()
    };
    let id = wire.sandbox.truth(filter)[0].id.clone();
    let (_, whole) = wire.get(&format!("/rest/leadFormResponses/{id}")).await;
    assert!(
        whole.get("newFieldOf202611").is_some(),
        "something that nobody knows"
    );
    assert!(
        whole.get("form").is_none() && whole.get("ownerInfo").is_none(),
        "only by projection"
    );
    let fields = "id,form:(name,content:(questions:(questionId))),ownerInfo";
    let (_, part) = wire
        .get(&format!("/rest/leadFormResponses/{id}?fields={fields}"))
        .await;
    let keys: Vec<&String> = part.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["form", "id", "ownerInfo"]);
    let question = &part["form"]["content"]["questions"][0];
    assert_eq!(question.as_object().unwrap().len(), 1);
    let (_, page) = wire
        .get(&wire.leads("&count=2&fields=id,submittedAt"))
        .await;
    assert_eq!(page["elements"][0].as_object().unwrap().len(), 2);

    let (status, batch) = wire
        .get(&format!("/rest/leadFormResponses?ids=List({id},nonsense)"))
        .await;
    assert_eq!(status, 200);
    assert_eq!(batch["results"][&id]["id"], id);
    assert_eq!(batch["statuses"]["nonsense"], 404);
    assert_eq!(batch["errors"]["nonsense"]["status"], 404);
    let forms = wire.sandbox.forms();
    let ids = format!("/rest/leadForms?ids=List({},{})", forms[0].id, forms[1].id);
    assert_eq!(
        wire.get(&ids).await.1["results"].as_object().unwrap().len(),
        2
    );

    let version = format!(
        "&count=1000&versionedLeadGenFormUrn=urn%3Ali%3AversionedLeadGenForm%3A%28urn%3Ali%3AleadGenForm%3A{}%2C1%29",
        forms[0].id
    );
    let (_, page) = wire.get(&wire.leads(&version)).await;
    let elements = page["elements"].as_array().unwrap();
    assert!(!elements.is_empty());
    let expected = format!(
        "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:{},1)",
        forms[0].id
    );
    assert!(
        elements
            .iter()
            .all(|one| one["versionedLeadGenFormUrn"] == expected)
    );
}

#[tokio::test]
async fn identity_needs_its_scopes() {
    let wire = wire().await;
    let (status, body) = wire.get("/v2/userinfo").await;
    assert_eq!(
        (status, body["message"].as_str().unwrap()),
        (
            403,
            "Not enough permissions to access: userinfo.GET.NO_VERSION"
        )
    );
    assert_eq!(wire.get("/v2/me").await.0, 403);
    let token = authorize(
        &wire.sandbox,
        "grace@northwind.example",
        &["openid", "email", "profile", "r_basicprofile"],
    )
    .await;
    let me = async |path: &str| {
        let request = wire.http.get(format!("{}{path}", wire.sandbox.base_url()));
        answer(request.bearer_auth(token.access_token.secret()))
            .await
            .1
    };
    let info = me("/v2/userinfo").await;
    assert_eq!(info["email"], "grace@northwind.example");
    let basic = me("/v2/me").await;
    assert_eq!(basic["id"], info["sub"]);
    assert_eq!(basic["localizedFirstName"], "Grace");
}

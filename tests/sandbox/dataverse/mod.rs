//! The sandbox's Dataverse over the real wire, with raw requests: what a client may rely on.

mod changes;
mod client;
mod definitions;
mod faults;
mod official_client;
mod queries;
mod records;
mod together;
mod tokens;

use leadgen::clock::Clock;
use leadgen::sandbox::dataverse::{
    CLIENT_ID, CLIENT_SECRET, DataverseHandle, DataverseOptions, DataverseSettings, TENANT, start,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::noon;

/// An organization, a client that trusts it, and a token.
pub struct Bench {
    pub sandbox: DataverseHandle,
    pub http: reqwest::Client,
    pub token: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        let code = self.json()["error"]["code"].as_str().unwrap().to_owned();
        (self.status, code)
    }

    pub async fn of(response: reqwest::Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }
}

/// A client that trusts the sandbox's certificate and nothing else.
pub fn trusting(sandbox: &DataverseHandle) -> reqwest::Client {
    // A second installation only says that the first one stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = reqwest::Certificate::from_pem(sandbox.certificate_pem().as_bytes()).unwrap();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([certificate])
        .build()
        .unwrap()
}

pub fn token_form(sandbox: &DataverseHandle) -> Vec<(&'static str, String)> {
    vec![
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", CLIENT_ID.to_owned()),
        ("client_secret", CLIENT_SECRET.to_owned()),
        ("scope", format!("{}/.default", sandbox.url())),
        ("client_info", "1".to_owned()),
    ]
}

pub async fn bench(settings: DataverseSettings) -> Bench {
    let sandbox = start(DataverseOptions {
        clock: Clock::fixed(noon()),
        settings,
        workers: 1,
        ..DataverseOptions::default()
    })
    .unwrap();
    let http = trusting(&sandbox);
    let mut bench = Bench {
        sandbox,
        http,
        token: String::new(),
    };
    bench.sign_in().await;
    bench
}

impl Bench {
    pub async fn sign_in(&mut self) {
        let url = format!("{}/{TENANT}/oauth2/v2.0/token", self.sandbox.url());
        let form = token_form(&self.sandbox);
        let answer = self.http.post(url).form(&form).send().await.unwrap();
        let body = Reply::of(answer).await.json();
        self.token = body["access_token"].as_str().unwrap_or_default().to_owned();
    }

    /// A request below the API's root (or at a whole address), with further headers.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let url = if path.starts_with("https://") {
            path.to_owned()
        } else {
            format!("{}/api/data/v9.2/{path}", self.sandbox.url())
        };
        let mut request = self
            .http
            .request(method.parse::<Method>().unwrap(), url)
            .bearer_auth(&self.token)
            .header("accept", "application/json")
            .header("odata-version", "4.0");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Reply::of(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(body), &[]).await
    }

    pub async fn patch(&self, path: &str, body: Value, headers: &[(&str, &str)]) -> Reply {
        self.send("PATCH", path, Some(body), headers).await
    }

    /// Creates a lead and gives its id.
    pub async fn lead(&self, body: Value) -> String {
        let reply = self.post("leads", body).await;
        assert_eq!(reply.status, 204, "{}", reply.text);
        let address = reply.header("odata-entityid").to_owned();
        let (_, id) = address.rsplit_once('(').unwrap();
        id.trim_end_matches(')').to_owned()
    }
}

pub fn ana() -> Value {
    json!({
        "subject": "Ebook – Ana Ruiz", "firstname": "Ana", "lastname": "Ruiz",
        "emailaddress1": "ana@ex.test", "companyname": "Ruiz SL", "leadsourcecode": 8,
    })
}

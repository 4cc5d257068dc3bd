//! A sandbox, a client for it, and a member who allows.

use chrono::{DateTime, Utc};
use leadgen::clock::Clock;
use leadgen::linkedin::oauth::{AppCredentials, LinkedInOAuth, TokenAnswer};
use leadgen::linkedin::{AccessToken, LinkedInClient, LinkedInEndpoints, LinkedInError, Timeouts};
use leadgen::sandbox::{
    CLIENT_ID, CLIENT_SECRET, Decision, SandboxHandle, SandboxOptions, Settings, start, visit,
};
use std::time::Duration;

pub const REDIRECT: &str = "http://127.0.0.1:9/linkedin/callback";
pub const SCOPES: &[&str] = &[
    "r_ads",
    "r_marketing_leadgen_automation",
    "r_organization_admin",
];

pub fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

pub fn sandbox(leads: usize, settings: Settings) -> SandboxHandle {
    start(SandboxOptions {
        leads,
        clock: Clock::fixed(noon()),
        settings,
        workers: 1,
        ..SandboxOptions::default()
    })
    .unwrap()
}

pub fn client(sandbox: &SandboxHandle) -> LinkedInClient {
    client_with(sandbox, Duration::from_secs(30), "202607")
}

pub fn client_with(sandbox: &SandboxHandle, timeout: Duration, version: &str) -> LinkedInClient {
    let endpoints = LinkedInEndpoints {
        oauth_url: sandbox.oauth_url(),
        api_url: sandbox.api_url(),
        version: version.to_owned(),
    };
    LinkedInClient::new(
        endpoints,
        Timeouts {
            connect: timeout,
            request: timeout,
        },
    )
    .unwrap()
}

pub fn oauth(sandbox: &SandboxHandle) -> LinkedInOAuth {
    oauth_with(&client(sandbox), CLIENT_ID, CLIENT_SECRET)
}

pub fn oauth_with(client: &LinkedInClient, id: &str, secret: &str) -> LinkedInOAuth {
    client
        .oauth(AppCredentials {
            client_id: id.to_owned(),
            client_secret: secret.to_owned().into(),
        })
        .unwrap()
}

/// Where the member's browser lands, and with which parameters.
pub async fn come_back(
    oauth: &LinkedInOAuth,
    email: &str,
    scopes: &[&str],
    decision: Decision,
) -> Vec<(String, String)> {
    let url = oauth
        .authorization_url(REDIRECT, scopes, "st&te=ü")
        .unwrap();
    let landed = visit(url.as_str(), email, "sandbox", decision)
        .await
        .unwrap();
    assert!(landed.starts_with(REDIRECT), "{landed}");
    url::Url::parse(&landed)
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect()
}

pub fn parameter(parameters: &[(String, String)], name: &str) -> Option<String> {
    parameters
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.clone())
}

pub async fn code(oauth: &LinkedInOAuth, email: &str, scopes: &[&str]) -> String {
    let back = come_back(oauth, email, scopes, Decision::Allow).await;
    parameter(&back, "code").expect("a code")
}

pub async fn authorize(sandbox: &SandboxHandle, email: &str, scopes: &[&str]) -> TokenAnswer {
    let oauth = oauth(sandbox);
    let code = code(&oauth, email, scopes).await;
    oauth.exchange_code(&code, REDIRECT).await.unwrap()
}

pub async fn ada(sandbox: &SandboxHandle) -> AccessToken {
    authorize(sandbox, "ada@northwind.example", SCOPES)
        .await
        .access_token
}

pub fn kind<T: std::fmt::Debug>(outcome: &Result<T, LinkedInError>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(error) => error.kind(),
    }
}

/// A client for raw requests, which follows no redirects.
pub fn http() -> reqwest::Client {
    // A second installation only says that the first one stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

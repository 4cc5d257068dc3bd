//! A program that uses `/api/v1` with a token: no cookies, no forms, JSON only.

use leadgen::auth::api_tokens::issue;
use leadgen::domain::access::TokenRole;
use leadgen::domain::api_token::Lifetime;
use leadgen::domain::ids::{ApiTokenId, UserId};
use leadgen::store::api_tokens::{self, ApiToken};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::Value;
use uuid::Uuid;

use crate::start::TestPortal;
use crate::support::{Browserlike, Page, a_moment};

/// A program and its token.
pub struct Program {
    browser: Browserlike,
    pub id: ApiTokenId,
    pub token: String,
}

impl Program {
    /// A program with a new token of this role.
    pub fn new(portal: &TestPortal, role: TokenRole) -> Self {
        let issued = issue().unwrap();
        let token = ApiToken {
            id: ApiTokenId::new(Uuid::now_v7()),
            name: format!("{role} program"),
            role,
            prefix: issued.prefix,
            created_at: a_moment(),
            created_by: UserId::new(Uuid::now_v7()),
            created_by_name: "Ada".to_owned(),
            expires_at: Lifetime::Month.end(a_moment()),
            last_used_at: None,
            revoked_at: None,
        };
        api_tokens::insert(&mut portal.database.conn(), &token, &issued.hash).unwrap();
        Self {
            browser: portal.browser(),
            id: token.id,
            token: issued.text.expose_secret().to_owned(),
        }
    }

    /// One request below `/api/v1`; `headers` come on top of the token.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Page {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![
            ("authorization", bearer.as_str()),
            ("accept", "application/json"),
        ];
        all.extend_from_slice(headers);
        let method: Method = method.parse().unwrap();
        let body = body.map(|body| body.as_bytes().to_vec());
        let page = self
            .browser
            .request(method, &format!("/api/v1{path}"), &all, body)
            .await;
        assert!(page.header("set-cookie").is_none(), "{path} sets a cookie");
        if page.status >= 400 {
            assert_eq!(
                page.header("content-type"),
                Some("application/problem+json"),
                "{path}: {}",
                page.body
            );
        }
        page
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send("GET", path, &[], None).await
    }

    /// A change in JSON.
    pub async fn change(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Page {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send(method, path, &all, Some(body)).await
    }
}

/// What an answer holds.
#[track_caller]
pub fn json(page: &Page) -> Value {
    serde_json::from_str(&page.body).unwrap_or_else(|_| panic!("no JSON: {}", page.body))
}

/// The ids of the records of a list.
#[track_caller]
pub fn ids(page: &Page) -> Vec<String> {
    json(page)["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect()
}

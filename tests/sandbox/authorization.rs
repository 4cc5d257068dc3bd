//! OAuth: the happy way and each refusal.

use std::time::Duration;

use chrono::TimeDelta;
use leadgen::linkedin::LinkedInError;
use leadgen::sandbox::{CLIENT_ID, CLIENT_SECRET, Decision, Settings, VisitError, visit};

use crate::support::*;

fn token_error<T: std::fmt::Debug>(outcome: Result<T, LinkedInError>) -> (u16, String) {
    match outcome {
        Err(LinkedInError::Token {
            status,
            error,
            description,
        }) => {
            assert!(description.is_some());
            (status, error)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_member_allows_and_the_code_becomes_a_token_that_works() {
    let sandbox = sandbox(20, Settings::default());
    let oauth = oauth(&sandbox);
    let back = come_back(
        &oauth,
        "ada@northwind.example",
        &["openid", "profile", "r_ads"],
        Decision::Allow,
    )
    .await;
    assert_eq!(parameter(&back, "state").as_deref(), Some("st&te=ü"));
    let token = oauth
        .exchange_code(&parameter(&back, "code").unwrap(), REDIRECT)
        .await
        .unwrap();
    assert_eq!(token.scopes, ["openid", "profile", "r_ads"]);
    assert_eq!(token.expires_in, Duration::from_secs(5_184_000));
    assert!(token.refresh_token.is_none(), "self-serve apps get none");
    assert!(token.access_token.secret().len() > 300);

    let me = client(&sandbox)
        .userinfo(&token.access_token)
        .await
        .unwrap();
    assert_eq!(me.value.name.as_deref(), Some("Ada Lind"));
    assert_eq!(me.value.email, None, "the scope email was not asked for");
    assert_eq!(me.date, Some(noon()), "the sandbox's own time");
    assert!(me.request_id.is_some());

    let known = oauth.introspect(&token.access_token).await.unwrap();
    assert!(known.active);
    assert_eq!(known.expires_at, Some(noon() + TimeDelta::days(60)));
    assert_eq!(known.scopes.len(), 3);

    oauth.revoke(token.access_token.secret()).await.unwrap();
    let known = oauth.introspect(&token.access_token).await.unwrap();
    assert_eq!(
        (known.active, known.status.as_deref()),
        (false, Some("revoked"))
    );
    let refused = client(&sandbox)
        .userinfo(&token.access_token)
        .await
        .unwrap_err();
    assert_eq!(refused.service_error_code(), Some(65601));
}

#[tokio::test]
async fn cancelling_comes_back_with_linkedins_words() {
    let sandbox = sandbox(20, Settings::default());
    let oauth = oauth(&sandbox);
    for (decision, error) in [
        (Decision::CancelSignIn, "user_cancelled_login"),
        (Decision::CancelConsent, "user_cancelled_authorize"),
    ] {
        let back = come_back(&oauth, "ada@northwind.example", SCOPES, decision).await;
        assert_eq!(parameter(&back, "error").as_deref(), Some(error));
        assert!(parameter(&back, "error_description").is_some());
        assert_eq!(parameter(&back, "state").as_deref(), Some("st&te=ü"));
        assert_eq!(parameter(&back, "code"), None);
    }
}

#[tokio::test]
async fn a_scope_that_the_app_lacks_comes_back_as_an_error() {
    let sandbox = sandbox(
        20,
        Settings {
            unauthorized_scopes: vec!["r_ads".to_owned()],
            ..Settings::default()
        },
    );
    for scopes in [SCOPES, &["r_unheard_of"]] {
        let back = come_back(
            &oauth(&sandbox),
            "ada@northwind.example",
            scopes,
            Decision::Allow,
        )
        .await;
        assert_eq!(
            parameter(&back, "error").as_deref(),
            Some("unauthorized_scope_error")
        );
        assert!(
            parameter(&back, "error_description")
                .unwrap()
                .contains("&quot;")
        );
    }
}

#[tokio::test]
async fn the_apps_own_mistakes_end_on_linkedins_page_without_a_redirect() {
    let sandbox = sandbox(20, Settings::default());
    let linkedin = client(&sandbox);
    let wrong_app = oauth_with(&linkedin, "someone-else", CLIENT_SECRET);
    let right_app = oauth(&sandbox);
    let addresses = [
        wrong_app.authorization_url(REDIRECT, SCOPES, "s").unwrap(),
        right_app
            .authorization_url("https://portal.example.com/linkedin/callback", SCOPES, "s")
            .unwrap(),
        right_app
            .authorization_url("http://127.0.0.1/#fragment", SCOPES, "s")
            .unwrap(),
        right_app
            .authorization_url(REDIRECT, &["<script>"], "s")
            .unwrap(),
        right_app.authorization_url(REDIRECT, &[], "s").unwrap(),
    ];
    for address in addresses {
        let outcome = visit(
            address.as_str(),
            "ada@northwind.example",
            "sandbox",
            Decision::Allow,
        )
        .await;
        assert!(
            matches!(outcome, Err(VisitError::DeadEnd { status: 400, .. })),
            "{address}: {outcome:?}"
        );
    }
    let good = right_app.authorization_url(REDIRECT, SCOPES, "s").unwrap();
    let outcome = visit(
        good.as_str(),
        "ada@northwind.example",
        "wrong password",
        Decision::Allow,
    )
    .await;
    assert!(
        matches!(outcome, Err(VisitError::DeadEnd { status: 200, .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn the_same_grant_again_skips_the_consent_and_keeps_earlier_tokens() {
    let sandbox = sandbox(20, Settings::default());
    let first = ada(&sandbox).await;
    sandbox.clear_requests();
    let second = ada(&sandbox).await;
    assert!(
        !sandbox
            .requests()
            .iter()
            .any(|request| request.path.ends_with("/consent"))
    );
    for token in [&first, &second] {
        assert!(client(&sandbox).ad_accounts(token, None).await.is_ok());
    }
}

#[tokio::test]
async fn another_set_of_scopes_invalidates_every_earlier_token_of_that_member_only() {
    let sandbox = sandbox(20, Settings::default());
    let before = ada(&sandbox).await;
    let grace = authorize(&sandbox, "grace@northwind.example", SCOPES)
        .await
        .access_token;
    authorize(&sandbox, "ada@northwind.example", &["r_ads"]).await;
    let refused = client(&sandbox)
        .ad_accounts(&before, None)
        .await
        .unwrap_err();
    assert_eq!(refused.service_error_code(), Some(65601));
    assert!(client(&sandbox).ad_accounts(&grace, None).await.is_ok());
}

#[tokio::test]
async fn a_code_works_once_with_its_own_redirect_and_for_half_an_hour() {
    let sandbox = sandbox(20, Settings::default());
    let oauth = oauth(&sandbox);
    let fresh = || code(&oauth, "ada@northwind.example", SCOPES);

    let used = fresh().await;
    oauth.exchange_code(&used, REDIRECT).await.unwrap();
    assert_eq!(
        token_error(oauth.exchange_code(&used, REDIRECT).await),
        (400, "invalid_request".to_owned())
    );
    assert_eq!(
        token_error(oauth.exchange_code("AQnonsense", REDIRECT).await),
        (400, "invalid_request".to_owned())
    );

    let other = oauth
        .exchange_code(&fresh().await, "http://127.0.0.1:9/elsewhere")
        .await;
    assert_eq!(token_error(other), (400, "invalid_redirect_uri".to_owned()));

    let late = fresh().await;
    sandbox.advance(TimeDelta::minutes(30));
    assert_eq!(
        token_error(oauth.exchange_code(&late, REDIRECT).await),
        (400, "invalid_redirect_uri".to_owned())
    );

    let wrong_secret = oauth_with(&client(&sandbox), CLIENT_ID, "wrong");
    assert_eq!(
        token_error(wrong_secret.exchange_code(&fresh().await, REDIRECT).await),
        (401, "invalid_client".to_owned())
    );
    assert_eq!(
        token_error(wrong_secret.revoke("x").await),
        (401, "invalid_client".to_owned())
    );
    let token = ada(&sandbox).await;
    assert_eq!(
        token_error(wrong_secret.introspect(&token).await),
        (401, "invalid_client".to_owned())
    );
}

#[tokio::test]
async fn missing_parameters_are_named() {
    let sandbox = sandbox(20, Settings::default());
    let http = http();
    for (form, missing) in [
        (vec![], "grant_type"),
        (vec![("grant_type", "authorization_code")], "code"),
        (
            vec![("grant_type", "authorization_code"), ("code", "x")],
            "redirect_uri",
        ),
        (vec![("grant_type", "refresh_token")], "refresh_token"),
        (
            vec![("grant_type", "refresh_token"), ("refresh_token", "x")],
            "client_id",
        ),
        (
            vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", "x"),
                ("client_id", "y"),
            ],
            "client_secret",
        ),
    ] {
        let answer = http
            .post(format!("{}/accessToken", sandbox.oauth_url()))
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400);
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["error"], "invalid_request");
        assert_eq!(
            body["error_description"],
            format!("A required parameter \"{missing}\" is missing")
        );
    }
    let two_legged = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
    ];
    let answer = http
        .post(format!("{}/accessToken", sandbox.oauth_url()))
        .form(&two_legged)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn refresh_tokens_keep_their_value_count_down_and_cap_the_access_token() {
    let sandbox = sandbox(
        20,
        Settings {
            refresh_tokens: true,
            scopes_by_comma: false,
            ..Settings::default()
        },
    );
    let oauth = oauth(&sandbox);
    let token = authorize(&sandbox, "ada@northwind.example", SCOPES).await;
    let refresh = token.refresh_token.expect("an approved app");
    assert_eq!(
        token.refresh_token_expires_in,
        Some(Duration::from_secs(31_536_000))
    );
    assert_eq!(token.scopes.len(), 3, "separated by blanks this time");

    sandbox.advance(TimeDelta::days(61));
    let expired = client(&sandbox)
        .ad_accounts(&token.access_token, None)
        .await
        .unwrap_err();
    assert_eq!(expired.service_error_code(), Some(65602));
    let again = oauth.refresh(&refresh).await.unwrap();
    assert!(
        client(&sandbox)
            .ad_accounts(&again.access_token, None)
            .await
            .is_ok()
    );
    assert_eq!(
        again.refresh_token_expires_in,
        Some(Duration::from_secs((365 - 61) * 86_400))
    );

    sandbox.advance(TimeDelta::days(360 - 61));
    let last = oauth.refresh(&refresh).await.unwrap();
    let five_days = Duration::from_secs(5 * 86_400);
    assert_eq!(
        (last.expires_in, last.refresh_token_expires_in),
        (five_days, Some(five_days))
    );

    sandbox.advance(TimeDelta::days(5));
    assert_eq!(
        token_error(oauth.refresh(&refresh).await),
        (400, "invalid_request".to_owned())
    );
    assert_eq!(
        token_error(oauth.refresh(&"nonsense".to_owned().into()).await),
        (400, "invalid_request".to_owned())
    );
}

#[tokio::test]
async fn a_fresh_token_may_answer_401_for_some_seconds_while_introspection_calls_it_active() {
    let sandbox = sandbox(
        20,
        Settings {
            fresh_token_lag_seconds: 5,
            ..Settings::default()
        },
    );
    let token = ada(&sandbox).await;
    let refused = client(&sandbox)
        .ad_accounts(&token, None)
        .await
        .unwrap_err();
    assert_eq!(
        (refused.kind(), refused.service_error_code()),
        ("unauthorized", Some(65601))
    );
    assert!(oauth(&sandbox).introspect(&token).await.unwrap().active);
    sandbox.advance(TimeDelta::seconds(5));
    assert!(client(&sandbox).ad_accounts(&token, None).await.is_ok());
}

#[tokio::test]
async fn a_member_can_withdraw_in_the_privacy_settings() {
    let sandbox = sandbox(20, Settings::default());
    let token = ada(&sandbox).await;
    sandbox.withdraw_all();
    assert_eq!(
        client(&sandbox)
            .ad_accounts(&token, None)
            .await
            .unwrap_err()
            .service_error_code(),
        Some(65601)
    );
    sandbox.clear_requests();
    ada(&sandbox).await;
    assert!(
        sandbox
            .requests()
            .iter()
            .any(|request| request.path.ends_with("/consent")),
        "consent is asked for again"
    );
}

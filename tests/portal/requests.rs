//! What every answer carries, and what becomes of requests that no browser of ours would send.

use std::io::{Read, Write};
use std::time::Duration;

use leadgen::domain::access::Role;
use reqwest::Method;

use crate::start::{PASSWORD, TestPortal};
use crate::support::{Page, a_user};

fn check_headers(page: &Page) {
    let what = format!("{} {}", page.status, page.url);
    let policy = page
        .header("content-security-policy")
        .unwrap_or_else(|| panic!("{what}"));
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains('*'),
        "{what}: {policy}"
    );
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name), Some(value), "{what}: {name}");
    }
    assert!(page.header("permissions-policy").is_some(), "{what}");
    assert!(page.header("cache-control").is_some(), "{what}");
    assert!(
        page.header("access-control-allow-origin").is_none(),
        "{what}"
    );
    assert!(page.header("server").is_none(), "{what}");
    if !page.body.is_empty() {
        let kind = page.header("content-type").unwrap_or_default();
        assert!(kind.contains("charset=utf-8"), "{what}: {kind}");
    }
    assert!(
        !page.body.contains(env!("CARGO_PKG_VERSION")) || page.status == 200,
        "{what}"
    );
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    for path in [
        "/account",
        "/settings/users",
        "/settings/audit-log",
        "/nowhere",
        "/settings/users/nobody",
        "/settings/users?role=x",
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/static/x/y",
        "/sign-in",
    ] {
        check_headers(&browser.get(path).await);
        check_headers(&portal.browser().get(path).await);
    }
    check_headers(&browser.request(Method::POST, "/account", &[], None).await);
    check_headers(&browser.request(Method::DELETE, "/account", &[], None).await);
    let page = browser.get("/account").await;
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(page.header("strict-transport-security").is_none());
}

#[tokio::test]
async fn behind_https_browsers_are_told_to_stay_there() {
    let portal =
        TestPortal::start_with(&[("LEADGEN_PUBLIC_URL", "https://leads.example.com")]).await;
    let browser = portal.browser();
    let page = browser
        .request(
            Method::GET,
            "/sign-in",
            &[("host", "leads.example.com")],
            None,
        )
        .await
        .expect(200);
    assert_eq!(
        page.header("strict-transport-security"),
        Some("max-age=31536000; includeSubDomains")
    );
    for host in [
        "evil.test",
        "127.0.0.1",
        "leads.example.com:8443",
        "leads.example.com.evil.test",
    ] {
        let page = browser
            .request(Method::GET, "/sign-in", &[("host", host)], None)
            .await;
        assert_eq!(page.status, 421, "{host}");
    }
    // What a stranger's proxy header says does not count.
    browser
        .request(
            Method::GET,
            "/sign-in",
            &[("x-forwarded-host", "leads.example.com")],
            None,
        )
        .await
        .expect(421);
    // A load balancer asks by address.
    browser.get("/healthz").await.expect(200);
    browser.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn assets_live_under_their_hash_for_ever() {
    let portal = TestPortal::start().await;
    let browser = portal.browser();
    let page = browser.get("/sign-in").await.expect(200);
    let addresses: Vec<&str> = page
        .body
        .split('"')
        .filter(|part| part.starts_with("/static/"))
        .collect();
    assert!(addresses.len() >= 5, "{addresses:?}");
    for address in addresses {
        let asset = browser.get(address).await.expect(200);
        assert!(
            asset.header("cache-control").unwrap().contains("immutable"),
            "{address}"
        );
        check_headers(&asset);
    }
    for bad in [
        "/static/0000000000000000/css/base.css",
        "/static/x/../../Cargo.toml",
        "/static/x/%2e%2e%2fCargo.toml",
        "/static/",
    ] {
        browser.get(bad).await.expect(404);
    }
}

#[tokio::test]
async fn head_answers_like_get_without_a_body_and_other_methods_are_refused() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    for path in ["/account", "/settings/users", "/healthz"] {
        let page = browser
            .request(Method::HEAD, path, &[], None)
            .await
            .expect(200);
        assert!(page.body.is_empty());
    }
    for method in [
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::OPTIONS,
        Method::TRACE,
    ] {
        let page = browser.request(method.clone(), "/account", &[], None).await;
        assert_eq!(page.status, 405, "{method}");
        assert_eq!(page.header("allow"), Some("GET, HEAD, POST"), "{method}");
        browser
            .request(method, "/nowhere", &[], None)
            .await
            .expect(404);
    }
    let page = browser.get("/sign-out").await.expect(405);
    assert_eq!(page.header("allow"), Some("POST"));
}

#[tokio::test]
async fn pages_that_do_not_exist_say_so_with_a_reference() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    for path in [
        "/nowhere",
        "/settings",
        "/settings/users/1",
        "/settings/users/018f2a3c-0000-7000-8000-0000000000ab",
        "/settings/users/%00",
        "/account/",
        "/%ff",
        "/settings/users/'%20OR%201=1",
    ] {
        let page = browser
            .get(path)
            .await
            .expect(404)
            .expect_text("There is no such page")
            .expect_text("Reference");
        let id = page.header("x-request-id").unwrap().to_owned();
        assert!(page.body.contains(&id), "{path}");
        assert!(!page.text().contains("OR 1=1"));
    }
    portal
        .browser()
        .get("/nowhere")
        .await
        .expect(404)
        .expect_text("There is no such page");
}

#[tokio::test]
async fn queries_that_cannot_be_read_are_named() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    for (query, name) in [
        ("role=king", "role"),
        ("page=x", "page"),
        ("page=-1", "page"),
        ("page=1&page=2", "page"),
        ("user=1", "user"),
        ("from=2026-02-30", "from"),
        ("actor_kind=nobody", "actor_kind"),
        ("after=1", "after"),
        ("page=99999999999999999999", "page"),
    ] {
        let path = match name {
            "role" => "/settings/users",
            "page" => "/settings/field-mappings/inbox",
            _ => "/settings/audit-log",
        };
        let page = browser.get(&format!("{path}?{query}")).await.expect(400);
        assert!(
            page.text().contains(&format!("“{name}”")),
            "{query}: {}",
            page.text()
        );
        assert!(page.link("Open the page without parameters") == path);
    }
    for query in ["q=%ff", "q=%00"] {
        browser
            .get(&format!("/settings/users?{query}"))
            .await
            .expect(400);
    }
    for query in [
        "q=",
        "role=",
        "unknown=1",
        "q=%3Cscript%3E",
        "q='; DROP TABLE users; --",
        "q=%E2%80%AE%F0%9F%8E%89",
    ] {
        let page = browser
            .get(&format!("/settings/users?{query}"))
            .await
            .expect(200);
        assert!(!page.body.contains("<script>"));
    }
    browser
        .get("/settings/field-mappings/inbox?page=1000000")
        .await
        .expect(200);
    browser
        .get("/settings/audit-log?action=%25&object_kind=%5C&object_id=_")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_change_needs_the_token_of_this_session_and_our_own_origin() {
    let portal = TestPortal::start().await;
    let ada = portal.sign_in_as(&[Role::Administrator]).await;
    let other = portal.sign_in_as(&[Role::Administrator]).await;
    let token = ada.get("/account").await.csrf_token().unwrap();
    let foreign = other.get("/account").await.csrf_token().unwrap();
    let stranger = portal.browser().get("/sign-in").await.csrf_token().unwrap();
    let form = "content-type";
    let urlencoded = "application/x-www-form-urlencoded";
    let send = async |headers: &[(&str, &str)], token: &str| {
        let body = format!("csrf_token={token}").into_bytes();
        ada.request(
            Method::POST,
            "/account/sessions/others/end",
            headers,
            Some(body),
        )
        .await
        .status
    };
    for bad in [
        "",
        "x",
        &foreign,
        &stranger,
        &token[1..],
        &format!("{token}0"),
    ] {
        assert_eq!(send(&[(form, urlencoded)], bad).await, 403, "{bad}");
    }
    let origin = portal.address.clone();
    for headers in [
        vec![("origin", "https://evil.test")],
        vec![("origin", "null")],
        vec![("origin", "http://127.0.0.1:1")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![
            ("origin", origin.as_str()),
            ("sec-fetch-site", "cross-site"),
        ],
        vec![
            ("origin", "https://evil.test"),
            ("sec-fetch-site", "same-origin"),
        ],
    ] {
        let mut all = vec![(form, urlencoded)];
        all.extend(headers.clone());
        assert_eq!(send(&all, &token).await, 403, "{headers:?}");
    }
    for kind in [
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=x",
        "",
    ] {
        assert_eq!(send(&[(form, kind)], &token).await, 415, "{kind}");
    }
    assert_eq!(send(&[(form, urlencoded)], &token).await, 303);
    assert_eq!(
        send(
            &[
                (form, urlencoded),
                ("origin", &origin),
                ("sec-fetch-site", "same-origin")
            ],
            &token
        )
        .await,
        303
    );
    // Signing in is a change as well.
    portal.add(a_user().email("ada@example.com"));
    let fields = [("email", "ada@example.com"), ("password", PASSWORD)];
    portal
        .browser()
        .post_raw("/sign-in", &fields)
        .await
        .expect(403);
}

#[tokio::test]
async fn large_bodies_are_refused_whole() {
    let portal = TestPortal::start().await;
    let browser = portal.browser();
    let page = browser.get("/sign-in").await;
    let fields = [("email", Some("ada@example.com")), ("password", Some("x"))];
    let long = "x".repeat(300 * 1024);
    let fields = fields.map(|(name, value)| {
        (
            name,
            if name == "password" {
                Some(long.as_str())
            } else {
                value
            },
        )
    });
    browser
        .submit(&page, "Sign in", &fields)
        .await
        .expect(413)
        .expect_text("256 KiB");
}

/// Talks to the portal byte by byte.
fn raw(address: &str, request: &[u8], patience: Duration) -> String {
    let mut stream = std::net::TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn requests_that_are_made_wrong_get_one_answer() {
    let portal = TestPortal::start().await;
    let address = portal.address.clone();
    tokio::task::spawn_blocking(move || {
        let host = address.trim_start_matches("http://").to_owned();
        for (request, statuses) in [
            (format!("GET http://evil.test/sign-in HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"), vec!["421"]),
            ("GET /sign-in HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n".to_owned(), vec!["421"]),
            ("GET /sign-in HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), vec!["400", "421"]),
            (format!("GET /sign-in HTTP/1.1\r\nHost: {host}\r\nCookie: \u{1}=\r\nConnection: close\r\n\r\n"), vec!["200", "400"]),
            (format!("POST /sign-in HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), vec!["400"]),
            (format!("POST /sign-in HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n"), vec!["400"]),
        ] {
            let answer = raw(&address, request.as_bytes(), Duration::from_secs(5));
            assert!(statuses.iter().any(|status| answer.starts_with(&format!("HTTP/1.1 {status}"))), "{request}\n{answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_portal_is_alive_ready_and_measured() {
    let portal = TestPortal::start().await;
    let browser = portal.browser();
    browser.get("/healthz").await.expect(200);
    browser.get("/readyz").await.expect(200);
    browser.get("/sign-in").await.expect(200);
    let page = browser.get("/metrics").await.expect(200);
    assert!(
        page.body.contains("leadgen_http_requests_total"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("example.com"));
}

#[tokio::test]
async fn without_its_tables_the_portal_is_alive_but_not_ready_and_says_so_calmly() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    portal.database.execute("DROP TABLE audit_entries");
    let page = browser
        .get("/settings/audit-log")
        .await
        .expect(500)
        .expect_text("Something went wrong");
    assert!(!page.body.contains("audit_entries") && !page.body.to_lowercase().contains("sql"));
    check_headers(&page);
    portal.browser().get("/healthz").await.expect(200);
}

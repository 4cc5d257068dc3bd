//! Every route of the table × strangers, the menu, and roles that end. Roles and states: `access_matrix.rs`.

use actix_web::http::Method;
use leadgen::domain::access::Role;
use leadgen::web::access::Access;
use leadgen::web::routes::table;

use crate::start::TestPortal;

/// The path with something in place of each variable.
pub fn concrete(pattern: &str) -> String {
    let mut path = String::new();
    for part in pattern.split_inclusive(['{', '}']) {
        match part.strip_suffix('}') {
            Some(_) => path.push_str("018f2a3c-0000-7000-8000-0000000000ab"),
            None => path.push_str(part.trim_end_matches('{')),
        }
    }
    path
}

#[test]
fn the_table_has_no_line_twice_and_only_few_public_ones() {
    let mut lines: Vec<String> = table()
        .iter()
        .map(|line| format!("{} {}", line.method, line.path))
        .collect();
    lines.sort();
    let count = lines.len();
    lines.dedup();
    assert_eq!(lines.len(), count);
    let mut public: Vec<String> = table()
        .iter()
        .filter(|line| line.access == Access::Public)
        .map(|line| format!("{} {}", line.method, line.path))
        .collect();
    public.sort();
    let signed: Vec<&str> = table()
        .iter()
        .filter(|line| line.access == Access::Signed)
        .map(|line| line.path)
        .collect();
    assert_eq!(signed, ["/webhooks/linkedin"; 2]);
    let open: Vec<String> = table()
        .iter()
        .filter(|line| line.access == Access::Open)
        .map(|line| format!("{} {}", line.method, line.path))
        .collect();
    assert_eq!(open, ["GET /api/v1/openapi.json"]);
    assert_eq!(
        public,
        [
            "GET /api/reference",
            "GET /invitations/{token}",
            "GET /password-resets/new",
            "GET /password-resets/{token}",
            "GET /sign-in",
            "GET /sign-in/oidc/callback",
            "GET /sign-in/oidc/signed-out",
            "GET /sign-in/second-step",
            "POST /invitations/{token}",
            "POST /password-resets",
            "POST /password-resets/{token}",
            "POST /sign-in",
            "POST /sign-in/oidc",
            "POST /sign-in/second-step",
        ]
    );
    for line in table() {
        assert!(
            matches!(line.method, Method::GET | Method::POST),
            "{}",
            line.path
        );
    }
}

#[tokio::test]
async fn strangers_are_asked_to_sign_in_and_change_nothing() {
    let portal = TestPortal::start().await;
    let browser = portal.browser();
    for line in table() {
        if matches!(line.access, Access::Public | Access::Open | Access::Signed) {
            continue;
        }
        let path = concrete(line.path);
        let page = browser
            .request(
                line.method.as_str().parse().unwrap(),
                &path,
                &[("sec-fetch-site", "same-origin")],
                None,
            )
            .await;
        assert_eq!(page.status, 303, "{} {path}", line.method);
        assert!(
            page.location().unwrap().starts_with("/sign-in"),
            "{} {path}",
            line.method
        );
        let page = browser
            .request(reqwest::Method::HEAD, &path, &[], None)
            .await;
        assert!(
            matches!(page.status, 303 | 405),
            "HEAD {path}: {}",
            page.status
        );
    }
    assert!(portal.audit().is_empty());
}

#[tokio::test]
async fn the_menu_leads_only_to_pages_that_open() {
    let portal = crate::records_world::seeded().await;
    for role in [Role::Administrator, Role::Salesperson, Role::SalesManager] {
        let browser = portal.sign_in_as(&[role]).await;
        let page = browser.get("/account").await.expect(200);
        for (address, label) in crate::support::html::links(&page.body) {
            if address.starts_with('/') && !address.starts_with("/static/") {
                let status = browser.visit(&address).await.status;
                assert_eq!(status, 200, "{role}: {label} {address}");
            }
        }
    }
}

#[tokio::test]
async fn a_role_that_is_taken_away_works_no_longer_at_the_next_request() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    browser.get("/settings/users").await.expect(200);
    portal.database.execute("DELETE FROM user_roles");
    browser.get("/settings/users").await.expect(403);
    portal
        .database
        .execute("UPDATE users SET is_enabled = FALSE");
    browser.get("/account").await.expect(303);
}

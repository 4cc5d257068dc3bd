//! Signing in and out at a certified OpenID Connect provider, over real HTTP and by the system's clock.

use leadgen::domain::access::Role;

use crate::support::certified_provider::CertifiedProvider;
use crate::support::installation::{Installation, Plan};
use crate::support::{Browserlike, Page};

async fn world() -> (Installation, CertifiedProvider) {
    let mut provider = CertifiedProvider::start();
    let mut installation = Installation::of(Plan {
        settings: provider.settings(),
        ..Plan::default()
    })
    .await;
    provider.knows(&installation.address());
    installation.serve(false);
    (installation, provider)
}

/// From the portal's button over the provider's two pages back to the portal.
async fn sign_in(browser: &Browserlike, login: &str) -> Page {
    let page = browser.get("/sign-in").await.expect(200);
    let address = browser
        .submit(&page, "Sign in with Certified ID", &[])
        .await
        .expect(200)
        .link("Continue to Certified ID");
    let page = browser.visit(&address).await.expect(200);
    let fields = [("login", Some(login)), ("password", Some("any"))];
    let page = browser
        .submit_and_follow(&page, "Sign-in", &fields)
        .await
        .expect(200);
    browser.submit_and_follow(&page, "Continue", &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_sign_in_get_their_roles_and_sign_out_while_keys_change() {
    let (installation, provider) = world().await;
    installation.add_person("ada@example.com", "Ada", &[Role::Administrator]);
    let ada = installation.browser();
    ada.sign_in("ada@example.com", crate::support::installation::PASSWORD)
        .await;
    let page = ada
        .get("/settings/sign-in")
        .await
        .expect(200)
        .expect_text("Answers");
    let fields = [
        ("claim", Some("roles")),
        ("value", Some("Leadgen.Sales")),
        ("role", Some("salesperson")),
    ];
    ada.submit(&page, "Add rule", &fields).await.expect(303);

    let browser = installation.browser();
    sign_in(&browser, "sales-grace").await.expect(200);
    browser
        .get("/account")
        .await
        .expect(200)
        .expect_text("Person sales-grace")
        .expect_text("sales-grace@example.com")
        .expect_text("Salesperson");
    let other = installation.browser();
    sign_in(&other, "henry").await.expect(200);
    other
        .get("/account")
        .await
        .expect(200)
        .expect_text("henry@example.com");
    other.get("/leads").await.expect(403);

    // Another key signs from now on.
    let rotate = format!("{}/rotate", provider.issuer);
    installation
        .browser()
        .post_raw(&rotate, &[])
        .await
        .expect(200);
    let later = installation.browser();
    sign_in(&later, "sales-ida").await.expect(200);
    later.get("/leads").await.expect(200);

    // Out here, and at the provider: signing in again asks for the password again.
    let page = later.get("/account").await.expect(200);
    let address = later
        .submit(&page, "Sign out", &[])
        .await
        .expect(200)
        .link("Continue to Certified ID");
    later.get("/account").await.expect(303);
    let page = later
        .visit(&address)
        .await
        .expect(200)
        .expect_text("sign-out");
    let form = page.form("/session/end/confirm");
    let mut fields: Vec<(&str, &str)> = form
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    fields.push(("logout", "yes"));
    let answer = later.post_raw(&form.action, &fields).await;
    later
        .follow(answer)
        .await
        .expect(200)
        .expect_text("You are signed out here and at Certified ID.");
    sign_in(&later, "sales-ida").await.expect(200);
    assert_eq!(
        installation
            .database
            .number("SELECT count(*) AS value FROM users WHERE email_key LIKE '%-ida@%'"),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_cancels_at_the_provider_is_told_so() {
    let (installation, _provider) = world().await;
    let browser = installation.browser();
    let page = browser.get("/sign-in").await.expect(200);
    let address = browser
        .submit(&page, "Sign in with Certified ID", &[])
        .await
        .expect(200)
        .link("Continue to Certified ID");
    let page = browser.visit(&address).await.expect(200);
    browser
        .visit(&page.link("[ Cancel ]"))
        .await
        .expect(200)
        .expect_text("You were not signed in");
}

/// Confirms at the provider, as `login`, and comes back.
async fn confirm(browser: &Browserlike, login: &str) -> Page {
    let page = browser
        .get("/account/confirmation?to=%2Faccount%2Fsecond-factor")
        .await
        .expect(200);
    let address = browser
        .submit(&page, "Confirm with Certified ID", &[])
        .await
        .expect(200)
        .link("Continue to Certified ID");
    // The provider still knows the person, and asks all the same.
    let page = browser.visit(&address).await.expect(200);
    let fields = [("login", Some(login)), ("password", Some("any"))];
    let mut page = browser.submit_and_follow(&page, "Sign-in", &fields).await;
    // Somebody else's session there is ended first, and whoever is new is asked what the portal may know.
    for _ in 0..3 {
        if !page.text().contains("Continue") {
            break;
        }
        page = browser.submit_and_follow(&page, "Continue", &[]).await;
    }
    page
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_confirm_at_the_provider_that_it_is_them() {
    let (installation, _provider) = world().await;
    let browser = installation.browser();
    sign_in(&browser, "grace").await.expect(200);
    let page = confirm(&browser, "grace").await.expect(200);
    assert_eq!(page.url.path(), "/account/second-factor");
    let confirmed =
        "SELECT count(*) AS value FROM audit_entries WHERE action = 'session.confirmed'";
    assert_eq!(installation.database.number(confirmed), 1);
    confirm(&browser, "henry")
        .await
        .expect(403)
        .expect_text("Somebody else signed in");
    assert_eq!(installation.database.number(confirmed), 1);
    browser
        .get("/account")
        .await
        .expect(200)
        .expect_text("grace@example.com");
}

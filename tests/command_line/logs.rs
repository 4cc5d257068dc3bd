//! What the log holds after a day's work at its most talkative level: no person's data, no token, no password.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::time::Duration;

use leadgen::domain::access::Role;
use leadgen::domain::ids::UserId;
use leadgen::sandbox::{self, Decision};
use url::Url;

use crate::support::installation::{Installation, PASSWORD, Plan};
use crate::support::{Browserlike, Page, eventually, signal};

/// Pages that show people's data, and one that is refused.
const PAGES: [&str; 9] = [
    "/",
    "/leads",
    "/form-submissions",
    "/forms",
    "/campaigns",
    "/linkedin-accounts",
    "/sync-status",
    "/linkedin-user-profiles",
    "/settings/users",
];

async fn sign_in(browser: &Browserlike, email: &str) -> Page {
    let address = browser.base().socket_addrs(|| None).unwrap().remove(0);
    eventually("the portal answers", Duration::from_secs(30), || async {
        std::net::TcpStream::connect(address).is_ok()
    })
    .await;
    let page = browser.get("/sign-in").await.expect(200);
    let wrong = [
        ("email", Some(email)),
        ("password", Some("wrong-password-canary")),
    ];
    browser.submit(&page, "Sign in", &wrong).await.expect(422);
    let fields = [("email", Some(email)), ("password", Some(PASSWORD))];
    browser
        .submit_and_follow(&page, "Sign in", &fields)
        .await
        .expect(200)
}

/// The six steps of connecting, through pages; answers what LinkedIn sent back: code and state.
async fn connect(installation: &Installation, browser: &Browserlike) -> Vec<String> {
    let page = browser.get("/linkedin-user-profiles/new").await.expect(200);
    let page = browser
        .submit_and_follow(&page, "Save", &[("name", Some("Logged"))])
        .await
        .expect(200);
    let answer = browser.submit(&page, "Authorize", &[]).await.expect(303);
    let member = installation.linkedin.members().remove(0);
    let back = sandbox::visit(
        answer.location().unwrap(),
        member.email,
        member.password,
        Decision::Allow,
    )
    .await
    .unwrap();
    let back = Url::parse(&back).unwrap();
    let target = format!("{}?{}", back.path(), back.query().unwrap());
    let page = browser.get(&target).await.expect(303);
    let page = browser.get(page.location().unwrap()).await.expect(200);
    browser.submit(&page, "Yes, confirm", &[]).await.expect(303);
    back.query_pairs()
        .map(|(_, value)| value.into_owned())
        .chain([member.email.to_owned(), member.password.to_owned()])
        .collect()
}

/// Texts of answers that say something about a person: not the choices that many share.
fn answers(installation: &Installation) -> Vec<String> {
    installation.database.texts(
        "SELECT email AS value FROM leads WHERE email IS NOT NULL \
         UNION SELECT work_email FROM leads WHERE work_email IS NOT NULL \
         UNION SELECT phone FROM leads WHERE phone IS NOT NULL \
         UNION SELECT mobile_phone FROM leads WHERE mobile_phone IS NOT NULL \
         UNION SELECT company_name FROM leads WHERE length(company_name) > 7 \
         UNION SELECT linkedin_profile_url FROM leads WHERE linkedin_profile_url IS NOT NULL \
         UNION SELECT description FROM leads WHERE length(description) > 7 \
         UNION SELECT name FROM form_submissions WHERE length(name) > 7 \
         UNION SELECT match_key FROM lead_match_keys",
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_sync_and_visits_of_pages_leave_no_personal_data_and_no_secret_in_the_log() {
    let mut installation = Installation::of(Plan {
        leads: 120,
        settings: vec![("LEADGEN_LOG", "trace".to_owned())],
        ..Plan::default()
    })
    .await;
    let seller: UserId = installation.add_person(
        "sally.canary@example.com",
        "Sally Canary-Seller",
        &[Role::Salesperson],
    );
    installation.add_person(
        "adam.canary@example.com",
        "Adam Canary-Admin",
        &[Role::Administrator],
    );
    installation.leave_address();
    let mut child = installation.program(["serve"]).command().spawn().unwrap();
    let collect = |mut from: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            from.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    let out = collect(Box::new(child.stdout.take().unwrap()));
    let err = collect(Box::new(child.stderr.take().unwrap()));

    let browser = installation.browser();
    let page = sign_in(&browser, "sally.canary@example.com").await;
    let mut secrets: BTreeSet<String> = [
        "sally.canary@example.com",
        "adam.canary@example.com",
        "Canary-Seller",
        "wrong-password-canary",
        PASSWORD,
        sandbox::CLIENT_SECRET,
        crate::support::SECRET_KEY,
        // The sandbox's tokens begin so.
        "AQX",
        "AQW",
        "Bearer ",
    ]
    .map(str::to_owned)
    .into();
    secrets.extend(page.csrf_token());
    secrets.extend(connect(&installation, &browser).await);
    eventually("the sync is through", Duration::from_secs(60), || async {
        installation
            .database
            .number("SELECT count(*) FROM form_submissions WHERE processing_state <> 'unprocessed'")
            >= 120
    })
    .await;
    let people = answers(&installation);
    assert!(people.len() > 100, "{}", people.len());
    let email = people.iter().find(|text| text.contains('@')).unwrap();
    for path in PAGES {
        browser.get(path).await;
    }
    for table in [
        ("leads", "/leads"),
        ("form_submissions", "/form-submissions"),
    ] {
        for id in installation
            .database
            .texts(&format!("SELECT id AS value FROM {} ORDER BY id", table.0))
            .iter()
            .take(5)
        {
            browser.get(&format!("{}/{id}", table.1)).await.expect(200);
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", email);
        browser
            .get(&format!("{}?{}", table.1, query.finish()))
            .await
            .expect(200);
    }
    secrets.extend(browser.cookies().into_values());
    signal(child.id(), "TERM");
    child.wait().unwrap();
    let log = out.join().unwrap() + &err.join().unwrap();
    assert!(
        log.len() > 20_000,
        "trace says more than {} bytes",
        log.len()
    );
    assert!(
        log.contains(seller.as_str()),
        "the log names people by their id"
    );

    secrets.extend(people.into_iter().filter(|text| text.len() > 7));
    // Percent-encoded, as an address would carry it.
    let encoded: Vec<String> = secrets
        .iter()
        .map(|text| url::form_urlencoded::byte_serialize(text.as_bytes()).collect())
        .collect();
    secrets.extend(encoded);
    let said: Vec<String> = secrets
        .iter()
        .filter(|text| log.contains(text.as_str()))
        .filter_map(|text| {
            let line = log.lines().find(|line| line.contains(text.as_str()))?;
            Some(format!(
                "{text}: {}",
                line.chars().take(300).collect::<String>()
            ))
        })
        .take(5)
        .collect();
    assert!(said.is_empty(), "{said:#?}");
}

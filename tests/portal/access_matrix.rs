//! The access matrix: every route × every role × {allowed, outside the group, consent withdrawn, policy disabled}.
//!
//! What is expected stands here, by what an address is about (product.md §1 and §6), and not in the words of the code: a route
//! whose beginning nobody named here fails the test.

use leadgen::domain::access::{Role, TokenRole};
use leadgen::domain::connections::Setting;
use leadgen::domain::groups::GroupName;
use leadgen::domain::ids::{GroupId, UserId};
use leadgen::sandbox::{self, Decision, SandboxHandle};
use leadgen::store::audit::Actor;
use leadgen::store::{connections, groups};
use leadgen::web::api;
use leadgen::web::routes::table;
use uuid::Uuid;

use crate::access::concrete;
use crate::api_program::{Program, json};
use crate::start::TestPortal;
use crate::support::records::{a_profile, accounts, authorize};
use crate::support::{Browserlike, Page, a_moment};

/// How the organisation, the person and the deployment stand to LinkedIn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Allowed,
    OutsideTheGroup,
    ConsentWithdrawn,
    PolicyDisabled,
}

const STATES: [State; 4] = [
    State::Allowed,
    State::OutsideTheGroup,
    State::ConsentWithdrawn,
    State::PolicyDisabled,
];

/// Whether the policy hides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Portal,
    LinkedIn,
}

/// Who: whoever signs the request as LinkedIn does · everybody, strangers too · everybody signed in · Administrator, Salesperson, Sales Manager by their letters.
const SIGNATURE: &str = "signature";
const PUBLIC: &str = "public";
const SIGNED_IN: &str = "signed in";

/// Address, what it is about, who may read it, who may change it. A line holds for everything below its address; the longest
/// address counts.
#[rustfmt::skip]
const PAGES: &[(&str, About, &str, &str)] = &[
    ("/",                                  About::Portal,   SIGNED_IN, SIGNED_IN),
    ("/sign-in",                           About::Portal,   PUBLIC,    PUBLIC),
    ("/invitations",                       About::Portal,   PUBLIC,    PUBLIC),
    ("/password-resets",                   About::Portal,   PUBLIC,    PUBLIC),
    ("/sign-out",                          About::Portal,   SIGNED_IN, SIGNED_IN),
    ("/account",                           About::Portal,   SIGNED_IN, SIGNED_IN),
    ("/account/consent",                   About::Portal,   SIGNED_IN, "AS"),
    ("/account/consent/withdrawal",        About::Portal,   SIGNED_IN, SIGNED_IN),
    ("/webhooks/linkedin",                 About::LinkedIn, SIGNATURE, SIGNATURE),
    ("/api/v1/openapi.json",               About::Portal,   PUBLIC,    PUBLIC),
    ("/api/reference",                     About::Portal,   PUBLIC,    PUBLIC),
    ("/dashboard",                         About::Portal,   "ASM",     ""),
    ("/dashboard.csv",                     About::Portal,   "ASM",     ""),
    ("/leads",                             About::Portal,   "ASM",     "AS"),
    ("/leads/views",                       About::Portal,   "ASM",     "ASM"),
    ("/leads/imports",                     About::Portal,   "AS",      "AS"),
    ("/leads/{id}/edit",                   About::Portal,   "AS",      "AS"),
    ("/leads/{id}/merge",                  About::Portal,   "AS",      "AS"),
    ("/leads/{id}/merges",                 About::Portal,   "AS",      "AS"),
    ("/leads/{id}/notes",                  About::Portal,   "AS",      "AS"),
    ("/linkedin-user-profiles",            About::LinkedIn, "AS",      "AS"),
    ("/linkedin",                          About::LinkedIn, "AS",      "AS"),
    ("/linkedin-accounts",                 About::LinkedIn, "AS",      "A"),
    ("/linkedin-accounts/{id}/sync-runs",  About::LinkedIn, "AS",      "AS"),
    ("/linkedin-accounts/{id}/pauses",     About::LinkedIn, "A",       "A"),
    ("/forms",                             About::LinkedIn, "AS",      "AS"),
    ("/campaigns",                         About::LinkedIn, "AS",      "AS"),
    ("/form-submissions",                  About::LinkedIn, "ASM",     "AS"),
    ("/form-submissions/acts",             About::LinkedIn, "AS",      "AS"),
    ("/form-submissions/{id}/candidates",  About::LinkedIn, "AS",      "AS"),
    ("/sync-status",                       About::LinkedIn, "ASM",     "A"),
    ("/sync-status/resets",                About::LinkedIn, "A",       "A"),
    ("/deliveries",                        About::Portal,   "ASM",     "A"),
    ("/settings",                          About::Portal,   "A",       "A"),
    ("/settings/setup/credential-checks",  About::LinkedIn, "A",       "A"),
];

/// The same for programs: R for tokens that read, S for those of S2S Inbound.
#[rustfmt::skip]
const API: &[(&str, About, &str, &str)] = &[
    ("/leads",               About::Portal,   "RS", "S"),
    ("/field-mappings",      About::Portal,   "RS", "S"),
    ("/matching-strategies", About::Portal,   "RS", "S"),
    ("/submissions",         About::LinkedIn, "RS", "S"),
    ("/accounts",            About::LinkedIn, "RS", "S"),
    ("/forms",               About::LinkedIn, "RS", "S"),
    ("/sync-status",         About::LinkedIn, "RS", "S"),
    ("/sync-runs",           About::LinkedIn, "RS", "S"),
];

/// What is expected of this method and address: what it is about, and who may.
fn expected(
    lines: &'static [(&str, About, &str, &str)],
    method: &str,
    path: &str,
) -> (About, &'static str) {
    let line = lines
        .iter()
        .filter(|(head, ..)| {
            path.strip_prefix(head)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|(head, ..)| head.len());
    let (_, about, read, change) =
        line.unwrap_or_else(|| panic!("{path}: say above what it is about, and who may"));
    (*about, if method == "GET" { read } else { change })
}

fn may(who: &str, roles: &[Role]) -> bool {
    [PUBLIC, SIGNED_IN].contains(&who)
        || roles.iter().any(|role| match role {
            Role::Administrator => who.contains('A'),
            Role::Salesperson => who.contains('S'),
            Role::SalesManager => who.contains('M'),
            Role::S2sInbound => false,
        })
}

async fn portal_in(state: State) -> (TestPortal, SandboxHandle) {
    let disabled = [("LEADGEN_POLICY_SHOW_LINKEDIN", "disabled")];
    TestPortal::with_sandbox(match state {
        State::PolicyDisabled => &disabled,
        _ => &[],
    })
    .await
}

/// Brings a person into the state, in the way in which it comes about.
fn bring_into(portal: &TestPortal, person: &UserId, state: State) {
    let conn = &mut portal.database.conn();
    let actor = Actor::system();
    match state {
        State::Allowed | State::PolicyDisabled => {}
        State::OutsideTheGroup => {
            let group = GroupId::new(Uuid::now_v7());
            let name = GroupName::check(&format!("Pilots {group}")).unwrap();
            groups::insert(conn, &group, &name, a_moment()).unwrap();
            let version = connections::get(conn).unwrap().lock_version;
            let choice = (Setting::SelectedGroup, Some(&group));
            connections::save(conn, choice, version, &actor, a_moment()).unwrap();
        }
        State::ConsentWithdrawn => {
            connections::withdraw_own(conn, person, &actor, a_moment()).unwrap();
        }
    }
}

async fn person_in(portal: &TestPortal, roles: &[Role], state: State) -> (UserId, Browserlike) {
    let browser = portal.sign_in_as(roles).await;
    let newest = "SELECT id FROM users ORDER BY id DESC LIMIT 1";
    let id: UserId = portal.database.texts(newest).remove(0).parse().unwrap();
    bring_into(portal, &id, state);
    (id, browser)
}

/// Every route for people, as far as it lets them: a change is sent without a form token, so that it goes no further.
async fn each_page_answers_as_the_product_says_in(state: State) {
    let (portal, sandbox) = portal_in(state).await;
    for roles in [
        vec![],
        vec![Role::Administrator],
        vec![Role::Salesperson],
        vec![Role::SalesManager],
        vec![Role::Salesperson, Role::SalesManager],
    ] {
        let (_, browser) = person_in(&portal, &roles, state).await;
        for line in table() {
            let path = concrete(line.path);
            let (about, who) = expected(PAGES, line.method.as_str(), line.path);
            let headers = [
                ("content-type", "application/x-www-form-urlencoded"),
                ("sec-fetch-site", "same-origin"),
            ];
            let method = line.method.as_str().parse().unwrap();
            let page = browser.request(method, &path, &headers, None).await;
            let what = format!(
                "{state:?} {roles:?} {} {path}: {}",
                line.method, page.status
            );
            let says = |words: &str| assert!(page.text().contains(words), "{what}: {words}");
            if who == SIGNATURE {
                // No role and no state makes up for it.
                assert!((400..500).contains(&page.status), "{what}");
            } else if state == State::PolicyDisabled && about == About::LinkedIn {
                assert_eq!(page.status, 403, "{what}");
                says("LinkedIn features are switched off for this portal");
                says("Ask whoever runs the portal’s server");
            } else if !may(who, &roles) {
                assert_eq!(page.status, 403, "{what}");
                says("You may not do this");
                says("Users and roles");
            } else if state == State::PolicyDisabled && path.ends_with("/consequences") {
                assert_eq!(page.status, 409, "{what}");
                says("Whoever runs this portal has switched LinkedIn features off");
            } else if line.method == "GET" {
                assert!(
                    matches!(page.status, 200 | 303 | 400 | 404) || path == "/linkedin/callback",
                    "{what}"
                );
            } else {
                assert_eq!(page.status, 403, "{what}");
                says("This form is no longer valid");
            }
        }
    }
    for role in TokenRole::ALL {
        let program = Program::new(&portal, *role);
        let letter = match role {
            TokenRole::ReadOnly => 'R',
            TokenRole::S2sInbound => 'S',
        };
        for line in api::routes::table() {
            let (about, who) = expected(API, line.method.as_str(), line.path);
            let path = concrete(line.path);
            let page = program.send(line.method.as_str(), &path, &[], None).await;
            let what = format!("{state:?} {role} {} {path}: {}", line.method, page.status);
            if !who.contains(letter) {
                assert_eq!(page.status, 403, "{what}");
            } else if state == State::PolicyDisabled && about == About::LinkedIn {
                assert_eq!(page.status, 403, "{what}");
                let detail = json(&page)["detail"].to_string();
                assert!(detail.contains("switched LinkedIn features off"), "{what}");
            } else {
                assert!(!matches!(page.status, 401 | 403 | 500..), "{what}");
            }
        }
    }
    assert!(sandbox.requests().is_empty(), "{:?}", sandbox.requests());
}

#[tokio::test]
async fn each_route_answers_each_role_as_the_product_says() {
    each_page_answers_as_the_product_says_in(State::Allowed).await;
}

#[tokio::test]
async fn outside_the_group_each_route_answers_each_role_as_the_product_says() {
    each_page_answers_as_the_product_says_in(State::OutsideTheGroup).await;
}

#[tokio::test]
async fn without_consent_each_route_answers_each_role_as_the_product_says() {
    each_page_answers_as_the_product_says_in(State::ConsentWithdrawn).await;
}

#[tokio::test]
async fn with_the_policy_disabled_each_route_answers_each_role_as_the_product_says() {
    each_page_answers_as_the_product_says_in(State::PolicyDisabled).await;
}

#[test]
fn every_line_of_the_expectation_is_about_a_route_that_exists() {
    for (head, ..) in PAGES {
        assert!(
            table().iter().any(|line| line.path.starts_with(head)),
            "{head}"
        );
    }
}

/// An act that uses LinkedIn in the person's name, as the routes have it.
const ACTS: [(&str, &str); 6] = [
    ("POST", "/account/consent"),
    ("POST", "/linkedin-user-profiles/{id}/authorizations"),
    ("GET", "/linkedin/callback"),
    ("POST", "/linkedin-user-profiles/{id}/confirmation"),
    ("POST", "/linkedin-user-profiles/{id}/sync-runs"),
    ("POST", "/linkedin-accounts/{id}/sync-runs"),
];

/// What a person finds who does it with everything that the page would have sent.
#[derive(Debug)]
struct Prepared {
    consent_page: String,
    /// LinkedIn's way back, which was not gone yet.
    back: String,
    /// A profile that waits for the organization to be confirmed.
    waiting: String,
    /// A profile that reads the account.
    reading: String,
    account: String,
}

/// Consents, and goes to LinkedIn and allows; answers the way back.
async fn to_linkedin(browser: &Browserlike, profile: &str, sandbox: &SandboxHandle) -> String {
    let path = format!("/linkedin-user-profiles/{profile}");
    let answer = browser
        .post_with_token_of(&path, &format!("{path}/authorizations"), &[])
        .await
        .expect(303);
    let member = sandbox.members().into_iter().next().unwrap();
    let (email, password) = (member.email, member.password);
    let at_linkedin = answer.location().unwrap().to_owned();
    sandbox::visit(&at_linkedin, email, password, Decision::Allow)
        .await
        .unwrap()
}

async fn prepare(
    portal: &TestPortal,
    browser: &Browserlike,
    person: &UserId,
    state: State,
    sandbox: &SandboxHandle,
) -> Prepared {
    let (going, waiting, reading, account) = {
        let conn = &mut portal.database.conn();
        let [going, waiting, reading] =
            ["Going", "Waiting", "Reading"].map(|name| a_profile(conn, person, name));
        authorize(
            conn,
            &reading,
            person,
            a_moment() + chrono::TimeDelta::days(50),
        );
        let account = accounts(conn, &reading, &["Acme"]).remove(0);
        (
            going.to_string(),
            waiting.to_string(),
            reading.to_string(),
            account.to_string(),
        )
    };
    let mut prepared = Prepared {
        consent_page: "/account/consent".to_owned(),
        back: "/linkedin/callback?state=none&code=none".to_owned(),
        waiting,
        reading,
        account,
    };
    if state != State::PolicyDisabled {
        let back = to_linkedin(browser, &prepared.waiting, sandbox).await;
        browser.visit(&back).await.expect(200);
        prepared.back = to_linkedin(browser, &going, sandbox).await;
    }
    prepared
}

/// Does it; the page on which the person ends up.
async fn act(browser: &Browserlike, which: usize, prepared: &Prepared) -> Page {
    let profile = |id: &str, rest: &str| format!("/linkedin-user-profiles/{id}/{rest}");
    let organization = leadgen::store::seed::BUILT_IN_ORGANIZATION;
    let from = prepared.consent_page.as_str();
    let page = match which {
        0 => {
            let fields = [("text_version", "1")];
            browser.post_with_token_of(from, from, &fields).await
        }
        1 => {
            let to = profile(&prepared.reading, "authorizations");
            browser.post_with_token_of(from, &to, &[]).await
        }
        2 => browser.visit(&prepared.back).await,
        3 => {
            let to = profile(&prepared.waiting, "confirmation");
            let fields = [("organization_id", organization)];
            browser.post_with_token_of(from, &to, &fields).await
        }
        4 => {
            let to = profile(&prepared.reading, "sync-runs");
            browser.post_with_token_of(from, &to, &[]).await
        }
        _ => {
            let to = format!("/linkedin-accounts/{}/sync-runs", prepared.account);
            browser.post_with_token_of(from, &to, &[]).await
        }
    };
    let is_at_home = page
        .location()
        .is_none_or(|to| to.starts_with('/') || to.starts_with(browser.base().as_str()));
    if is_at_home {
        browser.follow(page).await
    } else {
        page
    }
}

#[tokio::test]
async fn what_uses_linkedin_in_a_persons_name_asks_policy_group_and_consent() {
    const NOT_IN_GROUP: &str = "you are not a member of it";
    const POLICY: &str = "LinkedIn features are switched off";
    for line in ACTS {
        assert!(
            table()
                .iter()
                .any(|known| (known.method.as_str(), known.path) == line),
            "{line:?}"
        );
    }
    // In the order of ACTS: what the page says on which the person ends up.
    let says = |state| match state {
        State::Allowed => [
            "You consented.",
            "", // LinkedIn's own page.
            "Check and confirm",
            "The profile is authorized.",
            "being synchronized",
            "being synchronized",
        ],
        State::OutsideTheGroup => [
            NOT_IN_GROUP,
            NOT_IN_GROUP,
            "does not belong to this session",
            "Nothing waits for confirmation",
            NOT_IN_GROUP,
            NOT_IN_GROUP,
        ],
        State::ConsentWithdrawn => [
            "You consented.",
            "What is read from LinkedIn",
            "does not belong to this session",
            "Nothing waits for confirmation",
            "This profile is not authorized",
            "No authorized LinkedIn user profile reads this account",
        ],
        State::PolicyDisabled => [POLICY; 6],
    };
    for state in STATES {
        for role in [Role::Administrator, Role::Salesperson] {
            let (portal, sandbox) = portal_in(state).await;
            let (person, browser) = person_in(&portal, &[role], State::Allowed).await;
            let prepared = prepare(&portal, &browser, &person, state, &sandbox).await;
            bring_into(&portal, &person, state);
            sandbox.clear_requests();
            // Consent last: with it, the state would end.
            for which in [1, 2, 3, 4, 5, 0] {
                let page = act(&browser, which, &prepared).await;
                let words = says(state)[which];
                let what = format!("{state:?} {role} {:?}: {}", ACTS[which], page.status);
                if words.is_empty() {
                    let to = page.location().unwrap();
                    assert!(to.starts_with(&sandbox.oauth_url()), "{what}: {to}");
                    continue;
                }
                let text = page.text();
                assert!(text.contains(words), "{what}: {words}\n{text}");
            }
            if state != State::Allowed {
                assert!(sandbox.requests().is_empty(), "{state:?} {role}");
                let asked =
                    "SELECT count(*) FROM linkedin_accounts WHERE requested_trigger IS NOT NULL";
                assert_eq!(portal.database.number(asked), 0, "{state:?} {role}");
            }
        }
    }
}

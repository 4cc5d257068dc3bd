//! LinkedIn account connections by the steps of the seed: the three settings, the move into a group by a CSV file, the policy
//! of the deployment, and a person's own consent and withdrawal.

use fantoccini::Locator;
use leadgen::domain::access::Role;

use crate::support::chromium::Chromium;
use crate::support::installation::{Installation, Plan};

/// Settings › LinkedIn account connections → the answer → Save, through the page that lists whom it meets.
async fn set(browser: &Chromium, answer: &str, group: Option<&str>, meets: &str) {
    browser.click("LinkedIn account connections").await;
    browser.expect("Allow users to connect LinkedIn").await;
    browser.tick(answer, true).await;
    if let Some(group) = group {
        browser.choose("Group, for “Selected group”", group).await;
    }
    browser.click("Continue").await;
    browser.expect("What will happen").await;
    browser.expect(meets).await;
    browser.click("Save").await;
    browser
        .expect(&format!("LinkedIn account connections are set to {answer}"))
        .await;
}

/// Uploads a CSV file of addresses to the group that is open, looks at the results, and applies them.
async fn upload(browser: &Chromium, name: &str, text: &str, button: &str) {
    let file = std::env::temp_dir().join(format!("leadgen-{}-{name}", uuid::Uuid::new_v4()));
    std::fs::write(&file, text).unwrap();
    let field = browser
        .client()
        .find(Locator::Css("#field-file"))
        .await
        .unwrap();
    field.send_keys(&file.to_string_lossy()).await.unwrap();
    browser.click("Look the rows up").await;
    browser.expect("The result of each row").await;
    browser.screenshot("group-rows").await;
    browser.click(button).await;
    browser.expect("user was added").await;
    std::fs::remove_file(&file).unwrap();
}

/// Authorize → the text → LinkedIn’s own pages → confirm the organization. LinkedIn asks whoever allowed it before not again.
async fn authorize(browser: &Chromium, installation: &Installation, is_first: bool) {
    browser.click("Authorize").await;
    browser.expect("What is read from LinkedIn").await;
    browser.expect("What is not touched").await;
    browser.click("I consent, continue to LinkedIn").await;
    let member = installation.linkedin.members().remove(0);
    browser.fill("Email", member.email).await;
    browser.fill("Password", member.password).await;
    browser.click("Sign in").await;
    if is_first {
        browser.expect("would like to").await;
        browser.click("Allow").await;
    }
    browser.expect("Check and confirm the organization").await;
    browser.click("Yes, confirm").await;
    browser.expect("The profile is authorized.").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_organisation_decides_the_person_consents_and_each_can_end_it() {
    let mut installation = Installation::new().await;
    installation.add_person(
        "ada@example.com",
        "Ada Administrator",
        &[Role::Administrator],
    );
    installation.add_person("sam@example.com", "Sam Sales", &[Role::Salesperson]);
    installation.add_person("pia@example.com", "Pia Pilot", &[Role::Salesperson]);
    // As a fresh installation leaves it.
    installation.database.execute("DELETE FROM active_consents");
    installation
        .database
        .execute("UPDATE connection_settings SET setting = 'no'");
    installation.serve(true);
    let ada = Chromium::start(&installation.address()).await;
    ada.sign_in("ada@example.com").await;
    let sam = Chromium::start(&installation.address()).await;
    sam.sign_in("sam@example.com").await;

    // No: nobody may, and the page says whom to ask.
    sam.click("LinkedIn User Profile").await;
    sam.click("New").await;
    sam.fill("Name", "Sam’s ads").await;
    sam.click("Save").await;
    sam.expect("The organisation does not allow LinkedIn account connections")
        .await;
    sam.expect("Ask an Administrator").await;
    let profile = sam.place().await;

    // Yes: everybody may, once they have consented themselves.
    set(&ada, "Yes", None, "Nobody’s consent is withdrawn").await;
    sam.open(&profile).await;
    sam.expect("Not Authorized").await;
    authorize(&sam, &installation, true).await;

    // Selected group: the pilots move into a group by a CSV file; Sam is not among them.
    ada.click("Groups").await;
    ada.click("New group").await;
    ada.fill("Name", "Pilots").await;
    ada.click("Create group").await;
    let rows = "Name;E-Mail\r\nPia;pia@example.com\r\nPia again;PIA@example.com\r\nNobody;nobody@example.com\r\n";
    upload(&ada, "pilots.csv", rows, "Add 1 member").await;
    set(
        &ada,
        "Selected group",
        Some("Pilots (1 member)"),
        "Sam Sales",
    )
    .await;
    ada.expect("The consent of 1 person was withdrawn.").await;
    sam.open(&profile).await;
    sam.expect("Consent Withdrawn").await;
    sam.expect("You are not in the group that may connect LinkedIn")
        .await;

    // Sam joins, consents under My account, and withdraws there again.
    ada.click("Groups").await;
    ada.click("Pilots").await;
    upload(
        &ada,
        "more.csv",
        "\u{feff}email\nsam@example.com\n",
        "Add 1 member",
    )
    .await;
    sam.open("/account/consent").await;
    sam.click("I consent").await;
    sam.expect("You consented. You can withdraw it here at any time.")
        .await;
    sam.click("Withdraw my consent").await;
    sam.expect("Nothing more is read from LinkedIn in your name")
        .await;
    sam.click("Withdraw my consent").await;
    sam.expect("Your consent is withdrawn.").await;
    sam.open(&profile).await;
    authorize(&sam, &installation, false).await;

    // An Administrator looks through who has access, and says so.
    ada.click("LinkedIn account connections").await;
    ada.expect("Nobody has reviewed yet who has access").await;
    ada.click("Evidence").await;
    ada.expect("member of Pilots, with the role Salesperson")
        .await;
    ada.tick("I reviewed who has access", true).await;
    ada.fill("Note", "Both are pilots.").await;
    ada.click("Record the review").await;
    ada.expect("The access review is recorded.").await;
    ada.expect("Both are pilots.").await;
    ada.screenshot("evidence").await;

    // No: everybody's consent is withdrawn at once.
    set(&ada, "No", None, "Sam Sales").await;
    sam.open(&profile).await;
    sam.expect("Consent Withdrawn").await;
    sam.expect("The organisation does not allow LinkedIn account connections")
        .await;
    assert_eq!(
        installation
            .database
            .number("SELECT count(*) FROM linkedin_tokens"),
        0
    );
    assert_eq!(
        installation
            .database
            .number("SELECT count(*) FROM active_consents"),
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_says_disabled_hides_linkedin_and_no_page_can_switch_it_on() {
    let mut installation = Installation::of(Plan {
        settings: vec![("LEADGEN_POLICY_SHOW_LINKEDIN", "disabled".to_owned())],
        ..Plan::default()
    })
    .await;
    installation.add_person(
        "ada@example.com",
        "Ada Administrator",
        &[Role::Administrator],
    );
    installation.serve(true);
    let browser = Chromium::start(&installation.address()).await;
    browser.sign_in("ada@example.com").await;
    browser.click("LinkedIn account connections").await;
    browser
        .expect("LinkedIn features are switched off for this portal")
        .await;
    browser.expect("Ask whoever runs the portal’s server").await;
    let text = browser.text().await;
    for hidden in [
        "Continue",
        "LinkedIn User Profile",
        "Form Submissions",
        "Sync Status",
    ] {
        assert!(!text.contains(hidden), "{hidden}\n{text}");
    }
    browser.open("/linkedin-user-profiles").await;
    browser
        .expect("LinkedIn features are switched off for this portal")
        .await;
    browser.click("Leads").await;
    browser.expect("Leads").await;
    assert!(installation.linkedin.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_enabled_users_move_to_a_group_and_the_setting_names_it() {
    let mut installation = Installation::new().await;
    for (email, name, role) in [
        ("ada@example.com", "Ada Administrator", Role::Administrator),
        ("sam@example.com", "Sam Sales", Role::Salesperson),
        ("pia@example.com", "Pia Pilot", Role::Salesperson),
        ("old@example.com", "Olaf Old", Role::Salesperson),
        ("new@example.com", "Nora New", Role::Salesperson),
    ] {
        installation.add_person(email, name, &[role]);
    }
    installation.database.execute(
        "DELETE FROM active_consents; UPDATE connection_settings SET setting = 'no'; \
         UPDATE users SET is_enabled = FALSE WHERE email IN ('old@example.com', 'new@example.com');",
    );
    installation.serve(true);
    let browser = Chromium::start(&installation.address()).await;
    browser.sign_in("ada@example.com").await;

    // From the list: those that are enabled now, into a new group. Nothing is written before the change was looked at.
    browser.click("Users and roles").await;
    browser.choose("State", "Enabled").await;
    browser.click("Apply").await;
    browser.expect("Pia Pilot").await;
    let text = browser.text().await;
    assert!(!text.contains("Olaf Old"), "{text}");
    let enabled = "SELECT count(*) AS value FROM users WHERE is_enabled";
    let enabled = installation.database.number(enabled);
    let all = format!("All {enabled} that match the filter");
    browser.tick(&all, true).await;
    browser.fill("Name of a new group", "LinkedIn users").await;
    browser.click("Look at the change").await;
    browser
        .expect(&format!("{enabled} users are what the filter finds."))
        .await;
    browser.expect("Who becomes a member").await;
    browser.screenshot("group-move").await;
    assert_eq!(
        installation
            .database
            .number("SELECT count(*) AS value FROM groups"),
        0
    );
    browser.click("Move to the group").await;
    browser
        .expect(&format!("{enabled} users were added to the group."))
        .await;

    // Those of a list from elsewhere, by a file: who is a member already and who is unknown is said before.
    let rows = "E-mail\nsam@example.com\nnew@example.com\nnobody@example.com\n";
    upload(&browser, "users.csv", rows, "Add 1 member").await;
    browser.expect("new@example.com").await;

    // The setting lets this group connect, and nobody else.
    let option = format!("LinkedIn users ({} members)", enabled + 1);
    set(
        &browser,
        "Selected group",
        Some(&option),
        "Nobody’s consent is withdrawn",
    )
    .await;
    browser.click("LinkedIn account connections").await;
    browser.expect("LinkedIn users").await;
    assert_eq!(
        installation.database.texts(
            "SELECT s.setting || ' ' || g.name AS value FROM connection_settings s JOIN groups g ON g.id = s.selected_group_id"
        ),
        ["selected_group LinkedIn users"]
    );
}

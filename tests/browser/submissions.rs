//! What a salesperson does about submissions that made no lead: look, compare, link, turn into a lead, ignore, take back.

use leadgen::domain::access::Role;
use leadgen::sandbox::Submission;

use crate::support::chromium::Chromium;
use crate::support::installation::Installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submissions_without_a_lead_are_found_and_settled_and_what_was_done_is_taken_back() {
    let installation = Installation::at_work().await;
    installation.add_person("sam@example.com", "Sam Sales", &[Role::Salesperson]);
    // Two fields must match, and a namesake at another address matches only one of them.
    installation.database.execute(
        "INSERT INTO matching_strategy_fields (strategy_id, field, position) \
         SELECT id, 'last_name', 2 FROM matching_strategies WHERE is_active",
    );
    let account = installation.linkedin.accounts()[0].id;
    let form = installation
        .linkedin
        .forms()
        .into_iter()
        .find(|form| {
            form.owner.ends_with(&format!(":{account}"))
                && form
                    .questions
                    .iter()
                    .any(|question| question.predefined.as_deref() == Some("EMAIL"))
        })
        .expect("a form of the account asks for the address");
    let submit = |first: &str, email: &str, seconds_ago: i64| {
        let answers = [
            ("FIRST_NAME", first),
            ("LAST_NAME", "Walker"),
            ("EMAIL", email),
        ];
        installation
            .linkedin
            .submit(&Submission {
                form_id: Some(form.id),
                submitted_at_ms: Some(
                    installation.linkedin.now().timestamp_millis() - seconds_ago * 1_000,
                ),
                answers: answers
                    .map(|(field, text)| (field.to_owned(), text.to_owned()))
                    .into(),
                ..Submission::default()
            })
            .expect("the sandbox takes the submission");
    };
    submit("Wanda", "wanda@walk.example", 40);
    installation.make_due();
    installation.sync().await;
    submit("Wanda", "w@walk.example", 30);
    submit("Willy", "willy@walk.example", 20);
    submit("Wilma", "wilma@walk.example", 10);
    installation.make_due();
    installation.sync().await;

    let browser = Chromium::start(&installation.address()).await;
    browser.sign_in("sam@example.com").await;
    browser.click("Form Submissions").await;
    browser.fill("Name", "walker").await;
    browser.choose("Matching status", "Match failed").await;
    browser.click("Apply").await;
    browser.expect("3 submissions").await;
    browser.expect("Matching status: Match failed").await;
    let file = browser.download(&browser.link("Download CSV").await).await;
    assert_eq!(file.lines().count(), 4, "exactly what is filtered: {file}");

    // One after the other, inside of the filter.
    browser.click("Wilma Walker").await;
    browser.expect("Decision").await;
    browser.click("Older").await;
    browser.expect("Willy Walker").await;
    browser.click("Turn into a lead").await;
    browser.expect("1 made a lead").await;
    browser.click("Undo").await;
    browser.expect("Made a lead by Sam Sales").await;
    browser.click("Undo").await;
    browser.expect("Match failed").await;
    assert_eq!(
        installation
            .database
            .number("SELECT count(*) FROM leads WHERE email = 'willy@walk.example'"),
        0
    );

    // Side by side with the lead that it may belong to.
    browser
        .open("/form-submissions?q=wanda&status=match_failed")
        .await;
    browser.click("Wanda Walker").await;
    browser.click("Compare with leads").await;
    browser.expect("Which lead does it belong to?").await;
    browser.click("Link to Wanda Walker").await;
    browser.expect("Updated existing lead").await;

    // The rest at once, with a reason that is asked for once only.
    browser
        .open("/form-submissions?status=match_failed&q=walker")
        .await;
    browser.expect("2 submissions").await;
    browser.choose("What to do", "Ignore").await;
    browser.choose("With", "all 2 matching the filter").await;
    browser
        .fill("Reason, to ignore", "Tried out at the fair")
        .await;
    browser.click("Do it").await;
    browser.expect("Ignore: 2 submissions").await;
    browser.click("Ignore").await;
    browser.expect("Ignored 2 submissions").await;
    browser.open("/form-submissions?q=wilma").await;
    browser.click("Wilma Walker").await;
    browser.expect("Tried out at the fair").await;
    browser.click("Bring back").await;
    browser.expect("Brought back 1 submission").await;
}

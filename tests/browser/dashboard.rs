//! A Sales Manager reads: the period, a bar that filters everything, the numbers behind a chart, the file, the weekly page.

use leadgen::domain::access::Role;

use crate::support::chromium::Chromium;
use crate::support::installation::Installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bar_filters_everything_and_every_chart_has_its_numbers() {
    let installation = Installation::at_work().await;
    installation.add_person("mia@example.com", "Mia Manager", &[Role::SalesManager]);
    let browser = Chromium::start(&installation.address()).await;
    browser.sign_in("mia@example.com").await;
    browser.expect("Dashboard").await;
    browser.open("/dashboard?period=90_days").await;
    browser.expect_after_reloads("one bar a week").await;
    let source = "LinkedIn Sponsored Content";
    browser.expect(source).await;
    browser
        .measure(
            "document.querySelector('main a[href*=\"source=linkedin_sponsored_content\"]').dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))",
        )
        .await;
    browser.expect(&format!("Source: {source}")).await;
    assert!(
        browser
            .place()
            .await
            .contains("source=linkedin_sponsored_content")
    );

    let numbers = browser
        .measure("return document.querySelectorAll('main details table').length")
        .await;
    assert!(
        numbers.as_u64().unwrap() >= 7,
        "a table behind each chart: {numbers}"
    );
    let file = browser
        .measure(
            "return document.querySelector('main a[href*=\"dashboard.csv\"]').getAttribute('href')",
        )
        .await;
    let file = browser.download(file.as_str().unwrap()).await;
    assert!(file.lines().count() > 1, "{file}");
    browser.screenshot("dashboard-filtered").await;

    browser.open("/dashboard").await;
    browser.click("Weekly page to print").await;
    browser.expect("Week").await;
    // Nothing for her to change.
    browser.open("/settings/field-mappings").await;
    browser.expect("You may not do this").await;
}

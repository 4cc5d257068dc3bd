//! Coming from the Microsoft connector: upload, what every row becomes, and bringing it along.

use reqwest::Method;

use crate::settings_pages::{audited_changes, seeded};
use crate::support::{Browserlike, Page};

const PATH: &str = "/settings/microsoft-connector";

/// Sends a file as a browser does.
async fn upload(browser: &Browserlike, name: &str, file: &str) -> Page {
    let token = browser.get(PATH).await.expect(200).csrf_token().unwrap();
    let body = format!(
        "--xXx\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n\
         --xXx\r\nContent-Disposition: form-data; name=\"table\"\r\n\r\n\r\n\
         --xXx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/csv\r\n\r\n\
         {file}\r\n--xXx--\r\n"
    );
    let origin = browser.base().origin().ascii_serialization();
    let headers = [
        ("content-type", "multipart/form-data; boundary=xXx"),
        ("origin", origin.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    let page = browser
        .request(
            Method::POST,
            &format!("{PATH}/files"),
            &headers,
            Some(body.into_bytes()),
        )
        .await;
    browser.follow(page).await
}

const MAPPINGS: &str = "msdyncrm_linkedinfieldmappingid,msdyncrm_name,msdyncrm_linkedinpredefinedfield,msdyncrm_leadfield\n\
    0f8fad5b-d9cb-469f-a165-70867728950e,Email,EMAIL,emailaddress1\n\
    7c9e6679-7425-40de-944b-e07fc1f90ae7,What do you need?,,description\n\
    1b4e28ba-2fa1-11d2-883f-0016d3cca427,Shoe size,,new_shoesize";
const STRATEGIES: &str = "Name,Activated\nBy need,Yes";
const JOINS: &str = "msdyncrm_linkedinleadmatchingstrategy,msdyncrm_linkedinfieldmapping\nBy need,What do you need?";

#[tokio::test]
async fn mappings_and_strategies_are_shown_first_and_brought_along_once() {
    let (portal, browser) = seeded().await;
    let mappings = || {
        portal
            .database
            .number("SELECT count(*) FROM field_mappings")
    };
    let before = mappings();
    browser
        .get(PATH)
        .await
        .expect(200)
        .expect_text("Nothing is uploaded yet");
    for (name, file) in [
        ("mappings.csv", MAPPINGS),
        ("strategies.csv", STRATEGIES),
        ("joins.csv", JOINS),
    ] {
        upload(&browser, name, file)
            .await
            .expect(200)
            .expect_text("Nothing is brought along yet");
    }
    browser
        .get(&format!("{PATH}/rows?table=field_mappings"))
        .await
        .expect(200)
        .expect_text("The mapping “EMAIL → Email” does the same.")
        .expect_text("No lead field here takes the column “new_shoesize”")
        .expect_text("the question “What do you need?” goes to Description");
    assert_eq!(
        mappings(),
        before,
        "nothing is written before somebody says so"
    );

    // What stands in the way is mended, and looked at again.
    portal.database.execute(
        "INSERT INTO custom_fields (name, label, kind, choices, is_retired, created_at, updated_at, lock_version) \
         VALUES ('new_shoesize', 'Shoe size', 'text', '[]', FALSE, '2026-01-01 00:00:00', '2026-01-01 00:00:00', 0)",
    );
    let page = browser.get(PATH).await;
    let page = browser
        .submit_and_follow(&page, "Check again", &[])
        .await
        .expect(200)
        .expect_text("Bring 4 records along");
    browser
        .submit_and_follow(&page, "Bring 4 records along", &[])
        .await
        .expect(200)
        .expect_text("4 records were brought along");
    assert_eq!(mappings(), before + 2);
    assert_eq!(
        portal
            .database
            .texts("SELECT name FROM matching_strategies WHERE NOT is_active ORDER BY name"),
        ["By need"]
    );

    // The same files again: everything is here.
    for (name, file) in [
        ("mappings.csv", MAPPINGS),
        ("strategies.csv", STRATEGIES),
        ("joins.csv", JOINS),
    ] {
        upload(&browser, name, file).await.expect(200);
    }
    let page = browser.get(PATH).await.expect(200);
    assert!(!page.body.contains("/application"), "{}", page.text());
    assert_eq!(mappings(), before + 2);
    browser
        .submit_and_follow(&page, "Throw the uploaded rows away", &[])
        .await
        .expect_text("What was brought along stays");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM connector_records"),
        0
    );
    assert_eq!(mappings(), before + 2);
    assert!(
        audited_changes(&portal)
            .iter()
            .any(|action| action.contains("microsoft_connector.brought_along"))
    );
}

#[tokio::test]
async fn what_is_no_table_of_the_connector_is_refused_at_its_field() {
    let (portal, browser) = seeded().await;
    for (file, message) in [
        ("", "The file is empty"),
        ("First name,Last name\nAda,Lovelace", "those of no table"),
        ("msdyncrm_leadfieldlookup\n\n", "No row of the file"),
        ("PK\u{3}\u{4}", "an Excel workbook"),
    ] {
        upload(&browser, "a.csv", file)
            .await
            .expect(422)
            .expect_text(message);
    }
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM connector_records"),
        0
    );
}

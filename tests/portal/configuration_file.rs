//! Export and import of the configuration over HTTP.

use leadgen::domain::access::Role;
use reqwest::Method;

use crate::settings_pages::{STRANGE_TEXTS, audited_changes, seeded};
use crate::support::{Browserlike, Page, a_form, a_submission, a_user};

const PATH: &str = "/settings/configuration";

async fn exported(browser: &Browserlike) -> serde_json::Value {
    let page = browser
        .get("/settings/configuration/export")
        .await
        .expect(200);
    assert!(
        page.header("content-disposition")
            .unwrap()
            .contains("attachment")
    );
    serde_json::from_str(&page.body).unwrap()
}

/// Sends the form as a browser does, with a chosen file.
async fn upload(browser: &Browserlike, path: &str, token: &str, file: &[u8]) -> Page {
    let mut body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n\r\n\
         --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.json\"\r\nContent-Type: application/json\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--x--\r\n");
    let origin = browser.base().origin().ascii_serialization();
    let headers = [
        ("content-type", "multipart/form-data; boundary=x"),
        ("origin", origin.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    browser
        .request(Method::POST, path, &headers, Some(body))
        .await
}

async fn preview(browser: &Browserlike, file: &str) -> Page {
    let page = browser.get(PATH).await.expect(200);
    browser
        .submit(
            &page,
            "Preview the import",
            &[("text", Some(file)), ("file", None)],
        )
        .await
}

#[tokio::test]
async fn what_is_exported_is_imported_again_and_changes_nothing() {
    let (_portal, browser) = seeded().await;
    let file = serde_json::to_string_pretty(&exported(&browser).await).unwrap();
    preview(&browser, &file)
        .await
        .expect(200)
        .expect_text("The file changes nothing");
    let token = browser.get(PATH).await.csrf_token().unwrap();
    upload(
        &browser,
        "/settings/configuration/preview",
        &token,
        file.as_bytes(),
    )
    .await
    .expect(200)
    .expect_text("The file changes nothing");
}

#[tokio::test]
async fn an_import_is_previewed_and_then_applied_whole() {
    let (portal, browser) = seeded().await;
    let mut conn = portal.database.conn();
    let form = a_form().name("Spring fair").insert(&mut conn);
    a_submission()
        .of(&form)
        .answer(4, "A crane")
        .insert(&mut conn);
    a_user()
        .email("sam@example.com")
        .name("Sam")
        .insert(&mut conn);
    let number = portal.database.number("SELECT linkedin_id FROM lead_forms");
    let mut file = exported(&browser).await;
    let mappings = file["field_mappings"].as_array_mut().unwrap();
    let before = mappings.len();
    mappings.retain(|one| one["target"] != "degree");
    mappings[0]["policy"] = "append".into();
    mappings.push(serde_json::json!({
        "name": "Need", "form": number, "source": { "kind": "question_text", "key": "What do you need?" },
        "target": "description", "policy": "append", "position": 90,
        "transforms": [{ "type": "upper" }],
    }));
    file["matching_strategies"] = serde_json::json!([
        { "name": "By phone", "fields": ["phone"], "is_active": true },
        { "name": "E-mail address", "fields": ["email", "last_name"], "is_active": false },
    ]);
    file["integration_configuration"]["matching"]["default_country"] = "DE".into();
    file["integration_configuration"]["fallback_owner"] = "SAM@example.com".into();
    file["assignment_rules"] = serde_json::json!([
        { "condition": { "kind": "form", "linkedin_id": number }, "owner": "sam@example.com" },
    ]);
    let page = preview(&browser, &file.to_string())
        .await
        .expect(200)
        .expect_text("By phone")
        .expect_text("A CRANE")
        .expect_text("1 of the latest 1 submissions gives other values")
        .expect_text("default_country");
    assert_eq!(audited_changes(&portal), Vec::<String>::new());
    let second = browser.get(PATH).await.expect(200);
    assert!(second.text().contains("Download the file"));
    browser
        .submit_and_follow(&page, "Import", &[])
        .await
        .expect(200)
        .expect_text("The file was imported");
    assert_eq!(
        portal
            .database
            .texts("SELECT name FROM matching_strategies WHERE is_active"),
        ["By phone"]
    );
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM field_mappings"),
        i64::try_from(before).unwrap()
    );
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM assignment_rules"),
        1
    );
    assert_eq!(audited_changes(&portal), ["configuration.imported"]);
    // The file read back says the same as the file that was sent.
    preview(&browser, &file.to_string())
        .await
        .expect(200)
        .expect_text("fallback_owner: sam@example.com");
    // What was previewed on another state is not applied.
    browser
        .submit(&page, "Import", &[])
        .await
        .expect(409)
        .expect_text("changed by somebody else");
}

#[tokio::test]
async fn a_bad_file_is_refused_with_the_place_and_nothing_changes() {
    let (portal, browser) = seeded().await;
    let good = exported(&browser).await;
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut file = good.clone();
        change(&mut file);
        file.to_string()
    };
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "Choose a file, or paste its text."),
        ("{".to_owned(), "line 1, column 1"),
        ("[]".to_owned(), "line 1"),
        (
            with(&|file| file["version"] = 2.into()),
            "version : This portal reads version 1",
        ),
        (with(&|file| file["extra"] = 1.into()), "unknown field"),
        (
            with(&|file| file["field_mappings"][0]["form"] = 7.into()),
            "field_mappings[0].form : No form here has LinkedIn’s id 7",
        ),
        (
            with(&|file| file["field_mappings"] = serde_json::json!([])),
            "matching_strategies[0].fields",
        ),
        (
            with(&|file| file["matching_strategies"][0]["is_active"] = false.into()),
            "Exactly one strategy",
        ),
        (
            with(&|file| {
                file["integration_configuration"]["fallback_owner"] = "nobody@example.com".into()
            }),
            "integration_configuration.fallback_owner",
        ),
        (
            with(&|file| file["field_mappings"][0]["name"] = "a\0b".into()),
            "field_mappings[0].name : This text holds a NUL character",
        ),
    ];
    for (file, told) in cases {
        preview(&browser, &file).await.expect(422).expect_text(told);
    }
    for text in STRANGE_TEXTS {
        let page = preview(&browser, text).await.expect(422);
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"));
        let named = with(&|file| file["field_mappings"][0]["name"] = (*text).into());
        let page = preview(&browser, &named).await.expect(200);
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"));
    }
    let token = browser.get(PATH).await.csrf_token().unwrap();
    upload(
        &browser,
        "/settings/configuration/preview",
        &token,
        b"\xff\xfe{}",
    )
    .await
    .expect(422)
    .expect_text("not UTF-8");
    assert_eq!(audited_changes(&portal), Vec::<String>::new());
}

#[tokio::test]
async fn an_upload_needs_its_token_and_somebody_who_may() {
    let (portal, browser) = seeded().await;
    let path = "/settings/configuration/preview";
    for token in ["", "wrong"] {
        upload(&browser, path, token, b"{}").await.expect(403);
    }
    let salesperson = portal.sign_in_as(&[Role::Salesperson]).await;
    let token = salesperson.get("/account").await.csrf_token().unwrap();
    upload(&salesperson, path, &token, b"{}").await.expect(403);
    let token = browser.get(PATH).await.csrf_token().unwrap();
    let large = vec![b' '; 9 * 1024 * 1024];
    upload(&browser, path, &token, &large).await.expect(413);
    // Uploads are for signed-in people: the sign-in form takes none.
    let stranger = Browserlike::new(browser.base().as_str());
    stranger.get("/sign-in").await.expect(200);
    upload(&stranger, "/sign-in", "", b"{}").await.expect(415);
}

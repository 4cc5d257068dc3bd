//! Imports of leads over HTTP: upload, columns, check, import, result by row, undo.

use std::time::Duration;

use leadgen::domain::access::Role;
use leadgen::domain::lead::LeadField;
use leadgen::store::{match_keys, matching_strategies};

use crate::start::TestPortal;
use crate::support::records::{a_lead, a_user, save_lead};
use crate::support::{Browserlike, Page, eventually};

/// Sends a file as a browser does.
async fn upload(browser: &Browserlike, name: &str, bytes: &[u8]) -> Page {
    let token = browser
        .get("/leads/imports/new")
        .await
        .expect(200)
        .csrf_token()
        .unwrap();
    let mut body = format!(
        "--xXx\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n\
         --xXx\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n\r\n\
         --xXx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/csv\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--xXx--\r\n");
    let origin = browser.base().origin().ascii_serialization();
    let headers = [
        ("content-type", "multipart/form-data; boundary=xXx"),
        ("origin", origin.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    browser
        .request(
            reqwest::Method::POST,
            "/leads/imports",
            &headers,
            Some(body),
        )
        .await
}

/// The address of the import once nothing works on it any more, and its page then.
async fn settled(browser: &Browserlike, path: &str) -> Page {
    eventually("the import rests", Duration::from_secs(120), || async {
        !browser.get(path).await.body.contains("data-refresh")
    })
    .await;
    browser.get(path).await.expect(200)
}

/// Uploads, takes the guesses with these changes, and waits for the check.
async fn checked(
    browser: &Browserlike,
    text: &str,
    changes: &[(&str, Option<&str>)],
) -> (String, Page) {
    let sent = upload(browser, "leads.csv", text.as_bytes())
        .await
        .expect(303);
    let path = sent.location().unwrap().to_owned();
    let columns = browser.follow(sent).await.expect(200);
    browser
        .submit(&columns, "Check the rows", changes)
        .await
        .expect(303);
    let page = settled(browser, &path).await;
    (path, page)
}

async fn imported(
    browser: &Browserlike,
    text: &str,
    changes: &[(&str, Option<&str>)],
) -> (String, Page) {
    let (path, page) = checked(browser, text, changes).await;
    browser.submit(&page, "application", &[]).await.expect(303);
    let page = settled(browser, &path).await;
    (path, page)
}

/// A lead with its match keys, as the sync or a person would have made it.
fn known_lead(portal: &TestPortal, values: &[(LeadField, &str)]) -> String {
    let conn = &mut portal.database.conn();
    let owner = a_user(conn, "Olga Owner", &[Role::Salesperson]);
    let lead = a_lead(&owner, values);
    save_lead(conn, &lead);
    let strategy = matching_strategies::active(conn).unwrap();
    let keys = match_keys::keys_of(&strategy, &lead.values, None);
    match_keys::replace(conn, &[(lead.id.clone(), keys)]).unwrap();
    lead.id.as_str().to_owned()
}

const FILE: &str = "First Name;Last Name;E-Mail;Company;Favourite colour\r\n\
    Ada;Lovelace;ada@acme.example;\"Acme; Ltd\";blue\r\n\
    Grace;Hopper;grace@navy.example;Navy;red\r\n\
    Alan;Turing;not an address;Bletchley;green\r\n\
    ;;;;\r\n\
    Grace;Brewster Hopper;GRACE@navy.example;Navy;red\r\n";

#[tokio::test]
async fn a_file_goes_from_upload_to_leads_with_a_result_for_every_row() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let known = known_lead(
        &portal,
        &[
            (LeadField::Email, "ada@acme.example"),
            (LeadField::LastName, "Byron"),
        ],
    );
    browser
        .get("/leads/imports")
        .await
        .expect(200)
        .expect_text("No imports yet");
    let sent = upload(&browser, "leads.csv", FILE.as_bytes())
        .await
        .expect(303);
    let path = sent.location().unwrap().to_owned();
    let columns = browser
        .follow(sent)
        .await
        .expect(200)
        .expect_text("5 rows were read as UTF-8, values separated by semicolons")
        .expect_text("Acme; Ltd");
    browser
        .submit(&columns, "Check the rows", &[])
        .await
        .expect(303);
    let preview = settled(&browser, &path)
        .await
        .expect_text("Nothing is written yet")
        .expect_text("Import 2 rows")
        .expect_text("Email: The value is no e-mail address.")
        .expect_text("are all empty")
        .expect_text("Acme; Ltd");
    assert_eq!(portal.database.number("SELECT count(*) FROM leads"), 1);
    browser
        .submit(&preview, "Import 2 rows", &[])
        .await
        .expect(303);
    let result = settled(&browser, &path)
        .await
        .expect_text("Imported")
        .expect_text("Grace");
    assert_eq!(portal.database.number("SELECT count(*) FROM leads"), 2);
    // Filled, not overwritten; the repeated row updates the lead that the file made.
    assert_eq!(
        portal
            .database
            .texts("SELECT last_name FROM leads ORDER BY last_name"),
        ["Byron", "Hopper"]
    );
    assert_eq!(
        portal.database.texts(&format!(
            "SELECT company_name FROM leads WHERE id = '{known}'"
        )),
        ["Acme; Ltd"]
    );
    assert_eq!(
        portal
            .database
            .texts("SELECT outcome FROM lead_import_rows ORDER BY row_number"),
        ["updated", "created", "invalid", "skipped", "skipped"]
    );
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM lead_match_keys WHERE match_key = 'grace@navy.example'"),
        1
    );
    browser
        .get(&result.link("Grace Hopper"))
        .await
        .expect(200)
        .expect_text("Created by an import")
        .expect_text("Import");
    let filtered = browser
        .get(&format!("{path}?outcome=invalid"))
        .await
        .expect(200);
    filtered.expect_text("Alan").expect_no_text("Grace");
    let failed = browser.get(&format!("{path}/failed.csv")).await.expect(200);
    assert!(failed.body.contains("Alan,Turing,not an address,Bletchley,green,4,Invalid,Email: The value is no e-mail address."), "{}", failed.body);
    let audit = portal.audit();
    for action in ["lead_import.uploaded", "lead_import.started"] {
        assert!(audit.contains(&action.to_owned()), "{audit:?}");
    }
}

#[tokio::test]
async fn rows_that_failed_can_be_mended_and_imported_again() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let (path, _) = checked(
        &browser,
        "Last name,Phone,Email\n=Formula,+1-555-0100,nobody\n",
        &[],
    )
    .await;
    let failed = browser.get(&format!("{path}/failed.csv")).await.expect(200);
    assert!(
        failed.body.contains("'=Formula,'+1-555-0100,nobody"),
        "{}",
        failed.body
    );
    let mended = failed.body.replace("nobody", "x@example.com");
    imported(&browser, &mended, &[])
        .await
        .1
        .expect_text("=Formula");
    assert_eq!(
        portal.database.texts("SELECT last_name FROM leads"),
        ["=Formula"]
    );
    assert_eq!(
        portal.database.texts("SELECT phone FROM leads"),
        ["+1-555-0100"]
    );
}

#[tokio::test]
async fn matching_leads_are_overwritten_or_skipped_as_chosen() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    known_lead(
        &portal,
        &[
            (LeadField::Email, "ada@acme.example"),
            (LeadField::LastName, "Byron"),
        ],
    );
    let text = "Email,Last name,Status\nADA@acme.example,King,contacted\n";
    let (_, page) = imported(&browser, text, &[("on_match", Some("overwrite"))]).await;
    page.expect_text("Byron");
    assert_eq!(
        portal.database.texts("SELECT last_name FROM leads"),
        ["King"]
    );
    assert_eq!(
        portal.database.texts("SELECT status FROM leads"),
        ["contacted"]
    );
    let (_, page) = checked(&browser, text, &[("on_match", Some("skip"))]).await;
    page.expect_text("such rows are to be skipped")
        .expect_text("There is nothing to import");
    let (_, page) = checked(&browser, text, &[("on_match", Some("overwrite"))]).await;
    page.expect_text("holds the same values already");
    let (_, page) = checked(&browser, text, &[("match_by", Some("nothing"))]).await;
    page.expect_text("Import 1 row");
    portal
        .database
        .execute("UPDATE leads SET status = 'qualified'");
    let (_, page) = checked(&browser, text, &[("match_by", Some("email"))]).await;
    page.expect_text("is closed (Qualified or Disqualified)");
}

#[tokio::test]
async fn undo_deletes_and_restores_what_nobody_touched_and_says_what_it_left_alone() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    let known = known_lead(
        &portal,
        &[
            (LeadField::Email, "ada@acme.example"),
            (LeadField::LastName, "Byron"),
        ],
    );
    let text = "Email,Last name,City\nada@acme.example,King,London\nnew@acme.example,New,Paris\nkept@acme.example,Kept,Rome\nNEW@acme.example,New,Lyon\n";
    let (path, page) = imported(&browser, text, &[("on_match", Some("overwrite"))]).await;
    assert_eq!(portal.database.number("SELECT count(*) FROM leads"), 3);
    // Somebody works on one of the new leads, and on the city of the old one.
    for (name, field, value) in [("Kept", "job_title", "Pope"), ("King", "city", "Oxford")] {
        let lead = browser.get(&page.link(name)).await.expect(200);
        let edit = browser
            .get(&format!("{}/edit", lead.url.path()))
            .await
            .expect(200);
        browser
            .submit_and_follow(&edit, "Save", &[(field, Some(value))])
            .await
            .expect(200);
    }
    let ask = browser
        .get(&format!("{path}/undoing"))
        .await
        .expect(200)
        .expect_text("Undo this import?");
    browser
        .submit(&ask, "Undo the import", &[])
        .await
        .expect(303);
    settled(&browser, &path)
        .await
        .expect_text("1 leads deleted, 1 leads restored, 1 left alone")
        .expect_text("so it was not deleted")
        .expect_text("One value was left alone");
    assert_eq!(
        portal
            .database
            .texts("SELECT last_name FROM leads ORDER BY last_name"),
        ["Byron", "Kept"]
    );
    assert_eq!(
        portal
            .database
            .texts(&format!("SELECT city FROM leads WHERE id = '{known}'")),
        ["Oxford"]
    );
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM lead_match_keys"),
        2
    );
    // Undone once is undone.
    browser
        .post_with_token_of("/leads/imports/new", &format!("{path}/undoing"), &[])
        .await
        .expect(409);
    assert!(portal.audit().contains(&"lead_import.undone".to_owned()));
}

#[tokio::test]
async fn hostile_files_are_refused_or_imported_as_text_and_nothing_breaks() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let unbalanced = format!("a,b\n\"never closed,{}", "x\n".repeat(700_000));
    let wide = vec!["h"; 1_000].join(",");
    let binary: Vec<u8> = (0..=255_u8).cycle().take(5_000).collect();
    for (bytes, words) in [
        (&b""[..], "Choose a file"),
        (b"\xEF\xBB\xBF\n", "is empty"),
        (b"PK\x03\x04\x14\0", "Excel workbook"),
        (&binary, "is no text"),
        (b"Email,Name\n", "a header but no rows"),
        (unbalanced.as_bytes(), "never closed"),
        (wide.as_bytes(), "has 1000 columns"),
    ] {
        upload(&browser, "x.csv", bytes)
            .await
            .expect(422)
            .expect_text(words);
    }
    assert_eq!(
        portal.database.number("SELECT count(*) FROM lead_imports"),
        0
    );
    let long = "ü".repeat(4_000);
    let text = format!(
        "email,EMAIL,Last name,<script>alert(1)</script>,City\n\
         a@b.de,c@d.de,<script>alert(1)</script>\u{202e}🦊,x,\"=HYPERLINK(\"\"http://x\"\")\"\n\
         b@b.de,,Nul\0,x,Y\nc@b.de,,{long},x,Y\nd@b.de,,Six,x,Y,extra\ne@b.de,,Robert'); DROP TABLE leads;--,x,Y\n"
    );
    let (path, page) = imported(&browser, &text, &[]).await;
    let page = page
        .expect_text("a character that cannot be stored")
        .expect_text("too long for its field")
        .expect_text("The row has 6 values, but the header names 5 columns.")
        .expect_text("Robert'); DROP TABLE leads;--");
    crate::records_world::shows_hostile_text_as_text(&page);
    assert_eq!(portal.database.number("SELECT count(*) FROM leads"), 2);
    browser.get(&format!("{path}/mapping")).await.expect(303);
    for bad in ["outcome=<script>", "after=x", "undo=1"] {
        browser.get(&format!("{path}?{bad}")).await.expect(400);
    }
}

#[tokio::test]
async fn other_encodings_and_pasted_text_arrive_as_what_they_say() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let sent = upload(
        &browser,
        "excel.csv",
        b"Nachname;Ort\r\nM\xFCller;K\xF6ln\r\n",
    )
    .await
    .expect(303);
    browser
        .follow(sent)
        .await
        .expect_text("Windows-1252")
        .expect_text("Müller");
    let utf16: Vec<u8> = "\u{feff}Nachname\tOrt\r\nŁukasz\tŁódź\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let sent = upload(&browser, "excel.txt", &utf16).await.expect(303);
    browser
        .follow(sent)
        .await
        .expect_text("UTF-16, values separated by tabs")
        .expect_text("Łódź");
    let page = browser.get("/leads/imports/new").await.expect(200);
    let sent = browser
        .submit(
            &page,
            "Read the file",
            &[("text", Some("Nachname,Ort\nDupont,Paris"))],
        )
        .await
        .expect(303);
    browser
        .follow(sent)
        .await
        .expect_text("Pasted text")
        .expect_text("Dupont");
}

#[tokio::test]
async fn wrong_columns_are_told_at_the_column_and_choices_are_kept() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let sent = upload(&browser, "x.csv", b"Email,Name\na@b.de,Ada\n")
        .await
        .expect(303);
    let page = browser.follow(sent).await.expect(200);
    let path = page.url.path().to_owned();
    for (changes, words) in [
        (
            vec![("column_0", Some("")), ("column_1", Some(""))],
            "Say for at least one column",
        ),
        (
            vec![("column_0", Some("email")), ("column_1", Some("email"))],
            "Another column fills this field already",
        ),
        (
            vec![("column_0", Some("custom.none"))],
            "Choose one of the fields",
        ),
        (
            vec![("owner", Some("018f2a3c-0000-7000-8000-0000000000ab"))],
            "Choose one of the people",
        ),
        (vec![("match_by", Some("x"))], "Choose how leads are found"),
    ] {
        let again = browser
            .submit(
                &page,
                "Check the rows",
                &[&changes[..], &[("on_match", Some("overwrite"))]].concat(),
            )
            .await
            .expect(422)
            .expect_text(words);
        let form = again.form("Check the rows");
        assert!(
            form.fields
                .contains(&("on_match".to_owned(), "overwrite".to_owned())),
            "{:?}",
            form.fields
        );
    }
    browser.get(&path).await.expect(200);
    portal
        .database
        .execute("DELETE FROM matching_strategy_fields");
    portal.database.execute(
        "INSERT INTO matching_strategy_fields (strategy_id, field, position) SELECT id, 'phone', 0 FROM matching_strategies",
    );
    browser
        .submit(&page, "Check the rows", &[("match_by", Some("email"))])
        .await
        .expect(422)
        .expect_text("does not compare e-mail addresses");
}

#[tokio::test]
async fn only_who_sent_a_file_or_an_administrator_goes_on_with_it() {
    let portal = TestPortal::start().await;
    let sam = portal.sign_in_as(&[Role::Salesperson]).await;
    let other = portal.sign_in_as(&[Role::Salesperson]).await;
    let admin = portal.sign_in_as(&[Role::Administrator]).await;
    let manager = portal.sign_in_as(&[Role::SalesManager]).await;
    let (path, page) = checked(&sam, "Email\na@b.de\n", &[]).await;
    page.expect_text("Import 1 row");
    other
        .get(&path)
        .await
        .expect(200)
        .expect_no_text("Import 1 row");
    other
        .get(&format!("{path}/mapping"))
        .await
        .expect(403)
        .expect_text("Only that person or an Administrator");
    for part in ["application", "deletion", "undoing"] {
        other
            .post_with_token_of("/leads/imports/new", &format!("{path}/{part}"), &[])
            .await
            .expect(403);
    }
    manager.get(&path).await.expect(403);
    manager
        .get("/leads")
        .await
        .expect(200)
        .expect_no_text("Imports");
    let page = admin
        .get(&path)
        .await
        .expect(200)
        .expect_text("Import 1 row");
    admin
        .submit_and_follow(&page, "Throw away", &[])
        .await
        .expect(200)
        .expect_text("No lead was touched");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM lead_import_rows"),
        0
    );
    admin.get(&path).await.expect(404);
}

#[tokio::test]
async fn work_that_lost_its_process_goes_on_when_somebody_looks() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let text: String = std::iter::once("Email\n".to_owned())
        .chain((0..2_500).map(|n| format!("p{n}@example.com\n")))
        .collect();
    let (path, _) = checked(&browser, &text, &[]).await;
    // As kill -9 leaves it after one batch: the batch and its place are stored together.
    let conn = &mut portal.database.conn();
    let id = path.rsplit('/').next().unwrap().parse().unwrap();
    let now = portal.clock.now() - chrono::TimeDelta::seconds(20);
    leadgen::store::lead_imports::start(conn, &id, now).unwrap();
    assert!(leadgen::store::lead_imports::advance(conn, &id, now, uuid::Uuid::now_v7).unwrap());
    assert_eq!(portal.database.number("SELECT count(*) FROM leads"), 1_000);
    settled(&browser, &path).await.expect_text("2500");
    assert_eq!(portal.database.number("SELECT count(*) FROM leads"), 2_500);
    assert_eq!(
        portal
            .database
            .number("SELECT created_count FROM lead_imports"),
        2_500
    );
    assert_eq!(
        portal.database.number("SELECT count(*) FROM lead_changes"),
        2_500
    );
}

#[tokio::test]
async fn work_that_cannot_go_on_says_why_and_goes_on_when_mended() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::Administrator]).await;
    let (path, page) = checked(&browser, "Email\na@b.de\n", &[]).await;
    portal
        .database
        .execute("UPDATE matching_strategy_fields SET field = 'phone'");
    portal
        .database
        .execute("UPDATE lead_imports SET plan = replace(plan, '\"strategy\"', '\"email\"')");
    browser.submit(&page, "Import 1 row", &[]).await.expect(303);
    let page = settled(&browser, &path)
        .await
        .expect_text("The work stopped")
        .expect_text("does not compare e-mail addresses");
    portal
        .database
        .execute("UPDATE matching_strategy_fields SET field = 'email'");
    browser.submit(&page, "Go on", &[]).await.expect(303);
    settled(&browser, &path).await.expect_text("Imported");
    assert_eq!(portal.database.number("SELECT count(*) FROM leads"), 1);
}

#[tokio::test]
async fn an_import_at_work_stands_on_sync_status_until_it_rests() {
    let portal = TestPortal::start().await;
    let manager = portal.sign_in_as(&[Role::SalesManager]).await;
    let browser = portal.sign_in_as(&[Role::Salesperson]).await;
    imported(&browser, "E-mail\none@a.example\ntwo@a.example\n", &[]).await;
    let page = manager.get("/sync-status").await.expect(200);
    page.expect_no_text("Import of");
    // As it stands between two steps.
    portal
        .database
        .execute("UPDATE lead_imports SET state = 'importing', next_row = 3");
    let page = manager.get("/sync-status").await.expect(200);
    page.expect_text("Importing, 1 of 2 rows.");
    portal
        .database
        .execute("UPDATE lead_imports SET failure = 'The database was away.'");
    let page = manager.get("/sync-status").await.expect(200);
    page.expect_no_text("Import of");
}

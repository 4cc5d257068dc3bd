//! Coming from the Microsoft connector: upload, what every row becomes, bringing it along, and what the sync makes of it.

use leadgen::clock::Clock;
use leadgen::domain::access::Role;
use leadgen::store::audit::Actor;
use leadgen::sync::reset;
use reqwest::Method;
use serde_json::Value;

use crate::settings_pages::{audited_changes, seeded};
use crate::support::installation::{Installation, PASSWORD, Plan};
use crate::support::{Browserlike, Page, System};

const PATH: &str = "/settings/microsoft-connector";

/// Sends a file as a browser does.
async fn upload(browser: &Browserlike, name: &str, file: &str) -> Page {
    upload_with(browser, name, file.as_bytes(), &[]).await
}

/// The same with other fields of the form.
async fn upload_with(
    browser: &Browserlike,
    name: &str,
    file: &[u8],
    fields: &[(&str, &str)],
) -> Page {
    let token = browser.get(PATH).await.expect(200).csrf_token().unwrap();
    let mut body = Vec::new();
    for (field, value) in [("csrf_token", token.as_str())].iter().chain(fields) {
        let part =
            format!("--xXx\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--xXx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/csv\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--xXx--\r\n");
    let origin = browser.base().origin().ascii_serialization();
    let headers = [
        ("content-type", "multipart/form-data; boundary=xXx"),
        ("origin", origin.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    let page = browser
        .request(Method::POST, &format!("{PATH}/files"), &headers, Some(body))
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
        ("{\"error\": {}}", "begins like JSON"),
        (
            "Client ID,Redirect URL,On Matching Fail\na,b,Create new lead",
            "In this file it is “Create new lead”",
        ),
        (
            "Name,LinkedIn Authorized User Name\na,b",
            "msdyncrm_linkedinuserprofile",
        ),
        ("msdyncrm_linkedinactivityid\na", "is the log of"),
    ] {
        upload(&browser, "a.csv", file)
            .await
            .expect(422)
            .expect_text(message);
    }
    let strategies = "Name,Activated\nBy need,Yes";
    upload_with(
        &browser,
        "a.csv",
        strategies.as_bytes(),
        &[("table", "accounts")],
    )
    .await
    .expect(422)
    .expect_text("are those of “Lead matching strategies”");
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM connector_records"),
        0
    );
}

#[tokio::test]
async fn times_that_can_be_read_in_two_ways_are_asked_about_and_rows_are_counted() {
    let (portal, browser) = seeded().await;
    let file = "LinkedIn ID,Name,Campaign Type,Proposed Start Date\n\
        1,Spring,Text Advertisement,05/03/2024\n\
        1,Spring,Text Advertisement,06/03/2024\n\
        ,,Text Advertisement,07/03/2024";
    let send = async |fields: &[(&str, &str)]| {
        upload_with(&browser, "campaigns.csv", file.as_bytes(), fields).await
    };
    send(&[])
        .await
        .expect(422)
        .expect_text("whether the day or the month comes first. Choose how “06/03/2024” is meant");
    send(&[("date_order", "month_first")])
        .await
        .expect(422)
        .expect_text("“06/03/2024” names no time zone");
    let page = send(&[("date_order", "month_first"), ("time_zone", "Nowhere")])
        .await
        .expect(422)
        .expect_text("Enter a time zone such as");
    assert!(page.body.contains("value=\"Nowhere\""));
    assert!(page.body.contains("value=\"month_first\" selected"));
    send(&[("date_order", "day_first"), ("time_zone", "Europe/Berlin")])
        .await
        .expect(200)
        .expect_text("1 record of “LinkedIn campaigns” read")
        .expect_text("1 row is repeated in the file")
        .expect_text("1 row is left out: no column of it identifies a record");
    assert_eq!(
        portal.database.texts("SELECT cells FROM connector_records"),
        [
            "{\"campaigntype\":\"Text Advertisement\",\"linkedinid\":\"1\",\"name\":\"Spring\",\
              \"startdate\":\"2024-03-05T23:00:00+00:00\"}"
        ]
    );
}

/// LinkedIn's number of a form, its account's, and the questions with their names.
type FormFacts = (String, String, Vec<(String, String)>);

/// What the connector knew of a portal that has read LinkedIn's history.
struct Known {
    /// LinkedIn's number and the name.
    accounts: Vec<(String, String)>,
    forms: Vec<FormFacts>,
    responses: Vec<Submitted>,
}

struct Submitted {
    id: String,
    form: String,
    account: String,
    at: chrono::DateTime<chrono::Utc>,
    answers: Vec<(String, String)>,
}

fn known_of(reference: &Installation) -> Known {
    let database = &reference.database;
    let accounts = database
        .texts(
            "SELECT linkedin_id || '|' || name FROM linkedin_accounts WHERE owner_type = 'sponsored_account'",
        )
        .iter()
        .map(|line| {
            let (number, name) = line.split_once('|').unwrap();
            (number.to_owned(), name.to_owned())
        })
        .collect();
    let forms = database
        .texts(
            "SELECT f.linkedin_id || '|' || a.linkedin_id || '|' || v.content FROM lead_form_versions v \
             JOIN lead_forms f ON f.id = v.form_id JOIN linkedin_accounts a ON a.id = f.account_id \
             WHERE a.owner_type = 'sponsored_account' AND v.version_number = f.current_version_number",
        )
        .iter()
        .map(|line| {
            let parts: Vec<&str> = line.splitn(3, '|').collect();
            let version: Value = serde_json::from_str(parts[2]).unwrap();
            let questions = version["questions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|question| {
                    let name = question["name"].as_str().unwrap().to_owned();
                    (question["id"].to_string(), name)
                })
                .collect();
            (parts[0].to_owned(), parts[1].to_owned(), questions)
        })
        .collect();
    let raw = match database.system() {
        System::Sqlite => "CAST(k.raw AS TEXT)",
        System::Postgres => "convert_from(k.raw, 'UTF8')",
    };
    let responses = database
        .texts(&format!(
            "SELECT s.form_linkedin_id || '|' || a.linkedin_id || '|' || {raw} FROM form_submissions s \
             JOIN submission_contents k ON k.submission_id = s.id JOIN linkedin_accounts a ON a.id = s.account_id \
             JOIN lead_forms f ON f.id = s.form_id \
             WHERE a.owner_type = 'sponsored_account' AND NOT s.is_test ORDER BY s.response_id"
        ))
        .iter()
        .map(|line| {
            let parts: Vec<&str> = line.splitn(3, '|').collect();
            let raw: Value = serde_json::from_str(parts[2]).unwrap();
            let millis = raw["submittedAt"].as_i64().unwrap();
            let answers = raw["formResponse"]["answers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|answer| {
                    let said = &answer["answerDetails"]["textQuestionAnswer"]["answer"];
                    let said = said.as_str().unwrap_or("chosen").to_owned();
                    (answer["questionId"].to_string(), said)
                })
                .collect();
            Submitted {
                id: raw["id"].as_str().unwrap().to_owned(),
                form: parts[0].to_owned(),
                account: parts[1].to_owned(),
                at: chrono::DateTime::from_timestamp_millis(millis).unwrap(),
                answers,
            }
        })
        .collect();
    Known {
        accounts,
        forms,
        responses,
    }
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Power Apps: commas, logical names, UTC.
    Logical,
    /// Excel: a byte order mark, semicolons, display names, times as people read them.
    Displayed,
    /// The Web API.
    Json,
}

impl Style {
    fn time(self, at: chrono::DateTime<chrono::Utc>) -> String {
        match self {
            Self::Displayed => at.format("%d/%m/%Y %H:%M").to_string(),
            _ => at.to_rfc3339(),
        }
    }

    /// A file of these columns, each with its logical and its display name.
    fn file(self, columns: &[(&str, &str)], rows: &[Vec<String>]) -> Vec<u8> {
        if self == Self::Json {
            let rows: Vec<Value> = rows
                .iter()
                .map(|row| {
                    columns
                        .iter()
                        .zip(row)
                        .map(|((logical, _), cell)| {
                            (format!("msdyncrm_{logical}"), Value::from(cell.clone()))
                        })
                        .collect::<serde_json::Map<_, _>>()
                        .into()
                })
                .collect();
            return serde_json::json!({ "value": rows })
                .to_string()
                .into_bytes();
        }
        let is_displayed = self == Self::Displayed;
        let mut writer = csv::WriterBuilder::new()
            .delimiter(if is_displayed { b';' } else { b',' })
            .from_writer(Vec::new());
        let headers = columns.iter().map(|(logical, display)| {
            if is_displayed {
                (*display).to_owned()
            } else {
                format!("msdyncrm_{logical}")
            }
        });
        writer.write_record(headers).unwrap();
        for row in rows {
            writer.write_record(row).unwrap();
        }
        let mut file = if is_displayed {
            b"\xEF\xBB\xBF".to_vec()
        } else {
            Vec::new()
        };
        file.extend(writer.into_inner().unwrap());
        file
    }
}

/// The files of an export: of every second response the submission, with all statuses in turn; the first one without answers.
fn files(known: &Known, style: Style) -> Vec<(&'static str, Vec<u8>)> {
    let statuses = [
        "Match failed",
        "Pending lead matching",
        "192350001",
        "Updated existing lead",
        "Lead creation failed",
        "192350006",
    ];
    let text = |text: &str| text.to_owned();
    let accounts: Vec<Vec<String>> = known
        .accounts
        .iter()
        .map(|(number, name)| {
            vec![
                number.clone(),
                name.clone(),
                text("Yes"),
                text("Ada Administrator"),
            ]
        })
        .collect();
    let (mut forms, mut questions) = (Vec::new(), Vec::new());
    for (form, account, of_form) in &known.forms {
        let name = format!("Form {form}");
        forms.push(vec![
            form.clone(),
            name.clone(),
            account.clone(),
            text("https://example.com/privacy"),
        ]);
        for (id, question) in of_form {
            questions.push(vec![id.clone(), question.clone(), name.clone(), text("No")]);
        }
    }
    let (mut submissions, mut answers) = (Vec::new(), Vec::new());
    for (place, response) in known.responses.iter().step_by(2).enumerate() {
        submissions.push(vec![
            response.id.clone(),
            format!("Person {place}"),
            style.time(response.at),
            response.form.clone(),
            response.account.clone(),
            text(statuses[place % statuses.len()]),
        ]);
        if place > 0 {
            for (question, said) in &response.answers {
                answers.push(vec![said.clone(), question.clone(), response.id.clone()]);
            }
        }
    }
    vec![
        (
            "accounts",
            style.file(
                &[
                    ("linkedinaccounttextid", "LinkedIn Account Text"),
                    ("name", "Name"),
                    ("enabledforsync", "Sync enabled"),
                    ("defaultleadowner", "Default Lead Owner"),
                ],
                &accounts,
            ),
        ),
        (
            "forms",
            style.file(
                &[
                    ("linkedinid", "LinkedIn ID"),
                    ("name", "Name"),
                    ("linkedinparentaccount", "LinkedIn Account"),
                    ("privacypolicyurl", "Privacy policy URL"),
                ],
                &forms,
            ),
        ),
        (
            "questions",
            style.file(
                &[
                    ("linkedinid", "LinkedIn ID"),
                    ("name", "Name"),
                    ("linkedinform", "LinkedIn form"),
                    ("iscustomquestion", "Is Custom Question"),
                ],
                &questions,
            ),
        ),
        (
            "submissions",
            style.file(
                &[
                    ("linkedinformsubmission_textid", "LinkedIn Lead Gen"),
                    ("name", "Name"),
                    ("submissiondate", "Submission date"),
                    ("linkedinformid", "LinkedIn Lead Gen Form"),
                    ("linkedinaccountid", "LinkedIn account"),
                    ("matchingstatus", "Matching status"),
                ],
                &submissions,
            ),
        ),
        (
            "answers",
            style.file(
                &[
                    ("answertext", "Answer text"),
                    ("linkedinquestionid", "LinkedIn question ID"),
                    ("linkedinformsubmission", "LinkedIn form submission ID"),
                ],
                &answers,
            ),
        ),
    ]
}

/// All at one time: the sandbox's history ends with it.
async fn an_installation(clock: &Clock) -> Installation {
    Installation::of(Plan {
        leads: 60,
        clock: clock.clone(),
        ..Plan::default()
    })
    .await
}

async fn moves_in(known: &Known, expected: &[String], style: Style, clock: &Clock) {
    let mut portal = an_installation(clock).await;
    portal.add_person(
        "ada@example.com",
        "Ada Administrator",
        &[Role::Administrator],
    );
    portal.serve(false);
    let browser = portal.browser();
    browser.sign_in("ada@example.com", PASSWORD).await;
    let fields = [("date_order", "day_first"), ("time_zone", "UTC")];
    for (name, file) in files(known, style) {
        upload_with(&browser, &format!("{name}.dat"), &file, &fields)
            .await
            .expect(200)
            .expect_text("Nothing is brought along yet");
    }
    let count = |query: &str| portal.database.number(query);
    let exported = i64::try_from(known.responses.len().div_ceil(2)).unwrap();
    assert_eq!(
        count("SELECT count(*) FROM connector_records WHERE source_table = 'submissions'"),
        exported,
        "{style:?}"
    );
    let to_bring = count("SELECT count(*) FROM connector_records WHERE outcome = 'becomes'");
    let button = format!("Bring {to_bring} records along and note 1 as handled");
    let page = browser.get(PATH).await.expect(200);
    browser
        .submit_and_follow(&page, &button, &[])
        .await
        .expect(200)
        .expect_text(&format!("{to_bring} records were brought along."))
        .expect_text("1 submission is noted as handled");
    assert_eq!(count("SELECT count(*) FROM form_submissions"), exported - 1);
    assert_eq!(
        count("SELECT count(*) FROM linkedin_accounts WHERE default_lead_owner_id IS NULL"),
        0
    );
    let page = browser.get(PATH).await.expect(200);
    assert!(!page.body.contains("/application"), "nothing is left to do");

    portal.connect("Northwind ads").await;
    portal.sync().await;
    let facts = |portal: &Installation| {
        let mut facts = portal
            .database
            .texts("SELECT response_id || '|' || CAST(submitted_at AS TEXT) FROM form_submissions");
        facts.sort();
        facts
    };
    assert_eq!(facts(&portal), expected, "{style:?}");
    let noted = &known.responses[0].id;
    assert_eq!(
        portal.database.texts(&format!(
            "SELECT matching_status || ' ' || reason || ' ' || COALESCE(lead_id, 'none') FROM form_submissions WHERE response_id = '{noted}'"
        )),
        ["match_failed brought_along none"],
        "what stayed behind is not decided anew"
    );
    let handled = "FROM form_submissions WHERE reason = 'brought_along'";
    let pending = (exported + 4) / 6;
    assert_eq!(
        count(&format!("SELECT count(*) {handled}")),
        exported - pending
    );
    assert_eq!(
        count(&format!(
            "SELECT count(*) FROM lead_changes WHERE submission_id IN (SELECT id {handled})"
        )),
        0
    );
    let waits = "SELECT count(*) FROM form_submissions WHERE processing_state = 'unprocessed'";
    assert_eq!(count(waits), 0, "what was pending is decided");
    assert!(count("SELECT count(*) FROM leads") > 0);

    let outcome = "SELECT response_id || '|' || matching_status || '|' || reason || '|' || COALESCE(lead_id, '') || '|' || revision \
        FROM form_submissions ORDER BY response_id";
    let before = portal.database.texts(outcome);
    let store = portal.app.store();
    store
        .write({
            let now = clock.now();
            move |tx| reset::request(tx, &Actor::command_line(), now)
        })
        .await
        .unwrap();
    portal.make_due();
    portal.sync().await;
    assert_eq!(portal.database.texts(outcome), before, "{style:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_in_every_style_move_in_and_neither_sync_nor_reset_doubles_anything() {
    let clock = Clock::fixed(Clock::System.now());
    let reference = an_installation(&clock).await;
    reference.connect("Northwind ads").await;
    reference.sync().await;
    let known = known_of(&reference);
    assert!(known.responses.len() > 24);
    let mut expected = reference
        .database
        .texts("SELECT response_id || '|' || CAST(submitted_at AS TEXT) FROM form_submissions");
    expected.sort();
    for style in [Style::Logical, Style::Displayed, Style::Json] {
        moves_in(&known, &expected, style, &clock).await;
    }
}

//! Exports of leads over HTTP.

use std::process::Command;

use leadgen::domain::access::Role;
use leadgen::domain::lead::{LeadField, LeadStatus};

use crate::records_world::{HOSTILE, with_world};
use crate::start::TestPortal;
use crate::support::records::{a_lead, a_user, day, save_lead};

#[tokio::test]
async fn the_csv_holds_exactly_what_the_list_filters_and_no_formula() {
    let (portal, _) = with_world().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    {
        let conn = &mut portal.database.conn();
        let owner = a_user(conn, "=Boss()", &[Role::Salesperson]);
        for (n, name) in [
            "=1+1",
            "+cmd|' /C calc'!A0",
            "@SUM(A1)",
            "-2+3",
            "line\nbreak, \"quoted\"",
            "ܫ🦊\u{202e}",
        ]
        .iter()
        .enumerate()
        {
            let mut lead = a_lead(
                &owner,
                &[
                    (LeadField::LastName, name),
                    (LeadField::Phone, "+49 30 123456"),
                ],
            );
            lead.created_at = day() + chrono::TimeDelta::seconds(i64::try_from(n).unwrap());
            lead.status = LeadStatus::Qualified;
            save_lead(conn, &lead);
        }
    }
    let page = browser.get("/leads?status=qualified").await.expect(200);
    let csv = browser.get(&page.link("CSV")).await.expect(200);
    assert!(
        csv.header("content-disposition")
            .unwrap()
            .contains("leads-2026-03-02.csv")
    );
    let mut reader =
        csv::ReaderBuilder::new().from_reader(csv.body.trim_start_matches('\u{feff}').as_bytes());
    let headings: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(headings[..3], ["First name", "Last name", "Email"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let names: Vec<&str> = rows.iter().map(|row| &row[1]).collect();
    assert_eq!(
        names,
        [
            "ܫ🦊\u{202e}",
            "line\nbreak, \"quoted\"",
            "'-2+3",
            "'@SUM(A1)",
            "'+cmd|' /C calc'!A0",
            "'=1+1"
        ]
    );
    let column = |name: &str| headings.iter().position(|heading| heading == name).unwrap();
    assert_eq!(&rows[0][column("Owner")], "'=Boss()");
    assert_eq!(&rows[0][column("Status")], "Qualified");
    assert!(rows[0][column("Created (UTC)")].ends_with('Z'));
    let all = browser.get("/leads/export.csv").await.expect(200);
    assert!(all.body.contains("ada@acme.example") && all.body.contains("Sam Sales"));
    assert!(all.body.contains(HOSTILE.split('"').next().unwrap()));
    browser
        .get("/leads/export.csv?status=open")
        .await
        .expect(400);
    let audit = portal
        .database
        .texts("SELECT after_state FROM audit_entries WHERE action = 'leads.exported' ORDER BY id");
    assert!(
        audit[0].contains("\"rows\":6") && audit[0].contains("qualified"),
        "{audit:?}"
    );
}

#[tokio::test]
async fn the_search_text_stays_out_of_the_audit_log() {
    let (portal, _) = with_world().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let csv = browser
        .get("/leads/export.csv?q=lovelace")
        .await
        .expect(200);
    assert!(csv.body.contains("Lovelace"));
    let audit = portal
        .database
        .texts("SELECT after_state FROM audit_entries WHERE action LIKE 'leads.export%'");
    assert_eq!(audit.len(), 2);
    assert!(
        audit
            .iter()
            .all(|entry| entry.contains("\"has_search\":true")
                && !entry.to_lowercase().contains("lovelace")),
        "{audit:?}"
    );
}

#[tokio::test]
async fn many_leads_arrive_whole_over_several_parts() {
    let portal = TestPortal::start().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    {
        let conn = &mut portal.database.conn();
        let owner = a_user(conn, "Sam Sales", &[Role::Salesperson]);
        let leads: Vec<_> = (0..2_345)
            .map(|n| a_lead(&owner, &[(LeadField::LastName, &format!("P{n:04}"))]))
            .collect();
        leadgen::store::lead_rows::save(conn, &leads.iter().collect::<Vec<_>>()).unwrap();
    }
    let csv = browser.get("/leads/export.csv").await.expect(200);
    for n in 0..2_345 {
        assert_eq!(csv.body.matches(&format!("P{n:04},")).count(), 1, "{n}");
    }
}

#[tokio::test]
async fn the_workbook_holds_every_value_as_text() {
    let (portal, _) = with_world().await;
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    {
        let conn = &mut portal.database.conn();
        let owner = a_user(conn, "Owner", &[Role::Salesperson]);
        save_lead(
            conn,
            &a_lead(
                &owner,
                &[
                    (LeadField::LastName, "=1+1"),
                    (LeadField::Phone, "+49 30 123456"),
                    (LeadField::City, "a\u{1}b\u{fffe}"),
                ],
            ),
        );
    }
    let page = browser.get("/leads").await.expect(200);
    let book = browser.get(&page.link("Excel")).await.expect(200);
    assert!(
        book.header("content-type")
            .unwrap()
            .contains("spreadsheetml")
    );
    assert!(book.bytes.starts_with(b"PK"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leads.xlsx");
    std::fs::write(&path, &book.bytes).unwrap();
    let script = "import sys, zipfile, xml.dom.minidom as m\n\
        z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None\n\
        [m.parseString(z.read(n)) for n in z.namelist() if n.endswith(('.xml', '.rels'))]\n\
        print(z.read('xl/worksheets/sheet1.xml').decode())";
    let read = Command::new("python3")
        .arg("-c")
        .arg(script)
        .arg(&path)
        .output()
        .unwrap();
    let sheet = String::from_utf8_lossy(&read.stdout);
    assert!(
        read.status.success(),
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
    for text in [
        "First name",
        "=1+1",
        "+49 30 123456",
        "ada@acme.example",
        "Lovelace",
    ] {
        assert!(sheet.contains(text), "{text} is not in {sheet}");
    }
    assert!(!sheet.contains("<f>"), "{sheet}");
    let audit = portal
        .database
        .texts("SELECT after_state FROM audit_entries WHERE action = 'leads.exported'");
    assert!(audit[0].contains("\"rows\":2"), "{audit:?}");
}

//! The dashboard over HTTP: the same numbers in chart, table and file; filters; periods; the weekly page.

use chrono::TimeDelta;
use leadgen::domain::access::Role;
use leadgen::domain::lead::{LeadSource, LeadStatus};
use leadgen::store::report_facts::{self, Step};

use crate::records_world::{HOSTILE, seeded, shows_hostile_text_as_text, with_world};
use crate::start::TestPortal;
use crate::support::records::*;
use crate::support::{Page, a_moment, a_user};

/// The rows of a CSV file, without its head.
fn rows(page: &Page) -> Vec<Vec<String>> {
    csv::Reader::from_reader(page.bytes.as_slice())
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

/// Leads made on these days before now: (days ago, status, source).
fn leads(portal: &TestPortal, made: &[(i64, LeadStatus, LeadSource)]) {
    let conn = &mut portal.database.conn();
    let owner = crate::support::records::a_user(conn, "Olga Owner", &[Role::Salesperson]);
    for (days, status, source) in made {
        let mut lead = a_lead(&owner, &[]);
        lead.created_at = a_moment() - TimeDelta::days(*days);
        lead.updated_at = lead.created_at;
        lead.status = *status;
        lead.source = *source;
        save_lead(conn, &lead);
    }
    count(portal);
}

/// Counts at once what pages would count within half a second, which a busy machine may not have.
fn count(portal: &TestPortal) {
    while report_facts::catch_up(&mut portal.database.conn(), Step::First).unwrap() {}
}

const IMPORT: LeadSource = LeadSource::Import;
const MANUAL: LeadSource = LeadSource::Manual;

#[tokio::test]
async fn a_sales_manager_begins_on_the_dashboard_and_it_says_when_there_is_nothing() {
    let portal = seeded().await;
    let manager = portal.sign_in_as(&[Role::SalesManager]).await;
    manager
        .visit("/")
        .await
        .expect(200)
        .expect_text("Dashboard")
        .expect_text("No leads yet");
    leads(&portal, &[(200, LeadStatus::New, MANUAL)]);
    let page = manager.get("/dashboard").await.expect(200);
    page.clone().expect_text("Nothing in this period");
    manager
        .get("/dashboard?source=import")
        .await
        .expect(200)
        .expect_text("Nothing matches");
    let page = manager.get(&page.link("This year")).await.expect(200);
    page.expect_text("2026-01-01 – 2026-03-02");
}

#[tokio::test]
async fn chart_table_and_file_hold_the_same_numbers_and_compare_with_the_period_before() {
    let portal = seeded().await;
    leads(
        &portal,
        &[
            (0, LeadStatus::New, IMPORT),
            (1, LeadStatus::Qualified, IMPORT),
            (1, LeadStatus::Qualified, MANUAL),
            (6, LeadStatus::Contacted, MANUAL),
            // The seven days before.
            (7, LeadStatus::New, MANUAL),
            (13, LeadStatus::Disqualified, MANUAL),
            (14, LeadStatus::New, IMPORT),
        ],
    );
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let page = browser.get("/dashboard?period=7_days").await.expect(200);
    let page = page
        .expect_text("2026-02-24 – 2026-03-02 , compared with 2026-02-17 – 2026-02-23")
        .expect_text("2 more (+100 %)")
        .expect_text("50.0 % of the leads")
        .expect_text("Import 2 50.0 % 0 2 more (none before)")
        .expect_text("Manual 2 50.0 % 2 the same")
        .expect_text("2026-03-01 2 50.0 % 0 2 more (none before)");
    for tip in [
        "Import: 2 (50.0 %). Period before: 0, 2 more (none before).",
        "2026-03-01: 2. 2026-02-22: 0.",
        "Leads: 4 in this period, 2 in the period before.",
    ] {
        assert!(page.body.contains(tip), "{tip}");
    }
    for (chart, expected) in [
        (
            "sources",
            vec![
                ["Manual", "2", "2", "0", "0", "50.0"],
                ["Import", "2", "0", "2", "", "50.0"],
            ],
        ),
        (
            "statuses",
            vec![
                ["New", "1", "1", "0", "0", "25.0"],
                ["Contacted", "1", "0", "1", "", "25.0"],
                ["Qualified", "2", "0", "2", "", "50.0"],
                ["Disqualified", "0", "1", "-1", "-100", "0.0"],
            ],
        ),
        (
            "campaigns",
            vec![["No campaign", "4", "2", "2", "100", "100.0"]],
        ),
    ] {
        let link = page.link(&format!("/dashboard.csv?chart={chart}&period=7_days"));
        let file = browser.get(&link).await.expect(200);
        assert_eq!(
            file.header("content-type"),
            Some("text/csv; charset=utf-8; header=present")
        );
        assert_eq!(
            file.header("content-disposition"),
            Some(format!("attachment; filename=\"{chart}-2026-02-24-2026-03-02.csv\"").as_str())
        );
        assert_eq!(rows(&file), expected);
    }
    let file = browser
        .get("/dashboard.csv?chart=leads&period=7_days")
        .await
        .expect(200);
    let days: Vec<(String, String, String)> = rows(&file)
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone(), row[2].clone()))
        .collect();
    assert_eq!(days.len(), 7);
    assert_eq!(days[0], ("2026-02-24".into(), "1".into(), "1".into()));
    assert_eq!(days[5], ("2026-03-01".into(), "2".into(), "0".into()));
}

#[tokio::test]
async fn every_bar_leads_to_the_dashboard_narrowed_to_it_and_a_chip_leads_back() {
    let portal = seeded().await;
    leads(
        &portal,
        &[
            (0, LeadStatus::New, IMPORT),
            (1, LeadStatus::New, MANUAL),
            (1, LeadStatus::Qualified, MANUAL),
        ],
    );
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let page = browser.get("/dashboard?period=90_days").await.expect(200);
    let page = browser.get(&page.link("source=manual")).await.expect(200);
    assert_eq!(page.url.query(), Some("period=90_days&source=manual"));
    let page = browser
        .get(&page.link("status=qualified"))
        .await
        .expect(200);
    let page = page
        .expect_text("Source: Manual")
        .expect_text("Status: Qualified");
    assert!(page.body.contains("Leads: 1 in this period"));
    let page = browser.get(&page.link("campaign=none")).await.expect(200);
    let page = page.expect_text("Campaign: No campaign");
    let page = browser.get(&page.link("form=none")).await.expect(200);
    let page = browser.get(&page.link("owner=")).await.expect(200);
    let page = page.expect_text("Owner: Olga Owner");
    // A bar over time, then back.
    let page = browser.get(&page.link("from=2026-02-23")).await.expect(200);
    let page = page
        .expect_text("Period: 2026-02-23 – 2026-03-01")
        .expect_text("Owner: Olga Owner");
    let back = page.link("Remove the filter Owner: Olga Owner");
    assert!(!back.contains("owner") && back.contains("status=qualified") && back.contains("from="));
    // The form keeps the filter.
    let form = page.form("Show");
    assert!(
        form.fields
            .contains(&("status".to_owned(), "qualified".to_owned()))
    );
}

#[tokio::test]
async fn days_that_are_no_period_are_told_at_their_field_and_other_nonsense_is_refused() {
    let portal = seeded().await;
    leads(&portal, &[(0, LeadStatus::New, IMPORT)]);
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    for (query, told) in [
        (
            "from=2026-03-02&to=2026-03-01",
            "The last day must not be before the first.",
        ),
        (
            "from=1900-01-01&to=2026-03-01",
            "Choose days between 2000-01-01 and 2100-12-31.",
        ),
        (
            "from=2001-01-01&to=2026-03-01",
            "A period has at most 3,660 days.",
        ),
        (
            "from=yesterday&to=2026-03-01",
            "Enter a day such as 2026-11-21.",
        ),
        ("to=2026-03-01", "Enter a day such as 2026-11-21."),
        (
            "from=%3Cscript%3Ealert(1)%3C/script%3E&to=%E2%80%AE",
            "Enter a day",
        ),
        ("period=custom", "Enter a day"),
    ] {
        let page = browser
            .get(&format!("/dashboard?{query}"))
            .await
            .expect(422);
        assert!(!page.body.contains("<script>alert"), "{query}");
        page.expect_text(told)
            .expect_text("The last 30 days are shown instead.");
    }
    let page = browser
        .get("/dashboard?from=2026-03-02&to=2026-03-01")
        .await;
    assert!(
        page.body.contains(r#"value="2026-03-02""#) && page.body.contains(r#"value="2026-03-01""#)
    );
    for query in [
        "/dashboard?period=century",
        "/dashboard?owner=1",
        "/dashboard?campaign=%27%20OR%201=1--",
        "/dashboard?status=open",
        "/dashboard?source=a&source=b",
        "/dashboard.csv",
        "/dashboard.csv?chart=users",
        "/dashboard.csv?chart=leads&from=2026-03-02&to=2026-03-01",
        "/dashboard/weekly?week=2025-W53",
        "/dashboard/weekly?week=%22%3E",
    ] {
        browser
            .get(query)
            .await
            .expect(400)
            .expect_text("This address cannot be understood");
    }
    for query in [
        "from=2000-01-01&to=2009-12-31",
        "from=2100-12-31&to=2100-12-31",
        "period=this_year",
    ] {
        browser
            .get(&format!("/dashboard?{query}"))
            .await
            .expect(200);
    }
    // A campaign that is no longer there filters everything away.
    browser
        .get("/dashboard?campaign=018f2a3c-0000-7000-8000-0000000000ab")
        .await
        .expect(200)
        .expect_text("Campaign: No longer there")
        .expect_text("Nothing matches");
}

#[tokio::test]
async fn names_that_somebody_wrote_stay_text_in_charts_and_files() {
    let (portal, world) = with_world().await;
    portal.database.execute(&format!(
        "UPDATE campaigns SET name = '=HYPERLINK(\"http://evil.example\")'; \
         UPDATE users SET name = '{}' WHERE id = '{}'",
        "W".repeat(4_000),
        world.owner
    ));
    count(&portal);
    // The world's time is in the future of the portal's clock.
    let period = "from=2026-11-01&to=2026-11-30";
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let page = browser
        .get(&format!("/dashboard?{period}"))
        .await
        .expect(200);
    shows_hostile_text_as_text(&page);
    assert!(!page.body.contains(" style=") && !page.body.contains("<script>"));
    let forms = browser
        .get(&format!("/dashboard.csv?chart=forms&{period}"))
        .await
        .expect(200);
    assert_eq!(rows(&forms)[0][0], format!("Guide {HOSTILE}"));
    let campaigns = browser
        .get(&format!("/dashboard.csv?chart=campaigns&{period}"))
        .await
        .expect(200);
    assert_eq!(
        rows(&campaigns)[0][0],
        "'=HYPERLINK(\"http://evil.example\")"
    );
    let page = browser
        .get("/dashboard/weekly?week=2026-W47")
        .await
        .expect(200);
    shows_hostile_text_as_text(&page);
}

#[tokio::test]
async fn the_weekly_page_has_the_week_beside_the_week_before_and_what_is_open() {
    let (portal, world) = with_world().await;
    count(&portal);
    let browser = portal.sign_in_as(&[Role::SalesManager]).await;
    let page = browser
        .get("/dashboard/weekly?week=2026-W47")
        .await
        .expect(200);
    page.expect_text("2026-11-16 – 2026-11-22")
        .expect_text("Leads 1 0 1 more (none before)")
        .expect_text("New lead created 1 0")
        .expect_text("Half became leads within 1 s –")
        .expect_text("Nothing waits for anybody.");
    portal.database.execute(&format!(
        "UPDATE linkedin_accounts SET failure_reason = 'forbidden' WHERE id = '{}'; \
         UPDATE form_submissions SET matching_status = 'match_failed', processed_at = '2026-11-21 13:00:00'",
        world.account
    ));
    count(&portal);
    let page = browser
        .get("/dashboard/weekly?week=2026-W48")
        .await
        .expect(200);
    let page = page
        .expect_text("Leads 0 1 1 fewer (−100 %)")
        .expect_text("Match failed 0 1")
        .expect_text("1 form submissions without a lead: Match failed")
        .expect_text("cannot be read");
    browser.get(&page.link("Week 2026-W47")).await.expect(200);
    // Without a week: the last one that is over. The clock says Monday, 2 March 2026.
    let page = browser
        .get("/dashboard/weekly")
        .await
        .expect(200)
        .expect_text("Week 2026-W09");
    let page = browser.get(&page.link("Week 2026-W10")).await.expect(200);
    assert!(
        !page.body.contains("2026-W11"),
        "there is no link into the future"
    );
}

#[tokio::test]
async fn days_are_those_of_the_readers_zone() {
    let portal = seeded().await;
    {
        let conn = &mut portal.database.conn();
        let owner = crate::support::records::a_user(conn, "Olga Owner", &[Role::Salesperson]);
        let mut lead = a_lead(&owner, &[]);
        lead.created_at = "2026-03-01T23:30:00Z".parse().unwrap();
        save_lead(conn, &lead);
    }
    count(&portal);
    for (email, zone, day) in [
        ("berlin@example.com", "Europe/Berlin", "2026-03-02"),
        ("utc@example.com", "UTC", "2026-03-01"),
    ] {
        portal.add(
            a_user()
                .email(email)
                .role(Role::SalesManager)
                .time_zone(zone),
        );
        let browser = portal.sign_in(email).await;
        let file = browser
            .get("/dashboard.csv?chart=leads&period=7_days")
            .await
            .expect(200);
        let counted: Vec<String> = rows(&file)
            .into_iter()
            .filter(|row| row[1] == "1")
            .map(|row| row[0].clone())
            .collect();
        assert_eq!(counted, [day]);
        browser
            .get("/dashboard")
            .await
            .expect(200)
            .expect_text(&format!("Days are those of {zone}."));
    }
}

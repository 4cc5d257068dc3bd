//! What the dashboard counts: known numbers, kept in step with what changes, the same as counted anew.

use chrono::{DateTime, TimeDelta, Utc};
use leadgen::domain::access::Role;
use leadgen::domain::ids::{AccountId, CampaignId, FormId, LeadId, UserId};
use leadgen::domain::lead::{Lead, LeadSource, LeadStatus};
use leadgen::domain::report::{Change, Days, Part, SLOT_SECONDS, Slots};
use leadgen::domain::submission::{MatchingStatus, SubmissionReason};
use leadgen::store::intake::DecidedSubmission;
use leadgen::store::reports::{self, Report, ReportFilter, ReportSlots};
use leadgen::store::{AnyConn, intake, lead_rows, report_facts, submission_acts};

use crate::support::TestDatabase;
use crate::support::records::*;

struct World {
    sam: UserId,
    ann: UserId,
    account: AccountId,
    form: FormId,
    campaign: CampaignId,
}

fn world(conn: &mut AnyConn) -> World {
    seed_defaults(conn);
    let sam = a_user(conn, "Sam Sales", &[Role::Salesperson]);
    let ann = a_user(conn, "Ann Sales", &[Role::Salesperson]);
    let profile = a_profile(conn, &sam, "Profile");
    let account = accounts(conn, &profile, &["Acme"]).remove(0);
    let (form, _) = a_form(conn, &account, 7001, form_content("Guide", 1));
    let campaign = a_campaign(conn, &account, 42, "Autumn");
    World {
        sam,
        ann,
        account,
        form,
        campaign,
    }
}

/// A lead of a campaign and form with its first submission, made within `seconds` after it.
fn arrival(
    world: &World,
    owner: &UserId,
    submitted_at: DateTime<Utc>,
    seconds: i64,
) -> (Lead, DecidedSubmission) {
    let mut lead = a_lead(owner, &[]);
    let mut submission = a_submission(&world.account, "Ada");
    submission.submitted_at = submitted_at;
    submission.received_at = submitted_at + TimeDelta::seconds(seconds);
    submission.form_id = Some(world.form.clone());
    submission.campaign_id = Some(world.campaign.clone());
    let mut submission = decided(
        submission,
        MatchingStatus::NewLeadCreated,
        SubmissionReason::NoLeadMatched,
        Some(&lead.id),
    );
    submission.processed_at = Some(submission.received_at);
    lead.created_at = submission.received_at;
    lead.updated_at = submission.received_at;
    lead.form_id = Some(world.form.clone());
    lead.campaign_id = Some(world.campaign.clone());
    lead.first_submission_id = Some(submission.id.clone());
    (lead, submission)
}

fn save(conn: &mut AnyConn, arrived: &(Lead, DecidedSubmission)) -> LeadId {
    let id = save_lead(conn, &arrived.0);
    save_submission(conn, &arrived.1);
    id
}

fn catch_up(conn: &mut AnyConn) {
    let mut step = report_facts::Step::First;
    while report_facts::catch_up(conn, step).unwrap() {
        step = report_facts::Step::Next;
    }
    assert!(!report_facts::is_behind(conn).unwrap());
}

/// Slots from one instant to another.
fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Slots {
    from.timestamp() / SLOT_SECONDS..to.timestamp() / SLOT_SECONDS
}

/// The day that begins at `day()`, and the one before it.
fn one_day() -> ReportSlots {
    let now = between(day(), day() + TimeDelta::days(1));
    let before = between(day() - TimeDelta::days(1), day());
    ReportSlots {
        bars: vec![
            between(day(), day() + TimeDelta::hours(6)),
            between(day() + TimeDelta::hours(6), day() + TimeDelta::days(1)),
            before.clone(),
        ],
        now,
        before,
    }
}

fn read(conn: &mut AnyConn, filter: ReportFilter) -> Report {
    reports::read(conn, &filter, &one_day()).unwrap()
}

fn total(report: &Report) -> Change {
    report
        .leads
        .iter()
        .fold(Change::default(), |all, group| Change {
            now: all.now + group.count.now,
            before: all.before + group.count.before,
        })
}

fn outcome(report: &Report, status: MatchingStatus) -> Change {
    report
        .outcomes
        .iter()
        .find(|(one, _)| *one == status)
        .unwrap()
        .1
}

/// Everything that is counted, as sorted lines without the numbers of groups.
fn facts(database: &TestDatabase) -> Vec<String> {
    let mut lines = database.texts(
        "SELECT r.lead_id || ' ' || CAST(r.slot AS TEXT) || ' ' || coalesce(g.source || g.campaign_id || g.form_id || g.owner_id || g.status, '-') \
         FROM report_leads r LEFT JOIN report_lead_groups g ON g.id = r.group_id",
    );
    lines.extend(database.texts(
        "SELECT r.submission_id || ' ' || CAST(r.slot AS TEXT) || ' ' || coalesce(g.source || g.campaign_id || g.form_id || g.owner_id \
         || g.status || g.outcome || CAST(g.delay AS TEXT), '-') FROM report_submissions r LEFT JOIN report_submission_groups g ON g.id = r.group_id",
    ));
    lines.sort();
    lines
}

#[test]
fn known_records_give_known_numbers() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let world = world(conn);
    // Three of Sam's in the first quarter of the day, waiting 10 s, 10 s and 10 minutes; one of Ann's later; one the day before,
    // which is history that the first synchronization fetched.
    for (owner, hours, waited) in [
        (&world.sam, 1, 10),
        (&world.sam, 2, 10),
        (&world.sam, 5, 600),
        (&world.ann, 20, 40_000),
        (&world.sam, -3, 90_000),
    ] {
        save(
            conn,
            &arrival(&world, owner, day() + TimeDelta::hours(hours), waited),
        );
    }
    // A lead that a person made, and a submission that matched nobody.
    let mut manual = a_lead(&world.ann, &[]);
    manual.source = LeadSource::Manual;
    manual.status = LeadStatus::Qualified;
    manual.created_at = day() + TimeDelta::hours(7);
    save_lead(conn, &manual);
    let mut failed = decided(
        a_submission(&world.account, "Nobody"),
        MatchingStatus::MatchFailed,
        SubmissionReason::SeveralLeadsMatch,
        None,
    );
    failed.submitted_at = day() + TimeDelta::hours(3);
    save_submission(conn, &failed);
    catch_up(conn);

    let all = read(conn, ReportFilter::default());
    assert_eq!(total(&all), Change { now: 5, before: 1 });
    assert_eq!(all.bars, [3, 2, 1]);
    assert_eq!(
        outcome(&all, MatchingStatus::NewLeadCreated),
        Change { now: 4, before: 1 }
    );
    assert_eq!(
        outcome(&all, MatchingStatus::MatchFailed),
        Change { now: 1, before: 0 }
    );
    assert_eq!(
        outcome(&all, MatchingStatus::PendingLeadMatching),
        Change::default()
    );
    // The one of the day before is no live one.
    assert_eq!((all.waited.count(), all.waited_before.count()), (4, 0));
    assert_eq!(all.waited.percentile(50), Some(17));

    for (filter, now, waited) in [
        (
            ReportFilter {
                owner: Some(world.sam.clone()),
                ..Default::default()
            },
            3,
            3,
        ),
        (
            ReportFilter {
                owner: Some(world.ann.clone()),
                ..Default::default()
            },
            2,
            1,
        ),
        (
            ReportFilter {
                source: Some(LeadSource::Manual),
                ..Default::default()
            },
            1,
            0,
        ),
        (
            ReportFilter {
                status: Some(LeadStatus::Qualified),
                ..Default::default()
            },
            1,
            0,
        ),
        (
            ReportFilter {
                campaign: Some(Part::Of(world.campaign.clone())),
                ..Default::default()
            },
            4,
            4,
        ),
        (
            ReportFilter {
                campaign: Some(Part::Without),
                ..Default::default()
            },
            1,
            0,
        ),
        (
            ReportFilter {
                form: Some(Part::Of(world.form.clone())),
                ..Default::default()
            },
            4,
            4,
        ),
        (
            ReportFilter {
                form: Some(Part::Without),
                owner: Some(world.sam.clone()),
                ..Default::default()
            },
            0,
            0,
        ),
        (
            ReportFilter {
                form: Some(Part::Of(new())),
                ..Default::default()
            },
            0,
            0,
        ),
    ] {
        let report = read(conn, filter.clone());
        assert_eq!(total(&report).now, now, "{filter:?}");
        assert_eq!(report.bars[..2].iter().sum::<i64>(), now, "{filter:?}");
        assert_eq!(report.waited.count(), waited, "{filter:?}");
    }
    let names = reports::names(
        conn,
        &[
            world.sam.to_string(),
            world.form.to_string(),
            world.campaign.to_string(),
        ],
    )
    .unwrap();
    let mut names: Vec<&str> = names.values().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["Autumn", "Guide", "Sam Sales"]);
}

#[test]
fn test_leads_and_what_was_made_from_them_are_kept_out() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let world = world(conn);
    let (lead, mut submission) = arrival(&world, &world.sam, day() + TimeDelta::hours(1), 5);
    submission.is_test = true;
    save(conn, &(lead, submission));
    catch_up(conn);
    let report = read(conn, ReportFilter::default());
    assert_eq!(total(&report), Change::default());
    assert_eq!(
        outcome(&report, MatchingStatus::NewLeadCreated),
        Change::default()
    );
    assert!(!reports::has_leads(conn).unwrap());
    assert_eq!(report_facts::counted(conn).unwrap(), (0, 0));
}

#[test]
fn a_day_is_counted_in_the_zone_of_the_reader() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let world = world(conn);
    // 18:10 and 18:20 UTC: in Kathmandu (UTC+5:45) the day changes at 18:15.
    for minutes in [370, 380] {
        save(
            conn,
            &arrival(&world, &world.sam, day() + TimeDelta::minutes(minutes), 5),
        );
    }
    catch_up(conn);
    let on = |conn: &mut AnyConn, zone: &str, date: &str| {
        let date = date.parse().unwrap();
        let now = Days {
            first: date,
            last: date,
        }
        .slots(zone.parse().unwrap());
        let slots = ReportSlots {
            before: now.start - 1..now.start,
            bars: vec![now.clone()],
            now,
        };
        reports::read(conn, &ReportFilter::default(), &slots)
            .unwrap()
            .bars[0]
    };
    for (zone, first, second) in [
        ("Asia/Kathmandu", 1, 1),
        ("Asia/Kolkata", 2, 0),
        ("Asia/Tokyo", 0, 2),
    ] {
        assert_eq!(
            (on(conn, zone, "2026-11-21"), on(conn, zone, "2026-11-22")),
            (first, second),
            "{zone}"
        );
    }
}

#[test]
fn whatever_changes_is_counted_as_if_it_were_counted_anew() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let world = world(conn);
    assert!(!report_facts::is_behind(conn).unwrap());
    let arrived: Vec<_> = (0..6)
        .map(|hour| {
            let owner = if hour % 2 == 0 {
                &world.sam
            } else {
                &world.ann
            };
            let one = arrival(&world, owner, day() + TimeDelta::hours(hour), 30 * hour);
            save(conn, &one);
            one
        })
        .collect();
    catch_up(conn);
    let same_as_anew = |conn: &mut AnyConn, what: &str| {
        assert!(report_facts::is_behind(conn).unwrap(), "{what} is noticed");
        catch_up(conn);
        let kept = facts(&database);
        report_facts::forget(conn).unwrap();
        catch_up(conn);
        assert_eq!(kept, facts(&database), "{what}");
    };

    // Somebody sets a submission aside, and takes it up again: no time of it moves.
    let counted = |conn: &mut AnyConn| -> i64 {
        read(conn, ReportFilter::default())
            .outcomes
            .iter()
            .map(|(_, count)| count.now)
            .sum()
    };
    let all = counted(conn);
    let aside = [arrived[1].1.id.clone()];
    submission_acts::ignore(conn, &aside, &world.sam, "A try", day()).unwrap();
    same_as_anew(conn, "a submission set aside");
    assert_eq!(counted(conn), all - 1);
    submission_acts::bring_back(conn, &aside).unwrap();
    same_as_anew(conn, "a submission taken up again");
    assert_eq!(counted(conn), all);

    // A person works on a lead; an old one as well, whose time is far back.
    let mut lead = arrived[0].0.clone();
    lead.status = LeadStatus::Qualified;
    lead.owner_id = world.ann.clone();
    lead.lock_version += 1;
    lead.updated_at = day() + TimeDelta::days(40);
    lead_rows::save(conn, &[&lead]).unwrap();
    same_as_anew(conn, "an edit");
    let by_status = read(
        conn,
        ReportFilter {
            status: Some(LeadStatus::Qualified),
            owner: Some(world.ann.clone()),
            ..Default::default()
        },
    );
    assert_eq!(total(&by_status).now, 1);
    assert_eq!(outcome(&by_status, MatchingStatus::NewLeadCreated).now, 1);

    // Somebody puts a failed submission back to wait, and it becomes a lead's.
    let mut unmatched = a_submission(&world.account, "Nobody");
    unmatched.received_at = day() + TimeDelta::hours(6);
    let mut failed = decided(
        unmatched,
        MatchingStatus::MatchFailed,
        SubmissionReason::SeveralLeadsMatch,
        None,
    );
    failed.submitted_at = day() + TimeDelta::hours(2);
    save_submission(conn, &failed);
    same_as_anew(conn, "a submission");
    submission_acts::reopen(conn, std::slice::from_ref(&failed.id)).unwrap();
    same_as_anew(conn, "a retry");
    let waiting = read(conn, ReportFilter::default());
    assert_eq!(
        outcome(&waiting, MatchingStatus::PendingLeadMatching).now,
        1
    );
    let mut updated = decided(
        failed.clone(),
        MatchingStatus::UpdatedExistingLead,
        SubmissionReason::DecidedByPerson,
        Some(&arrived[1].0.id),
    );
    updated.processed_at = Some(day() + TimeDelta::days(41));
    intake::save(conn, &[updated]).unwrap();
    same_as_anew(conn, "a decision");

    // What is deleted is not counted, without anybody looking.
    let before = total(&read(conn, ReportFilter::default())).now;
    let id = arrived[2].0.id.as_str();
    database.execute(&format!("DELETE FROM leads WHERE id = '{id}'"));
    assert_eq!(total(&read(conn, ReportFilter::default())).now, before - 1);
}

#[test]
fn many_records_of_one_instant_are_all_counted() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let world = world(conn);
    let leads: Vec<Lead> = (0..2_500).map(|_| a_lead(&world.sam, &[])).collect();
    for leads in leads.chunks(500) {
        lead_rows::save(conn, &leads.iter().collect::<Vec<_>>()).unwrap();
    }
    catch_up(conn);
    assert_eq!(total(&read(conn, ReportFilter::default())).now, 2_500);
}

//! The list of leads, and one change on many of them.

use leadgen::domain::access::Role;
use leadgen::domain::ids::LeadId;
use leadgen::domain::lead::{LeadField, LeadStatus};
use leadgen::store::columns::{BoundedCount, PAGE_SIZE};
use leadgen::store::lead_bulk::{self, BulkEdit, BulkOutcome};
use leadgen::store::lead_lists::{self, LeadListed, LeadOrder};
use leadgen::store::leads::LeadFilter;
use leadgen::store::paging::{Page, PageStart};
use leadgen::store::{AnyConn, StoreError};

use crate::support::TestDatabase;
use crate::support::records::{a_lead, a_user, day, new, save_lead};

/// One page in the usual order, and how many leads there are.
pub fn lead_list(
    conn: &mut AnyConn,
    filter: &LeadFilter,
    start: &PageStart,
) -> Result<(Page<LeadListed>, BoundedCount), StoreError> {
    let page = lead_lists::page(conn, filter, LeadOrder::Newest, start, PAGE_SIZE)?;
    Ok((page, lead_lists::count(conn, filter)?))
}

#[test]
fn every_order_is_turned_completely_both_ways_though_names_and_times_are_the_same() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let owner = a_user(conn, "Olga", &[Role::Salesperson]);
    for number in 0..47 {
        let name = format!("Name{}", number % 5);
        let mut lead = a_lead(&owner, &[(LeadField::LastName, &name)]);
        lead.created_at = day() + chrono::TimeDelta::days(number % 3);
        save_lead(conn, &lead);
    }
    let filter = LeadFilter::default();
    for order in LeadOrder::ALL {
        let mut seen: Vec<LeadId> = Vec::new();
        let mut start = PageStart::Newest;
        loop {
            let page = lead_lists::page(conn, &filter, *order, &start, 10).unwrap();
            seen.extend(page.rows.iter().map(|row| row.id.clone()));
            let Some(older) = page.older else { break };
            start = PageStart::After(older);
        }
        let mut unique = seen.clone();
        unique.sort();
        unique.dedup();
        assert_eq!((seen.len(), unique.len()), (47, 47), "{order}");
        // Back again, from the last lead.
        let last = lead_lists::page(conn, &filter, *order, &start, 10).unwrap();
        let mut back: Vec<LeadId> = last.rows.iter().map(|row| row.id.clone()).collect();
        let mut newer = last.newer;
        while let Some(place) = newer {
            let page =
                lead_lists::page(conn, &filter, *order, &PageStart::Before(place), 10).unwrap();
            back.splice(0..0, page.rows.iter().map(|row| row.id.clone()));
            newer = page.newer;
        }
        assert_eq!(back, seen, "{order}");
        // Each lead knows its neighbours.
        for trio in seen.windows(3) {
            let lead = leadgen::store::leads::get(conn, &trio[1]).unwrap();
            let found = lead_lists::neighbours(conn, &filter, *order, &lead).unwrap();
            assert_eq!(
                found,
                (Some(trio[0].clone()), Some(trio[2].clone())),
                "{order}"
            );
        }
    }
}

#[test]
fn a_change_of_many_leaves_closed_leads_alone_and_notes_each_change() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let (old, fresh) = (
        a_user(conn, "Old Owner", &[Role::Salesperson]),
        a_user(conn, "New Owner", &[Role::Salesperson]),
    );
    let mut ids = Vec::new();
    for number in 0..2_500 {
        let mut lead = a_lead(&old, &[(LeadField::LastName, "Somebody")]);
        if number % 100 == 0 {
            lead.status = LeadStatus::Disqualified;
        }
        ids.push(save_lead(conn, &lead));
    }
    let edit = BulkEdit {
        status: Some(LeadStatus::Contacted),
        owner_id: Some(fresh.clone()),
        with_closed: false,
    };
    let wanted = BulkOutcome {
        found: 2_500,
        changed: 2_475,
        closed: 25,
    };
    assert_eq!(lead_bulk::preview(conn, &ids, &edit).unwrap(), wanted);
    let apply = |conn: &mut AnyConn, edit: &BulkEdit| {
        let new_id = || uuid::Uuid::now_v7().to_string();
        lead_bulk::apply(conn, &ids, edit, &fresh, new_id, day())
    };
    assert_eq!(apply(conn, &edit).unwrap(), wanted);
    let again = apply(conn, &edit).unwrap();
    assert_eq!((again.changed, again.closed), (0, 25));
    assert_eq!(
        database
            .number("SELECT count(*) FROM leads WHERE status = 'contacted' AND lock_version = 1"),
        2_475
    );
    assert_eq!(
        database.number("SELECT count(*) FROM lead_changes WHERE kind = 'edited'"),
        2_475
    );
    let with_closed = BulkEdit {
        status: None,
        with_closed: true,
        ..edit
    };
    assert_eq!(apply(conn, &with_closed).unwrap().changed, 25);
    let status = "SELECT count(*) FROM leads WHERE status = 'disqualified'";
    assert_eq!(database.number(status), 25, "only the owner was to change");
    // Somebody who is no user, and more leads than one transaction takes.
    let nobody = BulkEdit {
        owner_id: Some(new()),
        ..with_closed.clone()
    };
    assert!(matches!(apply(conn, &nobody), Err(StoreError::Rule(_))));
    let many: Vec<LeadId> = (0..10_001).map(|_| new()).collect();
    let refused = lead_bulk::apply(conn, &many, &with_closed, &old, String::new, day());
    assert!(matches!(refused, Err(StoreError::Rule(_))));
}

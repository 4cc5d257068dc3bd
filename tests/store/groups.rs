//! Groups of users: names, members, and lists of addresses that are looked up and applied.

use std::time::{Duration, Instant};

use leadgen::domain::access::Role;
use leadgen::domain::group_members::{AdditionOutcome as O, MAX_ENTRIES, read_pasted};
use leadgen::domain::groups::GroupName;
use leadgen::domain::ids::{AdditionId, GroupId, UserId};
use leadgen::store::audit::Actor;
use leadgen::store::{AnyConn, StoreError, group_additions as additions, groups};

use crate::support::records::{a_user, day, new};
use crate::support::{self, TestDatabase};

fn name(text: &str) -> GroupName {
    GroupName::check(text).unwrap()
}

fn a_group(conn: &mut AnyConn, called: &str) -> GroupId {
    let id: GroupId = new();
    groups::insert(conn, &id, &name(called), day()).unwrap();
    id
}

fn person(conn: &mut AnyConn, email: &str, called: &str) -> UserId {
    support::a_user().email(email).name(called).insert(conn)
}

fn member_names(conn: &mut AnyConn, group: &GroupId, search: &str) -> Vec<String> {
    let members = groups::list_members(conn, group, search, 0, 100).unwrap();
    let count = groups::count_members(conn, group, search).unwrap();
    assert_eq!(usize::try_from(count).unwrap(), members.len());
    members.into_iter().map(|member| member.name).collect()
}

#[test]
fn a_name_is_taken_whatever_its_case_and_a_stale_change_is_refused() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let first = a_group(conn, "Sales EMEA");
    let second = a_group(conn, "Ärzte");
    for taken in ["sales  emea", "SALES EMEA", "ärzte"] {
        assert!(matches!(
            groups::insert(conn, &new(), &name(taken), day()),
            Err(StoreError::Rule(_))
        ));
    }
    assert!(matches!(
        groups::rename(conn, &second, &name("SALES emea"), 0, day()),
        Err(StoreError::Rule(_))
    ));
    // The own name in other letters is no clash.
    groups::rename(conn, &first, &name("SALES emea"), 0, day()).unwrap();
    assert!(matches!(
        groups::rename(conn, &first, &name("Other"), 0, day()),
        Err(StoreError::Stale(_))
    ));
    assert!(matches!(
        groups::rename(conn, &new(), &name("Nobody"), 0, day()),
        Err(StoreError::NotFound(_))
    ));
    assert!(matches!(
        groups::delete(conn, &first, 0),
        Err(StoreError::Stale(_))
    ));
    groups::delete(conn, &first, 1).unwrap();
    assert!(matches!(
        groups::delete(conn, &first, 1),
        Err(StoreError::NotFound(_))
    ));
    let left: Vec<String> = groups::list(conn)
        .unwrap()
        .into_iter()
        .map(|listed| listed.group.name)
        .collect();
    assert_eq!(left, ["Ärzte"]);
}

#[test]
fn members_are_added_once_found_by_name_or_address_and_removed() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let group = a_group(conn, "One");
    let other = a_group(conn, "Two");
    let ada = person(conn, "ada@example.com", "Ada 100%");
    let bob = person(conn, "bob@example.com", "Bob");
    let cid = support::a_user()
        .email("cid@example.com")
        .name("Cid")
        .disabled()
        .insert(conn);
    let added = groups::add(
        conn,
        &group,
        &[bob.clone(), ada.clone(), bob.clone()],
        Some(&ada),
        day(),
    );
    assert_eq!(added.unwrap(), [bob.clone(), ada.clone()]);
    let all = [ada.clone(), bob.clone(), cid.clone()];
    let added = groups::add(conn, &group, &all, None, day()).unwrap();
    assert_eq!(added, std::slice::from_ref(&cid));
    assert_eq!(member_names(conn, &group, ""), ["Ada 100%", "Bob", "Cid"]);
    assert_eq!(member_names(conn, &group, "BOB@"), ["Bob"]);
    assert_eq!(member_names(conn, &group, "100% example"), ["Ada 100%"]);
    assert!(member_names(conn, &group, "%_").is_empty());
    assert!(member_names(conn, &other, "").is_empty());
    let page = groups::list_members(conn, &group, "", 1, 1).unwrap();
    assert_eq!(
        (page[0].name.as_str(), page[0].added_by.as_deref()),
        ("Bob", Some("Ada 100%"))
    );
    let listed = groups::list(conn).unwrap();
    assert_eq!(
        (listed[0].member_count, listed[0].enabled_count),
        (3, 2),
        "Cid may not sign in"
    );
    assert_eq!((listed[1].member_count, listed[1].enabled_count), (0, 0));
    assert!(groups::is_member(conn, &group, &ada).unwrap());
    assert!(!groups::is_member(conn, &other, &ada).unwrap());
    assert_eq!(groups::of_user(conn, &ada).unwrap()[0].name, "One");
    let removed =
        groups::remove(conn, &group, &[ada.clone(), new()], &Actor::system(), day()).unwrap();
    assert_eq!(removed, 1);
    assert!(!groups::is_member(conn, &group, &ada).unwrap());
    assert!(groups::of_user(conn, &ada).unwrap().is_empty());
    groups::delete(conn, &group, 0).unwrap();
    assert_eq!(database.number("SELECT count(*) FROM group_members"), 0);
    assert_eq!(database.number("SELECT count(*) FROM users"), 3);
}

#[test]
fn a_list_is_looked_up_first_and_applied_as_the_users_are_then() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let group = a_group(conn, "One");
    let other = a_group(conn, "Two");
    let admin = a_user(conn, "Admin", &[Role::Administrator]);
    let ada = person(conn, "ada@example.com", "Ada");
    person(conn, "bob@example.com", "Bob");
    groups::add(conn, &group, &[ada], None, day()).unwrap();
    let entries = read_pasted(
        "ada@example.com; BOB@example.com; bob@example.com; late@example.com; no address; late@example.com",
    )
    .unwrap();
    let id: AdditionId = new();
    additions::insert(conn, &id, &group, "pasted", &entries, day()).unwrap();
    let outcomes = |conn: &mut AnyConn| -> Vec<O> {
        additions::list_rows(conn, &id, None, 0, 100)
            .unwrap()
            .into_iter()
            .map(|row| row.outcome)
            .collect()
    };
    assert_eq!(
        outcomes(conn),
        [
            O::AlreadyMember,
            O::Added,
            O::Duplicate,
            O::UnknownUser,
            O::Invalid,
            O::Duplicate
        ]
    );
    assert_eq!(
        additions::counts(conn, &id).unwrap(),
        [
            (O::Added, 1),
            (O::AlreadyMember, 1),
            (O::UnknownUser, 1),
            (O::Invalid, 1),
            (O::Duplicate, 2)
        ]
    );
    let invalid = additions::list_rows(conn, &id, Some(O::Invalid), 0, 10).unwrap();
    assert_eq!((invalid.len(), invalid[0].entry.number), (1, 5));
    assert_eq!(member_names(conn, &group, ""), ["Ada"], "only looked up");
    assert!(matches!(
        additions::get(conn, &other, &id),
        Err(StoreError::NotFound(_))
    ));
    // Somebody comes between.
    person(conn, "late@example.com", "Late");
    let added = additions::apply(conn, &group, &id, Some(&admin), day()).unwrap();
    assert_eq!(added.len(), 2);
    assert_eq!(outcomes(conn)[3], O::Added);
    assert_eq!(member_names(conn, &group, ""), ["Ada", "Bob", "Late"]);
    let again = additions::apply(conn, &group, &id, Some(&admin), day()).unwrap();
    assert!(again.is_empty());
    assert_eq!(outcomes(conn)[1], O::Added, "the result stays");
    // A week later the addresses are forgotten.
    let later = day() + chrono::TimeDelta::days(8);
    additions::insert(conn, &new(), &group, "pasted", &entries, later).unwrap();
    assert!(matches!(
        additions::get(conn, &group, &id),
        Err(StoreError::NotFound(_))
    ));
    assert_eq!(
        database.number("SELECT count(*) FROM group_addition_rows"),
        6
    );
}

#[test]
fn a_list_of_the_greatest_length_takes_seconds() {
    let database = TestDatabase::new();
    let conn = &mut database.conn();
    let group = a_group(conn, "All");
    for number in 0..300 {
        person(
            conn,
            &format!("p{number}@example.com"),
            &format!("P{number}"),
        );
    }
    let text: Vec<String> = (0..MAX_ENTRIES)
        .map(|number| format!("p{number}@example.com"))
        .collect();
    let began = Instant::now();
    let entries = read_pasted(&text.join("\n")).unwrap();
    let id: AdditionId = new();
    additions::insert(conn, &id, &group, "pasted", &entries, day()).unwrap();
    let added = additions::apply(conn, &group, &id, None, day()).unwrap();
    assert_eq!(added.len(), 300);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
}

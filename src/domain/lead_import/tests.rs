//! Tests of imports: guesses, rows, taking back.

use chrono::DateTime;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::ids::LeadId;
use crate::domain::lead::{FieldOrigin, Lead};

fn field(field: LeadField) -> ColumnTarget {
    ColumnTarget::Field(FieldKey::Standard(field))
}

fn owner(number: u128) -> UserId {
    UserId::new(Uuid::from_u128(number))
}

fn owners() -> Vec<OwnerChoice> {
    let person = |number, name: &str| OwnerChoice {
        id: owner(number),
        name: name.to_owned(),
        email: format!("person{number}@example.com"),
    };
    vec![person(1, "Sam Sales"), person(2, "Twin"), person(3, "Twin")]
}

fn plan(columns: &[Option<ColumnTarget>]) -> ImportPlan {
    ImportPlan {
        columns: columns.to_vec(),
        match_by: MatchBy::Strategy,
        on_match: OnMatch::Overwrite,
        owner_id: owner(1),
        status: LeadStatus::New,
    }
}

fn read(cells: &[&str], columns: &[Option<ColumnTarget>]) -> RowReading {
    let cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
    let custom = [CustomField {
        name: "tier".to_owned(),
        label: "Tier".to_owned(),
        kind: FieldKind::Choice {
            values: vec!["Gold".to_owned()],
        },
    }];
    read_row(&cells, &plan(columns), &custom, &owners(), Some("DE"))
}

fn row(cells: &[&str], columns: &[Option<ColumnTarget>]) -> ImportRow {
    match read(cells, columns) {
        RowReading::Row(row) => *row,
        other => panic!("{other:?}"),
    }
}

fn a_lead(values: &[(LeadField, &str)]) -> Lead {
    let none = ImportRow {
        values: values
            .iter()
            .map(|(field, value)| (FieldKey::Standard(*field), (*value).to_owned()))
            .collect(),
        ..ImportRow::default()
    };
    let id = LeadId::new(Uuid::from_u128(9));
    let (mut lead, _) = new_lead(&none, &plan(&[]), id, "old.csv", DateTime::UNIX_EPOCH);
    for key in none.values.keys() {
        lead.provenance
            .insert(key.clone(), FieldOrigin::outside(Origin::Person));
    }
    lead
}

#[test]
fn columns_are_guessed_from_headers_of_many_systems_in_any_case() {
    for (header, expected) in [
        ("First Name", Some(field(LeadField::FirstName))),
        ("FIRST_NAME", Some(field(LeadField::FirstName))),
        ("Vorname", Some(field(LeadField::FirstName))),
        ("PRÉNOM", Some(field(LeadField::FirstName))),
        ("emailaddress1", Some(field(LeadField::Email))),
        ("E-Mail-Adresse", Some(field(LeadField::Email))),
        ("  email ", Some(field(LeadField::Email))),
        ("WORK_EMAIL", Some(field(LeadField::WorkEmail))),
        ("emailaddress2", Some(field(LeadField::WorkEmail))),
        ("telephone1", Some(field(LeadField::Phone))),
        ("Unternehmensgröße", Some(field(LeadField::CompanySize))),
        ("Company", Some(field(LeadField::CompanyName))),
        ("address1_stateorprovince", Some(field(LeadField::State))),
        ("PLZ", Some(field(LeadField::PostalCode))),
        (
            "LinkedIn Profile",
            Some(field(LeadField::LinkedinProfileUrl)),
        ),
        ("subject", Some(ColumnTarget::Topic)),
        ("Lead Status", Some(ColumnTarget::Status)),
        ("Owner", Some(ColumnTarget::Owner)),
        ("Favourite colour", None),
        ("", None),
        ("–", None),
    ] {
        assert_eq!(guess(header, &[]), expected, "{header}");
    }
    let custom = [CustomField {
        name: "tier".to_owned(),
        label: "Größe des Budgets".to_owned(),
        kind: FieldKind::Number,
    }];
    let tier = Some(ColumnTarget::Field(FieldKey::Custom("tier".to_owned())));
    for header in ["tier", "custom.tier", "GRÖSSE DES BUDGETS"] {
        assert_eq!(guess(header, &custom), tier, "{header}");
    }
}

#[test]
fn of_two_columns_with_the_same_name_the_first_is_taken() {
    let headers = ["Email", "email", "E-Mail"].map(str::to_owned);
    assert_eq!(
        guess_all(&headers, &[]),
        [Some(field(LeadField::Email)), None, None]
    );
}

#[test]
fn every_word_of_the_choices_is_known_again() {
    let custom = [CustomField {
        name: "tier".to_owned(),
        label: "Tier".to_owned(),
        kind: FieldKind::Number,
    }];
    for target in ColumnTarget::all(&custom) {
        assert_eq!(target.word().parse(), Ok(target.clone()));
        assert_eq!(guess(&target.label(&custom), &custom), Some(target));
    }
    assert!("nonsense".parse::<ColumnTarget>().is_err());
}

#[test]
fn values_are_checked_as_mappings_check_them_and_the_reason_names_the_column() {
    let columns = [
        Some(field(LeadField::Email)),
        Some(field(LeadField::StartDate)),
        Some(ColumnTarget::Field(FieldKey::Custom("tier".to_owned()))),
        Some(ColumnTarget::Status),
        Some(ColumnTarget::Owner),
    ];
    let good = row(
        &[
            " ada@example.com ",
            "03.04.2026",
            "gold",
            "QUALIFIED",
            "person1@EXAMPLE.com",
        ],
        &columns,
    );
    assert_eq!(
        good.values.values().map(String::as_str).collect::<Vec<_>>(),
        ["ada@example.com", "2026-04-03", "Gold"]
    );
    assert_eq!(
        (good.status, good.owner_id),
        (Some(LeadStatus::Qualified), Some(owner(1)))
    );
    for (cells, words) in [
        (
            ["ada", "", "", "", ""],
            "Email: The value is no e-mail address.",
        ),
        (
            ["a@b.de", "soon", "", "", ""],
            "Start date: The value is no date.",
        ),
        (
            ["a@b.de", "", "lead", "", ""],
            "Tier: The value is none of the field’s choices.",
        ),
        (
            ["a@b.de", "", "", "won", ""],
            "Status: The value is none of",
        ),
        (["a@b.de", "", "", "", "Nobody"], "Owner: No enabled user"),
        (["a@b.de", "", "", "", "Twin"], "Owner: Several users"),
        (
            ["a\0@b.de", "", "", "", ""],
            "Email: The value holds a character",
        ),
    ] {
        let RowReading::Invalid(problem) = read(&cells, &columns) else {
            panic!("{cells:?}")
        };
        assert!(problem.contains(words), "{problem}");
    }
    assert_eq!(read(&["", " ", "", "", ""], &columns), RowReading::Empty);
    let RowReading::Invalid(problem) = read(&["a@b.de", "", "", "", "", "x"], &columns) else {
        panic!()
    };
    assert!(problem.contains("6 values"), "{problem}");
    assert!(matches!(
        read(&["x", "Berlin"], &[None, Some(field(LeadField::City))]),
        RowReading::Invalid(_)
    ));
}

#[test]
fn the_apostrophe_before_a_formula_is_taken_away_again() {
    let columns = [
        Some(field(LeadField::LastName)),
        Some(field(LeadField::Phone)),
    ];
    let row = row(&["'=1+1", "'+1-555-0100"], &columns);
    assert_eq!(
        row.values.values().map(String::as_str).collect::<Vec<_>>(),
        ["=1+1", "+1-555-0100"]
    );
    let kept = super::tests::row(&["'t Hart", ""], &columns);
    assert_eq!(
        kept.values.values().next().map(String::as_str),
        Some("'t Hart")
    );
}

#[test]
fn what_a_row_wrote_can_be_taken_back_unless_it_changed_since() {
    let columns = [
        Some(field(LeadField::City)),
        Some(field(LeadField::LastName)),
        Some(ColumnTarget::Status),
    ];
    let mut lead = a_lead(&[(LeadField::LastName, "Lovelace")]);
    let before = lead.clone();
    let changes = write_onto(
        &mut lead,
        &row(&["London", "King", "contacted"], &columns),
        OnMatch::Overwrite,
    );
    assert_eq!(changes.len(), 3);
    assert_eq!(lead.status, LeadStatus::Contacted);

    let mut back = lead.clone();
    assert_eq!(
        take_back(&mut back, &changes),
        (take_back(&mut lead.clone(), &changes).0, 0)
    );
    assert_eq!(
        (&back.values, &back.provenance, back.status),
        (&before.values, &before.provenance, before.status)
    );

    // Somebody wrote another city, and the same last name by hand.
    let mut edited = lead.clone();
    let city = FieldKey::Standard(LeadField::City);
    edited.values.insert(city.clone(), "Paris".to_owned());
    edited.provenance.edited(city.clone(), Origin::Person);
    edited
        .provenance
        .edited(FieldKey::Standard(LeadField::LastName), Origin::Person);
    let (restored, kept) = take_back(&mut edited, &changes);
    assert_eq!((restored.len(), kept), (1, 2));
    assert_eq!(edited.values.get(&city).map(String::as_str), Some("Paris"));
    assert_eq!(edited.status, LeadStatus::New);
}

#[test]
fn filling_empty_fields_changes_nothing_that_is_there_and_skipping_nothing_at_all() {
    let columns = [
        Some(field(LeadField::City)),
        Some(field(LeadField::LastName)),
        Some(ColumnTarget::Topic),
    ];
    let row = row(&["London", "King", "Other"], &columns);
    let mut lead = a_lead(&[(LeadField::LastName, "Lovelace")]);
    assert!(write_onto(&mut lead, &row, OnMatch::Skip).is_empty());
    let changes = write_onto(&mut lead, &row, OnMatch::FillIfEmpty);
    assert_eq!(
        changes
            .iter()
            .map(|change| change.field.word())
            .collect::<Vec<_>>(),
        ["city"]
    );
    assert_eq!(lead.topic, "Import: old.csv");
    assert!(write_onto(&mut lead, &row, OnMatch::FillIfEmpty).is_empty());
}

proptest! {
    #[test]
    fn any_row_on_any_lead_can_be_taken_back_whole(
        old in proptest::collection::vec("[a-c]{0,2}", 4),
        first in proptest::collection::vec("[a-d]{0,2}", 4),
        second in proptest::collection::vec("[a-d]{0,2}", 4),
        fills in any::<bool>(),
    ) {
        let fields = [LeadField::FirstName, LeadField::LastName, LeadField::City, LeadField::School];
        let named: Vec<(LeadField, &str)> = fields.iter().copied().zip(old.iter().map(String::as_str)).filter(|(_, value)| !value.is_empty()).collect();
        let before = a_lead(&named);
        let mut lead = before.clone();
        let columns = fields.map(|one| Some(field(one)));
        let on_match = if fills { OnMatch::FillIfEmpty } else { OnMatch::Overwrite };
        let mut changes = Vec::new();
        for cells in [&first, &second] {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            if let RowReading::Row(row) = read(&cells, &columns) {
                changes.extend(write_onto(&mut lead, &row, on_match));
            }
        }
        let (_, kept) = take_back(&mut lead, &changes);
        prop_assert_eq!(kept, 0);
        prop_assert_eq!(lead.values, before.values);
        prop_assert_eq!(lead.provenance, before.provenance);
    }
}

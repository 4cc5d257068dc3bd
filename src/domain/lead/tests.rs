//! Tests of the lead: policies, provenance, keys.

use chrono::{DateTime, TimeZone as _, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::field_mapping::{MappedValue, WritePolicy};
use crate::domain::ids::MappingId;

fn at(minute: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_790_000_000 + minute * 60, 0).unwrap()
}

fn stamp(number: u32, minute: i64) -> SubmissionStamp {
    SubmissionStamp {
        id: SubmissionId::new(Uuid::from_u128(u128::from(number))),
        response_id: format!("response-{number:04}"),
        submitted_at: at(minute),
    }
}

fn value(field: LeadField, value: &str, policy: WritePolicy) -> MappedValue {
    MappedValue {
        field: FieldKey::Standard(field),
        value: value.to_owned(),
        policy,
        mapping_id: MappingId::new(Uuid::from_u128(7)),
    }
}

fn a_lead() -> Lead {
    Lead {
        id: LeadId::new(Uuid::from_u128(1)),
        values: LeadValues::new(),
        topic: "Whitepaper form".to_owned(),
        status: LeadStatus::New,
        source: LeadSource::LinkedinSponsoredContent,
        owner_id: UserId::new(Uuid::from_u128(2)),
        provenance: Provenance::new(),
        created_at: at(0),
        updated_at: at(0),
        first_submission_id: None,
        latest_submission_id: None,
        latest_submitted_at: None,
        submission_count: 0,
        account_id: None,
        form_id: None,
        campaign_id: None,
        member_urn: None,
        lock_version: 0,
    }
}

fn city(lead: &Lead) -> Option<&str> {
    lead.values
        .get(&FieldKey::Standard(LeadField::City))
        .map(String::as_str)
}

#[test]
fn each_policy_writes_as_it_says() {
    use WritePolicy::{Append, FillIfEmpty, Overwrite};
    for (before, policy, new, after) in [
        (None, Overwrite, "Rome", Some("Rome")),
        (Some("Paris"), Overwrite, "Rome", Some("Rome")),
        (Some("Paris"), Overwrite, "", Some("Paris")),
        (Some("Paris"), Overwrite, " \t", Some("Paris")),
        (None, FillIfEmpty, "Rome", Some("Rome")),
        (Some("Paris"), FillIfEmpty, "Rome", Some("Paris")),
        (None, FillIfEmpty, " ", None),
        (None, Append, " Rome ", Some("Rome")),
        (Some("Paris"), Append, "Rome", Some("Paris\nRome")),
        (Some("Paris\nRome"), Append, "Rome", Some("Paris\nRome")),
        (
            Some("Paris\nRome\nOslo"),
            Append,
            "Rome\nOslo",
            Some("Paris\nRome\nOslo"),
        ),
        (Some("Romeo"), Append, "Rome", Some("Romeo\nRome")),
        (Some("Paris"), Append, "", Some("Paris")),
    ] {
        let mut lead = a_lead();
        if let Some(before) = before {
            apply(
                &mut lead,
                &[value(LeadField::City, before, Overwrite)],
                &stamp(1, 0),
            );
        }
        let changes = apply(
            &mut lead,
            &[value(LeadField::City, new, policy)],
            &stamp(2, 1),
        );
        assert_eq!(city(&lead), after, "{before:?} {policy} {new:?}");
        let expected: Vec<FieldChange> = (before != after)
            .then(|| FieldChange {
                field: FieldKey::Standard(LeadField::City),
                before: before.map(str::to_owned),
                after: after.map(str::to_owned),
            })
            .into_iter()
            .collect();
        assert_eq!(changes, expected, "{before:?} {policy} {new:?}");
    }
}

#[test]
fn the_newest_submission_wins_whatever_the_order_of_arrival() {
    let write = |lead: &mut Lead, text: &str, number, minute| {
        apply(
            lead,
            &[value(LeadField::City, text, WritePolicy::Overwrite)],
            &stamp(number, minute),
        )
    };
    let mut lead = a_lead();
    write(&mut lead, "new", 1, 10);
    assert_eq!(write(&mut lead, "old", 2, 5), []);
    assert_eq!(city(&lead), Some("new"));
    // At the same instant the response id decides.
    write(&mut lead, "later id", 3, 10);
    assert_eq!(city(&lead), Some("later id"));
    assert_eq!(write(&mut lead, "earlier id", 2, 10), []);
    // The same value of a newer submission keeps one that lies between from writing over it.
    write(&mut lead, "later id", 4, 20);
    assert_eq!(write(&mut lead, "between", 5, 15), []);
    assert_eq!(city(&lead), Some("later id"));
}

#[test]
fn a_persons_value_gives_way_to_newer_submissions_only() {
    let mut lead = a_lead();
    let field = FieldKey::Standard(LeadField::City);
    let write = |lead: &mut Lead, text: &str, number, minute| {
        apply(
            lead,
            &[value(LeadField::City, text, WritePolicy::Overwrite)],
            &stamp(number, minute),
        );
    };
    write(&mut lead, "submitted", 1, 10);
    lead.values.insert(field.clone(), "typed".to_owned());
    lead.provenance.edited(field.clone(), Origin::Person);
    write(&mut lead, "submitted", 1, 10);
    assert_eq!(city(&lead), Some("typed"), "the same submission again");
    write(&mut lead, "older", 2, 5);
    assert_eq!(city(&lead), Some("typed"), "an older submission");
    write(&mut lead, "newer", 3, 15);
    assert_eq!(city(&lead), Some("newer"), "a newer submission");

    let mut imported = a_lead();
    imported.values.insert(field.clone(), "imported".to_owned());
    imported.provenance.edited(field, Origin::Import);
    write(&mut imported, "submitted", 1, 0);
    assert_eq!(
        city(&imported),
        Some("submitted"),
        "no submission had filled it"
    );
}

#[test]
fn a_value_that_a_person_emptied_does_not_come_back_by_itself() {
    let mut lead = a_lead();
    let field = FieldKey::Standard(LeadField::City);
    let mapped = [value(LeadField::City, "Rome", WritePolicy::Overwrite)];
    apply(&mut lead, &mapped, &stamp(1, 0));
    lead.values.remove(&field);
    lead.provenance.edited(field, Origin::Person);
    assert_eq!(apply(&mut lead, &mapped, &stamp(1, 0)), []);
    assert_eq!(city(&lead), None);
}

#[test]
fn several_values_of_one_field_are_one_change() {
    let mut lead = a_lead();
    let mapped = [
        value(LeadField::Description, "first", WritePolicy::Overwrite),
        value(LeadField::City, "Rome", WritePolicy::Overwrite),
        value(LeadField::Description, "second", WritePolicy::Append),
    ];
    let changes = apply(&mut lead, &mapped, &stamp(1, 0));
    let after: Vec<_> = changes
        .iter()
        .map(|change| change.after.as_deref().unwrap())
        .collect();
    assert_eq!(after, ["first\nsecond", "Rome"]);
    assert_eq!(apply(&mut lead, &mapped, &stamp(1, 0)), []);
}

#[test]
fn a_new_mapping_acts_when_its_own_submission_is_done_again() {
    let mut lead = a_lead();
    apply(
        &mut lead,
        &[value(LeadField::City, "rome", WritePolicy::Overwrite)],
        &stamp(1, 0),
    );
    apply(
        &mut lead,
        &[value(LeadField::City, "ROME", WritePolicy::Overwrite)],
        &stamp(1, 0),
    );
    assert_eq!(city(&lead), Some("ROME"));
}

#[test]
fn provenance_is_stored_compactly_and_comes_back() {
    let mut lead = a_lead();
    let mapped = [
        value(LeadField::FirstName, "Ada", WritePolicy::Overwrite),
        value(LeadField::LastName, "Lovelace", WritePolicy::Overwrite),
    ];
    apply(&mut lead, &mapped, &stamp(1, 0));
    lead.provenance
        .edited(FieldKey::Custom("region".to_owned()), Origin::Person);
    let json = serde_json::to_string(&lead.provenance).unwrap();
    assert_eq!(
        json,
        r#"[{"by":"submission","s":"00000000-0000-0000-0000-000000000001","r":"response-0001","t":1790000000000000,"f":["first_name","last_name"]},{"by":"person","f":["custom.region"]}]"#
    );
    assert_eq!(
        serde_json::from_str::<Provenance>(&json).unwrap(),
        lead.provenance
    );
    assert_eq!(
        serde_json::from_str::<Provenance>("[]").unwrap(),
        Provenance::new()
    );
    assert!(
        serde_json::from_str::<Provenance>(r#"[{"by":"person","t":9223372036854775807,"f":[]}]"#)
            .is_err()
    );
    let of_first = SubmissionId::new(Uuid::from_u128(1));
    assert_eq!(lead.provenance.fields_of(&of_first).count(), 2);
}

#[test]
fn attaching_counts_and_keeps_the_first_and_the_latest_submission() {
    let mut lead = a_lead();
    for (number, minute) in [(1, 10), (2, 5), (3, 20)] {
        lead.attach(&stamp(number, minute));
    }
    assert_eq!(lead.submission_count, 3);
    assert_eq!(lead.first_submission_id, Some(stamp(1, 0).id));
    assert_eq!(lead.latest_submission_id, Some(stamp(3, 0).id));
    assert_eq!(lead.latest_submitted_at, Some(at(20)));
}

#[test]
fn the_standard_fields_are_those_of_the_product_in_its_order() {
    let words: Vec<&str> = LeadField::ALL.iter().map(|field| field.as_str()).collect();
    assert_eq!(
        words.join(" "),
        "first_name last_name email work_email phone mobile_phone company_name job_title job_function seniority industry \
         company_size city state country postal_code website linkedin_profile_url school degree field_of_study start_date \
         graduation_date description"
    );
    assert_eq!(
        LeadField::CompanySize.dataverse_column(),
        Some("numberofemployees")
    );
    assert_eq!(LeadField::Seniority.dataverse_column(), None);
    assert_eq!(LeadField::WorkEmail.kind(), FieldKind::Email);
}

#[test]
fn a_field_key_reads_and_writes_as_one_word() {
    let values = LeadValues::from([
        (
            FieldKey::Standard(LeadField::Email),
            "ada@example.com".to_owned(),
        ),
        (FieldKey::Custom("region_2".to_owned()), "EMEA".to_owned()),
    ]);
    let json = serde_json::to_string(&values).unwrap();
    assert_eq!(
        json,
        r#"{"email":"ada@example.com","custom.region_2":"EMEA"}"#
    );
    assert_eq!(serde_json::from_str::<LeadValues>(&json).unwrap(), values);
    for bad in [
        "",
        "nope",
        "custom.",
        "custom.A",
        "custom.1a",
        "custom.a b",
        "custom.a.b",
        "Email",
    ] {
        assert!(bad.parse::<FieldKey>().is_err(), "{bad}");
    }
    assert!(
        format!("custom.{}", "a".repeat(51))
            .parse::<FieldKey>()
            .is_err()
    );
}

#[test]
fn qualified_and_disqualified_leads_are_closed() {
    let closed: Vec<_> = LeadStatus::ALL
        .iter()
        .filter(|status| status.is_closed())
        .map(|status| status.label())
        .collect();
    assert_eq!(closed, ["Qualified", "Disqualified"]);
    assert_eq!(
        LeadSource::from(LeadType::Sponsored).label(),
        "LinkedIn Sponsored Content"
    );
    assert_eq!(
        LeadSource::from(LeadType::OrganizationProduct),
        LeadSource::LinkedinProductPage
    );
}

#[test]
fn a_lead_always_has_a_name_to_show() {
    let named = |fields: &[(LeadField, &str)]| {
        let mut lead = a_lead();
        lead.values = fields
            .iter()
            .map(|(field, value)| (FieldKey::Standard(*field), (*value).to_owned()))
            .collect();
        lead.display_name()
    };
    assert_eq!(
        named(&[
            (LeadField::FirstName, "Ada"),
            (LeadField::LastName, "Lovelace")
        ]),
        "Ada Lovelace"
    );
    assert_eq!(named(&[(LeadField::LastName, "Lovelace")]), "Lovelace");
    assert_eq!(
        named(&[
            (LeadField::Email, "a@b.de"),
            (LeadField::CompanyName, "Northwind")
        ]),
        "Northwind"
    );
    assert_eq!(named(&[(LeadField::WorkEmail, "a@b.de")]), "a@b.de");
    assert_eq!(named(&[]), "Whitepaper form");
    assert_eq!(topic(Some("Form"), Some("Q3")), "Form – Q3");
    assert_eq!(topic(Some(" "), None), "LinkedIn Lead Gen Form");
}

/// The minute of a submission and its values.
type AnySubmission = (i64, Vec<(LeadField, String, WritePolicy)>);

/// A submission with a few values, some blank, of two fields.
fn any_submission() -> impl Strategy<Value = AnySubmission> {
    let field = prop_oneof![Just(LeadField::City), Just(LeadField::Description)];
    let policy = prop_oneof![
        Just(WritePolicy::Overwrite),
        Just(WritePolicy::FillIfEmpty),
        Just(WritePolicy::Append)
    ];
    // Few distinct minutes and texts, so that ties and repetitions happen.
    (
        0_i64..4,
        proptest::collection::vec((field, "[ab \n]{0,3}", policy), 0..5),
    )
}

fn mapped(
    values: &[(LeadField, String, WritePolicy)],
    only: Option<WritePolicy>,
) -> Vec<MappedValue> {
    values
        .iter()
        .map(|(field, text, policy)| value(*field, text, only.unwrap_or(*policy)))
        .collect()
}

proptest! {
    #[test]
    fn applying_a_submission_twice_changes_nothing(submissions in proptest::collection::vec(any_submission(), 1..6)) {
        let mut lead = a_lead();
        for (number, (minute, values)) in submissions.iter().enumerate() {
            let stamp = stamp(u32::try_from(number).unwrap(), *minute);
            apply(&mut lead, &mapped(values, None), &stamp);
            let before = lead.clone();
            prop_assert_eq!(apply(&mut lead, &mapped(values, None), &stamp), vec![]);
            prop_assert_eq!(&lead, &before);
        }
    }

    #[test]
    fn with_overwrite_the_end_state_does_not_depend_on_the_order(
        submissions in proptest::collection::vec(any_submission(), 1..6),
        shuffle in proptest::collection::vec(0_usize..100, 12),
    ) {
        let numbered: Vec<_> = submissions.iter().enumerate().map(|(n, s)| (u32::try_from(n).unwrap(), s)).collect();
        // Any order, with repetitions.
        let mut order: Vec<_> = shuffle.iter().map(|n| numbered[n % numbered.len()]).collect();
        order.extend(numbered.iter().rev());
        let run = |order: &[(u32, &AnySubmission)]| {
            let mut lead = a_lead();
            for (number, (minute, values)) in order {
                apply(&mut lead, &mapped(values, Some(WritePolicy::Overwrite)), &stamp(*number, *minute));
            }
            (lead.values, lead.provenance)
        };
        prop_assert_eq!(run(&numbered), run(&order));
    }

    #[test]
    fn no_value_is_ever_erased(submissions in proptest::collection::vec(any_submission(), 1..6)) {
        let mut lead = a_lead();
        let mut filled = 0;
        for (number, (minute, values)) in submissions.iter().enumerate() {
            apply(&mut lead, &mapped(values, None), &stamp(u32::try_from(number).unwrap(), *minute));
            prop_assert!(lead.values.len() >= filled);
            prop_assert!(lead.values.values().all(|value| !value.trim().is_empty()));
            filled = lead.values.len();
        }
    }
}

//! Tests of what two leads become.

use chrono::{DateTime, TimeZone as _, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::ids::{AccountId, FormId, LeadId, SubmissionId, UserId};
use crate::domain::lead::{FieldOrigin, LeadField, LeadSource, LeadStatus, LeadValues, Origin};

fn at(minute: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_790_000_000 + minute * 60, 0).unwrap()
}

fn a_lead(number: u128, values: &[(LeadField, &str)]) -> Lead {
    let values: LeadValues = values
        .iter()
        .map(|(field, value)| (FieldKey::Standard(*field), (*value).to_owned()))
        .collect();
    Lead {
        id: LeadId::new(Uuid::from_u128(number)),
        provenance: values
            .keys()
            .map(|field| {
                let origin = FieldOrigin {
                    by: Origin::Submission,
                    submission_id: Some(SubmissionId::new(Uuid::from_u128(number + 100))),
                    response_id: Some(format!("response-{number}")),
                    submitted_at: Some(at(0)),
                };
                (field.clone(), origin)
            })
            .collect(),
        values,
        topic: format!("Topic {number}"),
        status: LeadStatus::New,
        source: LeadSource::LinkedinSponsoredContent,
        owner_id: UserId::new(Uuid::from_u128(number + 200)),
        created_at: at(i64::try_from(number).unwrap()),
        updated_at: at(0),
        first_submission_id: None,
        latest_submission_id: None,
        latest_submitted_at: None,
        submission_count: 0,
        account_id: None,
        form_id: None,
        campaign_id: None,
        member_urn: None,
        lock_version: 3,
    }
}

fn key(field: LeadField) -> FieldKey {
    FieldKey::Standard(field)
}

#[test]
fn the_lead_that_stays_wins_and_its_gaps_are_filled_with_where_the_values_came_from() {
    let mut survivor = a_lead(
        1,
        &[(LeadField::City, "Rome"), (LeadField::Email, "a@x.example")],
    );
    let merged = a_lead(2, &[(LeadField::City, "Oslo"), (LeadField::Phone, "+47 1")]);
    let changes = merge(&mut survivor, &merged, &MergeChoices::new());
    assert_eq!(survivor.values[&key(LeadField::City)], "Rome");
    assert_eq!(survivor.values[&key(LeadField::Phone)], "+47 1");
    assert_eq!(
        survivor.provenance[&key(LeadField::Phone)],
        merged.provenance[&key(LeadField::Phone)]
    );
    assert_eq!(
        changes,
        [FieldChange {
            field: key(LeadField::Phone),
            before: None,
            after: Some("+47 1".to_owned())
        }]
    );
}

#[test]
fn a_choice_decides_where_both_have_a_value_and_nowhere_else() {
    let mut survivor = a_lead(
        1,
        &[(LeadField::City, "Rome"), (LeadField::Email, "a@x.example")],
    );
    let merged = a_lead(2, &[(LeadField::City, "Oslo")]);
    let choices = MergeChoices::from([
        (key(LeadField::City), MergeSide::Merged),
        (key(LeadField::Email), MergeSide::Merged),
    ]);
    let changes = merge(&mut survivor, &merged, &choices);
    assert_eq!(survivor.values[&key(LeadField::City)], "Oslo");
    assert_eq!(survivor.values[&key(LeadField::Email)], "a@x.example");
    assert_eq!(changes.len(), 1);
}

#[test]
fn submissions_are_counted_together_and_the_latest_and_the_first_are_of_both() {
    let submission = |number| Some(SubmissionId::new(Uuid::from_u128(number)));
    let mut survivor = a_lead(2, &[]);
    survivor.first_submission_id = submission(1);
    survivor.latest_submission_id = submission(1);
    survivor.latest_submitted_at = Some(at(10));
    survivor.submission_count = 1;
    let mut merged = a_lead(1, &[]);
    merged.first_submission_id = submission(2);
    merged.latest_submission_id = submission(3);
    merged.latest_submitted_at = Some(at(20));
    merged.submission_count = 2;
    merged.account_id = Some(AccountId::new(Uuid::from_u128(9)));
    merged.form_id = Some(FormId::new(Uuid::from_u128(8)));
    merge(&mut survivor, &merged, &MergeChoices::new());
    assert_eq!(survivor.submission_count, 3);
    assert_eq!(survivor.first_submission_id, submission(2));
    assert_eq!(survivor.latest_submission_id, submission(3));
    assert_eq!(survivor.latest_submitted_at, Some(at(20)));
    assert_eq!(survivor.form_id, merged.form_id);
    assert_eq!(survivor.status, LeadStatus::New);
}

#[test]
fn what_somebody_changed_since_stays_when_a_merge_is_taken_back() {
    let before = a_lead(1, &[(LeadField::City, "Rome")]);
    let merged = a_lead(2, &[(LeadField::City, "Oslo"), (LeadField::Phone, "+47 1")]);
    let mut lead = before.clone();
    let choices = MergeChoices::from([(key(LeadField::City), MergeSide::Merged)]);
    let changes = merge(&mut lead, &merged, &choices);
    lead.values
        .insert(key(LeadField::Phone), "+47 2".to_owned());
    lead.provenance
        .edited(key(LeadField::Phone), Origin::Person);
    let back = take_back(&mut lead, &before, &changes);
    assert_eq!(lead.values[&key(LeadField::City)], "Rome");
    assert_eq!(lead.values[&key(LeadField::Phone)], "+47 2");
    assert_eq!(back.len(), 1);
}

fn some_values() -> impl Strategy<Value = Vec<(LeadField, &'static str)>> {
    let field = prop::sample::select(vec![
        LeadField::City,
        LeadField::Email,
        LeadField::Phone,
        LeadField::JobTitle,
    ]);
    let value = prop::sample::select(vec!["a", "b", "c"]);
    prop::collection::vec((field, value), 0..5)
}

proptest! {
    #[test]
    fn a_merge_loses_no_field_and_its_undoing_restores_values_and_origins(
        ours in some_values(),
        theirs in some_values(),
        chosen in prop::collection::vec(any::<bool>(), 4),
    ) {
        let before = a_lead(1, &ours);
        let merged = a_lead(2, &theirs);
        let mut lead = before.clone();
        let choices: MergeChoices = side_by_side(&before, &merged)
            .into_iter()
            .zip(chosen)
            .filter(|(_, is_merged)| *is_merged)
            .map(|(one, _)| (one.field, MergeSide::Merged))
            .collect();
        let changes = merge(&mut lead, &merged, &choices);
        for field in before.values.keys().chain(merged.values.keys()) {
            let kept = &lead.values[field];
            let known = [before.values.get(field), merged.values.get(field)];
            prop_assert!(known.contains(&Some(kept)));
        }
        take_back(&mut lead, &before, &changes);
        prop_assert_eq!(&lead.values, &before.values);
        prop_assert_eq!(lead.provenance, before.provenance);
    }
}

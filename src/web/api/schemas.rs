//! What the domain's words and identifiers are in the API's document: the domain itself knows no document.

use std::borrow::Cow;

use utoipa::openapi::schema::{
    AnyOfBuilder, Array, KnownFormat, Object, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::input::Choice;
use super::output::Listed;
use crate::domain::account::{CampaignSyncStatus, FormSyncStatus, LeadType, OwnerType};
use crate::domain::assignment::OwnerStep;
use crate::domain::field_mapping::{FlagKind, MappingOutcome, SourceKind, WritePolicy};
use crate::domain::form::FormStatus;
use crate::domain::ids::{
    AccountId, CampaignId, FormId, FormVersionId, LeadId, MappingId, ProfileId, RunId, StrategyId,
    SubmissionId, UserId,
};
use crate::domain::lead::{FieldKey, LeadField, LeadSource, LeadStatus};
use crate::domain::matching::ComparisonResult;
use crate::domain::submission::{
    MatchingStatus, ProcessingState, SubmissionReason, SubmissionView,
};
use crate::domain::sync::{FailureReason, RunKind, RunStatus, RunTrigger};
use crate::store::lead_lists::LeadOrder;
use crate::web::accounts::AccountState;
use crate::web::keyset::FilterDay;

/// All of them by name: parameters only point at theirs.
pub fn words_and_identifiers() -> Vec<(String, RefOr<Schema>)> {
    let mut all = identifiers();
    all.append(&mut word_lists());
    all.push((FieldKey::name().into_owned(), FieldKey::schema()));
    all.push((FilterDay::name().into_owned(), FilterDay::schema()));
    all
}

fn text(format: SchemaFormat, description: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(format))
        .description(Some(description))
        .build()
}

macro_rules! identifiers {
    ($($name:ident: $of:literal),+ $(,)?) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                text(SchemaFormat::Custom("uuid".to_owned()), concat!("The id of ", $of, ".")).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+

    fn identifiers() -> Vec<(String, RefOr<Schema>)> {
        vec![$((stringify!($name).to_owned(), $name::schema())),+]
    }};
}

identifiers! {
    AccountId: "a LinkedIn account",
    CampaignId: "a campaign",
    FormId: "a Lead Gen form",
    FormVersionId: "a version of a form",
    LeadId: "a lead",
    MappingId: "a field mapping",
    ProfileId: "a LinkedIn user profile",
    RunId: "a sync run",
    StrategyId: "a matching strategy",
    SubmissionId: "a form submission",
    UserId: "a user",
}

macro_rules! word_lists {
    ($($name:ident: $of:literal),+ $(,)?) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words: Vec<String> = Self::ALL
                    .iter()
                    .map(|word| format!("`{}`: {}", word.as_str(), word.label()))
                    .collect();
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .enum_values(Some(Self::ALL.iter().map(|word| word.as_str())))
                    .description(Some(format!("{} — {}.", $of, words.join(" · "))))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+

    fn word_lists() -> Vec<(String, RefOr<Schema>)> {
        vec![$((stringify!($name).to_owned(), $name::schema())),+]
    }};
}

word_lists! {
    AccountState: "How an account stands",
    CampaignSyncStatus: "How far the campaigns of an account are synced",
    Choice: "Whether or not",
    ComparisonResult: "How the comparison of one field ended",
    FailureReason: "Why a sync run, or a part of it, failed",
    FlagKind: "What is wrong with a value or an answer",
    FormStatus: "How far a form is synced",
    FormSyncStatus: "How far the forms of an account are synced",
    LeadOrder: "The order of leads",
    LeadSource: "Where a lead comes from",
    LeadStatus: "How a lead stands",
    LeadType: "LinkedIn’s lead type",
    MappingOutcome: "What became of one mapping",
    MatchingStatus: "What became of a submission",
    OwnerStep: "Which step chose the owner",
    OwnerType: "What kind of LinkedIn entity owns the leads",
    ProcessingState: "How far a submission was processed",
    RunKind: "What a sync run reads",
    RunStatus: "How a sync run stands",
    RunTrigger: "What started a sync run",
    SourceKind: "Where a mapped value comes from",
    SubmissionReason: "Why a submission became what it became",
    SubmissionView: "Submissions that need attention, or that were set aside",
    WritePolicy: "What happens where the lead has a value already",
}

impl PartialSchema for FieldKey {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let words: Vec<String> = LeadField::ALL
            .iter()
            .map(|field| format!("`{}`: {}", field.as_str(), field.label()))
            .collect();
        let about = format!(
            "A lead field — {} · `custom.` and its name: a custom field.",
            words.join(" · ")
        );
        AnyOfBuilder::new()
            .item(text().enum_values(Some(LeadField::ALL.iter().map(|field| field.as_str()))))
            .item(text().pattern(Some("^custom\\.[a-z][a-z0-9_]{0,49}$")))
            .description(Some(about))
            .examples(["email", "custom.budget"])
            .into()
    }
}

impl ToSchema for FieldKey {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("LeadField")
    }
}

impl PartialSchema for FilterDay {
    fn schema() -> RefOr<Schema> {
        let mut day = text(
            SchemaFormat::KnownFormat(KnownFormat::Date),
            "A day in UTC, from 1970 to 9998.",
        );
        day.pattern = Some("^(19[7-9]|[2-9][0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}$".to_owned());
        day.into()
    }
}

impl ToSchema for FilterDay {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Day")
    }
}

impl<T: ToSchema> PartialSchema for Listed<T> {
    fn schema() -> RefOr<Schema> {
        let cursor = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("Where the next page begins; null on the last one."));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("One page of a list."))
            .property("data", Array::new(Ref::from_schema_name(T::name())))
            .property("next_cursor", cursor)
            .into()
    }
}

impl<T: ToSchema> ToSchema for Listed<T> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}List", T::name()))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

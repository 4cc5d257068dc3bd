//! What programs send. Bodies are read member by member, so that each mistake gets its sentence; these say the same as types.

use std::borrow::Cow;

use utoipa::openapi::schema::{
    AdditionalProperties, Array, ArrayBuilder, KnownFormat, Object, OneOfBuilder, SchemaFormat,
    SchemaType,
};
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::account::LeadType;
use crate::domain::ids::{AccountId, ProfileId, UserId};
use crate::domain::lead::LeadStatus;

fn closed() -> Option<AdditionalProperties<Schema>> {
    Some(AdditionalProperties::FreeForm(false))
}

fn described(schema: ObjectBuilder, about: &str) -> Object {
    schema.description(Some(about)).build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// What is to change on a lead.
pub struct LeadChange;

impl PartialSchema for LeadChange {
    fn schema() -> RefOr<Schema> {
        let change = || {
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .property("status", Ref::from_schema_name(LeadStatus::name()))
                .additional_properties(closed())
        };
        let email = text()
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
            .description(Some(
                "The e-mail address of an active user, instead of `owner_id`.",
            ));
        OneOfBuilder::new()
            .item(
                change()
                    .property("owner_id", Ref::from_schema_name(UserId::name()))
                    .min_properties(Some(1)),
            )
            .item(
                change()
                    .property("owner_email", email)
                    .required("owner_email"),
            )
            .description(Some(
                "What is to change on a lead, at least one of them; the owner is named once.",
            ))
            .into()
    }
}

impl ToSchema for LeadChange {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("LeadChange")
    }
}

/// What is to be synchronized.
pub struct SyncWish;

impl PartialSchema for SyncWish {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(
                "What is to be synchronized: one account, all that one LinkedIn user profile sees, or everything with `{}`.",
            ))
            .property("account", Ref::from_schema_name(AccountId::name()))
            .property("profile", Ref::from_schema_name(ProfileId::name()))
            .additional_properties(closed())
            .max_properties(Some(1))
            .into()
    }
}

impl ToSchema for SyncWish {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("SyncWish")
    }
}

/// A response in LinkedIn's own shape.
pub struct LinkedInResponse;

fn urn(kind: &str) -> Object {
    text()
        .pattern(Some(format!("^urn:li:{kind}:[1-9][0-9]{{0,17}}$")))
        .build()
}

fn owner() -> OneOfBuilder {
    let named = |kind: &str| {
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .property(kind, urn(kind))
            .required(kind)
            .additional_properties(closed())
    };
    OneOfBuilder::new()
        .item(named("sponsoredAccount"))
        .item(named("organization"))
        .description(Some(
            "The account, which must be known here: `sponsoredAccount` or `organization`.",
        ))
}

/// Absent and null count as no.
fn yes_or_no() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Boolean, Type::Null]))
}

fn answers() -> ObjectBuilder {
    let object = || ObjectBuilder::new().schema_type(Type::Object);
    // LinkedIn's numbers may stand there as text.
    let number =
        || ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Integer, Type::String]));
    let answer = object()
        .property("questionId", number())
        .property(
            "answerDetails",
            described(
                ObjectBuilder::new().schema_type(SchemaType::AnyValue),
                "An object with `textQuestionAnswer` or `multipleChoiceAnswer`, as LinkedIn has them; what is neither is kept as unknown.",
            ),
        )
        .required("questionId");
    let consent = object()
        .property("consentId", number())
        .property("accepted", yes_or_no())
        .required("consentId");
    object()
        .property("answers", Array::new(answer))
        .property(
            "consentResponses",
            ArrayBuilder::new()
                .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
                .items(consent.build()),
        )
        .required("answers")
}

impl PartialSchema for LinkedInResponse {
    fn schema() -> RefOr<Schema> {
        let words = LeadType::ALL.iter().map(|lead_type| lead_type.wire());
        let version = r"^urn:li:versionedLeadGenForm:\(urn:li:leadGenForm:[1-9][0-9]{0,17},[1-9][0-9]{0,8}\)$";
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(
                "One response of LinkedIn’s lead form responses, as LinkedIn sends it. Members that are not named here are kept and not looked at.",
            ))
            .property(
                "id",
                described(
                    text().min_length(Some(1)).max_length(Some(200)).pattern(Some("^[!-~]+$")),
                    "LinkedIn’s response id: there is one submission for it, however often it comes.",
                ),
            )
            .property("owner", owner())
            .property("leadType", text().enum_values(Some(words)))
            .property("versionedLeadGenFormUrn", text().pattern(Some(version)))
            .property(
                "submittedAt",
                described(
                    ObjectBuilder::new()
                        .schema_type(Type::Integer)
                        .minimum(Some(0))
                        .maximum(Some(253_402_300_799_999_i64)),
                    "When the member submitted, in milliseconds since 1970; not in the future.",
                ),
            )
            .property("testLead", yes_or_no())
            .property("formResponse", answers())
            .required("id")
            .required("owner")
            .required("leadType")
            .required("versionedLeadGenFormUrn")
            .required("submittedAt")
            .required("formResponse")
            .into()
    }
}

impl ToSchema for LinkedInResponse {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("LinkedInResponse")
    }
}

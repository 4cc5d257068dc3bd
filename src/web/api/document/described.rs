//! What the document says of one line of the route table.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{
    Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Required, Schema, Type};
use utoipa::{IntoParams, ToSchema};

use super::{Schemas, problems};
use crate::domain::access::TokenRole;
use crate::web::api::output::Listed;
use crate::web::api::routes::{ApiRoute, is_about_linkedin};

/// The parts of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Leads.
    Leads,
    /// Form submissions.
    Submissions,
    /// Accounts and forms.
    LinkedIn,
    /// Status, runs and “Sync now”.
    Synchronization,
    /// Mappings and strategies.
    Rules,
}

impl Group {
    /// In the order of the document.
    pub const ALL: [Self; 5] = [
        Self::Leads,
        Self::Submissions,
        Self::LinkedIn,
        Self::Synchronization,
        Self::Rules,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leads => "Leads",
            Self::Submissions => "Submissions",
            Self::LinkedIn => "Accounts and forms",
            Self::Synchronization => "Synchronization",
            Self::Rules => "Mappings and strategies",
        }
    }

    /// What it is about.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Leads => "People who may become customers, with a status and an owner.",
            Self::Submissions => {
                "What members submitted, with answers and the decision that was made of them."
            }
            Self::LinkedIn => "LinkedIn accounts, their Lead Gen forms and the forms’ versions.",
            Self::Synchronization => "How the synchronization stands, its runs, and starting it.",
            Self::Rules => "The rules by which submissions become leads, to read.",
        }
    }
}

/// One line of the table in the document.
pub struct Described {
    group: Group,
    id: &'static str,
    summary: &'static str,
    about: &'static str,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    answers: BTreeMap<u16, Response>,
    problems: BTreeSet<u16>,
    schemas: Schemas,
}

impl Described {
    /// With its place, its name for programs, and what it does.
    #[must_use]
    pub fn new(group: Group, id: &'static str, summary: &'static str) -> Self {
        Self {
            group,
            id,
            summary,
            about: "",
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            // What can happen to every request.
            problems: BTreeSet::from([401, 406, 429, 503]),
            schemas: Vec::new(),
        }
    }

    /// What else is to be known.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// It may answer these errors.
    #[must_use]
    pub fn problems(mut self, statuses: &[u16]) -> Self {
        self.problems.extend(statuses);
        self
    }

    /// It takes these query parameters.
    #[must_use]
    pub fn filters<P: IntoParams>(mut self) -> Self {
        let parameters = P::into_params(|| Some(ParameterIn::Query));
        self.parameters
            .extend(parameters.into_iter().map(without_null));
        self.problems(&[400])
    }

    /// It is about one record.
    #[must_use]
    pub fn record<Id: ToSchema>(mut self) -> Self {
        self.parameters.push(
            ParameterBuilder::new()
                .name("id")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(Ref::from_schema_name(Id::name())))
                .build(),
        );
        self.problems(&[404])
    }

    fn header(mut self, name: &str, required: Required, about: &str, text: ObjectBuilder) -> Self {
        self.parameters.push(
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(required)
                .description(Some(about))
                .schema(Some(text.schema_type(Type::String)))
                .example(Some(json!("\"3\"")))
                .build(),
        );
        self
    }

    /// The record's version is counted, and is not sent again to programs that have it.
    #[must_use]
    pub fn versioned(self) -> Self {
        let mut this = self.header(
            "If-None-Match",
            Required::False,
            "An `ETag` of before: 304 if the record is still that version.",
            // One that is no tag of ours is never the version: RFC 9110 knows no error for it.
            ObjectBuilder::new(),
        );
        let same = ResponseBuilder::new()
            .description("The record is still the version in `If-None-Match`.")
            .header("ETag", etag());
        this.answers.insert(304, same.build());
        this.tagged()
    }

    /// What it answers carries the version.
    fn tagged(mut self) -> Self {
        if let Some(answer) = self.answers.get_mut(&200) {
            answer.headers.insert("ETag".to_owned(), etag().into());
        }
        self
    }

    /// It changes the version of the record that the program has read.
    #[must_use]
    pub fn changes_a_version(self) -> Self {
        self.header(
            "If-Match",
            Required::True,
            "The `ETag` of the version that the change was made from; `*` for any version.",
            ObjectBuilder::new().pattern(Some(r#"^(\*|"[0-9]{1,18}")$"#)),
        )
        .tagged()
        .problems(&[412, 428])
    }

    /// It takes JSON like this, under any of these media types.
    #[must_use]
    pub fn takes<T: ToSchema>(
        mut self,
        about: &str,
        media_types: &[&str],
        example: &Value,
    ) -> Self {
        let mut body = RequestBodyBuilder::new()
            .description(Some(about))
            .required(Some(Required::True));
        for media_type in media_types {
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name(T::name())))
                .example(Some(example.clone()));
            body = body.content(*media_type, content.build());
        }
        self.body = Some(body.build());
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        self.problems(&[400, 413, 415, 422])
    }

    /// It answers a record like this.
    #[must_use]
    pub fn sends<T: ToSchema>(mut self, status: u16, when: &str, example: Value) -> Self {
        let mut sent = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut sent);
        for (_, schema) in &mut sent {
            always_there(schema);
        }
        self.schemas.extend(sent);
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(T::name())))
            .example(Some(example));
        let answer = ResponseBuilder::new()
            .description(when)
            .content("application/json", content.build());
        self.answers.insert(status, answer.build());
        self
    }

    /// It answers a record that was made, and where it is.
    #[must_use]
    pub fn sends_new<T: ToSchema>(self, when: &str, example: Value) -> Self {
        let mut this = self.sends::<T>(201, when, example);
        if let Some(answer) = this.answers.get_mut(&201) {
            let location = always("Where the record is.", Type::String);
            answer
                .headers
                .insert("Location".to_owned(), location.into());
        }
        this
    }

    /// It answers a page of records like this.
    #[must_use]
    pub fn sends_list<T: ToSchema>(self, example: &Value) -> Self {
        let page = json!({ "data": [example], "next_cursor": null });
        self.sends::<Listed<T>>(200, "A page of them.", page)
    }

    /// The operation; its schemas go to the others.
    pub(super) fn operation(mut self, line: &ApiRoute, schemas: &mut Schemas) -> Operation {
        let roles: Vec<&str> = TokenRole::ALL
            .iter()
            .filter(|role| role.allows(line.needs))
            .map(|role| role.label())
            .collect();
        if roles.len() < TokenRole::ALL.len() || is_about_linkedin(line.path) {
            self.problems.insert(403);
        }
        schemas.append(&mut self.schemas);
        let about = format!("{} Roles: {}.", self.about, roles.join(", "));
        let mut operation = OperationBuilder::new()
            .operation_id(Some(self.id))
            .tag(self.group.name())
            .summary(Some(self.summary))
            .description(Some(about.trim()))
            .request_body(self.body);
        if !self.parameters.is_empty() {
            operation = operation.parameters(Some(self.parameters));
        }
        for (status, answer) in self.answers {
            operation = operation.response(status.to_string(), answer);
        }
        for status in self.problems {
            operation = operation.response(status.to_string(), problems::reference(status));
        }
        operation.build()
    }
}

fn always(about: &str, of: Type) -> Header {
    // The library has no name for it: without it a header may be missing.
    let required = Extensions::from_iter([("required", true)]);
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(of)))
        .description(Some(about))
        .extensions(Some(required))
        .build()
}

fn etag() -> Header {
    always(
        "The record’s version, for `If-Match` and `If-None-Match`.",
        Type::String,
    )
}

/// A parameter is sent or not; in an address there is no null.
fn without_null(mut parameter: Parameter) -> Parameter {
    parameter.schema = parameter.schema.map(|schema| match schema {
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Array(types) = &object.schema_type
                && let Some(of) = types.iter().find(|of| **of != Type::Null)
            {
                object.schema_type = SchemaType::Type(of.clone());
            }
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::OneOf(one)) => {
            let other = one.items.iter().find(|item| !is_null(item)).cloned();
            other.unwrap_or(RefOr::T(Schema::OneOf(one)))
        }
        other => other,
    });
    parameter
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

/// Every member of what is sent is there, if only with null: the derived schemas leave that open for optional ones.
fn always_there(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            object.required = object.properties.keys().cloned().collect();
        }
        RefOr::T(Schema::AllOf(all)) => all.items.iter_mut().for_each(always_there),
        _ => {}
    }
}

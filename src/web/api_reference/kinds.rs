//! Schemas in words.

use utoipa::openapi::schema::{ArrayItems, KnownFormat, Object, SchemaFormat, SchemaType};
use utoipa::openapi::{OpenApi, RefOr, Schema, Type};

use super::{Piece, pieces};

/// What a value is, and the name under which the page explains it, if it does.
pub struct Kind {
    /// In words.
    pub words: String,
    /// The named shape behind it.
    pub shape: Option<String>,
}

impl Kind {
    fn plain(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            shape: None,
        }
    }

    fn map(self, change: impl FnOnce(String) -> String) -> Self {
        Self {
            words: change(self.words),
            shape: self.shape,
        }
    }
}

/// A member of a record, or of what is sent.
pub struct Member {
    /// Its name; those inside of another one stand behind it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Whether it must be there.
    pub is_required: bool,
    /// What it means.
    pub about: Vec<Piece>,
}

/// The name that a reference points at.
fn target(location: &str) -> &str {
    location.rsplit('/').next().unwrap_or(location)
}

fn find<'a>(document: &'a OpenApi, location: &str) -> Option<&'a RefOr<Schema>> {
    let components = document.components.as_ref()?;
    components.schemas.get(target(location))
}

/// Whether the page explains this schema in a place of its own: records and lists of words.
pub fn is_named_apart(schema: &RefOr<Schema>) -> bool {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            !object.properties.is_empty() || object.enum_values.is_some()
        }
        RefOr::T(Schema::AllOf(_) | Schema::AnyOf(_) | Schema::OneOf(_)) => true,
        _ => false,
    }
}

/// What a schema says of itself.
pub fn about(schema: &RefOr<Schema>) -> String {
    match schema {
        RefOr::Ref(reference) => reference.description.clone(),
        RefOr::T(Schema::Object(object)) => object.description.clone().unwrap_or_default(),
        RefOr::T(Schema::Array(array)) => array.description.clone().unwrap_or_default(),
        RefOr::T(Schema::OneOf(one)) => one.description.clone().unwrap_or_default(),
        RefOr::T(Schema::AllOf(all)) => all.description.clone().unwrap_or_default(),
        RefOr::T(Schema::AnyOf(any)) => any.description.clone().unwrap_or_default(),
        RefOr::T(_) => String::new(),
    }
}

/// What a value of this schema is.
pub fn kind(document: &OpenApi, schema: &RefOr<Schema>) -> Kind {
    match schema {
        RefOr::Ref(reference) => match find(document, &reference.ref_location) {
            Some(found) if is_named_apart(found) => Kind {
                words: target(&reference.ref_location).to_owned(),
                shape: Some(target(&reference.ref_location).to_owned()),
            },
            Some(found) => kind(document, found),
            None => Kind::plain("anything"),
        },
        RefOr::T(Schema::Object(object)) => Kind::plain(object_words(object)),
        RefOr::T(Schema::Array(array)) => match &array.items {
            ArrayItems::RefOrSchema(items) => {
                kind(document, items).map(|words| format!("list of {words}"))
            }
            ArrayItems::False => Kind::plain("list"),
        },
        RefOr::T(Schema::OneOf(one)) => one
            .items
            .iter()
            .find(|item| !is_null(item))
            .map_or_else(|| Kind::plain("anything"), |item| kind(document, item))
            .map(|words| {
                if one.items.iter().any(is_null) {
                    format!("{words} or null")
                } else {
                    words
                }
            }),
        RefOr::T(_) => Kind::plain("anything"),
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

fn object_words(object: &Object) -> String {
    let types: Vec<&Type> = match &object.schema_type {
        SchemaType::Type(of) => vec![of],
        SchemaType::Array(types) => types.iter().collect(),
        SchemaType::AnyValue => return "anything".to_owned(),
    };
    let words = types
        .iter()
        .find(|of| ***of != Type::Null)
        .map_or("null", |of| type_words(of, object.format.as_ref()));
    if types.len() > 1 && types.contains(&&Type::Null) {
        format!("{words} or null")
    } else {
        words.to_owned()
    }
}

fn type_words(of: &Type, format: Option<&SchemaFormat>) -> &'static str {
    match (of, format) {
        (Type::String, Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))) => "time (RFC 3339)",
        (Type::String, Some(SchemaFormat::KnownFormat(KnownFormat::Date))) => "day",
        (Type::String, Some(SchemaFormat::Custom(_))) => "id",
        (Type::String, _) => "text",
        (Type::Integer, _) => "whole number",
        (Type::Number, _) => "number",
        (Type::Boolean, _) => "true or false",
        (Type::Array, _) => "list",
        (Type::Object, _) => "object",
        (Type::Null, _) => "null",
    }
}

/// The members of a record, with those of its unnamed parts.
pub fn members(document: &OpenApi, schema: &RefOr<Schema>) -> Vec<Member> {
    match schema {
        RefOr::Ref(reference) => find(document, &reference.ref_location)
            .map(|found| members(document, found))
            .unwrap_or_default(),
        RefOr::T(Schema::Object(object)) => members_of(document, object, ""),
        RefOr::T(Schema::AllOf(all)) => {
            let parts = all.items.iter();
            parts.flat_map(|part| members(document, part)).collect()
        }
        RefOr::T(Schema::OneOf(one)) => members_of_any(document, &one.items),
        RefOr::T(_) => Vec::new(),
    }
}

/// The members of alternatives, each once; none of them is needed in all.
fn members_of_any(document: &OpenApi, alternatives: &[RefOr<Schema>]) -> Vec<Member> {
    let mut all: Vec<Member> = Vec::new();
    for member in alternatives
        .iter()
        .flat_map(|alternative| members(document, alternative))
    {
        if !all.iter().any(|known| known.name == member.name) {
            all.push(Member {
                is_required: false,
                ..member
            });
        }
    }
    all
}

fn members_of(document: &OpenApi, object: &Object, before: &str) -> Vec<Member> {
    let mut all = Vec::new();
    for (name, schema) in &object.properties {
        let name_here = format!("{before}{name}");
        all.push(Member {
            kind: kind(document, schema),
            is_required: object.required.contains(name),
            about: pieces(&about_member(document, schema)),
            name: name_here.clone(),
        });
        match schema {
            RefOr::T(Schema::Object(inner)) => {
                all.extend(members_of(document, inner, &format!("{name_here}.")));
            }
            RefOr::T(Schema::OneOf(one)) => {
                for item in &one.items {
                    if let RefOr::T(Schema::Object(inner)) = item {
                        all.extend(members_of(document, inner, &format!("{name_here}.")));
                    }
                }
            }
            RefOr::T(Schema::Array(array)) => {
                if let ArrayItems::RefOrSchema(items) = &array.items
                    && let RefOr::T(Schema::Object(inner)) = items.as_ref()
                {
                    all.extend(members_of(document, inner, &format!("{name_here}[].")));
                }
            }
            _ => {}
        }
    }
    all
}

/// What stands with the member, else what its shape says, unless the page says that in the shape's own place.
fn about_member(document: &OpenApi, schema: &RefOr<Schema>) -> String {
    let said = about(schema);
    match schema {
        RefOr::Ref(reference) if said.is_empty() => find(document, &reference.ref_location)
            .filter(|found| !is_named_apart(found))
            .map(about)
            .unwrap_or_default(),
        _ => said,
    }
}

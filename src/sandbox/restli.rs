//! Rest.li 2.0 text as a server reads it: parameters, unions, lists and field projections; protocol 1.0 forms tolerated.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Param {
    /// One primitive, decoded.
    Text(String),
    /// `(key:value,…)`.
    Union(Vec<(String, Param)>),
    /// `List(a,b)`.
    List(Vec<Param>),
}

impl Param {
    /// The primitive, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A member of a union.
    pub(super) fn member(&self, key: &str) -> Option<&Param> {
        match self {
            Self::Union(members) => members
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The texts of a list (a single primitive counts as a list of one).
    pub(super) fn texts(&self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text.clone()],
            Self::List(items) => items
                .iter()
                .filter_map(|item| item.text().map(str::to_owned))
                .collect(),
            Self::Union(_) => Vec::new(),
        }
    }
}

/// A query string, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Splits a raw query string; values stay encoded until they are asked for.
    pub(super) fn parse(query: &str) -> Self {
        Self(
            query
                .split('&')
                .filter(|part| !part.is_empty())
                .map(|part| {
                    let (name, value) = part.split_once('=').unwrap_or((part, ""));
                    (decode(name), value.to_owned())
                })
                .collect(),
        )
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the parameter was sent.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The parameter as one decoded text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.raw(name).map(decode)
    }

    /// The parameter as structure; `None` when absent, `Err` when malformed.
    pub(super) fn value(&self, name: &str) -> Result<Option<Param>, ()> {
        self.raw(name).map(parse_value).transpose()
    }

    /// A non-negative number; `Err` when it is something else.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ()> {
        self.text(name)
            .map(|text| text.trim().parse().map_err(|_| ()))
            .transpose()
    }

    /// Protocol 1.0: every value of `name`, `name[0]`, `name[1]` …
    pub(super) fn indexed(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(key, _)| {
                key == name
                    || key
                        .strip_prefix(name)
                        .is_some_and(|rest| rest.starts_with('['))
            })
            .map(|(_, value)| decode(value))
            .collect()
    }
}

/// Percent-decodes; bytes that are no UTF-8 become U+FFFD.
pub(super) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Reads a value; structure that was percent-encoded as a whole is accepted, too (nobody knows whether LinkedIn does).
fn parse_value(raw: &str) -> Result<Param, ()> {
    let is_structure = |text: &str| text.starts_with('(') || text.starts_with("List(");
    let decoded;
    let text = if is_structure(raw) {
        raw
    } else {
        decoded = decode(raw);
        if !is_structure(&decoded) {
            return Ok(Param::Text(decoded));
        }
        decoded.as_str()
    };
    let (value, rest) = structure(text, 0)?;
    if rest.is_empty() { Ok(value) } else { Err(()) }
}

/// Reads one value and gives what follows it. Depth is bounded, because the text comes from outside.
fn structure(text: &str, depth: usize) -> Result<(Param, &str), ()> {
    if depth > 16 {
        return Err(());
    }
    if let Some(mut rest) = text.strip_prefix("List(") {
        let mut items = Vec::new();
        if let Some(after) = rest.strip_prefix(')') {
            return Ok((Param::List(items), after));
        }
        loop {
            let (item, after) = structure(rest, depth + 1)?;
            items.push(item);
            if let Some(next) = after.strip_prefix(',') {
                rest = next;
            } else {
                return after
                    .strip_prefix(')')
                    .map(|after| (Param::List(items), after))
                    .ok_or(());
            }
        }
    }
    if let Some(mut rest) = text.strip_prefix('(') {
        let mut members = Vec::new();
        if let Some(after) = rest.strip_prefix(')') {
            return Ok((Param::Union(members), after));
        }
        loop {
            let colon = rest.find(':').ok_or(())?;
            let (key, value) = rest.split_at(colon);
            if key.contains(['(', ')', ',']) {
                return Err(());
            }
            let (value, after) = structure(value.get(1..).unwrap_or_default(), depth + 1)?;
            members.push((decode(key), value));
            if let Some(next) = after.strip_prefix(',') {
                rest = next;
            } else {
                return after
                    .strip_prefix(')')
                    .map(|after| (Param::Union(members), after))
                    .ok_or(());
            }
        }
    }
    let end = text.find([',', ')']).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    Ok((Param::Text(decode(value)), rest))
}

/// A `fields` projection: `id,owner,form:(name,id)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Projection(Vec<(String, Option<Projection>)>);

impl Projection {
    /// Reads a projection, percent-encoded or not.
    pub(super) fn parse(raw: &str) -> Result<Self, ()> {
        let text = decode(raw);
        let (projection, rest) = Self::fields(&text, 0)?;
        if rest.is_empty() {
            Ok(projection)
        } else {
            Err(())
        }
    }

    fn fields(mut text: &str, depth: usize) -> Result<(Self, &str), ()> {
        if depth > 16 {
            return Err(());
        }
        let mut fields = Vec::new();
        loop {
            let end = text.find([',', '(', ')', ':']).unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            if name.trim().is_empty() {
                return Err(());
            }
            let name = name.trim().to_owned();
            let rest =
                if let Some(inner) = rest.strip_prefix(":(").or_else(|| rest.strip_prefix('(')) {
                    let (projection, after) = Self::fields(inner, depth + 1)?;
                    fields.push((name, Some(projection)));
                    after.strip_prefix(')').ok_or(())?
                } else if rest.starts_with(':') {
                    return Err(());
                } else {
                    fields.push((name, None));
                    rest
                };
            match rest.strip_prefix(',') {
                Some(next) => text = next,
                None => return Ok((Self(fields), rest)),
            }
        }
    }

    /// Whether a field of the first level is asked for.
    pub(super) fn names(&self, field: &str) -> bool {
        self.0.iter().any(|(name, _)| name == field)
    }

    /// Keeps what was asked for; lists are projected member by member.
    pub(super) fn apply(&self, value: Value) -> Value {
        match value {
            Value::Object(mut object) => {
                let mut kept = Map::new();
                for (name, inner) in &self.0 {
                    if let Some(field) = object.remove(name) {
                        let field = match inner {
                            Some(projection) => projection.apply(field),
                            None => field,
                        };
                        kept.insert(name.clone(), field);
                    }
                }
                Value::Object(kept)
            }
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.apply(item)).collect())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(value: &str) -> Param {
        Param::Text(value.to_owned())
    }

    #[test]
    fn unions_and_lists_are_read_encoded_once_raw_or_encoded_whole() {
        let owner = Param::Union(vec![(
            "sponsoredAccount".to_owned(),
            text("urn:li:sponsoredAccount:5"),
        )]);
        for raw in [
            "(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A5)",
            "(sponsoredAccount:urn:li:sponsoredAccount:5)",
            "%28sponsoredAccount%3Aurn%3Ali%3AsponsoredAccount%3A5%29",
        ] {
            assert_eq!(parse_value(raw), Ok(owner.clone()), "{raw}");
        }
        assert_eq!(
            parse_value("List(a,b%2Cc)"),
            Ok(Param::List(vec![text("a"), text("b,c")]))
        );
        assert_eq!(parse_value("List()"), Ok(Param::List(Vec::new())));
        assert_eq!(
            parse_value(
                "urn%3Ali%3AversionedLeadGenForm%3A%28urn%3Ali%3AleadGenForm%3A3162%2C1%29"
            ),
            Ok(text(
                "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)"
            ))
        );
        let nested = parse_value("(status:(values:List(ACTIVE,DRAFT)),test:false)").expect("valid");
        assert_eq!(
            nested
                .member("status")
                .and_then(|s| s.member("values"))
                .map(Param::texts),
            Some(vec!["ACTIVE".to_owned(), "DRAFT".to_owned()])
        );
        assert_eq!(nested.member("test").and_then(Param::text), Some("false"));
        for bad in [
            "(",
            "(a",
            "(a:b",
            "List(a",
            "(a:b)c",
            "(:)x",
            &"(a:".repeat(50),
        ] {
            assert_eq!(parse_value(bad), Err(()), "{bad}");
        }
    }

    #[test]
    fn projections_nest_and_reach_into_lists() {
        let value = json!({"id":1,"name":"n","form":{"id":2,"content":{"questions":[{"name":"a","x":1},{"name":"b"}]}}});
        let projection = Projection::parse("id,form:(content:(questions:(name)))").expect("valid");
        assert_eq!(
            projection.apply(value.clone()),
            json!({"id":1,"form":{"content":{"questions":[{"name":"a"},{"name":"b"}]}}})
        );
        let encoded = Projection::parse("id%2Cform%3A%28id%29").expect("valid");
        assert_eq!(
            encoded.apply(value.clone()),
            json!({"id":1,"form":{"id":2}})
        );
        assert_eq!(
            Projection::parse("form(id)").expect("valid").apply(value),
            json!({"form":{"id":2}})
        );
        for bad in ["", "a,", "a:b", "a:(", "a:(b", "a)", ","] {
            assert_eq!(Projection::parse(bad), Err(()), "{bad}");
        }
    }

    #[test]
    fn protocol_1_parameters_are_found_by_index() {
        let params = Params::parse(
            "q=search&search.status.values[0]=ACTIVE&search.status.values%5B1%5D=DRAFT&count=5&start=x",
        );
        assert_eq!(params.indexed("search.status.values"), ["ACTIVE", "DRAFT"]);
        assert_eq!(params.number("count"), Ok(Some(5)));
        assert_eq!(params.number("start"), Err(()));
        assert_eq!(params.number("none"), Ok(None));
    }
}

//! A request of the Web API as it came in, alone or inside a batch, and the answer before it leaves.

use serde_json::{Value, json};
use uuid::Uuid;

/// A request, alone or as a part of a batch.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    pub(super) method: String,
    /// Decoded pieces of the path below `/api/data/v9.2/`.
    pub(super) segments: Vec<Segment>,
    /// Decoded, in order.
    pub(super) query: Vec<(String, String)>,
    /// The query as it came, for links to further pages.
    pub(super) raw_query: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// `https://localhost:8443/api/data/v9.2/`.
    pub(super) root: String,
}

/// A piece of a path: `leads`, `leads(guid)`, `leads(new_x='1')`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Segment {
    pub(super) name: String,
    /// What stands in the parentheses; empty text for `WhoAmI()`.
    pub(super) key: Option<String>,
}

impl Segment {
    fn parse(piece: &str) -> Self {
        match piece
            .strip_suffix(')')
            .and_then(|piece| piece.split_once('('))
        {
            Some((name, key)) => Self {
                name: name.to_owned(),
                key: Some(key.to_owned()),
            },
            None => Self {
                name: piece.to_owned(),
                key: None,
            },
        }
    }
}

/// Splits a raw path below the root.
pub(super) fn segments(path: &str) -> Vec<Segment> {
    path.split('/')
        .filter(|piece| !piece.is_empty())
        .map(|piece| Segment::parse(&percent_decoded(piece)))
        .collect()
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// Splits a raw query; `+` is a blank, as Microsoft's own client writes it.
pub(super) fn parameters(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (
                percent_decoded(&name.replace('+', " ")),
                percent_decoded(&value.replace('+', " ")),
            )
        })
        .collect()
}

impl Ask {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The preferences, in order, without their quotes.
    fn preferences(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .filter(|(name, _)| name == "prefer")
            .flat_map(|(_, value)| split_preferences(value))
            .map(|one| {
                let (name, value) = one.split_once('=').unwrap_or((one, ""));
                (name.trim(), value.trim().trim_matches('"'))
            })
    }

    /// The value of a preference; empty text for one without a value.
    pub(super) fn preference(&self, name: &str) -> Option<&str> {
        self.preferences()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(super) fn wants_representation(&self) -> bool {
        self.preference("return") == Some("representation")
    }

    /// Whether annotations of this name are wanted.
    pub(super) fn wants_annotation(&self, name: &str) -> bool {
        self.preference("odata.include-annotations")
            .is_some_and(|wanted| {
                wanted.split(',').any(|one| match one.trim() {
                    "*" => true,
                    one => one
                        .strip_suffix('*')
                        .map_or(one == name, |start| name.starts_with(start)),
                })
            })
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<serde_json::Map<String, Value>, Refusal> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            _ => Err(Refusal::payload("the body is not a JSON object")),
        }
    }
}

/// Splits at commas outside of quotes.
fn split_preferences(value: &str) -> Vec<&str> {
    let mut quoted = false;
    value
        .split(move |c| {
            if c == '"' {
                quoted = !quoted;
            }
            c == ',' && !quoted
        })
        .collect()
}

/// An answer before it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Records that were written beside the first.
    pub(super) more_records: usize,
}

pub(super) const JSON: &str = "application/json; odata.metadata=minimal";

impl Answer {
    /// 204 without a body.
    pub(super) fn nothing() -> Self {
        Self {
            status: 204,
            headers: Vec::new(),
            body: Vec::new(),
            more_records: 0,
        }
    }

    /// Says how many records were written.
    pub(super) fn of_records(mut self, records: usize) -> Self {
        self.more_records = records.saturating_sub(1);
        self
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", JSON.to_owned())],
            body: body.to_string().into_bytes(),
            more_records: 0,
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Dataverse's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            headers: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A body that cannot be read.
    pub(super) fn payload(what: &str) -> Self {
        Self::new(
            400,
            "0x80048d19",
            format!("An error occurred while validating input parameters: {what}"),
        )
    }

    /// A query that cannot be read.
    pub(super) fn query(what: impl Into<String>) -> Self {
        Self::new(400, "0x80060888", what)
    }

    pub(super) fn no_segment(name: &str) -> Self {
        Self::new(
            404,
            "0x80060888",
            format!("Resource not found for the segment '{name}'."),
        )
    }

    pub(super) fn no_record(table: &str, id: Uuid) -> Self {
        Self::new(
            404,
            "0x80040217",
            format!("{table} With Id = {id} Does Not Exist"),
        )
    }

    pub(super) fn method() -> Self {
        Self::new(
            405,
            "0x80060888",
            "The requested resource does not support this HTTP method.",
        )
    }

    /// The envelope; with annotations where they were asked for.
    pub(super) fn answer(&self, ask: &Ask) -> Answer {
        let mut error = json!({ "code": self.code, "message": self.message });
        let annotation = "Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus";
        if ask.wants_annotation(annotation)
            && let Some(object) = error.as_object_mut()
        {
            object.insert(format!("@{annotation}"), json!("0"));
            object.insert(
                "@Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode".to_owned(),
                json!("0"),
            );
            object.insert(
                "@Microsoft.PowerApps.CDS.HelpLink".to_owned(),
                json!("http://go.microsoft.com/fwlink/?LinkID=398563"),
            );
        }
        let mut answer = Answer::json(self.status, &json!({ "error": error }));
        answer.headers.extend(self.headers.iter().cloned());
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_split_outside_of_quotes() {
        let ask = Ask {
            headers: vec![(
                "prefer".to_owned(),
                "odata.include-annotations=\"a.b,c.*\", odata.maxpagesize=50,return=representation"
                    .to_owned(),
            )],
            ..Ask::default()
        };
        assert_eq!(ask.preference("odata.maxpagesize"), Some("50"));
        assert!(ask.wants_representation());
        assert!(ask.wants_annotation("c.d") && ask.wants_annotation("a.b"));
        assert!(!ask.wants_annotation("a.b.c"));
    }

    #[test]
    fn segments_have_keys() {
        let read = segments("leads(new_x='a%20b')/Microsoft.Dynamics.CRM.QualifyLead");
        assert_eq!(
            read,
            [
                Segment {
                    name: "leads".to_owned(),
                    key: Some("new_x='a b'".to_owned())
                },
                Segment {
                    name: "Microsoft.Dynamics.CRM.QualifyLead".to_owned(),
                    key: None
                }
            ]
        );
        assert_eq!(segments("WhoAmI()")[0].key.as_deref(), Some(""));
    }
}

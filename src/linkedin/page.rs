//! Reading one page of a finder: strict about the envelope, lenient about each element, and nothing of an element is lost.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::error::LinkedInError;

/// One page of a Rest.li finder.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// Offset paging as LinkedIn reported it.
    pub paging: Paging,
    /// Cursor paging: the token of the next page; `None` ends the listing.
    pub next_page_token: Option<String>,
    /// The elements in LinkedIn's order.
    pub elements: Vec<Element<T>>,
}

impl<T> Page<T> {
    /// The page size that LinkedIn applied: what it reported, or what was asked for where it reported nothing usable.
    #[must_use]
    pub fn effective_count(&self, requested: u32) -> u32 {
        match self
            .paging
            .count
            .and_then(|count| u32::try_from(count).ok())
        {
            Some(count) if count > 0 => count.min(requested),
            _ => requested,
        }
    }

    /// The elements that could be read, without their raw text.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.elements
            .iter()
            .filter_map(|element| element.value.as_ref().ok())
    }
}

/// `paging` of an answer. `total` is often absent, `-1` or wrong: no end may be decided by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Paging {
    /// Offset of the first element.
    pub start: Option<i64>,
    /// The page size applied, which may be smaller than the one asked for.
    pub count: Option<i64>,
    /// How many there are in all, if LinkedIn says so.
    pub total: Option<i64>,
}

/// One element of a page: the exact bytes that LinkedIn sent, and what they mean.
#[derive(Debug, Clone)]
pub struct Element<T> {
    /// The element's JSON text, byte for byte.
    pub raw: Box<RawValue>,
    /// The typed reading, or why there is none (without any content of the element).
    pub value: Result<T, String>,
}

impl<T: DeserializeOwned> Element<T> {
    /// Reads one element; an unreadable one keeps its raw text.
    #[must_use]
    pub fn read(raw: Box<RawValue>) -> Self {
        let value = read_typed(raw.get());
        Self { raw, value }
    }
}

impl<T> Element<T> {
    /// The element's `id` where that much is readable, also when the rest is not.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Identified {
            id: serde_json::Value,
        }
        let identified: Identified = parse_repaired(self.raw.get()).ok()?;
        match identified.id {
            serde_json::Value::String(id) => Some(id),
            serde_json::Value::Number(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

/// The envelope: `elements` must be there and be a list.
#[derive(Deserialize)]
struct Envelope {
    paging: Option<Box<RawValue>>,
    metadata: Option<Box<RawValue>>,
    elements: Vec<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    next_page_token: Option<String>,
}

/// A page whose elements nobody has read yet: for a caller that knows most of them already.
#[derive(Debug, Clone)]
pub struct UnreadPage {
    /// Offset paging as LinkedIn reported it.
    pub paging: Paging,
    /// Cursor paging: the token of the next page; `None` ends the listing.
    pub next_page_token: Option<String>,
    /// The JSON text of each element, byte for byte, in LinkedIn's order.
    pub elements: Vec<Box<RawValue>>,
}

impl UnreadPage {
    /// Reads every element.
    #[must_use]
    pub fn read<T: DeserializeOwned>(self) -> Page<T> {
        Page {
            paging: self.paging,
            next_page_token: self.next_page_token,
            elements: self.elements.into_iter().map(Element::read).collect(),
        }
    }
}

/// Reads the envelope of a page.
///
/// # Errors
/// [`LinkedInError::UnexpectedAnswer`] for anything but a JSON object with a list called `elements`: such an answer is
/// never an empty page.
pub(super) fn read_envelope(body: &[u8]) -> Result<UnreadPage, LinkedInError> {
    let envelope: Envelope = read_body(body)?;
    let paging = envelope
        .paging
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default();
    let metadata: Metadata = envelope
        .metadata
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default();
    Ok(UnreadPage {
        paging,
        next_page_token: metadata.next_page_token.filter(|token| !token.is_empty()),
        elements: envelope.elements,
    })
}

/// Reads one entity: its raw text and its typed reading.
///
/// # Errors
/// [`LinkedInError::UnexpectedAnswer`] for anything but a JSON object.
pub(super) fn read_entity<T: DeserializeOwned>(body: &[u8]) -> Result<Element<T>, LinkedInError> {
    let raw: Box<RawValue> = read_body(body)?;
    if raw.get().trim_start().starts_with('{') {
        Ok(Element::read(raw))
    } else {
        Err(LinkedInError::unexpected("JSON, but not an object"))
    }
}

/// Parses a whole body; a byte order mark before it is passed over, the reasons name no content.
pub(super) fn read_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, LinkedInError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(LinkedInError::unexpected("an empty body"));
    }
    serde_json::from_slice(body).map_err(|error| {
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let what = match (first, error.classify()) {
            (Some(b'<'), _) => "HTML instead of JSON".to_owned(),
            (_, serde_json::error::Category::Eof) => "JSON that was cut off".to_owned(),
            (_, serde_json::error::Category::Data) => {
                format!("JSON of another shape ({})", reason(&error))
            }
            _ => "a body that is not JSON".to_owned(),
        };
        LinkedInError::UnexpectedAnswer { what }
    })
}

fn read_typed<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    parse_repaired(text).map_err(|error| reason(&error))
}

/// A string with half a surrogate pair is legal JSON text that serde cannot turn into a Rust string: such halves are read as U+FFFD.
fn parse_repaired<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    // Done before parsing, because a part that is kept raw is read later, by somebody who does not know this.
    let has_surrogates = text.contains("\\ud") || text.contains("\\uD");
    match has_surrogates
        .then(|| replace_lone_surrogates(text))
        .flatten()
    {
        Some(repaired) => serde_json::from_str(&repaired),
        None => serde_json::from_str(text),
    }
}

/// serde_json quotes the offending value; only what was expected may be told.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!("line {}, column {}", error.line(), error.column());
    if let Some(field) = text
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next())
    {
        return format!("{field} is missing");
    }
    match text.split_once(", expected ") {
        Some((_, expected)) => {
            let expected = expected.split(" at line ").next().unwrap_or_default();
            format!("{expected} expected at {place}")
        }
        None => format!("unreadable at {place}"),
    }
}

/// `None` when there is nothing to replace.
fn replace_lone_surrogates(text: &str) -> Option<String> {
    let code_at = |index: usize| -> Option<u32> {
        let digits = text.get(index..)?.strip_prefix("\\u")?.get(..4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut repaired = String::with_capacity(text.len());
    let mut changed = false;
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find('\\')) {
        let at = from + found;
        repaired.push_str(text.get(from..at)?);
        let length = match code_at(at) {
            Some(0xD800..=0xDBFF) if matches!(code_at(at + 6), Some(0xDC00..=0xDFFF)) => 12,
            Some(0xD800..=0xDFFF) => {
                repaired.push_str("\\ufffd");
                changed = true;
                from = at + 6;
                continue;
            }
            Some(_) => 6,
            // An escape of two characters; the second may be anything in broken text, so take one whole character.
            None => 1 + text.get(at + 1..)?.chars().next().map_or(0, char::len_utf8),
        };
        repaired.push_str(text.get(at..at + length)?);
        from = at + length;
    }
    repaired.push_str(text.get(from..)?);
    changed.then_some(repaired)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Named {
        id: i64,
        name: Option<String>,
    }

    fn page(body: &str) -> Result<Page<Named>, LinkedInError> {
        read_envelope(body.as_bytes()).map(UnreadPage::read)
    }

    #[test]
    fn a_page_keeps_the_exact_text_of_each_element() {
        let page = page(r#"{"paging":{"start":0,"count":10,"links":[],"total":2},"elements":[{ "id" : 1,  "x":0.10 },{"name":"b","id":2}]}"#)
            .expect("a page");
        let raw: Vec<_> = page.elements.iter().map(|e| e.raw.get()).collect();
        assert_eq!(
            raw,
            [r#"{ "id" : 1,  "x":0.10 }"#, r#"{"name":"b","id":2}"#]
        );
        assert_eq!(page.values().map(|v| v.id).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(page.paging.total, Some(2));
    }

    #[test]
    fn anything_but_a_list_of_elements_is_an_unexpected_answer() {
        for body in [
            "",
            "  \n",
            "null",
            "[]",
            "{}",
            "true",
            "\"elements\"",
            r#"{"elements":null}"#,
            r#"{"elements":{}}"#,
            r#"{"elements":"[]"}"#,
            r#"{"elements":0}"#,
            r#"{"paging":{}}"#,
            r#"{"elements":["#,
            r#"{"elements":[]"#,
            r#"{"elements":[]} trailing"#,
            r#"{"elements":[],"elements":[]}"#,
            "<!DOCTYPE html><html></html>",
            "{\"elements\":[}",
            "\u{feff}",
            "\u{feff}<html>",
        ] {
            assert!(
                matches!(page(body), Err(LinkedInError::UnexpectedAnswer { .. })),
                "{body}: {:?}",
                page(body)
            );
        }
        assert!(matches!(
            read_envelope(b"\xff\xfe{\"elements\":[]}"),
            Err(LinkedInError::UnexpectedAnswer { .. })
        ));
    }

    #[test]
    fn a_byte_order_mark_and_odd_paging_are_passed_over() {
        let read = page("\u{feff}{\"paging\":\"?\",\"metadata\":[],\"elements\":[{\"id\":1}]}")
            .expect("a page");
        assert_eq!(read.elements.len(), 1);
        assert_eq!(read.paging, Paging::default());
        assert_eq!(read.next_page_token, None);
        let read = page(r#"{"metadata":{"nextPageToken":"Dg"},"elements":[]}"#).expect("a page");
        assert_eq!(read.next_page_token.as_deref(), Some("Dg"));
    }

    #[test]
    fn one_odd_element_does_not_spoil_the_page_and_its_content_is_not_told() {
        let page = page(
            r#"{"elements":[{"id":"ada@example.com","name":"x"},{"id":2},null,{"name":"n"}]}"#,
        )
        .expect("a page");
        let first = page.elements.first().expect("first");
        assert_eq!(
            first.value,
            Err("i64 expected at line 1, column 23".to_owned())
        );
        assert_eq!(first.id().as_deref(), Some("ada@example.com"));
        assert_eq!(page.values().map(|v| v.id).collect::<Vec<_>>(), [2]);
        assert_eq!(page.elements.get(2).expect("null").raw.get(), "null");
        assert_eq!(page.elements.get(2).and_then(Element::id), None);
        assert_eq!(
            page.elements.get(3).expect("no id").value,
            Err("id is missing".to_owned())
        );
    }

    #[test]
    fn half_surrogates_and_nul_are_read_and_the_raw_text_stays() {
        let body = r#"{"elements":[{"id":1,"name":"a\ud800b\udc00\u0000\ud83d\ude00\\ud800"}]}"#;
        let page = page(body).expect("a page");
        let element = page.elements.first().expect("one");
        assert_eq!(
            element.value.as_ref().expect("read").name.as_deref(),
            Some("a\u{fffd}b\u{fffd}\0😀\\ud800")
        );
        assert!(body.contains(element.raw.get()));
    }

    #[test]
    fn the_effective_count_is_never_more_than_asked_for() {
        for (reported, expected) in [
            ("", 1000),
            (r#""count":100"#, 100),
            (r#""count":2147483647"#, 1000),
            (r#""count":-1"#, 1000),
            (r#""count":0"#, 1000),
        ] {
            let page =
                page(&format!(r#"{{"paging":{{{reported}}},"elements":[]}}"#)).expect("a page");
            assert_eq!(page.effective_count(1000), expected, "{reported}");
        }
    }

    proptest! {
        #[test]
        fn repairing_never_panics(text in "[\\\\ud8c0DF0-9\"a-fé😀]{0,40}") {
            let _ = replace_lone_surrogates(&text);
        }

        #[test]
        fn any_string_of_utf16_units_is_read(units in proptest::collection::vec(any::<u16>(), 0..20)) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let text = format!("{{\"elements\":[{{\"id\":1,\"name\":\"{escaped}\"}}]}}");
            let page = page(&text).expect("a page");
            let name = page.values().next().and_then(|v| v.name.clone());
            prop_assert_eq!(name, Some(String::from_utf16_lossy(&units)));
        }

        #[test]
        fn any_bytes_give_a_page_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_envelope(&bytes).map(UnreadPage::read::<Named>);
        }
    }
}

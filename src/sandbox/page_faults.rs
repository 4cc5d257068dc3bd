//! Faults that act on the elements and the paging of a page of forms or responses.

use serde_json::{Value, json};

use super::faults::FaultKind;
use super::gateway::{Call, page};
use super::reply::Reply;

/// Puts a page together, with the faults that act on its elements and its paging.
pub(super) fn finish(
    call: &Call<'_>,
    start: u64,
    count: u64,
    total: u64,
    next: Option<String>,
    mut elements: Vec<Vec<u8>>,
) -> Result<Reply, Reply> {
    let mut total = call.sandbox.settings().report_total.then_some(total as i64);
    let mut next = next;
    match call.fault.map(|fault| fault.kind) {
        Some(FaultKind::DupItems) => {
            elements = elements
                .into_iter()
                .flat_map(|element| [element.clone(), element])
                .collect()
        }
        Some(FaultKind::ReverseItems) => elements.reverse(),
        Some(FaultKind::DropItem) => {
            let middle = elements.len() / 2;
            if middle < elements.len() {
                elements.remove(middle);
            }
        }
        Some(FaultKind::NullFields) => each(&mut elements, null_fields),
        Some(FaultKind::ExtraFields) => each(&mut elements, extra_fields),
        Some(FaultKind::HugeAnswers) => first(&mut elements, |text| *text = "A".repeat(1_000_000)),
        Some(FaultKind::Nul) => every_answer(&mut elements, |text| text.push('\0')),
        // A lone surrogate exists only as JSON text, so it is put in for a marker.
        Some(FaultKind::LoneSurrogate) => {
            every_answer(&mut elements, |text| text.push_str("@@lone@@"));
            for element in &mut elements {
                let text = String::from_utf8_lossy(element).replace("@@lone@@", "\\ud83d");
                *element = text.into_bytes();
            }
        }
        Some(FaultKind::OddElement) => {
            if let Some(element) = elements.first_mut()
                && let Ok(mut value) = serde_json::from_slice::<Value>(element)
                && let Some(object) = value.as_object_mut()
            {
                object.insert("submittedAt".to_owned(), json!({ "seconds": 5 }));
                object.insert("versionId".to_owned(), json!({ "number": 5 }));
                *element = value.to_string().into_bytes();
            }
        }
        Some(FaultKind::WrongTotal) => total = total.map(|total| total / 2),
        Some(FaultKind::NegativeTotal) => total = Some(-1),
        Some(FaultKind::MissingTotal) => total = None,
        Some(FaultKind::MisleadingNext) => {
            next = if next.is_some() {
                None
            } else {
                Some(call.next_link(start + count, count))
            };
        }
        _ => {}
    }
    Ok(page(start, count, total, next, &elements))
}

fn each(elements: &mut [Vec<u8>], change: impl Fn(&mut Value)) {
    for element in elements {
        if let Ok(mut value) = serde_json::from_slice::<Value>(element) {
            change(&mut value);
            *element = value.to_string().into_bytes();
        }
    }
}

/// Everything that may be absent is there and null.
fn null_fields(value: &mut Value) {
    const OPTIONAL: &[&str] = &[
        "submitter",
        "leadMetadata",
        "associatedEntity",
        "responseId",
        "hiddenFields",
        "reviewInfo",
        "label",
        "textPrompt",
        "name",
        "postSubmissionInfo",
        "legalDisclaimer",
        "description",
    ];
    match value {
        Value::Object(object) => {
            for (name, inner) in object.iter_mut() {
                if OPTIONAL.contains(&name.as_str()) {
                    *inner = Value::Null;
                } else {
                    null_fields(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(null_fields),
        _ => {}
    }
}

/// Every object holds something unknown.
fn extra_fields(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(extra_fields);
            object.insert(
                "aaNewField".to_owned(),
                json!({ "deep": [[{}], null, 1e300] }),
            );
            object.insert("zzNewEnum".to_owned(), json!("SOMETHING_NEW"));
        }
        Value::Array(items) => items.iter_mut().for_each(extra_fields),
        _ => {}
    }
}

fn change_answers(value: &mut Value, change: &impl Fn(&mut String)) {
    let answers = value
        .pointer_mut("/formResponse/answers")
        .and_then(Value::as_array_mut);
    for answer in answers.into_iter().flatten() {
        if let Some(Value::String(text)) =
            answer.pointer_mut("/answerDetails/textQuestionAnswer/answer")
        {
            change(text);
        }
    }
}

fn every_answer(elements: &mut [Vec<u8>], change: impl Fn(&mut String)) {
    each(elements, |value| change_answers(value, &change));
}

fn first(elements: &mut [Vec<u8>], change: impl Fn(&mut String)) {
    if let Some(element) = elements.first_mut() {
        every_answer(std::slice::from_mut(element), change);
    }
}

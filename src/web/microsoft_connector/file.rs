//! Reads an uploaded export: CSV as Power Apps and Excel write it, or JSON as the Web API answers.

use std::collections::BTreeMap;

use actix_web::web::Bytes;
use serde_json::Value;

use super::super::lead_imports::csv_file::{Rows, shape};
use super::super::upload::{Upload, UploadedFile};
use crate::domain::microsoft_connector::{
    ConnectorRecord, ConnectorTable, DateProblem, DateReading, NotCarried, RecordCells, folded,
    matching_fail_of, not_carried, recognise, record_of, settle_times,
};

/// What stands with an error about columns or values in a language that is not known.
const IN_ENGLISH: &str = "Only English and logical names are known: set the language of Dynamics 365 to English and export the table \
                          again, or export it with logical names.";

/// Rows of a file that became no record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LeftOut {
    /// Rows of a record that another row of the file is, too.
    pub(super) repeated: usize,
    /// Rows that nothing identifies.
    pub(super) unidentified: usize,
    /// Whether the file says that it is a part only.
    pub(super) has_more: bool,
}

/// A file that was read: its table and its records, each key once.
pub(super) struct ReadFile {
    pub(super) name: String,
    pub(super) table: ConnectorTable,
    pub(super) records: Vec<ConnectorRecord>,
    pub(super) left_out: LeftOut,
}

/// The rows of a file, one after the other.
enum Sheet {
    Csv(Box<Rows>),
    Json(std::vec::IntoIter<Vec<String>>),
}

impl Sheet {
    fn next(&mut self) -> Result<Option<Vec<String>>, String> {
        match self {
            Self::Csv(rows) => rows.next(),
            Self::Json(rows) => Ok(rows.next()),
        }
    }
}

/// A field of the form and a sentence about it.
type Problem = (&'static str, String);

fn of_file(problem: String) -> Problem {
    ("file", problem)
}

/// A file that can be read.
struct Opened {
    /// Its headers, folded.
    headers: Vec<String>,
    sheet: Sheet,
    /// Whether it says that more follows elsewhere.
    has_more: bool,
}

fn open(file: &UploadedFile) -> Result<Opened, String> {
    let start = file
        .bytes
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(&file.bytes);
    let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[')) {
        return json(start);
    }
    let (headers, rows) = csv(&file.bytes)?;
    Ok(Opened {
        headers,
        sheet: Sheet::Csv(Box::new(rows)),
        has_more: false,
    })
}

fn csv(bytes: &Bytes) -> Result<(Vec<String>, Rows), String> {
    let mut rows = Rows::new(bytes.clone(), shape(bytes)?);
    let headers = rows.next()?.unwrap_or_default();
    Ok((headers.iter().map(|header| folded(header)).collect(), rows))
}

/// Opens `{"value": [{…}, …]}` or a bare list of records.
fn json(text: &[u8]) -> Result<Opened, String> {
    let no_list = || {
        "The file begins like JSON, but it is neither an answer of the Web API ({\"value\": […]}) nor a list of records.".to_owned()
    };
    let value: Value = serde_json::from_slice(text)
        .map_err(|error| format!("The file begins like JSON, but it cannot be read: {error}."))?;
    let (list, has_more) = match value {
        Value::Array(list) => (list, false),
        Value::Object(mut answer) => match answer.remove("value") {
            Some(Value::Array(list)) => (list, answer.contains_key("@odata.nextLink")),
            _ => return Err(no_list()),
        },
        _ => return Err(no_list()),
    };
    let mut columns: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows = Vec::with_capacity(list.len());
    for item in list {
        let Value::Object(item) = item else {
            return Err(no_list());
        };
        let mut row = vec![String::new(); columns.len()];
        // Names with an @ say more about another member, in the language of whoever asked.
        for (name, value) in item.into_iter().filter(|(name, _)| !name.contains('@')) {
            let text = match value {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => continue,
            };
            let next = columns.len();
            let at = *columns.entry(folded(&name)).or_insert(next);
            if at >= row.len() {
                row.resize(at + 1, String::new());
            }
            if let Some(cell) = row.get_mut(at) {
                *cell = text;
            }
        }
        rows.push(row);
    }
    let mut headers = vec![String::new(); columns.len()];
    for (name, at) in columns {
        if let Some(header) = headers.get_mut(at) {
            *header = name;
        }
    }
    Ok(Opened {
        headers,
        sheet: Sheet::Json(rows.into_iter()),
        has_more,
    })
}

/// Reads a whole file. The error is the field and a sentence about it.
pub(super) fn read(upload: &Upload) -> Result<ReadFile, Problem> {
    let file = upload
        .file("file")
        .ok_or_else(|| of_file("Choose a CSV or JSON file.".to_owned()))?;
    let reading = reading(upload)?;
    let Opened {
        headers,
        mut sheet,
        has_more,
    } = open(file).map_err(of_file)?;
    let table = table_of(upload, &headers, file, &mut sheet)?;
    let columns = table.columns(&headers);
    let mut left_out = LeftOut {
        has_more,
        ..LeftOut::default()
    };
    let mut records: BTreeMap<String, ConnectorRecord> = BTreeMap::new();
    while let Some(row) = sheet.next().map_err(of_file)? {
        match record_of(table, RecordCells::of(&columns, &row)) {
            Some(record) => {
                let other = records.insert(record.key.clone(), record);
                left_out.repeated += usize::from(other.is_some());
            }
            None => left_out.unidentified += 1,
        }
    }
    if records.is_empty() {
        return Err(of_file(format!(
            "No row of the file identifies a record of the table {}. Export its columns with their names in the first row. {IN_ENGLISH}",
            table.logical_name()
        )));
    }
    let mut records: Vec<ConnectorRecord> = records.into_values().collect();
    settle_times(table, &mut records, reading).map_err(|problem| match problem {
        DateProblem::Order(sentence) => ("date_order", sentence),
        DateProblem::Zone(sentence) => ("time_zone", sentence),
    })?;
    Ok(ReadFile {
        name: file.name.chars().take(200).collect(),
        table,
        records,
        left_out,
    })
}

/// What was said about the times of the file.
fn reading(upload: &Upload) -> Result<DateReading, Problem> {
    let said = |field: &str| {
        upload
            .field(field)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    let order = said("date_order").map(str::parse).transpose();
    let zone = said("time_zone").map(str::parse).transpose();
    Ok(DateReading {
        order: order.map_err(|_| ("date_order", "Choose one of the two orders.".to_owned()))?,
        zone: zone.map_err(|error: crate::domain::time_zone::UnknownTimeZone| {
            ("time_zone", error.to_string())
        })?,
    })
}

/// The table of the file: what its columns say, which must not be another one than somebody chose.
fn table_of(
    upload: &Upload,
    headers: &[String],
    file: &UploadedFile,
    sheet: &mut Sheet,
) -> Result<ConnectorTable, Problem> {
    let of_table = |problem: String| ("table", problem);
    let chosen: Option<ConnectorTable> = upload
        .field("table")
        .filter(|chosen| !chosen.is_empty())
        .map(str::parse)
        .transpose()
        .map_err(|_| of_table("Choose one of the tables.".to_owned()))?;
    let found = recognise(headers, &file.name);
    match (chosen, found) {
        (Some(chosen), Some(found)) if chosen != found => Err(of_table(format!(
            "The columns of the file are those of “{}” ({}), not of “{}” ({}). Choose that table, or the other file.",
            found.label(),
            found.logical_name(),
            chosen.label(),
            chosen.logical_name()
        ))),
        (_, Some(found)) => Ok(found),
        (chosen, None) => match (not_carried(headers), chosen) {
            (Some(other), _) => Err(of_file(why_not(other, headers, sheet))),
            (None, Some(chosen)) => Ok(chosen),
            (None, None) => Err(of_table(format!(
                "The columns of the file are those of no table of the connector. Say which table it is, or look whether its first row \
                 names the columns. {IN_ENGLISH}"
            ))),
        },
    }
}

/// Why a table does not come along; the one setting of it that matters is read out.
fn why_not(table: &NotCarried, headers: &[String], sheet: &mut Sheet) -> String {
    let first = sheet.next().ok().flatten().unwrap_or_default();
    let value = matching_fail_of(&RecordCells::of(headers, &first));
    let told = value.map_or_else(String::new, |value| {
        format!(" In this file it is “{}”.", value.label())
    });
    format!(
        "This is the table {}, which does not come along. {}{told}",
        table.logical_name, table.why
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_web_api_is_a_sheet() {
        let Opened {
            headers,
            mut sheet,
            has_more,
        } = json(
            br#" {"@odata.context": "x", "@odata.nextLink": "y", "value": [
                {"@odata.etag": "W/1", "msdyncrm_name": "Fair", "_msdyncrm_lead_value": null},
                {"msdyncrm_name": "Spring", "_msdyncrm_lead_value": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
                 "_msdyncrm_lead_value@OData.Community.Display.V1.FormattedValue": "Ada", "msdyncrm_activated": true, "msdyncrm_type": 192350001}]}"#,
        )
        .unwrap();
        assert_eq!(headers, ["name", "lead", "activated", "type"]);
        assert_eq!(sheet.next().unwrap().unwrap(), ["Fair"]);
        assert_eq!(
            sheet.next().unwrap().unwrap(),
            [
                "Spring",
                "7c9e6679-7425-40de-944b-e07fc1f90ae7",
                "true",
                "192350001"
            ]
        );
        assert!(has_more);
        for text in [&b"{}"[..], b"[1]", b"{\"value\": 1}", b"[{"] {
            let problem = json(text).err().unwrap();
            assert!(problem.contains("begins like JSON"));
        }
    }
}

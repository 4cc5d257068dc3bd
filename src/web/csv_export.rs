//! CSV downloads: the rows are read page by page while they are sent, so that a million of them need no more memory than one page.
//!
//! Cells that a spreadsheet would take for a formula begin with an apostrophe; plain numbers and phone numbers stay as they are.

use std::future::Future;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::stream;

use crate::store::StoreError;

/// Tells spreadsheets that the text is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A part of the rows, and where the next part begins.
#[derive(Debug, Clone)]
pub struct Chunk<P> {
    /// One list of cells a row, in the order of the header.
    pub rows: Vec<Vec<String>>,
    /// The place of the next part; `None` after the last one.
    pub next: Option<P>,
}

/// Answers with a CSV file. `read` is asked for one part after the other, beginning at `first`, as fast as the reader takes
/// them. When a part cannot be read, the download breaks off, so that nobody takes a half for the whole.
///
/// `file_name` is made of ASCII letters, digits, `-`, `_` and `.`; anything else is left out.
#[must_use]
pub fn respond<P, R, F>(file_name: &str, header: Vec<String>, first: P, read: R) -> HttpResponse
where
    P: 'static,
    R: Fn(P) -> F + 'static,
    F: Future<Output = Result<Chunk<P>, StoreError>> + 'static,
{
    enum Place<P> {
        Start(Vec<String>, P),
        At(P),
        End,
    }
    let parts = stream::try_unfold(
        (Place::Start(header, first), read),
        |(place, read)| async move {
            let (mut bytes, header, place) = match place {
                Place::Start(header, first) => (BYTE_ORDER_MARK.to_vec(), Some(header), first),
                Place::At(place) => (Vec::new(), None, place),
                Place::End => return Ok(None),
            };
            let chunk = read(place).await.inspect_err(|error| {
                tracing::warn!(error = %error, "a CSV download broke off");
            })?;
            bytes.extend(lines(header.iter().chain(&chunk.rows)));
            let next = chunk.next.map_or(Place::End, Place::At);
            Ok::<_, StoreError>(Some((Bytes::from(bytes), (next, read))))
        },
    );
    let name: String = file_name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .collect();
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ))
        .insert_header((header::VARY, "Cookie"))
        .streaming(parts)
}

/// Rows as lines of CSV (RFC 4180).
fn lines<'a>(rows: impl Iterator<Item = &'a Vec<String>>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .from_writer(Vec::new());
    for row in rows {
        // Memory takes what is written to it.
        let _infallible = writer.write_record(row.iter().map(|cell| harmless(cell).into_bytes()));
    }
    writer.into_inner().unwrap_or_default()
}

/// The cell as a spreadsheet may open it: with an apostrophe before what it would calculate.
#[must_use]
pub fn harmless(cell: &str) -> String {
    let is_formula = matches!(
        cell.chars().next(),
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
    );
    if is_formula && !is_number(cell) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// A sign and digits in the shapes of numbers and phone numbers: nothing that could be calculated or called.
fn is_number(cell: &str) -> bool {
    cell.strip_prefix(['+', '-']).is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_digit() || c == '(')
            && rest.contains(|c: char| c.is_ascii_digit())
            && rest
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, ' ' | '.' | ',' | '(' | ')'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn what_a_spreadsheet_would_calculate_is_text_and_numbers_stay_readable() {
        for bad in [
            "=1+1",
            "=HYPERLINK(\"http://x\")",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "+1-555-0100",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "＝1",
            "-",
            "+",
            "+(",
        ] {
            assert_eq!(harmless(bad), format!("'{bad}"));
        }
        for good in [
            "",
            "Ada",
            "a=1",
            "+491701234567",
            "+49 (170) 123.45",
            "-12.50",
            "3-4",
            "مرحبا",
            "'quoted'",
        ] {
            assert_eq!(harmless(good), good);
        }
    }

    #[actix_web::test]
    async fn the_file_is_sent_part_by_part_with_quotes_where_needed() {
        let response = respond(
            "form submissions\"\r\n.csv",
            row(&["Name", "Says"]),
            0_usize,
            |place| async move {
                Ok(Chunk {
                    rows: vec![row(&["Łucja", &format!("part \"{place}\", =x\nnew line")])],
                    next: (place < 2).then_some(place + 1),
                })
            },
        );
        let disposition = response.headers().get(header::CONTENT_DISPOSITION).cloned();
        assert_eq!(
            disposition.unwrap(),
            "attachment; filename=\"formsubmissions.csv\""
        );
        let body = actix_web::body::to_bytes(response.into_body())
            .await
            .unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let part = |n: u8| format!("Łucja,\"part \"\"{n}\"\", =x\nnew line\"\r\n");
        assert_eq!(
            text,
            format!("\u{feff}Name,Says\r\n{}{}{}", part(0), part(1), part(2))
        );
    }

    #[actix_web::test]
    async fn a_part_that_cannot_be_read_breaks_the_download_off() {
        let response = respond("x.csv", row(&["Name"]), 0_u8, |place| async move {
            match place {
                0 => Ok(Chunk {
                    rows: vec![row(&["a"])],
                    next: Some(1),
                }),
                _ => Err(StoreError::Busy),
            }
        });
        assert!(
            actix_web::body::to_bytes(response.into_body())
                .await
                .is_err()
        );
    }
}

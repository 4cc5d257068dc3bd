//! Reads a CSV file as people have them: encoding and separator are found out, and what is no CSV is refused in words.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use actix_web::web::Bytes;

use crate::domain::lead_import::MAX_COLUMNS;

/// The most bytes of one row: a quotation mark that is never closed would make one row of the whole rest.
const MOST_IN_A_ROW: usize = 1024 * 1024;
/// How much of a file is looked at to find its separator.
const SAMPLE: usize = 64 * 1024;

/// How the bytes of a file are letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// With or without a byte order mark.
    Utf8,
    /// Little endian.
    Utf16Le,
    /// Big endian.
    Utf16Be,
    /// What older versions of Excel write in Western Europe.
    Windows1252,
}

impl Encoding {
    const fn label(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le | Self::Utf16Be => "UTF-16",
            Self::Windows1252 => "Windows-1252",
        }
    }
}

/// How a file is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How bytes are letters.
    pub encoding: Encoding,
    /// What stands between two values.
    pub delimiter: u8,
    /// Bytes before the text: a byte order mark, and Excel's `sep=` line.
    start: usize,
}

impl Shape {
    /// For people.
    #[must_use]
    pub fn describe(self) -> String {
        let separator = match self.delimiter {
            b';' => "semicolons",
            b'\t' => "tabs",
            b'|' => "bars",
            _ => "commas",
        };
        format!("{}, values separated by {separator}", self.encoding.label())
    }
}

/// Finds out how a file is to be read.
///
/// # Errors
/// A sentence that says why it cannot be.
pub fn shape(bytes: &Bytes) -> Result<Shape, String> {
    let has = |magic: &[u8]| bytes.starts_with(magic);
    if has(b"PK\x03\x04") || has(b"\xD0\xCF\x11\xE0") {
        return Err("This is an Excel workbook (or another packed file), not a CSV file. In Excel choose Save as, then “CSV UTF-8”, and choose that file here.".to_owned());
    }
    let (encoding, mark) = if has(b"\xEF\xBB\xBF") {
        (Encoding::Utf8, 3)
    } else if has(b"\xFF\xFE") {
        (Encoding::Utf16Le, 2)
    } else if has(b"\xFE\xFF") {
        (Encoding::Utf16Be, 2)
    } else {
        (guess_encoding(bytes), 0)
    };
    let shape = Shape {
        encoding,
        delimiter: b',',
        start: mark,
    };
    let text = sample(bytes, shape);
    if text.trim().is_empty() {
        return Err(
            "The file is empty. Choose a file whose first row names the columns.".to_owned(),
        );
    }
    let odd = text
        .chars()
        .filter(|c| (c.is_control() && !matches!(c, '\t' | '\r' | '\n')) || *c == '\u{FFFD}')
        .count();
    if odd * 50 > text.chars().count() {
        return Err("This file is no text. Choose a CSV file: rows of values, separated by commas, semicolons or tabs.".to_owned());
    }
    Ok(with_delimiter(shape, &text))
}

/// Without a byte order mark: UTF-16 has a NUL in every other byte of Latin text; what is no UTF-8 is Windows-1252.
fn guess_encoding(bytes: &[u8]) -> Encoding {
    let start = bytes.get(..bytes.len().min(4_096)).unwrap_or_default();
    let zeros = |offset: usize| {
        start
            .iter()
            .skip(offset)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let pairs = (start.len() / 2).max(1);
    let (even, odd) = (zeros(0), zeros(1));
    if odd * 10 > pairs * 4 && even * 20 < pairs {
        Encoding::Utf16Le
    } else if even * 10 > pairs * 4 && odd * 20 < pairs {
        Encoding::Utf16Be
    } else if std::str::from_utf8(bytes).is_ok() {
        Encoding::Utf8
    } else {
        Encoding::Windows1252
    }
}

fn sample(bytes: &Bytes, shape: Shape) -> String {
    let mut text = Vec::new();
    let limit = u64::try_from(SAMPLE).unwrap_or(u64::MAX);
    let _infallible = Decoded::new(bytes.clone(), shape)
        .take(limit)
        .read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The separator that cuts most of the first rows into the same number of values as the header.
fn with_delimiter(mut shape: Shape, text: &str) -> Shape {
    let first = text.lines().next().unwrap_or_default();
    if let Some(told) = first.to_ascii_lowercase().strip_prefix("sep=")
        && let [delimiter @ (b',' | b';' | b'\t' | b'|')] = told.trim_end_matches('\r').as_bytes()
    {
        let units = text.split_inclusive('\n').next().unwrap_or_default().len();
        let width = if matches!(shape.encoding, Encoding::Utf16Le | Encoding::Utf16Be) {
            2
        } else {
            1
        };
        shape.start += units * width;
        shape.delimiter = *delimiter;
        return shape;
    }
    let score = |delimiter: u8| {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let lengths: Vec<usize> = reader
            .byte_records()
            .take(20)
            .map_while(Result::ok)
            .map(|record| record.len())
            .collect();
        let columns = lengths.first().copied().unwrap_or(0);
        let same = lengths.iter().filter(|length| **length == columns).count();
        if columns < 2 {
            0
        } else {
            same * 100 + columns.min(99)
        }
    };
    let best = [b',', b';', b'\t', b'|']
        .into_iter()
        .rev()
        .max_by_key(|delimiter| score(*delimiter));
    shape.delimiter = best
        .filter(|delimiter| score(*delimiter) > 0)
        .unwrap_or(b',');
    shape
}

/// The text of a file as UTF-8, whatever its encoding.
struct Decoded {
    bytes: Bytes,
    at: usize,
    encoding: Encoding,
    ready: Vec<u8>,
    taken: usize,
}

impl Decoded {
    fn new(bytes: Bytes, shape: Shape) -> Self {
        Self {
            at: shape.start.min(bytes.len()),
            bytes,
            encoding: shape.encoding,
            ready: Vec::new(),
            taken: 0,
        }
    }

    /// Decodes the next piece.
    fn refill(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let piece = rest.get(..rest.len().min(8_192)).unwrap_or_default();
        self.taken = 0;
        self.ready.clear();
        match self.encoding {
            Encoding::Utf8 => {
                self.ready.extend_from_slice(piece);
                self.at += piece.len();
            }
            Encoding::Windows1252 => {
                let text: String = piece.iter().map(|byte| windows_1252(*byte)).collect();
                self.ready.extend_from_slice(text.as_bytes());
                self.at += piece.len();
            }
            Encoding::Utf16Le | Encoding::Utf16Be => {
                let unit = |pair: &[u8; 2]| match self.encoding {
                    Encoding::Utf16Be => u16::from_be_bytes(*pair),
                    _ => u16::from_le_bytes(*pair),
                };
                let (pairs, _) = piece.as_chunks::<2>();
                let mut units: Vec<u16> = pairs.iter().map(unit).collect();
                // A letter of two units is not cut in two.
                if units.len() > 1
                    && units
                        .last()
                        .is_some_and(|last| (0xD800..0xDC00).contains(last))
                {
                    units.pop();
                }
                // A single byte at the end is no letter.
                self.at += if units.is_empty() {
                    piece.len()
                } else {
                    units.len() * 2
                };
                let text: String = char::decode_utf16(units)
                    .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect();
                self.ready.extend_from_slice(text.as_bytes());
            }
        }
    }
}

impl Read for Decoded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken >= self.ready.len() {
            self.refill();
        }
        let rest = self.ready.get(self.taken..).unwrap_or_default();
        let length = rest.len().min(into.len());
        for (to, from) in into.iter_mut().zip(rest) {
            *to = *from;
        }
        self.taken += length;
        Ok(length)
    }
}

/// The letter of a byte; the bytes that Windows-1252 leaves open are control characters, as in browsers.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž',
        '\u{8F}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9F => HIGH
            .get(usize::from(byte - 0x80))
            .copied()
            .unwrap_or(char::REPLACEMENT_CHARACTER),
        other => char::from(other),
    }
}

/// Stops when more than a row’s worth was read since the last row came out.
struct Bounded {
    from: Decoded,
    since_row: Rc<Cell<usize>>,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.since_row.get() > MOST_IN_A_ROW {
            return Err(io::Error::other("row too long"));
        }
        let length = self.from.read(into)?;
        self.since_row.set(self.since_row.get() + length);
        Ok(length)
    }
}

/// The rows of a file, one after the other.
pub struct Rows {
    reader: csv::Reader<Bounded>,
    since_row: Rc<Cell<usize>>,
    record: csv::StringRecord,
    number: i64,
}

impl Rows {
    /// Begins to read.
    #[must_use]
    pub fn new(bytes: Bytes, shape: Shape) -> Self {
        let since_row = Rc::new(Cell::new(0));
        let from = Bounded {
            from: Decoded::new(bytes, shape),
            since_row: Rc::clone(&since_row),
        };
        Self {
            reader: csv::ReaderBuilder::new()
                .delimiter(shape.delimiter)
                .has_headers(false)
                .flexible(true)
                .from_reader(from),
            since_row,
            record: csv::StringRecord::new(),
            number: 0,
        }
    }

    /// The next row; `None` after the last one.
    ///
    /// # Errors
    /// A sentence that says where the file breaks.
    pub fn next(&mut self) -> Result<Option<Vec<String>>, String> {
        self.since_row.set(0);
        self.number += 1;
        match self.reader.read_record(&mut self.record) {
            Ok(true) if self.record.len() > MAX_COLUMNS => Err(format!(
                "Row {} has {} columns; an import takes at most {MAX_COLUMNS}. Remove the columns that are not needed.",
                self.number,
                self.record.len()
            )),
            Ok(true) => Ok(Some(self.record.iter().map(str::to_owned).collect())),
            Ok(false) => Ok(None),
            Err(_) => Err(format!(
                "Row {} is longer than 1 MiB. Most likely a quotation mark before it is never closed.",
                self.number
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(String, Vec<Vec<String>>), String> {
        let bytes = Bytes::copy_from_slice(bytes);
        let shape = shape(&bytes)?;
        let mut rows = Rows::new(bytes, shape);
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(row);
        }
        Ok((shape.describe(), all))
    }

    fn utf16(text: &str, is_little: bool, mark: bool) -> Vec<u8> {
        let marked = if mark {
            format!("\u{feff}{text}")
        } else {
            text.to_owned()
        };
        marked
            .encode_utf16()
            .flat_map(|unit| {
                if is_little {
                    unit.to_le_bytes()
                } else {
                    unit.to_be_bytes()
                }
            })
            .collect()
    }

    #[test]
    fn every_encoding_and_separator_that_spreadsheets_write_is_read() {
        let expected = vec![
            vec!["Name".to_owned(), "Ort".to_owned()],
            vec!["Jürgen, \"J\" €🦊".to_owned(), "Łódź\r\nא".to_owned()],
        ];
        for delimiter in [',', ';', '\t', '|'] {
            let text = format!(
                "Name{delimiter}Ort\r\n\"Jürgen, \"\"J\"\" €🦊\"{delimiter}\"Łódź\r\nא\"\r\n"
            );
            for bytes in [
                text.clone().into_bytes(),
                format!("\u{feff}{text}").into_bytes(),
                utf16(&text, true, true),
                utf16(&text, false, true),
                utf16(&text, true, false),
                utf16(&text, false, false),
            ] {
                assert_eq!(read(&bytes).unwrap().1, expected, "{delimiter:?} {bytes:?}");
            }
        }
        let (format, rows) = read(b"Name;Firma\nJ\xFCrgen;\x80 M\x9Fller \x96 x\n").unwrap();
        assert_eq!(format, "Windows-1252, values separated by semicolons");
        assert_eq!(rows[1], ["Jürgen", "€ MŸller – x"]);
        let (_, rows) = read(b"sep=;\r\na,1;b\r\nc;d\r\n").unwrap();
        assert_eq!(rows, [["a,1", "b"], ["c", "d"]]);
        let (format, rows) = read(b"E-mail\nada@example.com\n").unwrap();
        assert_eq!(
            (format.as_str(), rows.len()),
            ("UTF-8, values separated by commas", 2)
        );
    }

    #[test]
    fn a_long_utf16_text_is_not_cut_inside_of_a_letter() {
        let text = format!("a,b\nx{},y\n", "🦊".repeat(9_000));
        let (_, rows) = read(&utf16(&text, true, true)).unwrap();
        assert_eq!(rows[1][0], format!("x{}", "🦊".repeat(9_000)));
    }

    #[test]
    fn what_is_no_csv_is_refused_in_words() {
        for (bytes, words) in [
            (b"".to_vec(), "is empty"),
            (b"\xEF\xBB\xBF \r\n\r\n".to_vec(), "is empty"),
            (b"PK\x03\x04\x14\0\x06\0".to_vec(), "Excel workbook"),
            ((0..=255_u8).cycle().take(5_000).collect(), "is no text"),
            (vec![0; 5_000], "is no text"),
            (
                format!("a,b\n\"never closed,{}", "x\n".repeat(700_000)).into_bytes(),
                "never closed",
            ),
            (vec!["h"; 1_000].join(",").into_bytes(), "has 1000 columns"),
        ] {
            let problem = read(&bytes).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
    }
}

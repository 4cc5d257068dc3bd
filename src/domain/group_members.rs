//! Who of a list of e-mail addresses becomes a member of a group: reads pasted text and rows of a file, and says what
//! becomes of each entry.

use std::collections::{HashMap, HashSet};

use super::ids::UserId;
use super::users::check_email;
use super::words::words;

/// The most entries of one list.
pub const MAX_ENTRIES: usize = 20_000;
/// The most characters of an entry that are kept, for showing: an address has fewer.
const MAX_SHOWN: usize = 260;

words! {
    /// What becomes of an entry.
    pub enum AdditionOutcome {
        Added = "added" => "Added",
        AlreadyMember = "already_member" => "Already a member",
        UnknownUser = "unknown_user" => "Unknown user",
        Invalid = "invalid" => "Invalid",
        Duplicate = "duplicate" => "Duplicate",
    }
}

impl AdditionOutcome {
    /// The same before it happened.
    #[must_use]
    pub const fn planned(self) -> &'static str {
        match self {
            Self::Added => "Will be added",
            other => other.label(),
        }
    }

    /// Why, and what to do.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Added => "",
            Self::AlreadyMember => "Nothing changes.",
            Self::UnknownUser => {
                "Nobody here has this address. Add the user first, or correct the address."
            }
            Self::Invalid => "This is no e-mail address.",
            Self::Duplicate => "The same address stands further up.",
        }
    }
}

/// Why a list cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Nothing in it.
    #[error("There is no e-mail address in it.")]
    Empty,
    /// Too much in it.
    #[error(
        "A list may hold at most {MAX_ENTRIES} entries; this one has {0}. Cut it into several."
    )]
    TooLong(usize),
    /// A file without a column of addresses.
    #[error(
        "No column is called “E-mail”. Name the column with the addresses so in the first row of the file, and choose it again. The columns are: {0}."
    )]
    NoColumn(String),
}

/// An entry of a list, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands: the line of the file, or which of the pasted entries.
    pub number: i64,
    /// The text as it was given, cut and without control characters.
    pub text: String,
    /// The address in the form in which it is unique; `None` when it is no address.
    pub email_key: Option<String>,
}

impl Entry {
    /// Reads one entry: an address alone, or `Ada Lovelace <ada@example.com>` as mail programs copy it.
    #[must_use]
    pub fn read(number: i64, text: &str) -> Self {
        let address = match (text.rfind('<'), text.trim_end().strip_suffix('>')) {
            (Some(at), Some(inner)) => inner.get(at + 1..).unwrap_or_default(),
            _ => text,
        };
        Self {
            number,
            text: text
                .trim()
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_SHOWN)
                .collect(),
            email_key: check_email(address).ok(),
        }
    }
}

fn bounded(entries: Vec<Entry>) -> Result<Vec<Entry>, ListError> {
    match entries.len() {
        0 => Err(ListError::Empty),
        many if many > MAX_ENTRIES => Err(ListError::TooLong(many)),
        _ => Ok(entries),
    }
}

/// Reads pasted text: entries are separated by new lines, commas or semicolons.
///
/// # Errors
/// When it holds none, or too many.
pub fn read_pasted(text: &str) -> Result<Vec<Entry>, ListError> {
    bounded(
        text.split(['\n', '\r', ',', ';'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .zip(1..)
            .map(|(part, number)| Entry::read(number, part))
            .collect(),
    )
}

/// A header as it is compared: letters and digits only, lower-cased.
fn folded(header: &str) -> String {
    header
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Which column holds the addresses; the first name that fits best counts.
fn email_column(header: &[String]) -> Option<usize> {
    ["email", "emailaddress", "mail", "userprincipalname"]
        .iter()
        .find_map(|name| header.iter().position(|cell| folded(cell) == *name))
}

/// Reads the rows of a file. The first row names the columns; one of them is called “E-mail”, in whatever case. A file
/// with a single column of addresses may come without such a row. Rows that are blank are left out.
///
/// # Errors
/// When it holds no addresses, too many, or no such column.
pub fn read_rows(rows: &[Vec<String>]) -> Result<Vec<Entry>, ListError> {
    let is_blank = |row: &&Vec<String>| row.iter().all(|cell| cell.trim().is_empty());
    let Some(header) = rows.iter().find(|row| !is_blank(row)) else {
        return Err(ListError::Empty);
    };
    let (column, headers) = match (email_column(header), header.as_slice()) {
        (Some(column), _) => (column, 1),
        (None, [only]) if Entry::read(1, only).email_key.is_some() => (0, 0),
        _ => {
            let names: Vec<String> = header
                .iter()
                .take(10)
                .map(|cell| format!("“{}”", Entry::read(0, cell).text))
                .collect();
            return Err(ListError::NoColumn(names.join(", ")));
        }
    };
    bounded(
        rows.iter()
            .zip(1..)
            .filter(|(row, _)| !is_blank(row))
            .skip(headers)
            .map(|(row, number)| {
                let cell = row.get(column).map(String::as_str).unwrap_or_default();
                Entry::read(number, cell)
            })
            .collect(),
    )
}

/// What becomes of each entry, in their order. `users` are the users with these addresses, `members` those of them who are
/// in the group already.
#[must_use]
pub fn judge(
    entries: &[Entry],
    users: &HashMap<String, UserId>,
    members: &HashSet<UserId>,
) -> Vec<AdditionOutcome> {
    let mut seen = HashSet::new();
    entries
        .iter()
        .map(|entry| {
            let Some(key) = &entry.email_key else {
                return AdditionOutcome::Invalid;
            };
            if !seen.insert(key) {
                return AdditionOutcome::Duplicate;
            }
            match users.get(key) {
                None => AdditionOutcome::UnknownUser,
                Some(user) if members.contains(user) => AdditionOutcome::AlreadyMember,
                Some(_) => AdditionOutcome::Added,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(entries: &[Entry]) -> Vec<Option<&str>> {
        entries
            .iter()
            .map(|entry| entry.email_key.as_deref())
            .collect()
    }

    fn rows(text: &str) -> Vec<Vec<String>> {
        text.lines()
            .map(|line| line.split(',').map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn pasted_text_is_cut_at_lines_commas_and_semicolons() {
        let text = "Ada@Example.com\r\n bob@example.com ;, Cid Case <CID@example.com>;\n\nnobody";
        let entries = read_pasted(text).unwrap();
        assert_eq!(
            keys(&entries),
            [
                Some("ada@example.com"),
                Some("bob@example.com"),
                Some("cid@example.com"),
                None
            ]
        );
        assert_eq!(entries[2].text, "Cid Case <CID@example.com>");
        assert_eq!(
            entries.iter().map(|entry| entry.number).collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
        assert_eq!(read_pasted(" \n;,"), Err(ListError::Empty));
        let many = "x@example.com\n".repeat(MAX_ENTRIES + 1);
        assert_eq!(read_pasted(&many), Err(ListError::TooLong(MAX_ENTRIES + 1)));
    }

    #[test]
    fn the_column_is_found_by_its_header_whatever_its_case() {
        for header in [
            "email",
            "E-mail",
            "EMAIL",
            "e-Mail Address",
            "Email_Address",
            "MAIL",
            "userPrincipalName",
        ] {
            let entries = read_rows(&rows(&format!(
                "Name,{header},Department\nAda,ada@example.com,Sales\n,,\nBob\nCid,nobody,x"
            )))
            .unwrap();
            assert_eq!(keys(&entries), [Some("ada@example.com"), None, None]);
            assert_eq!(
                entries.iter().map(|entry| entry.number).collect::<Vec<_>>(),
                [2, 4, 5]
            );
        }
    }

    #[test]
    fn a_single_column_of_addresses_needs_no_header_and_other_files_do() {
        let entries = read_rows(&rows("ada@example.com\nbob@example.com")).unwrap();
        assert_eq!(
            keys(&entries),
            [Some("ada@example.com"), Some("bob@example.com")]
        );
        assert_eq!(
            read_rows(&rows("Ada,ada@example.com")),
            Err(ListError::NoColumn("“Ada”, “ada@example.com”".to_owned()))
        );
        assert_eq!(read_rows(&rows("E-mail")), Err(ListError::Empty));
        assert_eq!(read_rows(&rows("\n ,")), Err(ListError::Empty));
    }

    #[test]
    fn an_entry_is_kept_short_and_without_control_characters() {
        let entry = Entry::read(1, &format!("a\0b\u{7}{}", "x".repeat(5_000)));
        assert_eq!(entry.text.chars().count(), MAX_SHOWN);
        assert!(entry.text.starts_with("abx"));
        for odd in ["<", ">", "<>", "a<b", "><", "é<ada@example.com> x", "<é>"] {
            assert_eq!(Entry::read(1, odd).email_key, None, "{odd}");
        }
    }

    #[test]
    fn each_entry_has_one_outcome_and_the_first_of_two_counts() {
        let id = |n: u8| UserId::new(uuid::Uuid::from_u128(u128::from(n)));
        let users = HashMap::from([
            ("ada@example.com".to_owned(), id(1)),
            ("bob@example.com".to_owned(), id(2)),
        ]);
        let entries = read_pasted(
            "ADA@example.com; ada@example.com; bob@example.com; cid@example.com; ?; cid@example.com",
        )
        .unwrap();
        use AdditionOutcome as O;
        assert_eq!(
            judge(&entries, &users, &HashSet::from([id(2)])),
            [
                O::Added,
                O::Duplicate,
                O::AlreadyMember,
                O::UnknownUser,
                O::Invalid,
                O::Duplicate
            ]
        );
    }
}

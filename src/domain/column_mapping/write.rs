//! What is written over what stands in a column.

use super::fit::ColumnValue;
use crate::domain::field_mapping::WritePolicy;

/// What a column is to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The value; `None`: the lead has none any more.
    pub value: Option<ColumnValue>,
    /// How it is written over another value.
    pub policy: WritePolicy,
    /// The longest text that the column takes.
    pub max_length: Option<u32>,
}

/// What is known about a column before it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What stands in it; `None`: nothing.
    pub value: Option<ColumnValue>,
    /// Whether what stands there is what we sent last.
    pub is_ours: bool,
    /// Whether what is wanted is what we sent last: then nothing changed here.
    pub is_sent: bool,
}

/// What happens to a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Nothing.
    Keep,
    /// It gets this value.
    Set(ColumnValue),
    /// It is emptied.
    Clear,
}

/// Decides about one column.
///
/// What did not change here is not written, so that what people changed in the organization since stays. Blank values erase
/// only what we sent ourselves and nobody changed since: a member may have asked for its deletion. What was added to other
/// people's words stays, because nobody can tell it from theirs.
#[must_use]
pub fn changes(wanted: &Wanted, standing: &Standing) -> Write {
    let Some(value) = &wanted.value else {
        let clears = standing.is_ours && wanted.policy != WritePolicy::Append;
        return if clears && standing.value.is_some() {
            Write::Clear
        } else {
            Write::Keep
        };
    };
    if standing.is_sent || standing.value.as_ref() == Some(value) {
        return Write::Keep;
    }
    match (wanted.policy, &standing.value) {
        (WritePolicy::Overwrite, _) | (_, None) => Write::Set(value.clone()),
        _ if standing.is_ours => Write::Set(value.clone()),
        (WritePolicy::Append, Some(ColumnValue::Text(there))) => {
            appended(there, value, wanted.max_length)
        }
        (WritePolicy::FillIfEmpty | WritePolicy::Append, Some(_)) => Write::Keep,
    }
}

fn appended(there: &str, value: &ColumnValue, max_length: Option<u32>) -> Write {
    let ColumnValue::Text(addition) = value else {
        return Write::Keep;
    };
    let framed = |text: &str| format!("\n{text}\n");
    if framed(there).contains(&framed(addition)) {
        return Write::Keep;
    }
    let text = format!("{there}\n{addition}");
    let fits = max_length
        .and_then(|max| usize::try_from(max).ok())
        .is_none_or(|max| text.encode_utf16().count() <= max);
    // What people wrote there is never cut for what we add.
    if fits {
        Write::Set(ColumnValue::Text(text))
    } else {
        Write::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> ColumnValue {
        ColumnValue::Text(value.to_owned())
    }

    fn decide(
        policy: WritePolicy,
        wanted: Option<&str>,
        there: Option<&str>,
        is_ours: bool,
        is_sent: bool,
    ) -> Write {
        changes(
            &Wanted {
                value: wanted.map(text),
                policy,
                max_length: Some(9),
            },
            &Standing {
                value: there.map(text),
                is_ours,
                is_sent,
            },
        )
    }

    #[test]
    fn what_did_not_change_here_is_left_as_people_made_it_there() {
        let overwrite = WritePolicy::Overwrite;
        assert_eq!(
            decide(overwrite, Some("a"), Some("b"), false, true),
            Write::Keep
        );
        assert_eq!(
            decide(overwrite, Some("a"), Some("b"), false, false),
            Write::Set(text("a"))
        );
        assert_eq!(
            decide(overwrite, Some("a"), Some("a"), false, false),
            Write::Keep
        );
    }

    #[test]
    fn fill_if_empty_replaces_only_what_we_wrote() {
        let fill = WritePolicy::FillIfEmpty;
        assert_eq!(
            decide(fill, Some("a"), None, false, false),
            Write::Set(text("a"))
        );
        assert_eq!(
            decide(fill, Some("a"), Some("b"), false, false),
            Write::Keep
        );
        assert_eq!(
            decide(fill, Some("a"), Some("b"), true, false),
            Write::Set(text("a"))
        );
    }

    #[test]
    fn append_adds_a_line_once_and_never_cuts_what_is_there() {
        let append = WritePolicy::Append;
        assert_eq!(
            decide(append, Some("b"), Some("a"), false, false),
            Write::Set(text("a\nb"))
        );
        assert_eq!(
            decide(append, Some("b"), Some("a\nb\nc"), false, false),
            Write::Keep
        );
        assert_eq!(
            decide(append, Some("long"), Some("longer"), false, false),
            Write::Keep
        );
    }

    #[test]
    fn a_blank_erases_only_what_we_sent() {
        let overwrite = WritePolicy::Overwrite;
        assert_eq!(
            decide(overwrite, None, Some("a"), true, false),
            Write::Clear
        );
        assert_eq!(
            decide(overwrite, None, Some("b"), false, false),
            Write::Keep
        );
        assert_eq!(decide(overwrite, None, None, true, false), Write::Keep);
        assert_eq!(
            decide(WritePolicy::FillIfEmpty, None, Some("a"), true, false),
            Write::Clear
        );
        assert_eq!(
            decide(WritePolicy::Append, None, Some("a"), true, false),
            Write::Keep
        );
    }
}

//! Checks the chain of the audit log: whether an entry was changed, deleted, inserted or moved behind the portal's back.
//!
//! Whoever can write the database can also calculate the whole chain anew. What then tells is the end of the chain,
//! noted earlier and kept elsewhere ([`Noted`]).

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::{AuditRow, chain};
use crate::each;
use crate::store::schema::audit_entries;
use crate::store::{AnyConn, StoreError};

/// Entries that are read at once.
const BLOCK: i64 = 1_000;

/// An end of the chain that somebody noted: `NUMBER:HASH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Number of the entry that was the last one then.
    pub number: i64,
    /// Its hash.
    pub hash: String,
}

impl std::fmt::Display for Noted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.number, self.hash)
    }
}

impl std::str::FromStr for Noted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let advice = "write it as it was printed, for example 120:9f86d0… with all 64 digits";
        let (number, hash) = text.split_once(':').ok_or(advice)?;
        let number: i64 = number.parse().map_err(|_| advice)?;
        if number < 1 || hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(advice.to_owned());
        }
        Ok(Self {
            number,
            hash: hash.to_ascii_lowercase(),
        })
    }
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A field of this entry was changed, or the entry stands in another one's place.
    Changed {
        /// Its number.
        number: i64,
        /// Its identifier.
        id: String,
    },
    /// Entries were deleted.
    Missing {
        /// Number of the first one that is not there.
        number: i64,
        /// Number of the next one that is there; none when the end of the log is gone.
        next: Option<i64>,
    },
    /// Two entries have this number.
    Twice {
        /// The number.
        number: i64,
        /// The identifier of one of them.
        id: String,
    },
    /// The hash of the last entry is not the one that the end of the chain keeps.
    End {
        /// The entry's number.
        number: i64,
    },
    /// There are entries behind the end of the chain.
    Beyond {
        /// The highest number.
        number: i64,
    },
    /// An entry has no number: it was not written by the portal.
    Loose {
        /// Its identifier.
        id: String,
    },
    /// The entry with the noted number has another hash now, or is not there: the log was written anew since.
    NotAsNoted {
        /// The noted number.
        number: i64,
    },
}

impl Fault {
    /// A word for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Changed { .. } => "changed",
            Self::Missing { .. } => "missing",
            Self::Twice { .. } => "twice",
            Self::End { .. } => "end",
            Self::Beyond { .. } => "beyond",
            Self::Loose { .. } => "loose",
            Self::NotAsNoted { .. } => "not_as_noted",
        }
    }

    /// The number that it is about, where there is one.
    #[must_use]
    pub const fn number(&self) -> Option<i64> {
        match self {
            Self::Changed { number, .. }
            | Self::Missing { number, .. }
            | Self::Twice { number, .. }
            | Self::End { number }
            | Self::Beyond { number }
            | Self::NotAsNoted { number } => Some(*number),
            Self::Loose { .. } => None,
        }
    }

    /// The identifier of the entry that it is about, where there is one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Changed { id, .. } | Self::Twice { id, .. } | Self::Loose { id } => Some(id),
            _ => None,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed { number, id } => write!(
                f,
                "Entry {number} ({id}) is not what was written: a field of it was changed, or it was put in another one’s place."
            ),
            Self::Missing {
                number,
                next: Some(next),
            } if next - number == 1 => {
                write!(f, "Entry {number} was deleted.")
            }
            Self::Missing {
                number,
                next: Some(next),
            } => {
                write!(f, "The entries {number} to {} were deleted.", next - 1)
            }
            Self::Missing { number, next: None } => {
                write!(f, "The end of the log was deleted, from entry {number} on.")
            }
            Self::Twice { number, id } => {
                write!(
                    f,
                    "There are several entries {number} ({id} is one of them): one was inserted."
                )
            }
            Self::End { number } => write!(
                f,
                "The end of the chain does not belong to entry {number}, the last one."
            ),
            Self::Beyond { number } => write!(
                f,
                "Entries up to {number} stand behind the end of the chain: they were inserted, or the end was set back."
            ),
            Self::Loose { id } => write!(
                f,
                "Entry {id} is not part of the chain: it was inserted, or written by a version of the portal without the chain."
            ),
            Self::NotAsNoted { number } => write!(
                f,
                "Entry {number} is not the one whose hash was noted: the log was written anew since."
            ),
        }
    }
}

/// A check of the chain under way. What is written while it runs is left to the next one.
#[derive(Debug, Clone)]
pub struct Verification {
    ends: chain::Ends,
    highest: i64,
    loose: Option<String>,
    noted: Option<Noted>,
    first: i64,
    next: i64,
    before: String,
    last_written_at: Option<DateTime<Utc>>,
    fault: Option<Fault>,
    is_done: bool,
}

#[derive(QueryableByName)]
struct EndsRow {
    #[diesel(sql_type = BigInt)]
    last_number: i64,
    #[diesel(sql_type = Text)]
    last_hash: String,
    #[diesel(sql_type = BigInt)]
    pruned_number: i64,
    #[diesel(sql_type = Text)]
    pruned_hash: String,
    #[diesel(sql_type = BigInt)]
    highest: i64,
    #[diesel(sql_type = Nullable<Text>)]
    loose: Option<String>,
}

impl Verification {
    /// Begins at entry `from`, or with the first one; the entry before `from` is trusted.
    ///
    /// # Errors
    /// `Corrupt` when the end of the chain is not there; as any query.
    pub fn begin(
        conn: &mut AnyConn,
        from: Option<i64>,
        noted: Option<Noted>,
    ) -> Result<Self, StoreError> {
        // One statement: what is written meanwhile is either in all of it or in nothing.
        let row: EndsRow = each!(conn, |c| diesel::sql_query(
            "SELECT last_number, last_hash, pruned_number, pruned_hash, \
                    (SELECT coalesce(max(chain_number), 0) FROM audit_entries) AS highest, \
                    (SELECT id FROM audit_entries WHERE chain_number IS NULL ORDER BY created_at, id LIMIT 1) AS loose \
             FROM audit_chain WHERE id = 1"
        )
        .get_result(c)
        .optional())?
        .ok_or(StoreError::Corrupt {
            table: "audit_chain",
            column: "id",
            id: "1".to_owned(),
        })?;
        let ends = chain::Ends {
            last_number: row.last_number,
            last_hash: row.last_hash,
            pruned_number: row.pruned_number,
            pruned_hash: row.pruned_hash,
        };
        let first = from.unwrap_or(1).clamp(
            ends.pruned_number + 1,
            ends.last_number.max(ends.pruned_number) + 1,
        );
        let before = if first == ends.pruned_number + 1 {
            ends.pruned_hash.clone()
        } else {
            audit_entries::table
                .filter(audit_entries::chain_number.eq(first - 1))
                .select(audit_entries::entry_hash.assume_not_null())
                .first(conn)
                .optional()?
                .unwrap_or_default()
        };
        let noted_is_wrong = noted.as_ref().is_some_and(|noted| {
            noted.number > ends.last_number
                || (noted.number == ends.pruned_number && noted.hash != ends.pruned_hash)
        });
        let fault = noted
            .as_ref()
            .filter(|_| noted_is_wrong)
            .map(|noted| Fault::NotAsNoted {
                number: noted.number,
            });
        let mut begun = Self {
            highest: row.highest,
            loose: row.loose,
            first,
            next: first,
            before,
            last_written_at: None,
            is_done: fault.is_some(),
            fault,
            noted,
            ends,
        };
        if begun.next > begun.ends.last_number {
            begun.finish();
        }
        Ok(begun)
    }

    /// Checks the next entries; nothing when it is done.
    ///
    /// # Errors
    /// As any query.
    pub fn step(&mut self, conn: &mut AnyConn) -> Result<(), StoreError> {
        if self.is_done {
            return Ok(());
        }
        let rows: Vec<AuditRow> = audit_entries::table
            .filter(audit_entries::chain_number.ge(self.next))
            .filter(audit_entries::chain_number.le(self.ends.last_number))
            .order((audit_entries::chain_number.asc(), audit_entries::id.asc()))
            .limit(BLOCK)
            .load(conn)?;
        let is_last = i64::try_from(rows.len()).unwrap_or(BLOCK) < BLOCK;
        for row in &rows {
            if let Err(fault) = self.check(row) {
                self.fault = Some(fault);
                self.is_done = true;
                return Ok(());
            }
        }
        if is_last || self.next > self.ends.last_number {
            self.finish();
        }
        Ok(())
    }

    fn check(&mut self, row: &AuditRow) -> Result<(), Fault> {
        let number = row.chain_number.unwrap_or_default();
        if number < self.next {
            let id = row.id.clone();
            return Err(Fault::Twice { number, id });
        }
        if number > self.next {
            return Err(Fault::Missing {
                number: self.next,
                next: Some(number),
            });
        }
        let hash = chain::hash(&self.before, number, row);
        if row.entry_hash.as_deref() != Some(hash.as_str()) {
            let id = row.id.clone();
            return Err(Fault::Changed { number, id });
        }
        if let Some(noted) = &self.noted
            && noted.number == number
            && noted.hash != hash
        {
            return Err(Fault::NotAsNoted { number });
        }
        self.last_written_at = Some(row.created_at.and_utc());
        self.before = hash;
        self.next = number + 1;
        Ok(())
    }

    /// Every entry that is there was right: what is left are the ends.
    fn finish(&mut self) {
        self.is_done = true;
        let last = self.ends.last_number;
        self.fault = if self.next <= last {
            Some(Fault::Missing {
                number: self.next,
                next: None,
            })
        } else if self.before != self.ends.last_hash {
            Some(Fault::End { number: last })
        } else if self.highest > last {
            Some(Fault::Beyond {
                number: self.highest,
            })
        } else {
            self.loose.clone().map(|id| Fault::Loose { id })
        };
    }

    /// Whether there is nothing left to check.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.is_done
    }

    /// The first thing that is wrong, if something is.
    #[must_use]
    pub const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Number of the first entry that was checked.
    #[must_use]
    pub const fn first(&self) -> i64 {
        self.first
    }

    /// Number of the last entry that was checked and is right; one less than [`Verification::first`] for none.
    #[must_use]
    pub const fn last(&self) -> i64 {
        self.next - 1
    }

    /// How many entries were checked and are right.
    #[must_use]
    pub const fn checked(&self) -> i64 {
        self.next - self.first
    }

    /// When the last entry that is right was written.
    #[must_use]
    pub const fn last_written_at(&self) -> Option<DateTime<Utc>> {
        self.last_written_at
    }

    /// How many entries the log had when the check began.
    #[must_use]
    pub const fn until(&self) -> i64 {
        self.ends.last_number
    }

    /// Number of the first entry of the log: more than 1 when older ones were pruned.
    #[must_use]
    pub const fn begins_at(&self) -> i64 {
        self.ends.pruned_number + 1
    }

    /// The end of the chain up to which all is right, to be noted elsewhere; none for an empty log.
    #[must_use]
    pub fn end(&self) -> Option<Noted> {
        (self.next > self.first || self.next > 1).then(|| Noted {
            number: self.next - 1,
            hash: self.before.clone(),
        })
    }
}

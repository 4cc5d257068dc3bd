//! Counts the requests to LinkedIn in memory, so that a call costs no write: they are added to the database with the end
//! of a run. What a process counted and did not store is lost with it, so the stored numbers are “at least”.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;

use crate::domain::ids::ProfileId;
use crate::store::api_calls::NewCalls;

type Counts = BTreeMap<(NaiveDate, String, String), NewCalls>;

/// The counts of one process that are not stored yet. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct CallCounts(Arc<Mutex<Counts>>);

impl CallCounts {
    fn add(&self, new: NewCalls) {
        let key = (
            new.day,
            new.endpoint.clone(),
            new.profile.as_str().to_owned(),
        );
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&key) {
            Some(known) => {
                known.calls += new.calls;
                known.refused += new.refused;
            }
            None => {
                counts.insert(key, new);
            }
        }
    }

    /// Counts one request; `is_refused` when LinkedIn answered that there were too many.
    pub fn note(&self, day: NaiveDate, endpoint: &str, profile: &ProfileId, is_refused: bool) {
        self.add(NewCalls {
            day,
            endpoint: endpoint.to_owned(),
            profile: profile.clone(),
            calls: 1,
            refused: i64::from(is_refused),
        });
    }

    /// Takes the counts for storing, in the order in which their rows are to be locked.
    #[must_use]
    pub fn take(&self) -> Vec<NewCalls> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *counts).into_values().collect()
    }

    /// Counts that could not be stored wait for the next time.
    pub fn put_back(&self, counts: Vec<NewCalls>) {
        for one in counts {
            self.add(one);
        }
    }
}

//! A window of an owner's responses, paged by offset: seeded ones by arithmetic, added ones merged in, deleted ones left out.

use std::collections::BTreeSet;

use super::responses::Response;
use super::world::{OwnerKey, Stream, World};

/// The seeded history together with what happened to it since.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) world: World,
    /// Submissions made while the sandbox runs, in the order of their arrival.
    pub(super) added: Vec<Response>,
    /// Deleted seeded responses.
    pub(super) deleted: BTreeSet<(u8, u64)>,
    /// How many added ones were deleted again, so that no id is given twice.
    pub(super) removed_added: u64,
}

/// Which responses are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) owner: OwnerKey,
    pub(super) lead_type: &'a str,
    pub(super) test: bool,
    /// Inclusive.
    pub(super) from_ms: i64,
    /// Exclusive.
    pub(super) to_ms: i64,
    /// Only this form and version.
    pub(super) form: Option<(i64, i64)>,
}

/// The seeded responses of a window, by their rank from the oldest.
enum Seeded<'a> {
    None,
    Range {
        stream: &'a Stream,
        from: u64,
        to: u64,
        deleted: Vec<u64>,
    },
    Listed {
        stream: &'a Stream,
        indexes: Vec<u64>,
    },
}

impl Seeded<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Range {
                from, to, deleted, ..
            } => to - from - deleted.len() as u64,
            Self::Listed { indexes, .. } => indexes.len() as u64,
        }
    }

    fn at(&self, world: &World, rank: u64) -> Option<Response> {
        match self {
            Self::None => None,
            Self::Range {
                stream,
                from,
                to,
                deleted,
            } => {
                let mut index = from + rank;
                for gone in deleted {
                    if *gone > index {
                        break;
                    }
                    index += 1;
                }
                if index < *to {
                    world.seeded_response(stream, index)
                } else {
                    None
                }
            }
            Self::Listed { stream, indexes } => {
                world.seeded_response(stream, *indexes.get(rank as usize)?)
            }
        }
    }

    /// How many were submitted at or before a moment.
    fn up_to(&self, world: &World, at_ms: i64) -> u64 {
        match self {
            Self::None => 0,
            Self::Range {
                stream,
                from,
                to,
                deleted,
            } => {
                let before = stream.count_before(world.seed, at_ms + 1).clamp(*from, *to);
                before - from - deleted.partition_point(|gone| *gone < before) as u64
            }
            Self::Listed { stream, indexes } => indexes
                .partition_point(|index| stream.submitted_at(world.seed, *index) <= at_ms)
                as u64,
        }
    }
}

/// A window that can be paged in either direction.
pub(super) struct Window<'a> {
    history: &'a History,
    seeded: Seeded<'a>,
    /// Added responses from the oldest, each with its rank in the whole window.
    added: Vec<(u64, &'a Response)>,
}

impl History {
    pub(super) fn window(&self, wanted: Wanted<'_>) -> Window<'_> {
        let world = &self.world;
        let stream = world.streams.iter().find(|s| {
            s.owner == wanted.owner && s.lead_type == wanted.lead_type && s.test == wanted.test
        });
        let seeded = stream.map_or(Seeded::None, |stream| {
            let from = stream.count_before(world.seed, wanted.from_ms);
            let to = stream.count_before(world.seed, wanted.to_ms).max(from);
            let deleted: Vec<u64> = self
                .deleted
                .range((stream.key, from)..(stream.key, to))
                .map(|(_, index)| *index)
                .collect();
            match wanted.form {
                None => Seeded::Range {
                    stream,
                    from,
                    to,
                    deleted,
                },
                Some(form) => Seeded::Listed {
                    stream,
                    indexes: (from..to)
                        .filter(|index| deleted.binary_search(index).is_err())
                        .filter(|index| {
                            world
                                .form_of(stream, *index)
                                .is_some_and(|(f, v)| (f.id, v.version) == form)
                        })
                        .collect(),
                },
            }
        });
        let mut added: Vec<&Response> = self
            .added
            .iter()
            .filter(|response| {
                response.owner == wanted.owner
                    && response.lead_type == wanted.lead_type
                    && response.test == wanted.test
                    && (wanted.from_ms..wanted.to_ms).contains(&response.submitted_at)
                    && wanted
                        .form
                        .is_none_or(|form| form == (response.form_id, response.version))
            })
            .collect();
        added.sort_by_key(|response| response.submitted_at);
        let added = added
            .into_iter()
            .enumerate()
            .map(|(position, response)| {
                (
                    seeded.up_to(world, response.submitted_at) + position as u64,
                    response,
                )
            })
            .collect();
        Window {
            history: self,
            seeded,
            added,
        }
    }

    /// One response by its id, unless it was deleted.
    pub(super) fn find(&self, id: &str) -> Option<Response> {
        if let Some(added) = self.added.iter().find(|response| response.id == id) {
            return Some(added.clone());
        }
        let (stream, index) = self.world.place_of(id)?;
        if self.deleted.contains(&(stream.key, index)) {
            return None;
        }
        self.world.seeded_response(stream, index)
    }

    /// Forgets a response; whether there was one.
    pub(super) fn delete(&mut self, id: &str) -> bool {
        let before = self.added.len();
        self.added.retain(|response| response.id != id);
        if self.added.len() != before {
            self.removed_added += 1;
            return true;
        }
        let place = self
            .world
            .place_of(id)
            .map(|(stream, index)| (stream.key, index));
        place.is_some_and(|place| self.deleted.insert(place))
    }
}

impl Window<'_> {
    pub(super) fn len(&self) -> u64 {
        self.seeded.len() + self.added.len() as u64
    }

    /// The response at a rank from the oldest.
    fn at(&self, rank: u64) -> Option<Response> {
        match self.added.binary_search_by_key(&rank, |(rank, _)| *rank) {
            Ok(position) => self
                .added
                .get(position)
                .map(|(_, response)| (*response).clone()),
            Err(before) => self.seeded.at(&self.history.world, rank - before as u64),
        }
    }

    /// `count` responses from offset `start` on.
    pub(super) fn page(&self, start: u64, count: u64, newest_first: bool) -> Vec<Response> {
        let len = self.len();
        (start.min(len)..start.saturating_add(count).min(len))
            .filter_map(|offset| {
                self.at(if newest_first {
                    len - 1 - offset
                } else {
                    offset
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_795_000_000_000;

    #[test]
    fn pages_hold_everything_once_whatever_was_added_or_deleted() {
        let world = World::build(3, 300, START);
        let stream = world.streams.first().expect("a stream").clone();
        let template = world.seeded_response(&stream, 0).expect("a response");
        let mut history = History {
            world,
            added: Vec::new(),
            deleted: BTreeSet::new(),
            removed_added: 0,
        };
        let ids: Vec<String> = (0..stream.count)
            .map(|index| history.world.response_id(stream.key, index))
            .collect();
        for (number, at) in [
            (0, START),
            (1, stream.submitted_at(3, 50)),
            (2, stream.submitted_at(3, 50)),
            (3, stream.from_ms - 5),
        ] {
            let mut response = template.clone();
            response.id = format!("added-{number}");
            response.submitted_at = at;
            history.added.push(response);
        }
        for gone in [0, 49, 50, 51, 100] {
            assert!(history.delete(&ids[gone]));
            assert!(!history.delete(&ids[gone]));
        }
        assert!(history.delete("added-0") && !history.delete("added-0"));
        let whole = (i64::MIN / 2, i64::MAX / 2);
        for (from_ms, to_ms) in [
            whole,
            (stream.submitted_at(3, 20), stream.submitted_at(3, 120)),
            (5, 5),
        ] {
            for newest_first in [true, false] {
                for size in [1, 7, 1000] {
                    let window = history.window(Wanted {
                        owner: stream.owner,
                        lead_type: "SPONSORED",
                        test: false,
                        from_ms,
                        to_ms,
                        form: None,
                    });
                    let mut seen = Vec::new();
                    let mut start = 0;
                    loop {
                        let page = window.page(start, size, newest_first);
                        if page.is_empty() {
                            break;
                        }
                        start += page.len() as u64;
                        seen.extend(page);
                    }
                    let expected = (0..stream.count)
                        .map(|index| history.world.response_id(stream.key, index))
                        .chain((1..4).map(|n| format!("added-{n}")))
                        .filter_map(|id| history.find(&id))
                        .filter(|r| (from_ms..to_ms).contains(&r.submitted_at))
                        .map(|r| r.id)
                        .collect::<BTreeSet<_>>();
                    assert_eq!(seen.len(), expected.len());
                    assert_eq!(seen.len() as u64, window.len());
                    let times: Vec<i64> = seen.iter().map(|r| r.submitted_at).collect();
                    assert!(if newest_first {
                        times.iter().rev().is_sorted()
                    } else {
                        times.is_sorted()
                    });
                    assert_eq!(
                        seen.into_iter().map(|r| r.id).collect::<BTreeSet<_>>(),
                        expected
                    );
                }
            }
        }
    }

    #[test]
    fn a_window_can_be_limited_to_one_form_version() {
        let world = World::build(3, 300, START);
        let stream = world.streams.first().expect("a stream").clone();
        let form = world.forms.first().expect("a form").id;
        let history = History {
            world,
            added: Vec::new(),
            deleted: BTreeSet::new(),
            removed_added: 0,
        };
        let wanted = |form| Wanted {
            owner: stream.owner,
            lead_type: "SPONSORED",
            test: false,
            from_ms: 0,
            to_ms: i64::MAX / 2,
            form,
        };
        let all = history.window(wanted(None)).page(0, 10_000, true);
        for version in [1, 2] {
            let some = history
                .window(wanted(Some((form, version))))
                .page(0, 10_000, true);
            assert!(!some.is_empty());
            assert_eq!(
                some.len(),
                all.iter()
                    .filter(|r| (r.form_id, r.version) == (form, version))
                    .count()
            );
        }
    }
}

//! The pattern behind `contains`, `startswith` and `endswith`: SQL's `LIKE`, whose wildcards the service lets through.

use super::cell::folded;
use super::exchange::Refusal;

/// Where the pattern has to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    Start,
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Many,
    One,
    Set(Vec<(char, char)>, bool),
    Literal(char),
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Like(Vec<Piece>);

impl Like {
    /// Parses a pattern. `[%]` is a literal percent sign.
    pub(super) fn parse(text: &str, place: Place) -> Result<Self, Refusal> {
        if text.starts_with('%') || text.starts_with('_') {
            return Err(Refusal::new(
                400,
                "0x80048d1b",
                "The leading wildcard character in the search condition is not supported.",
            ));
        }
        let mut pieces = Vec::new();
        if place != Place::Start {
            pieces.push(Piece::Many);
        }
        let folded = folded(text);
        let mut rest = folded.chars();
        while let Some(c) = rest.next() {
            pieces.push(match c {
                '%' => Piece::Many,
                '_' => Piece::One,
                '[' => match rest.as_str().split_once(']') {
                    Some((set, after)) => {
                        let piece = parse_set(set);
                        rest = after.chars();
                        piece
                    }
                    None => Piece::Literal('['),
                },
                c => Piece::Literal(c),
            });
        }
        if place != Place::End {
            pieces.push(Piece::Many);
        }
        Ok(Self(pieces))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = folded(text).chars().collect();
        // The classic walk with one place to fall back to: linear for the patterns that people write.
        let (mut piece, mut at) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        while let Some(c) = text.get(at) {
            let fits = match self.0.get(piece) {
                Some(Piece::Many) => {
                    back = Some((piece + 1, at));
                    piece += 1;
                    continue;
                }
                Some(Piece::One) => true,
                Some(Piece::Literal(literal)) => literal == c,
                Some(Piece::Set(ranges, negated)) => {
                    ranges.iter().any(|(from, to)| from <= c && c <= to) != *negated
                }
                None => false,
            };
            if fits {
                piece += 1;
                at += 1;
                continue;
            }
            match back {
                Some((after, from)) => {
                    piece = after;
                    at = from + 1;
                    back = Some((after, from + 1));
                }
                None => return false,
            }
        }
        self.0
            .get(piece..)
            .unwrap_or_default()
            .iter()
            .all(|piece| *piece == Piece::Many)
    }
}

fn parse_set(set: &str) -> Piece {
    let (set, negated) = match set.strip_prefix('^') {
        Some(set) => (set, true),
        None => (set, false),
    };
    let characters: Vec<char> = set.chars().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(from) = characters.get(at) {
        match (characters.get(at + 1), characters.get(at + 2)) {
            (Some('-'), Some(to)) => {
                ranges.push((*from, *to));
                at += 3;
            }
            _ => {
                ranges.push((*from, *from));
                at += 1;
            }
        }
    }
    Piece::Set(ranges, negated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, place: Place, text: &str) -> bool {
        Like::parse(pattern, place)
            .expect("a pattern")
            .matches(text)
    }

    #[test]
    fn texts_match_without_case_and_with_the_wildcards_of_sql() {
        assert!(matches("RUIZ", Place::Anywhere, "Ana Ruiz SL"));
        assert!(matches("ana", Place::Start, "Ana Ruiz"));
        assert!(!matches("ruiz", Place::Start, "Ana Ruiz"));
        assert!(matches("ruiz", Place::End, "Ana Ruiz "));
        assert!(matches("a%z", Place::Start, "Ana Ruiz"));
        assert!(matches("a_a", Place::Start, "Ana"));
        assert!(matches("[a-c]na", Place::Start, "Bna") && !matches("[^a]na", Place::Start, "ana"));
        assert!(matches("5[%]", Place::End, "by 5%") && !matches("5[%]", Place::End, "by 5x"));
        assert!(Like::parse("%x", Place::Anywhere).is_err());
    }
}

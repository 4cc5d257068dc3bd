//! Lead form responses: each seeded one is derived from its index when it is asked for, so a million cost no memory.

use serde::Serialize;

use super::forms::{Form, FormQuestion, FormVersion, QuestionKind};
use super::people::{Person, hostile};
use super::seeded::{below, mix};
use super::world::{LeadTypeName, OwnerKey, Stream, World};

/// One response with everything that LinkedIn would tell about it.
#[derive(Debug, Clone)]
pub(super) struct Response {
    pub(super) id: String,
    pub(super) owner: OwnerKey,
    pub(super) lead_type: LeadTypeName,
    pub(super) test: bool,
    pub(super) submitted_at: i64,
    pub(super) form_id: i64,
    pub(super) version: i64,
    /// Absent for guests.
    pub(super) submitter: Option<String>,
    pub(super) campaign: Option<i64>,
    pub(super) creative: Option<i64>,
    pub(super) event: Option<i64>,
    pub(super) answers: Vec<(i64, Answered)>,
    pub(super) consents: Vec<(i64, bool)>,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answered {
    /// Typed text.
    Text(String),
    /// Option ids.
    Options(Vec<i64>),
}

impl Stream {
    /// When response `index` was submitted. Strictly rising with the index.
    pub(super) fn submitted_at(&self, seed: u64, index: u64) -> i64 {
        let jitter = below(seed, 20 + u64::from(self.key), index, self.slot_ms as u64) as i64;
        self.from_ms + index as i64 * self.slot_ms + jitter
    }

    /// How many responses were submitted before `at_ms`: the index of the first that was not.
    pub(super) fn count_before(&self, seed: u64, at_ms: i64) -> u64 {
        if at_ms <= self.from_ms {
            return 0;
        }
        let slot = ((at_ms - self.from_ms) / self.slot_ms) as u64;
        if slot >= self.count {
            return self.count;
        }
        slot + u64::from(self.submitted_at(seed, slot) < at_ms)
    }
}

const UUID_MASK: u64 = 0xffff_ffff_ffff;

impl World {
    /// The id of a seeded response: a UUID and a small number, from which stream and index can be read back.
    pub(super) fn response_id(&self, stream: u8, index: u64) -> String {
        let place = (u64::from(stream) << 40) | (index & 0xff_ffff_ffff);
        let hash = mix(self.seed, 1, place);
        let head = (hash >> 32) as u32;
        let tail = (place ^ mix(self.seed, 2, u64::from(head))) & UUID_MASK;
        format!(
            "{head:08x}-{:04x}-4{:03x}-{:04x}-{tail:012x}-{}",
            hash & 0xffff,
            (hash >> 16) & 0xfff,
            0x8000 | ((hash >> 12) & 0x3fff),
            hash % 9 + 1
        )
    }

    /// The stream and index that an id stands for.
    pub(super) fn place_of(&self, id: &str) -> Option<(&Stream, u64)> {
        let head = u32::from_str_radix(id.get(..8)?, 16).ok()?;
        let tail = u64::from_str_radix(id.get(24..36)?, 16).ok()?;
        let place = (tail ^ mix(self.seed, 2, u64::from(head))) & UUID_MASK;
        let stream = self.stream(u8::try_from(place >> 40).ok()?)?;
        let index = place & 0xff_ffff_ffff;
        (index < stream.count && self.response_id(stream.key, index) == id)
            .then_some((stream, index))
    }

    /// Which form and version response `index` answered; old versions keep coming in for a while.
    pub(super) fn form_of(&self, stream: &Stream, index: u64) -> Option<(&Form, &FormVersion)> {
        let total: u64 = stream.forms.iter().map(|(_, weight)| weight).sum();
        let mut number = below(self.seed, 3 + u64::from(stream.key) * 64, index, total);
        let (position, _) = stream.forms.iter().find(|(_, weight)| {
            let found = number < *weight;
            number = number.saturating_sub(*weight);
            found
        })?;
        let form = self.forms.get(*position)?;
        let second = form.versions.get(1).filter(|version| {
            stream.submitted_at(self.seed, index) >= version.modified
                && below(self.seed, 4, index, 10) != 0
                && version.version == 2
                && version.modified < self.started_ms
        });
        Some((form, second.or(form.versions.first())?))
    }

    /// Whose answers response `index` holds. One in five repeats somebody who answered the same owner earlier.
    fn person_of(&self, stream: &Stream, index: u64) -> (Person, bool) {
        let salt = 100 + u64::from(stream.key);
        let mut number = index;
        let mut repeated = false;
        while number > 0 && below(self.seed, salt + 1000, number, 5) == 0 {
            number = below(self.seed, salt + 2000, number, number);
            repeated = true;
        }
        (
            Person::new(self.seed, salt, (u64::from(stream.key) << 40) | number),
            repeated,
        )
    }

    /// Response `index` of a stream.
    pub(super) fn seeded_response(&self, stream: &Stream, index: u64) -> Option<Response> {
        let (form, version) = self.form_of(stream, index)?;
        let (person, repeated) = self.person_of(stream, index);
        let number = mix(self.seed, 10 + u64::from(stream.key), index);
        let mut answers: Vec<(i64, Answered)> = version
            .questions
            .iter()
            .filter_map(|question| {
                let answer = seeded_answer(form, question, &person, number, repeated)?;
                Some((question.id, answer))
            })
            .collect();
        // LinkedIn sends answers in no useful order.
        answers.sort_by_key(|(question, _)| mix(number, 11, *question as u64));
        let sponsored = matches!(stream.owner, OwnerKey::Account(_));
        // Half of the test leads come without metadata.
        let with_metadata = sponsored && (!stream.test || index.is_multiple_of(2));
        let account = self.account(stream.owner.id()).filter(|_| with_metadata);
        let campaign = account.and_then(|account| {
            account
                .campaigns
                .get((number % account.campaigns.len().max(1) as u64) as usize)
                .map(|campaign| campaign.id)
        });
        let creative = account.and_then(|account| {
            account
                .creatives
                .iter()
                .find(|creative| Some(creative.campaign) == campaign)
                .map(|creative| creative.id)
        });
        Some(Response {
            id: self.response_id(stream.key, index),
            owner: stream.owner,
            lead_type: stream.lead_type,
            test: stream.test,
            submitted_at: stream.submitted_at(self.seed, index),
            form_id: form.id,
            version: version.version,
            submitter: (!(number >> 8).is_multiple_of(9)).then(|| person.member_key()),
            campaign,
            creative,
            event: (stream.lead_type == "EVENT").then_some(self.event_id),
            answers,
            consents: version
                .consents
                .iter()
                .map(|consent| {
                    (
                        consent.id,
                        consent.required || (number >> 16).is_multiple_of(2),
                    )
                })
                .collect(),
        })
    }
}

fn seeded_answer(
    form: &Form,
    question: &FormQuestion,
    person: &Person,
    number: u64,
    repeated: bool,
) -> Option<Answered> {
    let dice = mix(number, 30, question.id as u64);
    if let Some(field) = question.predefined.as_deref() {
        // Optional questions are left blank now and then; LinkedIn then leaves the answer out.
        if !question.required && dice.is_multiple_of(8) {
            return None;
        }
        let mut answer = person.predefined(field, form.locale.answers)?;
        if repeated && dice.is_multiple_of(5) && matches!(field, "EMAIL" | "WORK_EMAIL") {
            // The same address, typed differently.
            answer = format!(" {} ", answer.to_uppercase());
        }
        return Some(Answered::Text(answer));
    }
    match &question.kind {
        QuestionKind::Text(_) if dice.is_multiple_of(4) => None,
        QuestionKind::Text(_) if dice % 4 == 1 => Some(Answered::Text(hostile(dice >> 3))),
        QuestionKind::Text(_) => Some(Answered::Text(
            super::seeded::pick(
                &[
                    "Please call me next week.",
                    "What does it cost?",
                    "Bitte um Rückruf.",
                    "Sounds good 👍",
                ],
                dice >> 3,
                "",
            )
            .to_owned(),
        )),
        QuestionKind::Choice(options, several) => {
            let chosen: Vec<i64> = options
                .iter()
                .enumerate()
                .filter(|(position, _)| {
                    if *several {
                        (dice >> position) & 1 == 0
                    } else {
                        dice % options.len() as u64 == *position as u64
                    }
                })
                .map(|(_, (id, _))| *id)
                .collect();
            (!chosen.is_empty()).then_some(Answered::Options(chosen))
        }
    }
}

impl Response {
    /// Writes the response as LinkedIn prints it by default, straight to bytes.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        use std::io::Write as _;
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            r#"{{"id":"{}","owner":{{"{}":"{}"}},"leadType":"{}","#,
            self.id,
            self.owner.union_key(),
            self.owner.urn(),
            self.lead_type
        );
        if let Some(submitter) = &self.submitter {
            let _ = write!(out, r#""submitter":"urn:li:person:{submitter}","#);
        }
        let _ = write!(
            out,
            r#""versionedLeadGenFormUrn":"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:{},{})","submittedAt":{},"testLead":{},"#,
            self.form_id, self.version, self.submitted_at, self.test
        );
        if let Some(campaign) = self.campaign {
            let _ = write!(
                out,
                r#""leadMetadata":{{"sponsoredLeadMetadata":{{"campaign":"urn:li:sponsoredCampaign:{campaign}"}}}},"#
            );
        }
        if let Some(creative) = self.creative {
            let _ = write!(
                out,
                r#""associatedEntity":{{"associatedCreative":"urn:li:sponsoredCreative:{creative}"}},"#
            );
        } else if let Some(event) = self.event {
            let _ = write!(
                out,
                r#""associatedEntity":{{"event":"urn:li:event:{event}"}},"#
            );
        }
        out.extend_from_slice(br#""formResponse":{"answers":["#);
        for (position, (question, answer)) in self.answers.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            let _ = write!(out, r#"{{"questionId":{question},"answerDetails":{{"#);
            match answer {
                Answered::Text(text) => {
                    out.extend_from_slice(br#""textQuestionAnswer":{"answer":"#);
                    let _ = serde_json::to_writer(&mut *out, text);
                }
                Answered::Options(options) => {
                    out.extend_from_slice(br#""multipleChoiceAnswer":{"options":"#);
                    let _ = serde_json::to_writer(&mut *out, options);
                }
            }
            out.extend_from_slice(b"}}}");
        }
        out.extend_from_slice(b"],");
        out.extend_from_slice(br#""consentResponses":["#);
        for (position, (consent, accepted)) in self.consents.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            let _ = write!(out, r#"{{"consentId":{consent},"accepted":{accepted}}}"#);
        }
        out.extend_from_slice(br#"]},"newFieldOf202611":{"unknown":[1,2.5,null]}}"#);
    }

    /// The typed answer to one of LinkedIn's own questions.
    pub(super) fn predefined<'a>(&'a self, world: &World, field: &str) -> Option<&'a str> {
        let question = world
            .questions(self.form_id, self.version)?
            .iter()
            .find(|question| question.predefined.as_deref() == Some(field))?;
        self.answers
            .iter()
            .find(|(id, _)| *id == question.id)
            .and_then(|(_, answer)| match answer {
                Answered::Text(text) => Some(text.as_str()),
                Answered::Options(_) => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_795_000_000_000;

    #[test]
    fn the_same_seed_gives_the_same_responses_and_another_seed_others() {
        let text = |seed| {
            let world = World::build(seed, 250, START);
            let mut out = Vec::new();
            for stream in &world.streams {
                for index in 0..stream.count {
                    world
                        .seeded_response(stream, index)
                        .expect("a response")
                        .write(&mut out);
                }
            }
            out
        };
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn ids_lead_back_to_their_place() {
        let world = World::build(1, 1_000_000, START);
        for stream in &world.streams {
            for index in [0, 1, stream.count / 2, stream.count.saturating_sub(1)] {
                if index < stream.count {
                    let id = world.response_id(stream.key, index);
                    let (found, place) = world.place_of(&id).expect("found");
                    assert_eq!((found.key, place), (stream.key, index));
                }
            }
        }
        for id in [
            "",
            "x",
            "00000000-0000-4000-8000-000000000000-1",
            "ééééééééééééééééééééé",
        ] {
            assert!(world.place_of(id).is_none(), "{id}");
        }
    }

    #[test]
    fn counting_before_a_moment_agrees_with_looking() {
        for leads in [3, 250, 5000] {
            let world = World::build(5, leads, START);
            for stream in &world.streams {
                let times: Vec<i64> = (0..stream.count)
                    .map(|index| stream.submitted_at(5, index))
                    .collect();
                assert!(times.is_sorted());
                for at in times.iter().flat_map(|at| [at - 1, *at, at + 1]).chain([
                    0,
                    START,
                    i64::MAX / 2,
                ]) {
                    let expected = times.iter().filter(|time| **time < at).count() as u64;
                    assert_eq!(stream.count_before(5, at), expected);
                }
            }
        }
    }

    #[test]
    fn the_history_holds_what_linkedin_is_known_to_send() {
        let world = World::build(1, 1000, START);
        let all: Vec<Response> = world
            .streams
            .iter()
            .flat_map(|stream| {
                (0..stream.count).map(|index| world.seeded_response(stream, index).expect("one"))
            })
            .collect();
        let production = all.iter().filter(|r| !r.test).count();
        assert_eq!(production, 1000 + 6 + 5, "plus those that nobody may read");
        assert!(world.forms.iter().any(|form| form.id > 1 << 53));
        assert!(all.iter().any(|r| r.submitter.is_none()), "guests");
        assert!(
            all.iter().any(|r| r.test && r.campaign.is_some())
                && all.iter().any(|r| r.test && r.campaign.is_none())
        );
        let whitepaper = world.forms.first().expect("form").id;
        assert!([1, 2].iter().all(|version| {
            all.iter()
                .any(|r| r.form_id == whitepaper && r.version == *version)
        }));
        assert!(
            all.iter().any(|r| r
                .answers
                .iter()
                .any(|(_, a)| *a == Answered::Options(vec![0]))),
            "option 0"
        );
        for lead_type in ["SPONSORED", "EVENT", "COMPANY", "ORGANIZATION_PRODUCT"] {
            assert!(all.iter().any(|r| r.lead_type == lead_type), "{lead_type}");
        }
        let texts: Vec<&str> = all
            .iter()
            .flat_map(|r| &r.answers)
            .filter_map(|(_, a)| {
                if let Answered::Text(text) = a {
                    Some(text.as_str())
                } else {
                    None
                }
            })
            .collect();
        for hostile in [
            "<script>",
            "DROP TABLE",
            "=1+1",
            "\u{202e}",
            "👩‍👩‍👧‍👦",
            "\u{0}",
            "Ingeniería",
        ] {
            assert!(texts.iter().any(|text| text.contains(hostile)), "{hostile}");
        }
        assert!(texts.iter().any(|text| text.chars().count() == 4000));
        let europe = world.streams.first().expect("stream");
        let emails: Vec<String> = (0..europe.count)
            .map(|i| world.person_of(europe, i).0.email())
            .collect();
        let distinct: std::collections::BTreeSet<&String> = emails.iter().collect();
        let share = distinct.len() as f64 / emails.len() as f64;
        assert!(
            (0.75..0.85).contains(&share),
            "one in five repeats an address: {share}"
        );
    }

    #[test]
    fn responses_are_written_as_json() {
        let world = World::build(1, 250, START);
        for stream in &world.streams {
            for index in 0..stream.count {
                let mut out = Vec::new();
                world
                    .seeded_response(stream, index)
                    .expect("one")
                    .write(&mut out);
                let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
                assert_eq!(value["submittedAt"], stream.submitted_at(1, index));
            }
        }
    }
}

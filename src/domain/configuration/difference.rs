//! How two configurations differ, record by record.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{ConfigurationFile, FileCondition, FileMapping, FileRule, FileSettings, FileStrategy};
use crate::domain::normalise;
use crate::domain::words::words;

words! {
    /// What happens to a record.
    pub enum DifferenceKind {
        Added = "added" => "Added",
        Changed = "changed" => "Changed",
        Removed = "removed" => "Removed",
    }
}

/// One record that an import adds, changes or removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The heading of its section.
    pub section: &'static str,
    /// What happens to it.
    pub kind: DifferenceKind,
    /// Its name.
    pub name: String,
    /// For a changed one: member, value before, value afterwards.
    pub members: Vec<(String, String, String)>,
}

/// Something that stands in a section.
trait Item: Serialize {
    fn key(&self) -> String;
    fn name(&self) -> String;
}

impl Item for FileMapping {
    fn key(&self) -> String {
        format!("{:?}", Self::key(self))
    }

    fn name(&self) -> String {
        let form = self.form.map(|form| format!(" on form {form}"));
        format!(
            "{} → {}{}",
            self.source,
            self.target.label(),
            form.unwrap_or_default()
        )
    }
}

impl Item for FileStrategy {
    fn key(&self) -> String {
        normalise::text(&self.name).unwrap_or_default()
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Item for FileSettings {
    fn key(&self) -> String {
        String::new()
    }

    fn name(&self) -> String {
        "Settings".to_owned()
    }
}

impl Item for FileRule {
    fn key(&self) -> String {
        format!("{:?}", self.condition)
    }

    fn name(&self) -> String {
        match &self.condition {
            FileCondition::Account { linkedin_id, .. } => format!("Account {linkedin_id}"),
            FileCondition::Form { linkedin_id } => format!("Form {linkedin_id}"),
            FileCondition::Campaign { linkedin_id } => format!("Campaign {linkedin_id}"),
            FileCondition::FieldEquals { field, value } => {
                format!("{} is “{value}”", field.label())
            }
        }
    }
}

/// Key → name and members, with the place in the list where order counts.
type Items = BTreeMap<String, (String, BTreeMap<String, String>)>;

fn items<T: Item>(list: &Option<Vec<T>>) -> Items {
    list.as_deref().map(items_of).unwrap_or_default()
}

fn items_of<T: Item>(list: impl AsRef<[T]>) -> Items {
    list.as_ref()
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let mut members = BTreeMap::new();
            if let Ok(value) = serde_json::to_value(item) {
                flatten("", &value, &mut members);
            }
            // Mappings carry their place; rules are tried in the order of the file.
            if members.contains_key("owner") {
                members.insert("place".to_owned(), (index + 1).to_string());
            }
            (item.key(), (item.name(), members))
        })
        .collect()
}

/// Members of objects by their path; a list counts as one text.
fn flatten(place: &str, value: &Value, members: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(inner) => {
            for (name, member) in inner {
                let place = match place {
                    "" => name.clone(),
                    place => format!("{place}.{name}"),
                };
                flatten(&place, member, members);
            }
        }
        Value::String(text) => {
            members.insert(place.to_owned(), text.clone());
        }
        other => {
            members.insert(place.to_owned(), other.to_string());
        }
    }
}

fn compare(section: &'static str, before: Items, after: Option<Items>, all: &mut Vec<Difference>) {
    let Some(after) = after else { return };
    let mut tell = |kind, name: &String, members| {
        all.push(Difference {
            section,
            kind,
            name: name.clone(),
            members,
        });
    };
    for (key, (name, members)) in &after {
        match before.get(key) {
            None => tell(DifferenceKind::Added, name, Vec::new()),
            Some((_, known)) if known != members => {
                let names: BTreeSet<&String> = known.keys().chain(members.keys()).collect();
                let value = |of: &BTreeMap<String, String>, name: &String| {
                    of.get(name).cloned().unwrap_or_else(|| "–".to_owned())
                };
                let changed = names
                    .into_iter()
                    .filter(|name| known.get(*name) != members.get(*name))
                    .map(|name| (name.clone(), value(known, name), value(members, name)))
                    .collect();
                tell(DifferenceKind::Changed, name, changed);
            }
            Some(_) => {}
        }
    }
    for (key, (name, _)) in &before {
        if !after.contains_key(key) {
            tell(DifferenceKind::Removed, name, Vec::new());
        }
    }
}

impl ConfigurationFile {
    /// What importing this file changes in `before`; sections that the file leaves out do not differ.
    #[must_use]
    pub fn differences(&self, before: &Self) -> Vec<Difference> {
        let mut all = Vec::new();
        compare(
            "Lead Field Mappings",
            items(&before.field_mappings),
            self.field_mappings.as_ref().map(items_of),
            &mut all,
        );
        compare(
            "Lead Matching Strategies",
            items(&before.matching_strategies),
            self.matching_strategies.as_ref().map(items_of),
            &mut all,
        );
        compare(
            "Integration Configuration",
            items(
                &before
                    .integration_configuration
                    .clone()
                    .map(|one| vec![one]),
            ),
            self.integration_configuration
                .as_ref()
                .map(|one| items_of(std::slice::from_ref(one))),
            &mut all,
        );
        compare(
            "Assignment Rules",
            items(&before.assignment_rules),
            self.assignment_rules.as_ref().map(items_of),
            &mut all,
        );
        all
    }
}

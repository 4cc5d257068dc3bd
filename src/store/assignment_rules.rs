//! Assignment rules: who owns a new lead, tried from the first to the last.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::columns::Cells;
use super::schema::{assignment_rules, campaigns, lead_forms, linkedin_accounts};
use super::{AnyConn, StoreError, custom_fields, lock_rules};
use crate::domain::assignment::{AssignmentRule, Condition};
use crate::domain::ids::RuleId;
use crate::domain::lead::LeadFields;

/// More rules than anybody can oversee.
const MAX_RULES: i64 = 200;

#[derive(Queryable)]
struct Row {
    id: String,
    position: i64,
    condition_kind: String,
    condition_key: String,
    condition_value: String,
    owner_id: String,
}

impl TryFrom<Row> for AssignmentRule {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let cells = Cells {
            table: "assignment_rules",
            id: &row.id,
        };
        let key = "condition_key";
        let condition = match row.condition_kind.as_str() {
            "account" => Condition::Account(cells.word(key, &row.condition_key)?),
            "form" => Condition::Form(cells.word(key, &row.condition_key)?),
            "campaign" => Condition::Campaign(cells.word(key, &row.condition_key)?),
            "field_equals" => {
                Condition::FieldEquals(cells.word(key, &row.condition_key)?, row.condition_value)
            }
            _ => return Err(cells.corrupt("condition_kind")),
        };
        Ok(Self {
            id: cells.word("id", &row.id)?,
            position: row.position,
            condition,
            owner_id: cells.word("owner_id", &row.owner_id)?,
        })
    }
}

/// The stored kind, key and value of a condition.
fn parts(condition: &Condition) -> (&'static str, String, String) {
    match condition {
        Condition::Account(id) => ("account", id.as_str().to_owned(), String::new()),
        Condition::Form(id) => ("form", id.as_str().to_owned(), String::new()),
        Condition::Campaign(id) => ("campaign", id.as_str().to_owned(), String::new()),
        Condition::FieldEquals(field, value) => {
            ("field_equals", field.word().into_owned(), value.clone())
        }
    }
}

/// All rules in the order in which they are tried.
///
/// # Errors
/// As any query.
pub fn list(conn: &mut AnyConn) -> Result<Vec<AssignmentRule>, StoreError> {
    assignment_rules::table
        .order((assignment_rules::position.asc(), assignment_rules::id.asc()))
        .select((
            assignment_rules::id,
            assignment_rules::position,
            assignment_rules::condition_kind,
            assignment_rules::condition_key,
            assignment_rules::condition_value,
            assignment_rules::owner_id,
        ))
        .load::<Row>(conn)?
        .into_iter()
        .map(AssignmentRule::try_from)
        .collect()
}

/// Adds a rule behind all others; its `position` is set here.
///
/// # Errors
/// `Rule` when there are too many, or one with the same condition already; `InUse` when the owner does not exist.
pub fn insert(
    conn: &mut AnyConn,
    rule: &AssignmentRule,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    let known = list(conn)?;
    if i64::try_from(known.len()).unwrap_or(i64::MAX) >= MAX_RULES {
        return Err(StoreError::Rule(format!(
            "There are {MAX_RULES} rules already. Delete one that is not needed any more first."
        )));
    }
    if known.iter().any(|other| other.condition == rule.condition) {
        return Err(StoreError::Rule(
            "There is a rule with this condition already: only the first one would ever apply. Delete that one first.".to_owned(),
        ));
    }
    let (kind, key, value) = parts(&rule.condition);
    let position = known.last().map_or(1, |last| last.position + 1);
    diesel::insert_into(assignment_rules::table)
        .values((
            assignment_rules::id.eq(rule.id.as_str()),
            assignment_rules::position.eq(position),
            assignment_rules::condition_kind.eq(kind),
            assignment_rules::condition_key.eq(key),
            assignment_rules::condition_value.eq(value),
            assignment_rules::owner_id.eq(rule.owner_id.as_str()),
            assignment_rules::created_at.eq(now.naive_utc()),
            assignment_rules::updated_at.eq(now.naive_utc()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Makes these the rules, in this order.
pub(super) fn replace_all(
    conn: &mut AnyConn,
    wanted: &[AssignmentRule],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    diesel::delete(assignment_rules::table).execute(conn)?;
    for rule in wanted {
        let (kind, key, value) = parts(&rule.condition);
        diesel::insert_into(assignment_rules::table)
            .values((
                assignment_rules::id.eq(rule.id.as_str()),
                assignment_rules::position.eq(rule.position),
                assignment_rules::condition_kind.eq(kind),
                assignment_rules::condition_key.eq(key),
                assignment_rules::condition_value.eq(value),
                assignment_rules::owner_id.eq(rule.owner_id.as_str()),
                assignment_rules::created_at.eq(now.naive_utc()),
                assignment_rules::updated_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// What rules can name: (id, name) of accounts, forms and campaigns, by name.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// LinkedIn accounts.
    pub accounts: Vec<(String, String)>,
    /// Lead Gen forms.
    pub forms: Vec<(String, String)>,
    /// Campaigns: the first thousand, and every one that a rule names.
    pub campaigns: Vec<(String, String)>,
    /// The fields of a lead.
    pub fields: LeadFields,
}

/// How many of each kind a page offers.
const CHOICE_LIMIT: i64 = 1_000;

/// What the rules name and what a new rule can name.
///
/// # Errors
/// As any query.
pub fn choices(conn: &mut AnyConn, rules: &[AssignmentRule]) -> Result<Choices, StoreError> {
    let named: Vec<&str> = rules
        .iter()
        .filter_map(|rule| match &rule.condition {
            Condition::Campaign(id) => Some(id.as_str()),
            _ => None,
        })
        .collect();
    let mut listed: Vec<(String, String)> = campaigns::table
        .order((campaigns::name.asc(), campaigns::id.asc()))
        .select((campaigns::id, campaigns::name))
        .limit(CHOICE_LIMIT)
        .load(conn)?;
    let further: Vec<(String, String)> = campaigns::table
        .filter(campaigns::id.eq_any(named))
        .select((campaigns::id, campaigns::name))
        .load(conn)?;
    for campaign in further {
        if !listed.contains(&campaign) {
            listed.push(campaign);
        }
    }
    Ok(Choices {
        accounts: linkedin_accounts::table
            .order((linkedin_accounts::name.asc(), linkedin_accounts::id.asc()))
            .select((linkedin_accounts::id, linkedin_accounts::name))
            .load(conn)?,
        forms: lead_forms::table
            .order((lead_forms::name.asc(), lead_forms::id.asc()))
            .select((lead_forms::id, lead_forms::name))
            .load(conn)?,
        campaigns: listed,
        fields: custom_fields::fields(conn)?,
    })
}

/// Which way a rule moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Tried earlier.
    Up,
    /// Tried later.
    Down,
}

/// Lets a rule change places with its neighbour; at the end of the list nothing happens.
///
/// # Errors
/// `NotFound` when there is no such rule.
pub fn shift(
    conn: &mut AnyConn,
    id: &RuleId,
    direction: Direction,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lock_rules(conn)?;
    let rules = list(conn)?;
    let at = rules
        .iter()
        .position(|rule| rule.id == *id)
        .ok_or(StoreError::NotFound("assignment rule"))?;
    let neighbour = match direction {
        Direction::Up => at.checked_sub(1),
        Direction::Down => Some(at + 1),
    }
    .and_then(|index| rules.get(index));
    let (Some(rule), Some(neighbour)) = (rules.get(at), neighbour) else {
        return Ok(());
    };
    // Equal positions cannot come from here, but would make the exchange a no-op.
    let (rule_position, neighbour_position) = if rule.position == neighbour.position {
        match direction {
            Direction::Up => (rule.position, neighbour.position + 1),
            Direction::Down => (rule.position + 1, neighbour.position),
        }
    } else {
        (neighbour.position, rule.position)
    };
    for (id, position) in [
        (&rule.id, rule_position),
        (&neighbour.id, neighbour_position),
    ] {
        diesel::update(assignment_rules::table.filter(assignment_rules::id.eq(id.as_str())))
            .set((
                assignment_rules::position.eq(position),
                assignment_rules::updated_at.eq(now.naive_utc()),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Deletes a rule and tells what it was.
///
/// # Errors
/// `NotFound` when there is no such rule.
pub fn delete(conn: &mut AnyConn, id: &RuleId) -> Result<AssignmentRule, StoreError> {
    lock_rules(conn)?;
    let rule = list(conn)?
        .into_iter()
        .find(|rule| rule.id == *id)
        .ok_or(StoreError::NotFound("assignment rule"))?;
    diesel::delete(assignment_rules::table.filter(assignment_rules::id.eq(id.as_str())))
        .execute(conn)?;
    Ok(rule)
}

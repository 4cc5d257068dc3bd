//! `$filter`: parsed against a table's columns, and asked of its rows. Text compares without case, as the service's does.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::cell::Cell;
use super::columns::{Column, Kind};
use super::exchange::Refusal;
use super::like::{Like, Place};
use super::table::{Row, Table};

/// A condition on a row.
#[derive(Debug, Clone)]
pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// The column compared with a value; null where there is none.
    Compare(Arc<str>, Comparison, Option<Cell>),
    Matches(Arc<str>, Like),
    /// One of these, as texts compare.
    In(Arc<str>, BTreeSet<String>),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// The value of a column, computed ones among them.
pub(super) fn value_of(table: &Table, id: Uuid, row: &Row, column: &str) -> Option<Cell> {
    if column == table.id_column {
        return Some(Cell::Text(id.to_string()));
    }
    if column == "versionnumber" {
        return i64::try_from(row.version).ok().map(Cell::Whole);
    }
    row.values.get(column).cloned()
}

/// How two values of one column order.
pub(super) fn order(a: &Cell, b: &Cell) -> std::cmp::Ordering {
    match (a, b) {
        (Cell::Whole(a), Cell::Whole(b)) => a.cmp(b),
        (Cell::Decimal(a), Cell::Decimal(b)) => a.total_cmp(b),
        (Cell::Time(a), Cell::Time(b)) => a.cmp(b),
        (Cell::Date(a), Cell::Date(b)) => a.cmp(b),
        (Cell::Flag(a), Cell::Flag(b)) => a.cmp(b),
        (a, b) => a.index_key().cmp(&b.index_key()),
    }
}

impl Filter {
    /// Parses a filter; `aliases` are the query's parameters, for `@p1`.
    pub(super) fn parse(
        table: &Table,
        text: &str,
        aliases: &[(String, String)],
    ) -> Result<Self, Refusal> {
        let mut parser = Parser {
            table,
            aliases,
            tokens: tokens(text)?,
            at: 0,
        };
        let filter = parser.any_of()?;
        match parser.peek() {
            None => Ok(filter),
            Some(_) => Err(parser.wrong()),
        }
    }

    pub(super) fn holds(&self, table: &Table, id: Uuid, row: &Row) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.holds(table, id, row)),
            Self::Or(any) => any.iter().any(|one| one.holds(table, id, row)),
            Self::Not(one) => !one.holds(table, id, row),
            Self::Compare(column, comparison, wanted) => {
                let value = value_of(table, id, row, column);
                compare(value.as_ref(), *comparison, wanted.as_ref())
            }
            Self::Matches(column, like) => match row.values.get(column) {
                Some(Cell::Text(text)) => like.matches(text),
                _ => false,
            },
            Self::In(column, wanted) => value_of(table, id, row, column)
                .is_some_and(|value| wanted.contains(&value.index_key())),
        }
    }

    /// Rows among which all hits are, where an index knows them.
    pub(super) fn candidates(&self, table: &Table) -> Option<BTreeSet<Uuid>> {
        let holding = |column: &str, key: &str| {
            if column == table.id_column {
                return Some(Uuid::try_parse(key).into_iter().collect());
            }
            table.holding(column, key)
        };
        match self {
            Self::And(all) => all.iter().find_map(|one| one.candidates(table)),
            Self::Or(any) => {
                let mut union = BTreeSet::new();
                for one in any {
                    union.extend(one.candidates(table)?);
                }
                Some(union)
            }
            Self::Compare(column, Comparison::Equal, Some(value)) => {
                holding(column, &value.index_key())
            }
            Self::In(column, wanted) => {
                let mut union = BTreeSet::new();
                for key in wanted {
                    union.extend(holding(column, key)?);
                }
                Some(union)
            }
            _ => None,
        }
    }
}

fn compare(value: Option<&Cell>, comparison: Comparison, wanted: Option<&Cell>) -> bool {
    let ordering = match (value, wanted) {
        (Some(value), Some(wanted)) => order(value, wanted),
        (value, wanted) => {
            let same = value.is_none() == wanted.is_none();
            return match comparison {
                Comparison::Equal => same,
                Comparison::NotEqual => !same,
                _ => false,
            };
        }
    };
    match comparison {
        Comparison::Equal => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Comma,
    Assign,
    Text(String),
    /// A name, a number, a date, a GUID, or a JSON array as it stands.
    Word(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => {}
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            ',' => tokens.push(Token::Comma),
            '=' => tokens.push(Token::Assign),
            '\'' => {
                let mut literal = String::new();
                loop {
                    match rest.next() {
                        Some('\'') if rest.peek() == Some(&'\'') => {
                            rest.next();
                            literal.push('\'');
                        }
                        Some('\'') => break,
                        Some(c) => literal.push(c),
                        None => return Err(syntax(text)),
                    }
                }
                tokens.push(Token::Text(literal));
            }
            '[' => {
                let mut array = String::from('[');
                let mut quoted = false;
                loop {
                    let c = rest.next().ok_or_else(|| syntax(text))?;
                    array.push(c);
                    match c {
                        '"' => quoted = !quoted,
                        '\\' if quoted => array.extend(rest.next()),
                        ']' if !quoted => break,
                        _ => {}
                    }
                }
                tokens.push(Token::Word(array));
            }
            c => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| !" \t\r\n(),'=".contains(*c)) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

fn syntax(text: &str) -> Refusal {
    Refusal::query(format!("Syntax error in '{text}'."))
}

struct Parser<'a> {
    table: &'a Table,
    aliases: &'a [(String, String)],
    tokens: Vec<Token>,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn wrong(&self) -> Refusal {
        Refusal::query(format!("Syntax error at position {} of $filter.", self.at))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(next)) if next == word);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, token: &Token) -> Result<(), Refusal> {
        if self.peek() == Some(token) {
            self.at += 1;
            return Ok(());
        }
        Err(self.wrong())
    }

    fn any_of(&mut self) -> Result<Filter, Refusal> {
        let mut parts = vec![self.all_of()?];
        while self.take_word("or") {
            parts.push(self.all_of()?);
        }
        Ok(joined(parts, Filter::Or))
    }

    fn all_of(&mut self) -> Result<Filter, Refusal> {
        let mut parts = vec![self.one()?];
        while self.take_word("and") {
            parts.push(self.one()?);
        }
        Ok(joined(parts, Filter::And))
    }

    fn one(&mut self) -> Result<Filter, Refusal> {
        if self.take_word("not") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        match self.next() {
            Some(Token::Open) => {
                let inner = self.any_of()?;
                self.expect(&Token::Close)?;
                Ok(inner)
            }
            Some(Token::Word(name)) if self.peek() == Some(&Token::Open) => {
                self.at += 1;
                self.function(&name)
            }
            Some(Token::Word(name)) => {
                let column = self.column(&name)?;
                let comparison = match self.next() {
                    Some(Token::Word(word)) => match word.as_str() {
                        "eq" => Comparison::Equal,
                        "ne" => Comparison::NotEqual,
                        "gt" => Comparison::Greater,
                        "ge" => Comparison::GreaterOrEqual,
                        "lt" => Comparison::Less,
                        "le" => Comparison::LessOrEqual,
                        _ => return Err(self.wrong()),
                    },
                    _ => return Err(self.wrong()),
                };
                let literal = self.next().ok_or_else(|| self.wrong())?;
                let value = self.literal(&column, &literal)?;
                Ok(Filter::Compare(column.name, comparison, value))
            }
            _ => Err(self.wrong()),
        }
    }

    fn function(&mut self, name: &str) -> Result<Filter, Refusal> {
        let place = match name {
            "contains" => Place::Anywhere,
            "startswith" => Place::Start,
            "endswith" => Place::End,
            "Microsoft.Dynamics.CRM.In" => return self.membership(),
            _ => {
                return Err(Refusal::query(format!(
                    "An unknown function with name '{name}' was found."
                )));
            }
        };
        let Some(Token::Word(column)) = self.next() else {
            return Err(self.wrong());
        };
        let column = self.column(&column)?;
        self.expect(&Token::Comma)?;
        let Some(Token::Text(text)) = self.next() else {
            return Err(self.wrong());
        };
        self.expect(&Token::Close)?;
        if !matches!(column.kind, Kind::Text { .. } | Kind::Memo { .. }) {
            return Err(incompatible(&column));
        }
        Ok(Filter::Matches(column.name, Like::parse(&text, place)?))
    }

    /// `In(PropertyName='x',PropertyValues=["a","b"])`, each value given or by its alias.
    fn membership(&mut self) -> Result<Filter, Refusal> {
        let mut column = None;
        let mut values = None;
        loop {
            let Some(Token::Word(argument)) = self.next() else {
                return Err(self.wrong());
            };
            self.expect(&Token::Assign)?;
            let value = self.next().ok_or_else(|| self.wrong())?;
            let value = self.resolved(value)?;
            match (argument.as_str(), value) {
                ("PropertyName", Token::Text(name)) => column = Some(self.column(&name)?),
                ("PropertyValues", Token::Word(array)) => {
                    values = serde_json::from_str::<Vec<Value>>(&array).ok();
                }
                _ => return Err(self.wrong()),
            }
            match self.next() {
                Some(Token::Comma) => {}
                Some(Token::Close) => break,
                _ => return Err(self.wrong()),
            }
        }
        let (Some(column), Some(values)) = (column, values) else {
            return Err(self.wrong());
        };
        let mut wanted = BTreeSet::new();
        for value in values {
            let token = match value {
                Value::String(text) => match column.kind {
                    Kind::Text { .. } | Kind::Memo { .. } => Token::Text(text),
                    _ => Token::Word(text),
                },
                other => Token::Word(other.to_string()),
            };
            if let Some(cell) = self.literal(&column, &token)? {
                wanted.insert(cell.index_key());
            }
        }
        Ok(Filter::In(column.name, wanted))
    }

    fn resolved(&self, token: Token) -> Result<Token, Refusal> {
        let Token::Word(word) = &token else {
            return Ok(token);
        };
        if !word.starts_with('@') {
            return Ok(token);
        }
        let text = self
            .aliases
            .iter()
            .find(|(name, _)| name == word)
            .map(|(_, value)| value.as_str())
            .ok_or_else(|| Refusal::query(format!("The parameter alias '{word}' has no value.")))?;
        tokens(text)?.into_iter().next().ok_or_else(|| syntax(text))
    }

    fn column(&self, property: &str) -> Result<Column, Refusal> {
        self.table
            .read_property(property)
            .cloned()
            .ok_or_else(|| no_property(self.table, property))
    }

    fn literal(&self, column: &Column, token: &Token) -> Result<Option<Cell>, Refusal> {
        let token = self.resolved(token.clone())?;
        let wrong = || incompatible(column);
        let word = match (&token, &column.kind) {
            (Token::Text(text), Kind::Text { .. } | Kind::Memo { .. }) => {
                return Ok(Some(Cell::Text(text.clone())));
            }
            (Token::Word(word), _) if word == "null" => return Ok(None),
            (Token::Word(word), _) => word,
            _ => return Err(wrong()),
        };
        Ok(Some(match &column.kind {
            Kind::Whole { .. }
            | Kind::Choice { .. }
            | Kind::State { .. }
            | Kind::Status { .. }
            | Kind::Version => Cell::Whole(word.parse().map_err(|_| wrong())?),
            Kind::Decimal { .. } => Cell::Decimal(word.parse().map_err(|_| wrong())?),
            Kind::Flag => Cell::Flag(word.parse().map_err(|_| wrong())?),
            Kind::Time => Cell::Time(time(word).ok_or_else(wrong)?),
            Kind::Date => Cell::Date(word.parse().map_err(|_| wrong())?),
            Kind::Id => Cell::Text(Uuid::try_parse(word).map_err(|_| wrong())?.to_string()),
            Kind::Lookup { .. } => Cell::Reference("", Uuid::try_parse(word).map_err(|_| wrong())?),
            Kind::Text { .. } | Kind::Memo { .. } => return Err(wrong()),
        }))
    }
}

fn joined(mut parts: Vec<Filter>, join: impl Fn(Vec<Filter>) -> Filter) -> Filter {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            join(parts)
        }
    }
}

/// A moment, or the begin of a day.
fn time(word: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(word) {
        return Some(time.with_timezone(&Utc));
    }
    let day: chrono::NaiveDate = word.parse().ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc())
}

/// The query names what the table does not have.
pub(super) fn no_property(table: &Table, property: &str) -> Refusal {
    Refusal::query(format!(
        "Could not find a property named '{property}' on type 'Microsoft.Dynamics.CRM.{}'.",
        table.logical
    ))
}

fn incompatible(column: &Column) -> Refusal {
    Refusal::query(format!(
        "A binary operator with incompatible types was detected. Found operand types for '{}'.",
        column.name
    ))
}

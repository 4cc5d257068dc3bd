//! The second step of an import: what each column fills, how leads are found, what happens to them.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;

use super::{own_import, path_of, work};
use crate::domain::ids::{ImportId, UserId};
use crate::domain::lead::{CustomField, FieldKey, LeadField, LeadStatus};
use crate::domain::lead_import::{
    ColumnTarget, ImportPlan, MatchBy, OnMatch, OwnerChoice, guess_all,
};
use crate::domain::matching::strategy_sentence;
use crate::store::lead_imports::{self, LeadImport};
use crate::store::{StoreError, custom_fields, integration_settings, matching_strategies};
use crate::web::{Answer, FieldErrors, Form, Path, Portal, Shell, WebError};

/// Rows of the file that are shown beside the columns.
const SHOWN: i64 = 3;

/// A column with what it fills.
struct Column {
    number: usize,
    name: String,
    examples: Vec<String>,
    target: String,
}

#[derive(Template)]
#[template(path = "lead_imports/mapping.html")]
struct LeadImportsMapping {
    shell: Shell,
    import: LeadImport,
    columns: Vec<Column>,
    targets: Vec<(String, String)>,
    owners: Vec<(String, String)>,
    match_by: String,
    on_match: String,
    owner: String,
    status: String,
    strategy: String,
    compares_email: bool,
    errors: FieldErrors,
}

/// What the page is made of.
struct Parts {
    custom: Vec<CustomField>,
    owners: Vec<OwnerChoice>,
    sample: Vec<Vec<String>>,
    strategy: String,
    compares_email: bool,
}

async fn parts(portal: &Portal, id: &ImportId) -> Result<Parts, WebError> {
    let id = id.clone();
    Ok(portal
        .store
        .read(move |conn| {
            let strategy = matching_strategies::active(conn)?;
            let settings = integration_settings::get(conn)?.matching;
            Ok::<_, StoreError>(Parts {
                custom: lead_imports::custom_fields(conn)?,
                owners: lead_imports::owners(conn)?,
                sample: lead_imports::sample(conn, &id, SHOWN)?,
                compares_email: strategy
                    .fields
                    .contains(&FieldKey::Standard(LeadField::Email)),
                strategy: strategy_sentence(&strategy, &settings, &custom_fields::fields(conn)?),
            })
        })
        .await?)
}

impl LeadImportsMapping {
    fn new(shell: Shell, import: LeadImport, parts: &Parts) -> Self {
        let guessed = match &import.plan {
            Some(plan) => plan.columns.clone(),
            None => guess_all(&import.columns, &parts.custom),
        };
        let columns = import
            .columns
            .iter()
            .zip(guessed)
            .enumerate()
            .map(|(index, (name, target))| Column {
                number: index,
                name: name.clone(),
                examples: parts
                    .sample
                    .iter()
                    .filter_map(|row| row.get(index))
                    .map(|cell| {
                        cell.chars()
                            .filter(|c| *c != '\0')
                            .take(60)
                            .collect::<String>()
                    })
                    .filter(|cell| !cell.trim().is_empty())
                    .collect(),
                target: target.map(|target| target.word()).unwrap_or_default(),
            })
            .collect();
        let plan = import.plan.as_ref();
        let own = shell.user.as_ref().map(|user| user.id.as_str().to_owned());
        Self {
            columns,
            targets: ColumnTarget::all(&parts.custom)
                .iter()
                .map(|target| (target.word(), target.label(&parts.custom)))
                .collect(),
            owners: parts
                .owners
                .iter()
                .map(|owner| (owner.id.as_str().to_owned(), owner.name.clone()))
                .collect(),
            match_by: plan
                .map_or(MatchBy::Strategy, |plan| plan.match_by)
                .as_str()
                .to_owned(),
            on_match: plan
                .map_or(OnMatch::FillIfEmpty, |plan| plan.on_match)
                .as_str()
                .to_owned(),
            owner: plan
                .map(|plan| plan.owner_id.as_str().to_owned())
                .or(own)
                .unwrap_or_default(),
            status: plan
                .map_or(LeadStatus::New, |plan| plan.status)
                .as_str()
                .to_owned(),
            strategy: parts.strategy.clone(),
            compares_email: parts.compares_email,
            errors: FieldErrors::new(),
            shell,
            import,
        }
    }
}

/// GET /leads/imports/{id}/mapping
///
/// # Errors
/// `NotFound`, `Refused`, or as the database.
pub async fn edit(portal: Data<Portal>, shell: Shell, Path(id): Path<ImportId>) -> Answer {
    let import = own_import(&portal, &shell, &id).await?;
    if import.state.has_written() {
        return Ok(shell.redirect(path_of(&id)).quietly());
    }
    let parts = parts(&portal, &id).await?;
    let page = LeadImportsMapping::new(shell, import, &parts);
    page.shell.render(StatusCode::OK, &page)
}

/// Checks what was sent into a plan.
fn check(
    form: &BTreeMap<String, String>,
    columns: usize,
    parts: &Parts,
    errors: &mut FieldErrors,
) -> Option<ImportPlan> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let known = ColumnTarget::all(&parts.custom);
    let mut targets = Vec::with_capacity(columns);
    for index in 0..columns {
        let name = format!("column_{index}");
        let word = field(&name);
        let target = word
            .parse::<ColumnTarget>()
            .ok()
            .filter(|target| known.contains(target));
        if target.is_none() && !word.is_empty() {
            errors.add(&name, "Choose one of the fields, or leave the column out.");
        } else if target.is_some() && targets.contains(&target) {
            errors.add(
                &name,
                "Another column fills this field already. Let one of them go.",
            );
        }
        targets.push(target);
    }
    if targets.iter().all(Option::is_none) && errors.is_empty() {
        errors.add("column_0", "Say for at least one column what it fills.");
    }
    let match_by = errors.check(
        "match_by",
        field("match_by")
            .parse::<MatchBy>()
            .map_err(|_| "Choose how leads are found."),
    );
    if match_by == Some(MatchBy::Email) && !parts.compares_email {
        errors.add(
            "match_by",
            "The active matching strategy does not compare e-mail addresses. Choose another way.",
        );
    }
    let on_match = errors.check(
        "on_match",
        field("on_match")
            .parse::<OnMatch>()
            .map_err(|_| "Choose what happens to leads that match."),
    );
    let owner_id = field("owner")
        .parse::<UserId>()
        .ok()
        .filter(|id| parts.owners.iter().any(|owner| owner.id == *id));
    if owner_id.is_none() {
        errors.add("owner", "Choose one of the people.");
    }
    let status = errors.check(
        "status",
        field("status")
            .parse::<LeadStatus>()
            .map_err(|_| "Choose one of the statuses."),
    );
    errors.is_empty().then_some(())?;
    Some(ImportPlan {
        columns: targets,
        match_by: match_by?,
        on_match: on_match?,
        owner_id: owner_id?,
        status: status?,
    })
}

/// POST /leads/imports/{id}/mapping: keeps the plan and lets the check of all rows begin.
///
/// # Errors
/// `NotFound`, `Refused`, `Rule`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    Path(id): Path<ImportId>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Answer {
    let import = own_import(&portal, &shell, &id).await?;
    let parts = parts(&portal, &id).await?;
    let mut errors = FieldErrors::new();
    if let Some(plan) = check(&form, import.columns.len(), &parts, &mut errors) {
        let (import_id, now) = (id.clone(), portal.clock.now());
        portal
            .store
            .write(move |tx| lead_imports::save_plan(tx, &import_id, &plan, now))
            .await?;
        work::go_on(&portal, id.clone());
        return Ok(shell.redirect(path_of(&id)).quietly());
    }
    let mut page = LeadImportsMapping::new(shell, import, &parts);
    let sent = |name: &str| form.get(name).cloned().unwrap_or_default();
    for column in &mut page.columns {
        column.target = sent(&format!("column_{}", column.number));
    }
    page.match_by = sent("match_by");
    page.on_match = sent("on_match");
    page.owner = sent("owner");
    page.status = sent("status");
    page.errors = errors;
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

//! Members of a group: one is added by address, one is removed, all are exported.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Deserialize;
use serde_json::json;

use super::{MembersQuery, path_of, record, show_page};
use crate::domain::ids::{GroupId, UserId};
use crate::domain::users::check_email;
use crate::store::audit::Actor;
use crate::store::{StoreError, groups, users};
use crate::web::csv_export::{self, Chunk};
use crate::web::form::NoFields;
use crate::web::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell};

/// Members that one part of an export reads.
const PART: i64 = 1_000;

/// Somebody to add.
#[derive(Debug, Deserialize)]
pub struct MemberForm {
    email: String,
}

/// POST /settings/groups/{id}/members: adds one user.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn add(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(group): Path<GroupId>,
    Form(form): Form<MemberForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    if let Some(key) = errors.check("email", check_email(&form.email)) {
        let (portal_tx, id) = (portal.clone(), group.clone());
        let added = portal
            .store
            .write(move |tx| {
                let name = groups::get(tx, &id)?.name;
                let Some(user) = users::find_by_email(tx, &key)? else {
                    return Ok(None);
                };
                let (by, now) = (actor.user_id.as_ref(), portal_tx.clock.now());
                let new = groups::add(tx, &id, std::slice::from_ref(&user.id), by, now)?;
                if !new.is_empty() {
                    let after = Some(json!({ "member": user.name }));
                    let (about, action) = ((&id, name.as_str()), "group.member_added");
                    record(tx, &portal_tx, &actor, action, about, None, after)?;
                }
                Ok::<_, StoreError>(Some((user.name, !new.is_empty())))
            })
            .await?;
        match added {
            Some((name, is_new)) => {
                let flash = if is_new {
                    Flash::success(format!("{name} was added to the group."))
                } else {
                    Flash::notice(format!("{name} is a member already."))
                };
                return Ok(shell.redirect(path_of(&group)).flash(flash));
            }
            None => errors.add(
                "email",
                "Nobody here has this address. Add the user first under Users and roles, or correct the address.",
            ),
        }
    }
    let mut page = show_page(&portal, shell, group, MembersQuery::default()).await?;
    (page.email, page.errors) = (form.email, errors);
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// POST /settings/groups/{id}/members/{user}/removal
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn remove(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path((group, user)): Path<(GroupId, UserId)>,
    Form(NoFields {}): Form<NoFields>,
) -> Answer {
    let path = path_of(&group);
    let portal_tx = portal.clone();
    let name = portal
        .store
        .write(move |tx| {
            let called = groups::get(tx, &group)?.name;
            let name = users::get(tx, &user)?.name;
            // The second of two clicks finds it done.
            let (one, now) = (std::slice::from_ref(&user), portal_tx.clock.now());
            if groups::remove(tx, &group, one, &actor, now)? > 0 {
                let before = Some(json!({ "member": name }));
                let (about, action) = ((&group, called.as_str()), "group.member_removed");
                record(tx, &portal_tx, &actor, action, about, before, None)?;
            }
            Ok::<_, StoreError>(name)
        })
        .await?;
    Ok(shell.redirect(path).flash(Flash::success(format!(
        "{name} is not in the group any more."
    ))))
}

/// GET /settings/groups/{id}/members.csv: everybody in the group. Its column E-mail can be uploaded again.
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn export(portal: Data<Portal>, Path(group): Path<GroupId>) -> Answer {
    let id = group.clone();
    portal
        .store
        .read(move |conn| groups::get(conn, &id))
        .await?;
    let header = ["Name", "E-mail", "State", "Member since (UTC)", "Added by"];
    let header = header.map(str::to_owned).to_vec();
    let store = portal.store.clone();
    Ok(csv_export::respond(
        "group-members.csv",
        header,
        0_i64,
        move |offset| {
            let (store, group) = (store.clone(), group.clone());
            async move {
                let members = store
                    .read(move |conn| groups::list_members(conn, &group, "", offset, PART))
                    .await?;
                let is_last = i64::try_from(members.len()).is_ok_and(|count| count < PART);
                let rows = members
                    .into_iter()
                    .map(|member| {
                        let state = if member.is_enabled {
                            "Enabled"
                        } else {
                            "Disabled"
                        };
                        vec![
                            member.name,
                            member.email,
                            state.to_owned(),
                            member.added_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                            member.added_by.unwrap_or_default(),
                        ]
                    })
                    .collect();
                Ok(Chunk {
                    rows,
                    next: (!is_last).then_some(offset + PART),
                })
            }
        },
    ))
}

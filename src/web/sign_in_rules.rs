//! Settings › Sign-in: the identity provider's state, which claim gives which role, and whether passwords work.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::form::NoFields;
use super::history::{self, History};
use super::{Answer, FieldErrors, Flash, Form, Path, Portal, Shell, WebError};
use crate::domain::access::Role;
use crate::domain::ids::UserId;
use crate::domain::sign_in::{PasswordSignIn, RoleClaim, RoleRule, SignInRules, WhyAgain};
use crate::store::audit::{self, Actor};
use crate::store::sign_in_rules::{self, OBJECT, StoredRoleRule, StoredRules};
use crate::store::{StoreError, users};

/// Where the page is.
const PATH: &str = "/settings/sign-in";

/// How long the page waits for the provider's answer.
const LOOK: Duration = Duration::from_secs(3);

/// The provider, as the page shows it.
struct ProviderState {
    name: String,
    issuer: String,
    redirect_uri: String,
    /// Why it cannot be used; `None`: it answers.
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "sign_in_rules/show.html")]
struct SignInRulesShow {
    shell: Shell,
    provider: Option<ProviderState>,
    role_rules: Vec<StoredRoleRule>,
    claims: Vec<(&'static str, &'static str)>,
    roles: Vec<(&'static str, &'static str)>,
    rule_form: RoleRuleForm,
    form: RulesForm,
    /// Why passwords work although they are switched off.
    again: Option<WhyAgain>,
    /// Administrators with a password: identifier and name.
    candidates: Vec<(String, String)>,
    errors: FieldErrors,
    history: History,
}

/// The decisions, as sent.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct RulesForm {
    has_local_passwords: Option<String>,
    #[serde(default)]
    break_glass: String,
    roles_come_only_from_provider: Option<String>,
    provider_checks_second_factor: Option<String>,
    #[serde(default)]
    lock_version: String,
}

/// A new rule about roles, as sent.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct RoleRuleForm {
    #[serde(default)]
    claim: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    role: String,
}

/// Asks the provider now, for people who set it up.
async fn provider_state(portal: &Portal) -> Option<ProviderState> {
    let (settings, provider) = (portal.settings.oidc.as_ref()?, portal.oidc.as_ref()?);
    let looked = tokio::time::timeout(LOOK, provider.look(portal.clock.now())).await;
    let problem = match looked {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("the identity provider did not answer within three seconds".to_owned()),
    };
    Some(ProviderState {
        name: settings.name.clone(),
        issuer: settings.issuer.clone(),
        redirect_uri: portal
            .settings
            .http
            .public_url
            .join(super::oidc::CALLBACK)
            .map(String::from)
            .unwrap_or_default(),
        problem,
    })
}

async fn page(portal: &Portal, shell: Shell) -> Result<SignInRulesShow, WebError> {
    let has_provider = portal.oidc.is_some();
    let (stored, now, role_rules, people, history) = portal
        .store
        .read(move |conn| {
            Ok::<_, StoreError>((
                sign_in_rules::get(conn)?,
                sign_in_rules::password_sign_in(conn, has_provider)?,
                sign_in_rules::list_role_rules(conn)?,
                users::list(conn)?,
                history::read(conn, OBJECT.0, OBJECT.1)?,
            ))
        })
        .await?;
    let on = |is: bool| is.then(|| "on".to_owned());
    let StoredRules {
        rules,
        lock_version,
    } = stored;
    Ok(SignInRulesShow {
        shell,
        provider: provider_state(portal).await,
        role_rules,
        claims: RoleClaim::ALL
            .iter()
            .map(|claim| (claim.as_str(), claim.label()))
            .collect(),
        roles: Role::ALL
            .iter()
            .filter(|role| role.is_for_people())
            .map(|role| (role.as_str(), role.label()))
            .collect(),
        rule_form: RoleRuleForm::default(),
        form: RulesForm {
            has_local_passwords: on(rules.has_local_passwords),
            break_glass: rules
                .break_glass
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            roles_come_only_from_provider: on(rules.roles_come_only_from_provider),
            provider_checks_second_factor: on(rules.provider_checks_second_factor),
            lock_version: lock_version.to_string(),
        },
        again: match now {
            PasswordSignIn::EverybodyAgain(why) => Some(why),
            _ => None,
        },
        candidates: people
            .iter()
            .filter(|user| sign_in_rules::break_glass_view(user).is_usable())
            .map(|user| {
                (
                    user.id.to_string(),
                    format!("{} ({})", user.name, user.email),
                )
            })
            .collect(),
        errors: FieldErrors::new(),
        history,
    })
}

/// GET /settings/sign-in
///
/// # Errors
/// As the database.
pub async fn show(portal: Data<Portal>, shell: Shell) -> Answer {
    let page = page(&portal, shell).await?;
    page.shell.render(StatusCode::OK, &page)
}

fn state(rules: &SignInRules) -> serde_json::Value {
    json!({
        "has_local_passwords": rules.has_local_passwords,
        "break_glass_user_id": rules.break_glass.as_ref().map(UserId::as_str),
        "roles_come_only_from_provider": rules.roles_come_only_from_provider,
        "provider_checks_second_factor": rules.provider_checks_second_factor,
    })
}

/// POST /settings/sign-in: whether passwords work, who may always use one, whether roles come only from the provider, and
/// whether it checks a second factor.
///
/// # Errors
/// `Stale`, `Invalid`, or as the database.
pub async fn update(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<RulesForm>,
) -> Answer {
    let version: i64 = form
        .lock_version
        .parse()
        .map_err(|_| WebError::Invalid("The form does not say what it was made from.".into()))?;
    let rules = SignInRules {
        has_local_passwords: form.has_local_passwords.is_some(),
        break_glass: form.break_glass.parse().ok(),
        roles_come_only_from_provider: form.roles_come_only_from_provider.is_some(),
        provider_checks_second_factor: form.provider_checks_second_factor.is_some(),
    };
    let (has_provider, now) = (portal.oidc.is_some(), portal.clock.now());
    let saved = portal
        .store
        .write(move |tx| {
            // Decided in the transaction that saves: the person may be disabled at this very moment.
            let person = match &rules.break_glass {
                Some(id) => users::find(tx, id)?,
                None => None,
            };
            let person = person.as_ref().map(sign_in_rules::break_glass_view);
            if let PasswordSignIn::EverybodyAgain(why) =
                PasswordSignIn::of(&rules, has_provider, person.as_ref())
            {
                return Ok(Err(why));
            }
            if person.as_ref().is_some_and(|person| !person.is_usable()) {
                return Ok(Err(WhyAgain::NoBreakGlass));
            }
            let before = sign_in_rules::get(tx)?.rules;
            sign_in_rules::save(tx, now, &rules, version)?;
            let object = (OBJECT.0, OBJECT.1, "Sign-in");
            let (before, after) = (Some(state(&before)), Some(state(&rules)));
            audit::record(
                tx,
                now,
                &actor,
                "sign_in_rules.updated",
                object,
                before,
                after,
            )?;
            Ok::<_, StoreError>(Ok(rules.has_local_passwords))
        })
        .await?;
    match saved {
        Ok(has_passwords) => {
            let text = if has_passwords {
                "The sign-in settings were saved."
            } else {
                "The sign-in settings were saved. Passwords are switched off for everybody but the break-glass Administrator; open sessions go on."
            };
            Ok(shell.redirect(PATH).flash(Flash::success(text)))
        }
        Err(why) => {
            let mut page = page(&portal, shell).await?;
            match why {
                WhyAgain::NoProvider => page.errors.add(
                    "has_local_passwords",
                    "Passwords cannot be switched off: no identity provider is configured.",
                ),
                WhyAgain::NoBreakGlass => page.errors.add(
                    "break_glass",
                    "Choose an enabled Administrator with a password, who can open the portal when the provider is away.",
                ),
            }
            page.form = form;
            page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

fn rule_state(rule: &RoleRule) -> serde_json::Value {
    json!({ "claim": rule.claim, "value": rule.value, "role": rule.role })
}

/// POST /settings/sign-in/role-rules
///
/// # Errors
/// As the database.
pub async fn create_role_rule(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Form(form): Form<RoleRuleForm>,
) -> Answer {
    let mut errors = FieldErrors::new();
    let claim = errors.check(
        "claim",
        form.claim
            .parse::<RoleClaim>()
            .map_err(|_| "Choose one of the claims."),
    );
    let role = errors.check(
        "role",
        form.role
            .parse::<Role>()
            .map_err(|_| "Choose one of the roles."),
    );
    if let (Some(claim), Some(role)) = (claim, role)
        && let Some(rule) = errors.check("value", RoleRule::new(claim, &form.value, role))
    {
        let (now, id) = (portal.clock.now(), portal.new_id());
        let added = portal
            .store
            .write(move |tx| {
                sign_in_rules::insert_role_rule(tx, now, id, &rule)?;
                let object = (OBJECT.0, OBJECT.1, "Sign-in");
                let after = Some(rule_state(&rule));
                audit::record(tx, now, &actor, "role_rule.added", object, None, after)
            })
            .await;
        match added {
            Ok(()) => {
                let flash = Flash::success(
                    "The rule was added. It counts from each person’s next sign-in.",
                );
                return Ok(shell.redirect(PATH).flash(flash));
            }
            Err(StoreError::Duplicate(_)) => errors.add("value", "There is such a rule already."),
            Err(error) => return Err(error.into()),
        }
    }
    let mut page = page(&portal, shell).await?;
    (page.rule_form, page.errors) = (form, errors);
    page.shell.render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// POST /settings/sign-in/role-rules/{id}/deletion
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn delete_role_rule(
    portal: Data<Portal>,
    shell: Shell,
    actor: Actor,
    Path(id): Path<String>,
    Form(_): Form<NoFields>,
) -> Answer {
    let now = portal.clock.now();
    portal
        .store
        .write(move |tx| {
            let rule = sign_in_rules::delete_role_rule(tx, &id)?;
            let object = (OBJECT.0, OBJECT.1, "Sign-in");
            let before = Some(rule_state(&rule));
            audit::record(tx, now, &actor, "role_rule.removed", object, before, None)
        })
        .await?;
    let flash = Flash::success(
        "The rule was removed. Whoever has the role by it loses it at the next sign-in.",
    );
    Ok(shell.redirect(PATH).flash(flash))
}

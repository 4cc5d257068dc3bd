//! Identity, ad accounts, page roles, campaigns and creatives (linkedin-api.md §1.8, §3, §7.1).

use serde_json::{Value, json};

use super::gateway::{Call, Incoming, check_token, illegal, no_resource, not_found, required};
use super::reply::Reply;
use super::restli::decode;
use super::state::Sandbox;
use super::tokens::Token;
use super::world::{Account, World};

type Outcome = Result<Reply, Reply>;

const ADS: &[&str] = &["r_ads", "rw_ads"];
const STAMP: i64 = 1_698_115_671_440;

fn stamps() -> Value {
    json!({ "created": { "time": STAMP }, "lastModified": { "time": STAMP } })
}

/// `/v2/userinfo` and `/v2/me`.
pub(super) fn identity(incoming: &Incoming, sandbox: &Sandbox) -> Outcome {
    let what = incoming.path.strip_prefix("/v2/").unwrap_or_default();
    if !matches!(what, "userinfo" | "me") {
        return Err(no_resource());
    }
    let token = check_token(incoming, sandbox)?;
    if what == "me" {
        return me(sandbox, &token);
    }
    if !token.scopes.contains("openid") {
        let message = "Not enough permissions to access: userinfo.GET.NO_VERSION";
        return Err(Reply::refusal(
            403,
            Some(100),
            Some("ACCESS_DENIED"),
            message,
        ));
    }
    let history = sandbox.history();
    let member = history.world.member(&token.member).ok_or_else(not_found)?;
    let mut info = json!({ "sub": member.key });
    if let Some(object) = info.as_object_mut() {
        if token.scopes.contains("profile") {
            object.insert(
                "name".to_owned(),
                json!(format!("{} {}", member.given_name, member.family_name)),
            );
            object.insert("given_name".to_owned(), json!(member.given_name));
            object.insert("family_name".to_owned(), json!(member.family_name));
            object.insert(
                "locale".to_owned(),
                json!({ "country": "US", "language": "en" }),
            );
        }
        if token.scopes.contains("email") {
            object.insert("email".to_owned(), json!(member.email));
            object.insert("email_verified".to_owned(), json!(true));
        }
    }
    Ok(Reply::json(200, &info))
}

/// `/rest/me` and `/v2/me`.
pub(super) fn me(sandbox: &Sandbox, token: &Token) -> Outcome {
    if !token.scopes.contains("r_basicprofile") {
        let message = "Not enough permissions to access: me.GET.NO_VERSION";
        return Err(Reply::refusal(
            403,
            Some(100),
            Some("ACCESS_DENIED"),
            message,
        ));
    }
    let history = sandbox.history();
    let member = history.world.member(&token.member).ok_or_else(not_found)?;
    let name = |text: &str| json!({ "localized": { "en_US": text }, "preferredLocale": { "country": "US", "language": "en" } });
    Ok(Reply::json(
        200,
        &json!({
            "id": member.key, "localizedFirstName": member.given_name, "localizedLastName": member.family_name,
            "firstName": name(member.given_name), "lastName": name(member.family_name),
            "vanityName": member.given_name.to_lowercase(), "localizedHeadline": "Sandbox member",
        }),
    ))
}

fn account_user(member: &str, account: i64, role: &str) -> Value {
    json!({
        "account": format!("urn:li:sponsoredAccount:{account}"), "user": format!("urn:li:person:{member}"),
        "role": role, "campaignContact": false, "changeAuditStamps": stamps(), "newFieldOf202611": [],
    })
}

pub(super) fn ad_account_users(call: &Call<'_>) -> Outcome {
    let finder = call.params.text("q");
    call.needs_scope(
        ADS,
        &format!(
            "adAccountUsers.FINDER-{}",
            finder.as_deref().unwrap_or("none")
        ),
    )?;
    let history = call.sandbox.history();
    let roles = &history.world.account_roles;
    let rows: Vec<Value> = match finder.as_deref() {
        Some("authenticatedUser") => roles
            .iter()
            .filter(|((member, _), _)| *member == call.token.member)
            .map(|((member, account), role)| account_user(member, *account, role))
            .collect(),
        Some("accounts") => {
            let mut wanted = call
                .params
                .value("accounts")
                .map_err(|()| illegal("Invalid accounts"))?
                .map(|accounts| accounts.texts())
                .unwrap_or_default();
            wanted.extend(call.params.indexed("accounts"));
            if wanted.is_empty() {
                return Err(required("accounts"));
            }
            roles
                .iter()
                .filter(|((_, account), _)| {
                    history
                        .world
                        .account_role(&call.token.member, *account)
                        .is_some()
                })
                .filter(|((_, account), _)| {
                    wanted.contains(&format!("urn:li:sponsoredAccount:{account}"))
                })
                .map(|((member, account), role)| account_user(member, *account, role))
                .collect()
        }
        _ => return Err(no_resource()),
    };
    call.offset_page(rows, true, true)
}

pub(super) fn ad_account_user(call: &Call<'_>, key: &str) -> Outcome {
    call.needs_scope(ADS, "adAccountUsers.GET")?;
    let inner = key.trim_matches(['(', ')']);
    let part = |name: &str| {
        inner.split(',').find_map(|pair| {
            let (key, value) = pair.split_once(':')?;
            (key == name).then(|| decode(value))
        })
    };
    let (Some(account), Some(user)) = (part("account"), part("user")) else {
        return Err(illegal("Syntax exception in path variables"));
    };
    let history = call.sandbox.history();
    let account = account
        .rsplit(':')
        .next()
        .and_then(|id| id.parse().ok())
        .unwrap_or(0);
    let member = user.rsplit(':').next().unwrap_or_default();
    history
        .world
        .account_role(&call.token.member, account)
        .ok_or_else(not_found)?;
    let role = history
        .world
        .account_role(member, account)
        .ok_or_else(not_found)?;
    call.entity(account_user(member, account, role))
}

fn account_json(world: &World, account: &Account, with_info: bool) -> Value {
    let mut json = json!({
        "id": account.id, "name": account.name, "currency": account.currency, "status": "ACTIVE", "type": "BUSINESS",
        "servingStatuses": ["RUNNABLE"], "test": account.test, "notifiedOnCreativeApproval": false,
        "notifiedOnCreativeRejection": false, "notifiedOnEndOfCampaign": true, "notifiedOnCampaignOptimization": true,
        "notifiedOnNewFeaturesEnabled": false, "version": { "versionTag": "7" }, "changeAuditStamps": stamps(),
        "newFieldOf202611": { "unknown": null },
    });
    let Some(object) = json.as_object_mut() else {
        return json;
    };
    let page = account.organization.and_then(|id| world.organization(id));
    if let Some(page) = page {
        object.insert(
            "reference".to_owned(),
            json!(format!("urn:li:organization:{}", page.id)),
        );
    }
    if with_info {
        let info = page.map_or_else(
            || json!({}),
            |page| {
                // The preferred locale hangs inside `localized`, as in LinkedIn's own sample.
                json!({ "organization": { "id": page.id, "vanityName": page.vanity, "localizedName": page.name,
                    "name": { "localized": { "en_US": page.name, "preferredLocale": { "country": "US", "language": "en" } } } } })
            },
        );
        object.insert("referenceInfo".to_owned(), info);
    }
    json
}

pub(super) fn ad_accounts(call: &Call<'_>) -> Outcome {
    call.needs_scope(ADS, "adAccounts.FINDER-search")?;
    call.finder("search")?;
    let statuses = call.searched("status")?;
    let with_info = call
        .projection()?
        .is_some_and(|fields| fields.names("referenceInfo"));
    let history = call.sandbox.history();
    let world = &history.world;
    let accounts = world
        .accounts
        .iter()
        .filter(|account| {
            !account.removed && world.account_role(&call.token.member, account.id).is_some()
        })
        .filter(|_| {
            statuses
                .as_ref()
                .is_none_or(|statuses| statuses.iter().any(|status| status == "ACTIVE"))
        })
        .map(|account| account_json(world, account, with_info))
        .collect();
    call.cursor_page(accounts)
}

/// The account of a path, if the member may see it.
fn visible_account<'a>(
    call: &Call<'_>,
    world: &'a World,
    id: &str,
    what: &str,
) -> Result<&'a Account, Reply> {
    let id: i64 = decode(id)
        .parse()
        .map_err(|_| illegal("Syntax exception in path variables"))?;
    let account = world
        .account(id)
        .filter(|account| !account.removed)
        .ok_or_else(not_found)?;
    world
        .account_role(&call.token.member, id)
        .ok_or_else(|| call.no_role(what))?;
    Ok(account)
}

pub(super) fn ad_account(call: &Call<'_>, id: &str) -> Outcome {
    call.needs_scope(ADS, "adAccounts.GET")?;
    let with_info = call
        .projection()?
        .is_some_and(|fields| fields.names("referenceInfo"));
    let history = call.sandbox.history();
    let account = visible_account(call, &history.world, id, "adAccounts.GET")?;
    call.entity(account_json(&history.world, account, with_info))
}

pub(super) fn organization_acls(call: &Call<'_>) -> Outcome {
    call.needs_scope(
        &["r_organization_admin", "rw_organization_admin"],
        "organizationAcls.FINDER-roleAssignee",
    )?;
    call.finder("roleAssignee")?;
    if call.params.has("fields") || call.params.has("projection") {
        return Err(illegal(
            "projection parameter is not allowed for this endpoint",
        ));
    }
    let approved = call
        .params
        .text("state")
        .is_none_or(|state| state == "APPROVED");
    let role_wanted = call.params.text("role");
    let history = call.sandbox.history();
    let rows = history
        .world
        .page_roles
        .iter()
        .filter(|((member, _), role)| {
            approved && *member == call.token.member && role_wanted.as_ref().is_none_or(|wanted| wanted == *role)
        })
        .map(|((member, organization), role)| {
            let person = format!("urn:li:person:{member}");
            let stamp = json!({ "actor": person, "impersonator": "urn:li:servicePrincipal:organization", "time": STAMP });
            json!({
                "roleAssignee": person, "state": "APPROVED", "role": role,
                "organization": format!("urn:li:organization:{organization}"),
                "created": stamp, "lastModified": stamp, "newFieldOf202611": "unknown",
            })
        })
        .collect();
    call.offset_page(rows, false, false)
}

/// A list of one kind of an account's parts, or one of them.
fn parts(
    call: &Call<'_>,
    id: &str,
    one: Option<&str>,
    what: &str,
    finder: &str,
    print: impl Fn(&Account) -> Vec<Value>,
) -> Outcome {
    let method = if one.is_some() {
        "GET".to_owned()
    } else {
        format!("FINDER-{finder}")
    };
    let what = format!("{what}.{method}");
    call.needs_scope(ADS, &what)?;
    let history = call.sandbox.history();
    if one.is_none() {
        call.finder(finder)?;
    }
    let account = visible_account(call, &history.world, id, &what)?;
    let mut all = print(account);
    if let Some(key) = one {
        let key = decode(key);
        let found = all.into_iter().find(|part| match part.get("id") {
            Some(Value::String(id)) => *id == key,
            Some(id) => id.as_i64() == key.parse().ok(),
            None => false,
        });
        return call.entity(found.ok_or_else(not_found)?);
    }
    if let Some(statuses) = call.searched("status")? {
        all.retain(|part| {
            part.get("status")
                .and_then(Value::as_str)
                .is_none_or(|s| statuses.iter().any(|t| t == s))
        });
    }
    if let Some(campaigns) = call
        .params
        .value("campaigns")
        .map_err(|()| illegal("Invalid campaigns"))?
    {
        let campaigns = campaigns.texts();
        all.retain(|part| {
            part.get("campaign")
                .and_then(Value::as_str)
                .is_none_or(|c| campaigns.iter().any(|t| t == c))
        });
    }
    call.cursor_page(all)
}

pub(super) fn campaign_groups(call: &Call<'_>, id: &str, one: Option<&str>) -> Outcome {
    parts(call, id, one, "adCampaignGroups", "search", |account| {
        account
            .groups
            .iter()
            .map(|group| {
                json!({
                    "id": group.id, "name": group.name, "account": format!("urn:li:sponsoredAccount:{}", account.id),
                    "status": group.status, "totalBudget": { "amount": "5000", "currencyCode": account.currency },
                    "runSchedule": { "start": STAMP }, "servingStatuses": ["RUNNABLE"], "test": false,
                    "changeAuditStamps": stamps(), "newFieldOf202611": {},
                })
            })
            .collect()
    })
}

pub(super) fn campaigns(call: &Call<'_>, id: &str, one: Option<&str>) -> Outcome {
    parts(call, id, one, "adCampaigns", "search", |account| {
        account
            .campaigns
            .iter()
            .map(|campaign| {
                json!({
                    "id": campaign.id, "name": campaign.name, "account": format!("urn:li:sponsoredAccount:{}", account.id),
                    "campaignGroup": format!("urn:li:sponsoredCampaignGroup:{}", campaign.group),
                    "associatedEntity": account.organization.map(|page| format!("urn:li:organization:{page}")),
                    "status": campaign.status, "type": campaign.kind, "format": "SINGLE_IMAGE",
                    "objectiveType": "LEAD_GENERATION", "costType": "CPM",
                    "unitCost": { "amount": "12.5", "currencyCode": account.currency },
                    "dailyBudget": { "amount": "180", "currencyCode": account.currency }, "creativeSelection": "OPTIMIZED",
                    "optimizationTargetType": "MAX_LEAD", "audienceExpansionEnabled": false,
                    "offsiteDeliveryEnabled": false, "test": false, "locale": { "country": "US", "language": "en" },
                    "runSchedule": { "start": STAMP, "end": STAMP + 10_000_000_000_i64 }, "servingStatuses": ["RUNNABLE"],
                    "version": { "versionTag": "5" }, "changeAuditStamps": stamps(), "newFieldOf202611": 0,
                })
            })
            .collect()
    })
}

pub(super) fn creatives(call: &Call<'_>, id: &str, one: Option<&str>) -> Outcome {
    parts(call, id, one, "creatives", "criteria", |account| {
        account
            .creatives
            .iter()
            .map(|creative| {
                let mut json = json!({
                    "id": format!("urn:li:sponsoredCreative:{}", creative.id),
                    "account": format!("urn:li:sponsoredAccount:{}", account.id),
                    "campaign": format!("urn:li:sponsoredCampaign:{}", creative.campaign),
                    "content": { "reference": format!("urn:li:share:{}", creative.id) }, "intendedStatus": "ACTIVE",
                    "isServing": true, "servingHoldReasons": [], "isTest": false, "review": { "status": "APPROVED" },
                    "createdAt": STAMP, "lastModifiedAt": STAMP,
                    "leadgenCallToAction": { "label": "DOWNLOAD" }, "newFieldOf202611": null,
                });
                if let (Some(object), Some(name)) = (json.as_object_mut(), &creative.name) {
                    object.insert("name".to_owned(), json!(name));
                }
                json
            })
            .collect()
    })
}

//! The authorization pages that a member sees: sign-in, consent, and the app's mistakes.

use std::collections::BTreeSet;

use super::html::{escape, page};
use super::oauth::SCOPES;
use super::world::Member;

/// Step one.
pub(super) fn sign_in_page(request: &str, members: &[Member], failed: bool) -> String {
    let rows: String = members
        .iter()
        .map(|member| {
            format!(
                "<tr><td><code>{}</code></td><td><code>{}</code></td><td>{} {}: {}</td></tr>",
                escape(member.email),
                escape(member.password),
                escape(member.given_name),
                escape(member.family_name),
                escape(member.about)
            )
        })
        .collect();
    let error = if failed {
        "<p class=\"note\" role=\"alert\"><strong>That is not one of the members below.</strong> Check e-mail and password.</p>"
    } else {
        ""
    };
    page(
        "Sign in",
        &format!(
            "{error}<form method=\"post\" action=\"/oauth/v2/sign-in\"><input type=\"hidden\" name=\"request\" value=\"{}\">\
             <label for=\"session_key\">Email</label><input type=\"email\" id=\"session_key\" name=\"session_key\" autocomplete=\"username\">\
             <label for=\"session_password\">Password</label><input type=\"password\" id=\"session_password\" name=\"session_password\" autocomplete=\"current-password\">\
             <button name=\"action\" value=\"sign_in\">Sign in</button><button class=\"plain\" name=\"action\" value=\"cancel\">Cancel</button></form>\
             <h2>Who can sign in</h2><table><thead><tr><th>Email</th><th>Password</th><th>Who</th></tr></thead><tbody>{rows}</tbody></table>",
            escape(request)
        ),
    )
}

/// Step two.
pub(super) fn consent_page(request: &str, member: &Member, scopes: &BTreeSet<String>) -> String {
    let rows: String = scopes
        .iter()
        .map(|scope| {
            let about = SCOPES
                .iter()
                .find(|(known, _)| known == scope)
                .map_or("", |(_, about)| about);
            format!("<li>{} <code>{}</code></li>", escape(about), escape(scope))
        })
        .collect();
    page(
        "Leadgen Connector would like to",
        &format!(
            "<ul>{rows}</ul><p>You are signed in as {} {}. You can stop this at any time in your privacy settings.</p>\
             <form method=\"post\" action=\"/oauth/v2/consent\"><input type=\"hidden\" name=\"request\" value=\"{}\">\
             <button name=\"action\" value=\"allow\">Allow</button><button class=\"plain\" name=\"action\" value=\"cancel\">Cancel</button></form>",
            escape(member.given_name),
            escape(member.family_name),
            escape(request)
        ),
    )
}

/// LinkedIn's own error page, from which nothing leads back to the app.
pub(super) fn error_page(what: &str) -> String {
    page(
        "Bummer, something went wrong.",
        &format!("<p role=\"alert\">{}</p>", escape(what)),
    )
}

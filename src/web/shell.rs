//! The frame around every page: who is signed in, the menu, the form token, the flash message, the assets.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::flash::Flash;
use super::headers::FormActions;
use super::menu::{self, MenuGroup};
use super::{WebError, confirm, static_files};
use crate::auth::CurrentUser;
use crate::auth::signing::Signer;
use crate::domain::access::Permission;
use crate::domain::preferences::Appearance;
use crate::domain::time_zone::TimeZone;

/// Marks an answer that is a page already; stands in the response's extensions.
pub(super) struct Drawn;

/// Marks an answer that showed the flash message.
pub(super) struct FlashShown;

/// The frame of one page. Every page struct has it as its field `shell`.
#[derive(Clone)]
pub struct Shell {
    /// The signed-in person.
    pub user: Option<CurrentUser>,
    /// What every form carries in the field `csrf_token`.
    pub csrf_token: String,
    /// The message of the last action.
    pub flash: Option<Flash>,
    /// The path of this page.
    pub path: String,
    /// The time of this request.
    pub now: DateTime<Utc>,
    form_actions: Vec<String>,
    signer: Option<Signer>,
    hides_linkedin: bool,
    has_mail: bool,
}

impl Shell {
    pub(super) fn new(
        user: Option<CurrentUser>,
        csrf_token: String,
        flash: Option<Flash>,
        path: &str,
        now: DateTime<Utc>,
        signer: Signer,
    ) -> Self {
        Self {
            user,
            csrf_token,
            flash,
            path: path.to_owned(),
            now,
            form_actions: Vec::new(),
            hides_linkedin: false,
            has_mail: false,
            signer: Some(signer),
        }
    }

    /// The frame when nothing is known about the visitor: for error pages only.
    pub(super) fn for_nobody(path: &str) -> Self {
        Self {
            user: None,
            csrf_token: String::new(),
            flash: None,
            path: path.to_owned(),
            now: DateTime::UNIX_EPOCH,
            form_actions: Vec::new(),
            hides_linkedin: false,
            has_mail: false,
            signer: None,
        }
    }

    /// The same frame, with LinkedIn features hidden or not.
    pub(super) fn hiding_linkedin(mut self, hides: bool) -> Self {
        self.hides_linkedin = hides;
        self
    }

    /// Whether whoever runs the portal has LinkedIn features hidden.
    #[must_use]
    pub const fn hides_linkedin(&self) -> bool {
        self.hides_linkedin
    }

    /// The same frame, with a mail server set up or not.
    pub(super) fn with_mail(mut self, has_mail: bool) -> Self {
        self.has_mail = has_mail;
        self
    }

    /// Whether a mail server is set up.
    #[must_use]
    pub const fn has_mail(&self) -> bool {
        self.has_mail
    }

    /// The page on which the person begins.
    #[must_use]
    pub fn start_page(&self) -> Option<&'static str> {
        let user = self.user.as_ref()?;
        menu::start_page(&user.roles, self.hides_linkedin)
    }

    /// The same frame for somebody who has set up the second factor that was missing.
    pub(super) fn with_second_factor(mut self) -> Self {
        if let Some(user) = &mut self.user {
            user.lacks_second_factor = false;
        }
        self
    }

    /// Whether the person may do this: templates ask this, never for roles.
    #[must_use]
    pub fn can(&self, permission: Permission) -> bool {
        self.user.as_ref().is_some_and(|user| user.can(permission))
    }

    /// Whether the person proved a short time ago who they are, so that changes that ask for it are offered.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.user
            .as_ref()
            .is_some_and(|user| user.is_fresh(self.now, TimeDelta::zero()))
    }

    /// Where the person confirms who they are, and comes back to this page.
    #[must_use]
    pub fn confirmation(&self) -> String {
        confirm::way_over(&self.path)
    }

    /// The menu, as far as this person's roles go.
    #[must_use]
    pub fn menu(&self) -> Vec<MenuGroup> {
        self.user
            .as_ref()
            .filter(|user| !user.lacks_second_factor)
            .map(|user| menu::of(&user.roles, &self.path, self.hides_linkedin))
            .unwrap_or_default()
    }

    /// The address of a file in `static/`, such as `css/base.css`.
    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        static_files::address(name)
    }

    /// The first letters of the person's first and last name, for the sign beside it.
    #[must_use]
    pub fn initials(&self) -> String {
        let name = self.user.as_ref().map_or("", |user| user.name.as_str());
        let mut words = name.split_whitespace();
        let first = words.next().and_then(|word| word.chars().next());
        let last = words.next_back().and_then(|word| word.chars().next());
        first
            .into_iter()
            .chain(last)
            .flat_map(char::to_uppercase)
            .collect()
    }

    /// The colours that this person chose: system, light or dark.
    #[must_use]
    pub fn appearance(&self) -> &'static str {
        self.user
            .as_ref()
            .map_or(Appearance::System, |user| user.preferences.appearance)
            .as_str()
    }

    /// Whether single keys do something for this person.
    #[must_use]
    pub fn has_shortcuts(&self) -> bool {
        self.user
            .as_ref()
            .is_some_and(|user| user.preferences.has_shortcuts)
    }

    /// In which zone this person reads times.
    #[must_use]
    pub fn time_zone(&self) -> TimeZone {
        self.user
            .as_ref()
            .map_or(TimeZone::UTC, |user| user.time_zone)
    }

    /// A time as this person reads it.
    #[must_use]
    pub fn time(&self, at: &DateTime<Utc>) -> String {
        self.time_zone().format(*at)
    }

    /// A time for the machine: `2026-11-21T08:05:00Z`.
    #[must_use]
    pub fn machine_time(&self, at: &DateTime<Utc>) -> String {
        at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    /// A time in UTC, for the tooltip.
    #[must_use]
    pub fn utc_time(&self, at: &DateTime<Utc>) -> String {
        TimeZone::UTC.format(*at)
    }

    /// How long ago, coarsely: “3 minutes ago”, “in 2 days”.
    #[must_use]
    pub fn ago(&self, at: &DateTime<Utc>) -> String {
        ago(self.now, *at)
    }

    /// Lets forms of this page lead to the origin of `url`, too: a browser blocks the redirect otherwise.
    pub fn allow_form_action(&mut self, url: &Url) {
        let origin = url.origin().ascii_serialization();
        if origin != "null" && !self.form_actions.contains(&origin) {
            self.form_actions.push(origin);
        }
    }

    /// Draws a page.
    ///
    /// # Errors
    /// `Internal` when the template fails.
    pub fn render(
        &self,
        status: StatusCode,
        page: &impl Template,
    ) -> Result<HttpResponse, WebError> {
        let html = page.render()?;
        let mut response = HttpResponse::build(status)
            .content_type("text/html; charset=utf-8")
            .insert_header((header::VARY, "Cookie"))
            .body(html);
        {
            let mut extensions = response.extensions_mut();
            extensions.insert(Drawn);
            if self.flash.is_some() {
                extensions.insert(FlashShown);
            }
            if !self.form_actions.is_empty() {
                extensions.insert(FormActions(self.form_actions.clone()));
            }
        }
        Ok(response)
    }

    /// Leads to another page of ours, after a change.
    pub fn redirect(&self, path: impl AsRef<str>) -> Redirect<'_> {
        Redirect {
            path: path.as_ref().to_owned(),
            signer: self.signer.as_ref(),
        }
    }
}

/// A redirect that is still to be told whether it carries a message.
#[must_use]
pub struct Redirect<'a> {
    path: String,
    signer: Option<&'a Signer>,
}

impl Redirect<'_> {
    /// With a message on the next page.
    #[must_use]
    pub fn flash(self, flash: Flash) -> HttpResponse {
        let mut response = see_other(&self.path);
        if let Some(signer) = self.signer {
            let added = response.add_cookie(&flash.cookie(signer));
            debug_assert!(added.is_ok(), "base64 is a cookie value");
        }
        response
    }

    /// Without one.
    #[must_use]
    pub fn quietly(self) -> HttpResponse {
        see_other(&self.path)
    }
}

/// `303 See Other`.
#[must_use]
pub fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path))
        .finish()
}

fn ago(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    let (number, unit) = match seconds.unsigned_abs() {
        0..=44 => return "just now".to_owned(),
        s @ 45..=3_599 => (s.div_ceil(60).max(1), "minute"),
        s @ 3_600..=86_399 => (s / 3_600, "hour"),
        s => (s / 86_400, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    if seconds < 0 {
        format!("in {number} {unit}{plural}")
    } else {
        format!("{number} {unit}{plural} ago")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_coarsely() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        for (seconds, words) in [
            (0, "just now"),
            (60, "1 minute ago"),
            (3_600, "1 hour ago"),
            (7_300, "2 hours ago"),
            (200_000, "2 days ago"),
            (-120, "in 2 minutes"),
        ] {
            let at = now - chrono::TimeDelta::seconds(seconds);
            assert_eq!(ago(now, at), words);
        }
    }
}

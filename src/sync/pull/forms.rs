//! Forms and their versions: LinkedIn's list, and older versions from one of the responses that answered them.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::{PAGE_LIMIT, Puller};
use crate::domain::sync::{FailureReason, is_last_page};
use crate::linkedin::Page;
use crate::store;
use crate::store::directory::forms::SeenForm;
use crate::sync::SyncError;
use crate::sync::intake::{self, Response};

/// Forms per page.
const FORM_PAGE: u32 = 500;

impl Puller {
    /// Reads all forms; returns how many.
    pub(super) async fn forms(&self) -> Result<usize, SyncError> {
        let client = self.ctx.linkedin.clone();
        let owner = self.owner();
        let mut count = 0;
        let mut start: u32 = 0;
        for _ in 0..PAGE_LIMIT {
            let answer = self
                .linkedin
                .call("leadForms", {
                    let client = client.clone();
                    move |token| {
                        let client = client.clone();
                        async move { client.lead_forms(&token, owner, start, FORM_PAGE).await }
                    }
                })
                .await?;
            if let Some(date) = answer.date {
                self.linkedin_now.get_or_init(|| date);
            }
            let page = answer.value;
            let received = page.elements.len();
            let mut seen: Vec<SeenForm> = Vec::with_capacity(received);
            for element in &page.elements {
                match &element.value {
                    Ok(form) => seen.push(intake::seen_form(form, element.raw.get())),
                    Err(why) => {
                        tracing::warn!(account.id = %self.account.id, why, "a form could not be read");
                    }
                }
            }
            count += received;
            self.save_forms(seen).await?;
            if is_last(&page, received, FORM_PAGE, start) {
                return Ok(count);
            }
            start = start.saturating_add(u32::try_from(received).unwrap_or(u32::MAX));
        }
        Err(SyncError::found(
            FailureReason::PageRepeated,
            "the list of forms does not end",
        ))
    }

    async fn save_forms(&self, seen: Vec<SeenForm>) -> Result<(), SyncError> {
        let (account, name, now) = (
            self.account.id.clone(),
            self.account.name.clone(),
            self.ctx.clock.now(),
        );
        self.write(move |conn| {
            let new_versions = store::directory::forms::save_forms(conn, &account, &seen, now)?;
            if new_versions.is_empty() {
                return Ok(());
            }
            let mut taken_up = 0;
            for version in &new_versions {
                taken_up += store::intake::take_up_again(conn, *version)?;
            }
            store::audit::record(
                conn,
                now,
                &store::audit::Actor::s2s_inbound(),
                "lead_forms.synchronized",
                ("linkedin_account", account.as_str(), &name),
                None,
                Some(serde_json::json!({
                    "new_versions": new_versions.len(), "submissions_taken_up": taken_up,
                })),
            )
        })
        .await
    }

    /// Makes sure that the versions which these responses answered are known: LinkedIn's list has only the current one
    /// of each form, so an older one is read from one of its responses, once.
    pub(super) async fn learn_versions(&self, responses: &[Response]) -> Result<(), SyncError> {
        let named: BTreeSet<(i64, i64)> = responses
            .iter()
            .filter_map(|response| response.form)
            .collect();
        if named.is_empty() {
            return Ok(());
        }
        let forms: Vec<i64> = named
            .iter()
            .map(|(form, _)| *form)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let known = self
            .ctx
            .store
            .read(move |conn| store::directory::forms::known_versions(conn, &forms))
            .await?;
        for version in named.iter().filter(|version| !known.contains(version)) {
            let is_new = self
                .tried_versions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(*version);
            if !is_new {
                continue;
            }
            let Some(example) = responses
                .iter()
                .find(|response| response.form == Some(*version))
            else {
                continue;
            };
            match self.version_of(&example.response_id, *version).await {
                Ok(Some(seen)) => self.save_forms(vec![seen]).await?,
                Ok(None) => {}
                // The responses are stored all the same and wait for their version.
                Err(error) => {
                    tracing::warn!(
                        account.id = %self.account.id, form.id = version.0, form.version = version.1,
                        error = %error, "a form version could not be read"
                    );
                }
            }
        }
        Ok(())
    }

    async fn version_of(
        &self,
        response_id: &str,
        (form_id, number): (i64, i64),
    ) -> Result<Option<SeenForm>, SyncError> {
        let client = self.ctx.linkedin.clone();
        let answer = self
            .linkedin
            .call("leadFormResponses", {
                let id = response_id.to_owned();
                move |token| {
                    let (client, id) = (client.clone(), id.clone());
                    async move { client.lead_form_response(&token, &id, true).await }
                }
            })
            .await?
            .value;
        let Ok(response) = answer.value else {
            return Ok(None);
        };
        let Some(form) = response.form.filter(|form| form.id == form_id) else {
            return Ok(None);
        };
        // The embedded form is the answered version; one that names another version is not what was asked for.
        if form.version_id.is_some_and(|version| version != number) {
            return Ok(None);
        }
        let mut seen = intake::seen_form(&form, answer.raw.get());
        seen.version = Some((
            number,
            intake::form_version(&form, number),
            answer.raw.get().as_bytes().to_vec(),
        ));
        seen.is_current = false;
        Ok(Some(seen))
    }
}

fn is_last<T>(page: &Page<T>, received: usize, requested: u32, start: u32) -> bool {
    is_last_page(
        received,
        i64::from(requested),
        page.paging.count,
        i64::from(start),
        page.paging.total,
    )
}

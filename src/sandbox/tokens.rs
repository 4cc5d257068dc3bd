//! The authorization server's memory: pending authorizations, codes, access and refresh tokens, consents.

use std::collections::{BTreeSet, HashMap};

use super::seeded::text;

/// The one developer app's client id.
pub const CLIENT_ID: &str = "sandbox-client";
/// The one developer app's client secret.
pub const CLIENT_SECRET: &str = "sandbox-secret";

/// Codes live half an hour.
const CODE_SECONDS: i64 = 1800;

/// A member's browser on its way through the authorization page.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) scopes: BTreeSet<String>,
    /// Set once the member signed in.
    pub(super) member: Option<String>,
}

/// What a code can be exchanged for.
#[derive(Debug, Clone)]
struct Code {
    redirect_uri: String,
    member: String,
    scopes: BTreeSet<String>,
    expires_at: i64,
}

/// A token as LinkedIn remembers it; times are epoch seconds.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// `access-3`, for the log.
    pub(super) label: String,
    pub(super) refresh: bool,
    pub(super) member: String,
    pub(super) scopes: BTreeSet<String>,
    pub(super) authorized_at: i64,
    pub(super) created_at: i64,
    pub(super) expires_at: i64,
    /// Until then the token answers 401, although it is good.
    pub(super) lag_until: i64,
    pub(super) revoked: bool,
}

/// What the token endpoint hands out.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) access_token: String,
    pub(super) expires_in: i64,
    pub(super) refresh: Option<(String, i64)>,
    pub(super) scopes: BTreeSet<String>,
}

/// How long tokens live, as the settings say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetimes {
    pub(super) access: i64,
    pub(super) refresh: Option<i64>,
    pub(super) lag: i64,
}

/// Why a code was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodeRefusal {
    Unknown,
    ExpiredOrMismatched,
}

/// Whether a token may be used, in LinkedIn's own words.
#[derive(Debug, Clone)]
pub(super) enum Standing {
    Good(Token),
    Unknown,
    Revoked,
    Expired,
}

#[derive(Debug)]
pub(super) struct Tokens {
    seed: u64,
    counter: u64,
    pending: HashMap<String, Pending>,
    codes: HashMap<String, Code>,
    tokens: HashMap<String, Token>,
    /// What each member has granted to the app.
    consents: HashMap<String, BTreeSet<String>>,
}

impl Tokens {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            counter: 0,
            pending: HashMap::new(),
            codes: HashMap::new(),
            tokens: HashMap::new(),
            consents: HashMap::new(),
        }
    }

    fn next(&mut self, prefix: &str, length: usize) -> String {
        self.counter += 1;
        format!("{prefix}{}", text(self.seed, 40, self.counter, length))
    }

    pub(super) fn begin(&mut self, pending: Pending) -> String {
        let key = self.next("p", 31);
        self.pending.insert(key.clone(), pending);
        key
    }

    pub(super) fn pending(&self, key: &str) -> Option<Pending> {
        self.pending.get(key).cloned()
    }

    pub(super) fn signed_in(&mut self, key: &str, member: &str) {
        if let Some(pending) = self.pending.get_mut(key) {
            pending.member = Some(member.to_owned());
        }
    }

    pub(super) fn end(&mut self, key: &str) {
        self.pending.remove(key);
    }

    /// Whether the member has granted exactly this before.
    pub(super) fn has_consented(&self, member: &str, scopes: &BTreeSet<String>) -> bool {
        self.consents.get(member) == Some(scopes)
    }

    /// The member allows; another set than before invalidates every earlier token of the member.
    pub(super) fn allow(
        &mut self,
        member: &str,
        scopes: &BTreeSet<String>,
        redirect_uri: &str,
        now: i64,
    ) -> String {
        if self
            .consents
            .get(member)
            .is_some_and(|granted| granted != scopes)
        {
            self.revoke_member(member);
        }
        self.consents.insert(member.to_owned(), scopes.clone());
        let code = self.next("AQ", 100);
        self.codes.insert(
            code.clone(),
            Code {
                redirect_uri: redirect_uri.to_owned(),
                member: member.to_owned(),
                scopes: scopes.clone(),
                expires_at: now + CODE_SECONDS,
            },
        );
        code
    }

    /// A code works once.
    pub(super) fn exchange(
        &mut self,
        code: &str,
        redirect_uri: &str,
        now: i64,
        lifetimes: Lifetimes,
    ) -> Result<Issued, CodeRefusal> {
        let known = self.codes.remove(code).ok_or(CodeRefusal::Unknown)?;
        if known.expires_at <= now || known.redirect_uri != redirect_uri {
            return Err(CodeRefusal::ExpiredOrMismatched);
        }
        let refresh = lifetimes.refresh.map(|seconds| {
            let token = self.issue(
                &known.member,
                &known.scopes,
                now,
                now,
                now + seconds,
                0,
                true,
            );
            (token, seconds)
        });
        let expires_at = now + lifetimes.access;
        let access_token = self.issue(
            &known.member,
            &known.scopes,
            now,
            now,
            expires_at,
            now + lifetimes.lag,
            false,
        );
        Ok(Issued {
            access_token,
            expires_in: lifetimes.access,
            refresh,
            scopes: known.scopes,
        })
    }

    /// The refresh token keeps its value and its end; the access token never outlives it.
    pub(super) fn refresh(
        &mut self,
        refresh_token: &str,
        now: i64,
        lifetimes: Lifetimes,
    ) -> Option<Issued> {
        let known = self
            .tokens
            .get(refresh_token)
            .filter(|token| token.refresh && !token.revoked && token.expires_at > now)?
            .clone();
        let rest = known.expires_at - now;
        let expires_in = lifetimes.access.min(rest);
        let access_token = self.issue(
            &known.member,
            &known.scopes,
            known.authorized_at,
            now,
            now + expires_in,
            now + lifetimes.lag,
            false,
        );
        Some(Issued {
            access_token,
            expires_in,
            refresh: Some((refresh_token.to_owned(), rest)),
            scopes: known.scopes,
        })
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one private function that both grants call"
    )]
    fn issue(
        &mut self,
        member: &str,
        scopes: &BTreeSet<String>,
        authorized_at: i64,
        created_at: i64,
        expires_at: i64,
        lag_until: i64,
        refresh: bool,
    ) -> String {
        let secret = self.next(if refresh { "AQW" } else { "AQX" }, 400);
        let kind = if refresh { "refresh" } else { "access" };
        let number = self
            .tokens
            .values()
            .filter(|token| token.refresh == refresh)
            .count()
            + 1;
        self.tokens.insert(
            secret.clone(),
            Token {
                label: format!("{kind}-{number}"),
                refresh,
                member: member.to_owned(),
                scopes: scopes.clone(),
                authorized_at,
                created_at,
                expires_at,
                lag_until,
                revoked: false,
            },
        );
        secret
    }

    pub(super) fn get(&self, secret: &str) -> Option<&Token> {
        self.tokens.get(secret)
    }

    /// Whether an access token may be used now (epoch seconds).
    pub(super) fn standing(&self, secret: &str, now: i64) -> Standing {
        match self.tokens.get(secret) {
            Some(token) if token.refresh => Standing::Unknown,
            None => Standing::Unknown,
            Some(token) if token.revoked || token.lag_until > now => Standing::Revoked,
            Some(token) if token.expires_at <= now => Standing::Expired,
            Some(token) => Standing::Good(token.clone()),
        }
    }

    /// Revokes one token; unknown ones are no error.
    pub(super) fn revoke(&mut self, secret: &str) {
        if let Some(token) = self.tokens.get_mut(secret) {
            token.revoked = true;
        }
    }

    /// The member withdraws in the privacy settings: consent and every token are gone.
    pub(super) fn withdraw(&mut self, member: &str) {
        self.consents.remove(member);
        self.revoke_member(member);
    }

    pub(super) fn members_with_consent(&self) -> Vec<String> {
        self.consents.keys().cloned().collect()
    }

    /// Every access token ends now, as if its time were over.
    pub(super) fn expire_all(&mut self, now: i64) {
        for token in self.tokens.values_mut().filter(|token| !token.refresh) {
            token.expires_at = token.expires_at.min(now);
        }
    }

    fn revoke_member(&mut self, member: &str) {
        for token in self
            .tokens
            .values_mut()
            .filter(|token| token.member == member)
        {
            token.revoked = true;
        }
    }
}

//! Server-side sessions behind actix-session: state in the database, only a signed random key in the cookie.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration as CookieDuration;
use chrono::{DateTime, TimeDelta, Utc};

use super::signing::{digest, random_token};
use crate::clock::Clock;
use crate::domain::access::Role;
use crate::domain::ids::UserId;
use crate::store::users::{self, User};
use crate::store::{Store, StoreError, second_factors, sessions};

/// `__Host-`: only over TLS or loopback, for the whole host, no subdomain can set it.
pub const COOKIE_NAME: &str = "__Host-leadgen_session";

/// Keys of the state.
pub(super) const USER_ID: &str = "user_id";
pub(super) const SECRET: &str = "secret";
const BROWSER: &str = "browser";

/// The last use is noted at most this often: a write for every page would cost more than a minute's precision is worth.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Noting the last use is worth no more waiting than this: the page comes first, and the next request notes it as well.
const TOUCH_PATIENCE: Duration = Duration::from_millis(250);

/// For how long a proof of who one is (signing in, or confirming it) opens what an open session alone must not.
pub const FRESH_FOR: TimeDelta = TimeDelta::minutes(10);

/// For how much longer a form may be filled in that was opened in time.
pub const FORM_GRACE: TimeDelta = TimeDelta::minutes(5);

/// How long a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Without a request.
    pub idle: TimeDelta,
    /// Altogether.
    pub absolute: TimeDelta,
}

/// An Administrator's session opens everything, so it ends after half an hour unused and with the working day. People
/// who work on leads all day would only learn to keep passwords in notes if they had to sign in so often: an hour unused, a week.
#[must_use]
pub fn limits(roles: &[Role]) -> Limits {
    if roles.contains(&Role::Administrator) {
        Limits {
            idle: TimeDelta::minutes(30),
            absolute: TimeDelta::hours(12),
        }
    } else {
        Limits {
            idle: TimeDelta::minutes(60),
            absolute: TimeDelta::days(7),
        }
    }
}

/// When a session ends if nothing more is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionEnd {
    /// The time.
    pub at: DateTime<Utc>,
    /// Whether opening something cannot put it off: the session will have lasted as long as any may.
    pub is_final: bool,
}

/// What a request learns of its session beside what is in it.
pub(super) struct Found {
    /// Whose it is, read a moment ago.
    pub(super) user: User,
    /// When it ends.
    pub(super) end: SessionEnd,
    /// When its person proved who they are: confirming it begins the session under a new id.
    pub(super) proved_at: DateTime<Utc>,
    /// Whether the person must set up a second factor before anything else.
    pub(super) lacks_second_factor: bool,
}

impl SessionEnd {
    fn of(session: &sessions::Session, limits: Limits) -> Self {
        let last = session.expires_at.min(session.created_at + limits.absolute);
        let idle = session.last_seen_at + limits.idle;
        Self {
            at: last.min(idle),
            is_final: last <= idle,
        }
    }
}

tokio::task_local! {
    /// What was read together with this request's session.
    static FOUND: RefCell<Option<Found>>;
}

/// Runs one request. actix-session hands on only what is in the session, but the user was read together with it: this
/// keeps the user for `found`, so that no page reads it twice.
pub async fn within_request<F: Future>(request: F) -> F::Output {
    FOUND.scope(RefCell::new(None), request).await
}

/// What was read together with this request's session, a moment ago.
pub(super) fn found() -> Option<Found> {
    FOUND.try_with(RefCell::take).ok().flatten()
}

/// The session storage of all replicas.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    clock: Clock,
}

type State = HashMap<String, String>;

impl Sessions {
    /// On this database, by this clock.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    async fn find(&self, key: &SessionKey) -> Result<Option<sessions::Session>, StoreError> {
        let id_hash = digest(key.as_ref());
        let now = self.clock.now();
        let wanted = id_hash.clone();
        let found = self
            .store
            .read(move |conn| {
                let Some((session, user)) = sessions::find_with_user(conn, &wanted)? else {
                    return Ok(None);
                };
                let lacks = second_factors::is_missing(conn, &user)?;
                Ok::<_, StoreError>(Some((session, user, lacks)))
            })
            .await?;
        let Some((mut session, user, lacks_second_factor)) = found else {
            return Ok(None);
        };
        let limits = limits(&user.roles);
        if now >= SessionEnd::of(&session, limits).at {
            self.store
                .write(move |tx| sessions::delete(tx, &id_hash))
                .await?;
            return Ok(None);
        }
        if now >= session.last_seen_at + TOUCH_EVERY {
            // A database that can only be read still shows pages.
            let touched = self
                .store
                .with_patience(TOUCH_PATIENCE)
                .write(move |tx| sessions::touch(tx, &id_hash, now))
                .await;
            match touched {
                Ok(()) => session.last_seen_at = now,
                Err(error) => {
                    tracing::warn!(error = %error, "the use of a session could not be noted");
                }
            }
        }
        // Outside of a request there is nobody to hand it to.
        let found = Found {
            user,
            end: SessionEnd::of(&session, limits),
            proved_at: session.created_at,
            lacks_second_factor,
        };
        let _handed = FOUND.try_with(|slot| slot.replace(Some(found)));
        Ok(Some(session))
    }

    async fn insert(&self, state: State) -> anyhow::Result<SessionKey> {
        let user: UserId = state
            .get(USER_ID)
            .and_then(|json| serde_json::from_str(json).ok())
            .ok_or_else(|| anyhow::anyhow!("a session without a person"))?;
        let key = random_token()?;
        let id_hash = digest(&key);
        let text = serde_json::to_string(&state)?;
        let now = self.clock.now();
        self.store
            .write(move |tx| {
                let roles = users::get(tx, &user)?.roles;
                sessions::delete_expired(tx, now)?;
                sessions::insert(
                    tx,
                    &sessions::Session {
                        id_hash,
                        user_id: Some(user),
                        state: text,
                        created_at: now,
                        last_seen_at: now,
                        expires_at: now + limits(&roles).absolute,
                    },
                )
            })
            .await?;
        SessionKey::try_from(key).map_err(|error| anyhow::anyhow!(error.to_string()))
    }
}

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let session = self
            .find(key)
            .await
            .map_err(|error| LoadError::Other(error.into()))?;
        session
            .map(|session| serde_json::from_str(&session.state))
            .transpose()
            .map_err(|error| LoadError::Deserialization(error.into()))
    }

    async fn save(&self, state: State, _ttl: &CookieDuration) -> Result<SessionKey, SaveError> {
        self.insert(state).await.map_err(SaveError::Other)
    }

    async fn update(
        &self,
        key: SessionKey,
        state: State,
        _ttl: &CookieDuration,
    ) -> Result<SessionKey, UpdateError> {
        let text = serde_json::to_string(&state)
            .map_err(|error| UpdateError::Serialization(error.into()))?;
        let id_hash = digest(key.as_ref());
        self.store
            .write(move |tx| sessions::save_state(tx, &id_hash, &text))
            .await
            .map_err(|error| UpdateError::Other(error.into()))?;
        Ok(key)
    }

    async fn update_ttl(&self, _: &SessionKey, _: &CookieDuration) -> Result<(), anyhow::Error> {
        // Our limits depend on the role and on the last use: `load` keeps them.
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        let id_hash = digest(key.as_ref());
        self.store
            .write(move |tx| sessions::delete(tx, &id_hash))
            .await?;
        Ok(())
    }
}

/// Those of these sessions that still stand, with the roles that their people have now: two queries for all of them, and
/// none of them counts as used.
///
/// # Errors
/// The store's.
pub async fn still_open(
    store: &Store,
    hashes: Vec<String>,
    now: DateTime<Utc>,
) -> Result<HashMap<String, Vec<Role>>, StoreError> {
    let found = store
        .read(move |conn| sessions::list_with_roles(conn, &hashes))
        .await?;
    Ok(found
        .into_iter()
        .filter(|(session, roles)| now < SessionEnd::of(session, limits(roles)).at)
        .map(|(session, roles)| (session.id_hash, roles))
        .collect())
}

/// The stored name of this person's session, if it still stands.
///
/// # Errors
/// The store's.
pub async fn id_of(store: &Store, user: &super::CurrentUser) -> Result<Option<String>, StoreError> {
    let id = user.id.clone();
    let all = store
        .read(move |conn| sessions::list_of_user(conn, &id))
        .await?;
    Ok(all
        .iter()
        .map(|session| seen(session, user.session_secret()))
        .find(|seen| seen.is_current)
        .map(|seen| seen.id))
}

/// Signs somebody in: the session gets a new id, whatever it was before. `browser` is what the sessions page shows.
///
/// # Errors
/// When the operating system has no randomness.
pub fn begin(
    session: &actix_session::Session,
    user: &UserId,
    browser: &str,
) -> Result<(), anyhow::Error> {
    session.clear();
    session.renew();
    session.insert(USER_ID, user)?;
    session.insert(SECRET, random_token()?)?;
    session.insert(BROWSER, browser)?;
    Ok(())
}

/// Notes that the person of this session proved again who they are: it goes on under a new id, from now on, and the old id is
/// dead. Open forms stay valid.
pub fn prove_again(session: &actix_session::Session) {
    session.renew();
}

/// A session as its owner sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Names the session in URLs; signs nobody in.
    pub id: String,
    /// Browser and system, as far as known.
    pub browser: String,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was last used.
    pub last_seen_at: DateTime<Utc>,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

/// How a stored session looks to its owner; `secret` is the asking session's.
#[must_use]
pub fn seen(session: &sessions::Session, secret: &str) -> Seen {
    let state: State = serde_json::from_str(&session.state).unwrap_or_default();
    let text = |key: &str| -> Option<String> {
        state
            .get(key)
            .and_then(|json| serde_json::from_str(json).ok())
    };
    Seen {
        id: session.id_hash.clone(),
        browser: text(BROWSER).unwrap_or_else(|| "Unknown browser".to_owned()),
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        is_current: text(SECRET).as_deref() == Some(secret),
    }
}

/// Browser and system from a `User-Agent`, for people: coarse on purpose.
#[must_use]
pub fn browser_name(user_agent: &str) -> String {
    let find = |names: &[(&str, &'static str)]| {
        names
            .iter()
            .find(|(mark, _)| user_agent.contains(mark))
            .map(|(_, name)| *name)
    };
    let browser = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

//! Live pages: tells browsers by server-sent events what is at work and when a page would look different. One task asks
//! the database once a second for all of them, and only while somebody listens.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use futures_util::stream;
use tokio::sync::{Notify, mpsc};

use super::shell::{Drawn, see_other};
use super::{Answer, Portal, WebError};
use crate::auth::CurrentUser;
use crate::auth::sessions;
use crate::clock::Clock;
use crate::domain::access::{Permission, allows};
use crate::store::activity::{self, Activity};
use crate::store::{Store, StoreError};

/// Browsers that may listen to one process; more are sent away and load their pages by hand or by time.
pub const MOST_LISTENERS: usize = 200;
/// How often the database is asked while somebody listens.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often is looked whether the sessions of the listeners still stand.
const CHECK_SESSIONS_EVERY: Duration = Duration::from_secs(5);
/// How often something is sent in any case, so that a connection that is gone is noticed.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Messages that may wait for a slow browser before it is let go.
const QUEUE: usize = 16;

struct Listener {
    session: String,
    sender: mpsc::Sender<Bytes>,
}

#[derive(Default)]
struct State {
    listeners: HashMap<u64, Listener>,
    next_number: u64,
    is_looking: bool,
    is_closed: bool,
}

struct Inner {
    store: Store,
    clock: Clock,
    state: Mutex<State>,
    look: Notify,
}

/// The listeners of one process. Clones share them.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

/// What is at work, as it stands on the page and in the event alike.
#[derive(Template)]
#[template(path = "sync_status/progress.html")]
struct Progress<'a> {
    activity: &'a Activity,
}

/// What the last look found.
#[derive(Default, Clone, PartialEq, Eq)]
struct Seen {
    progress: String,
    mark: String,
}

impl Events {
    /// Nobody listens yet.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            state: Mutex::default(),
            look: Notify::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at once: something changed in this process.
    pub fn look(&self) {
        self.0.look.notify_one();
    }

    /// How many browsers listen now.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.state().listeners.len()
    }

    /// The process ends: every stream ends, and none begins any more.
    pub fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.listeners.clear();
        self.look();
    }

    /// One more listener, or `None` when there are enough or the process ends.
    fn listen(&self, session: String) -> Option<mpsc::Receiver<Bytes>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut state = self.state();
        state
            .listeners
            .retain(|_, listener| !listener.sender.is_closed());
        if state.is_closed || state.listeners.len() >= MOST_LISTENERS {
            return None;
        }
        // The browser comes back after this many milliseconds when the connection breaks.
        sender
            .try_send(Bytes::from_static(b"retry: 5000\n\n"))
            .ok()?;
        let number = state.next_number;
        state.next_number += 1;
        state.listeners.insert(number, Listener { session, sender });
        if !state.is_looking {
            state.is_looking = true;
            tokio::spawn(self.clone().look_on());
        }
        Some(receiver)
    }

    /// Sends to everybody; who does not keep up or went away is let go.
    fn send(&self, message: &Bytes) {
        self.state()
            .listeners
            .retain(|_, listener| listener.sender.try_send(message.clone()).is_ok());
    }

    /// Whether nobody listens any more; then the caller ends.
    fn is_deserted(&self) -> bool {
        let mut state = self.state();
        state
            .listeners
            .retain(|_, listener| !listener.sender.is_closed());
        state.is_looking = !state.listeners.is_empty();
        !state.is_looking
    }

    async fn look_on(self) {
        let mut seen: Option<Seen> = None;
        let mut sessions_checked = Instant::now();
        let mut beaten = Instant::now();
        while !self.is_deserted() {
            // A database that is away for a moment changes nothing on the pages; the next look asks again.
            if let Ok(found) = self.see().await {
                if let Some(before) = &seen {
                    if before.progress != found.progress {
                        self.send(&message("progress", &found.progress));
                    }
                    if before.mark != found.mark {
                        self.send(&message("changed", "1"));
                    }
                }
                seen = Some(found);
            }
            if sessions_checked.elapsed() >= CHECK_SESSIONS_EVERY {
                sessions_checked = Instant::now();
                self.check_sessions().await;
            }
            if beaten.elapsed() >= HEARTBEAT_EVERY {
                beaten = Instant::now();
                self.send(&Bytes::from_static(b": here\n\n"));
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.0.look.notified() => {}
            }
        }
    }

    async fn see(&self) -> Result<Seen, StoreError> {
        let (activity, mark) = self
            .0
            .store
            .read(|conn| Ok::<_, StoreError>((activity::now(conn)?, activity::mark(conn)?)))
            .await?;
        let progress = Progress {
            activity: &activity,
        };
        Ok(Seen {
            progress: progress.render().unwrap_or_default(),
            mark,
        })
    }

    /// Ends the streams of sessions that ended, and of people who may no longer see the page.
    async fn check_sessions(&self) {
        let hashes: Vec<String> = {
            let state = self.state();
            let listeners = state.listeners.values();
            listeners.map(|listener| listener.session.clone()).collect()
        };
        let now = self.0.clock.now();
        let Ok(open) = sessions::still_open(&self.0.store, hashes.clone(), now).await else {
            return;
        };
        self.state().listeners.retain(|_, listener| {
            // Whoever came while the database was asked is looked at next time.
            !hashes.contains(&listener.session)
                || open
                    .get(&listener.session)
                    .is_some_and(|roles| allows(roles, Permission::ViewSyncStatus))
        });
    }
}

/// One event; its data may have several lines.
fn message(name: &str, data: &str) -> Bytes {
    let mut text = format!("event: {name}\n");
    // Without a data line a browser would not notice the event.
    for line in data.split('\n') {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    Bytes::from(text)
}

/// GET /sync-status/events: a stream that lives as long as the session. The first event comes with the first change.
///
/// # Errors
/// `Busy` when too many listen, or as the database.
pub async fn stream(portal: Data<Portal>, user: CurrentUser, request: HttpRequest) -> Answer {
    let wants_events = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    // Somebody who opens the address by hand wants the page.
    if !wants_events {
        return Ok(see_other("/sync-status"));
    }
    let session = sessions::id_of(&portal.store, &user)
        .await?
        .ok_or(WebError::NotFound)?;
    let Some(receiver) = portal.events.listen(session) else {
        return Ok(HttpResponse::ServiceUnavailable()
            .insert_header((header::RETRY_AFTER, "60"))
            .finish());
    };
    let body = stream::unfold(receiver, |mut receiver| async move {
        let bytes = receiver.recv().await?;
        Some((Ok::<_, Infallible>(bytes), receiver))
    });
    let mut response = HttpResponse::Ok()
        .insert_header((
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream; charset=utf-8"),
        ))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Proxies like nginx would hold the events back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body);
    response.extensions_mut().insert(Drawn);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_stays_one_event() {
        assert_eq!(
            message("progress", "<ul>\n<li>a</li>\n</ul>"),
            "event: progress\ndata: <ul>\ndata: <li>a</li>\ndata: </ul>\n\n"
        );
        assert_eq!(message("progress", ""), "event: progress\ndata: \n\n");
    }
}

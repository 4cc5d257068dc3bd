//! Who somebody is: keys, passwords, sessions, and the extractors that put a person into a handler's signature.

pub mod account_links;
pub mod accounts;
pub mod api_tokens;
pub mod current_user;
pub mod identities;
pub mod key_rotation;
pub mod key_source;
pub mod key_states;
pub mod passwords;
pub mod second_factor;
pub mod secret_key;
pub mod sessions;
pub mod signing;
pub mod throttle;

pub use current_user::{CurrentUser, NotSignedIn};

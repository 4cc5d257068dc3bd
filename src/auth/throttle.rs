//! Slows down guessing of passwords, per account and per client address.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use super::signing::digest;
use crate::store::{Store, StoreError, sign_in_throttles};

/// The keys under which one attempt counts. They hold no address and no name in clear.
#[derive(Debug, Clone)]
pub struct Attempt {
    account: String,
    address: Option<String>,
}

impl Attempt {
    /// `account` is the canonical name (the e-mail key, or what was typed where it is none); `address` the client's.
    #[must_use]
    pub fn new(account: &str, address: Option<IpAddr>) -> Self {
        let network = address.map(|address| match address {
            IpAddr::V4(v4) => v4.to_string(),
            // A subscriber has a whole /64 to choose from.
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => v4.to_string(),
                None => format!("{:x?}", v6.segments().iter().take(4).collect::<Vec<_>>()),
            },
        });
        Self {
            account: format!("account:{}", digest(account)),
            address: network.map(|network| {
                format!("{}{}", sign_in_throttles::ADDRESS_PREFIX, digest(&network))
            }),
        }
    }

    fn keys(&self) -> Vec<String> {
        let mut keys = vec![self.account.clone()];
        keys.extend(self.address.clone());
        keys
    }

    /// Counts this attempt as failed before the password is looked at, so that guesses made at once all count; committed
    /// apart from whatever follows. `Err(wait)`: the attempt is not allowed yet.
    ///
    /// # Errors
    /// The outer one as any query; the inner one is the time to wait.
    pub async fn begin(
        &self,
        store: &Store,
        now: DateTime<Utc>,
    ) -> Result<Result<(), TimeDelta>, StoreError> {
        let keys = self.keys();
        store
            .write(move |tx| {
                Ok(match sign_in_throttles::count_failure(tx, &keys, now)? {
                    Some(until) => Err(until - now),
                    None => Ok(()),
                })
            })
            .await
    }

    /// Forgets the account's failures after a success. The address only gets this attempt back: somebody with an account
    /// of their own must not clear the count for guessing other people's.
    ///
    /// # Errors
    /// As any query.
    pub fn succeeded(
        &self,
        tx: &mut crate::store::AnyConn,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sign_in_throttles::delete_expired(tx, now)?;
        sign_in_throttles::clear(tx, &self.account)?;
        if let Some(address) = &self.address {
            sign_in_throttles::forgive(tx, address, now)?;
        }
        Ok(())
    }
}

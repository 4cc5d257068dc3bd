//! Who somebody is: keys, passwords, sessions, and the extractors that put a person into a handler's signature.

pub mod secret_key;

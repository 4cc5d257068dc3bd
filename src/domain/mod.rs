//! Every rule of the product, pure: time, ids and randomness come in as arguments; nothing here reads or writes.
//!
//! | module | decides |
//! |---|---|
//! | [`access`], [`users`], [`password`] | who may do what; the last Administrator; what a password must be |
//! | [`groups`], [`group_members`] | names of groups, and who of a list of addresses becomes a member |
//! | [`api_token`], [`rate`] | names, lifetimes and states of API tokens; how many requests a minute |
//! | [`account_link`] | one-time links by which people set their password |
//! | [`profile`], [`account`], [`form`], [`submission`] | the records that come from LinkedIn, and their states |
//! | [`field_mapping`] | from answers to values of lead fields |
//! | [`normalise`], [`strategy`], [`matching`] | which lead a submission belongs to, and what to do with it |
//! | [`delivery`] | what destinations are told, and when it is tried again |
//! | [`column_mapping`], [`dynamics_status`] | what of a lead goes to which column of an organization, and over what; its states there |
//! | [`dry_run`] | the same for a draft of a strategy, in memory |
//! | [`connections`] | whether the organisation and the person let LinkedIn be read |
//! | [`configuration`] | the whole configuration as one file |
//! | [`assignment`] | who owns a new lead |
//! | [`search`] | by which words a record is found |
//! | [`lead`] | the fields of a lead, and how a submission is written onto it |
//! | [`lead_import`] | what the columns of a file fill, and how its rows are written onto leads and taken back |
//! | [`microsoft_connector`] | what the records of Microsoft's withdrawn connector become here |
//! | [`report`] | what the dashboard compares: periods, bars, changes, waiting times |
//! | [`notification`] | what LinkedIn tells by itself |
//! | [`sync`] | runs, failures, retries, time windows, pages |

pub mod access;
pub mod access_review;
pub mod account;
pub mod account_link;
pub mod api_token;
pub mod assignment;
pub mod column_mapping;
pub mod configuration;
pub mod connections;
pub mod delivery;
pub mod dry_run;
pub mod dynamics_status;
pub mod email_address;
pub mod field_mapping;
pub mod form;
pub mod group_members;
pub mod groups;
pub mod ids;
pub mod lead;
pub mod lead_column;
pub mod lead_import;
pub mod linkedin_version;
pub mod mail;
pub mod matching;
pub mod microsoft_connector;
pub mod normalise;
pub mod notification;
pub mod organization;
pub mod password;
pub mod preferences;
pub mod profile;
pub mod rate;
pub mod report;
pub mod search;
pub mod setup;
pub mod sign_in;
pub mod strategy;
pub mod submission;
pub mod sync;
pub mod text;
pub mod time_zone;
pub mod users;
pub mod words;

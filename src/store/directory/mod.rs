//! What LinkedIn says there is: accounts with the roles of a profile, forms with their versions, campaigns, creatives.
//! Written by the sync only, a whole list at a time.

pub mod accounts;
pub mod campaigns;
pub mod forms;

use uuid::Uuid;

fn new_id() -> String {
    Uuid::now_v7().hyphenated().to_string()
}

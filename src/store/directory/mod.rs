//! What LinkedIn says there is: accounts with the roles of a profile, forms with their versions, campaigns, creatives.
//! Written by the sync, a whole list at a
//! time, and by what comes along from Microsoft's connector.

pub mod accounts;
pub mod brought;
pub mod campaigns;
pub mod forms;

use uuid::Uuid;

fn new_id() -> String {
    Uuid::now_v7().hyphenated().to_string()
}

//! The rules of reports: which days a period has in a person's zone, how they are cut into bars, how numbers compare.

mod bucket;
mod change;
mod delay;
mod part;
mod period;
mod week;

pub use bucket::{BucketSize, buckets, same_before};
pub use change::{Change, share};
pub use delay::{BOUNDS, DelayHistogram, WAITING_CLASSES, WaitingClass, waited};
pub use part::Part;
pub use period::{Days, Period, PeriodError, Preset, SLOT_SECONDS, Slots};
pub use week::{InvalidWeek, Week};

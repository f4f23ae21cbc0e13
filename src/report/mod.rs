//! Events, rendered: as a sentence, as fields, as a line of text or JSON or an entry of the journal, from a thread of
//! their own.
//!
//! [`fields`] and [`sentence`] say what an event is; [`Lines`] and [`Journald`] write both; [`Journal`] lets them do it
//! without anybody waiting. [`table`] is for the commands.
//! [`metrics`], [`status_page`] and [`status_json`] render a survey, and [`visits_json`] what a round of visits saw.
//!
//! Foreign text was cleaned when it came in, and is cleaned here again: nothing that an event holds can
//! move a cursor, end a line or pass for a field of ours.

mod fields;
mod journal;
mod line;
mod metrics;
mod orders;
mod pressure;
mod sentence;
mod sink;
mod status;
pub mod table;
mod visits;

pub use fields::{Fields, Value, fields};
pub use journal::{Journal, QUEUE_MAX};
pub use line::Format;
pub use metrics::{Exposition, metrics};
pub use sentence::sentence;
pub use sink::{Form, Journald, Lines, Sink};
pub use status::{status_json, status_lines, status_page};
pub use visits::visits_json;

#[cfg(test)]
mod catalog_tests;
#[cfg(test)]
mod journald_tests;
#[cfg(test)]
mod tests;

//! What an iLO gives back for one request.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde::Serialize;

/// The outcome of one exchange: what the iLO says, when, and whether it arrives.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The answer as the iLO meant it, also where it is not delivered.
    pub response: Response<Bytes>,
    /// How long the iLO takes before it answers: a growing delay after wrong passwords.
    pub after: Duration,
    /// What becomes of the answer on its way.
    pub delivery: Delivery,
}

/// What becomes of an answer on its way to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Delivery {
    /// It arrives.
    Whole,
    /// The connection is closed before the first byte of it.
    Lost,
    /// The connection stays open and nothing ever comes.
    Never,
}

//! Faults as data: what is to go wrong, once each, at which request.

use bytes::Bytes;
use http::{Method, Request, Response};

/// One thing that goes wrong once.
///
/// ```
/// use http::Method;
/// use ilo_sim::{Fault, FaultKind, Matcher};
///
/// let fault = Fault {
///     on: Matcher::new(Method::DELETE, "/redfish/v1/SessionService/Sessions/"),
///     what: FaultKind::LoseReply,
/// };
/// # let _ = fault;
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    /// The request that meets it: the first one that matches uses it up.
    pub on: Matcher,
    /// What goes wrong.
    pub what: FaultKind,
}

/// Which requests a fault is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// The method, or `None` for every one.
    pub method: Option<Method>,
    /// How the path begins; empty for every path.
    pub path_prefix: String,
}

impl Matcher {
    /// Requests with this method whose path begins with `path_prefix`.
    pub fn new(method: Method, path_prefix: impl Into<String>) -> Self {
        Self { method: Some(method), path_prefix: path_prefix.into() }
    }

    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    pub(crate) fn matches<B>(&self, request: &Request<B>) -> bool {
        self.method.as_ref().is_none_or(|method| method == request.method())
            && request.uri().path().starts_with(&self.path_prefix)
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FaultKind {
    /// The iLO does the work, then the connection closes without a byte of reply.
    LoseReply,
    /// The iLO does nothing and never answers.
    Hang,
    /// The iLO does nothing and answers this.
    Answer(Response<Bytes>),
}

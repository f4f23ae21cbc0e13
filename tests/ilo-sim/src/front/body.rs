//! A response body that hides its length, so that HTTP/1.1 sends it in chunks unless a header tells it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::Frame;

/// The bytes, in one chunk. Only an empty body tells its length: `Content-Length: 0`, as on an iLO's 405.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Bytes,
    /// The body of an answer to HEAD is not sent, but would be chunked as well.
    hidden: bool,
}

impl Body {
    pub(crate) const fn new(bytes: Bytes, hidden: bool) -> Self {
        Self { bytes, hidden }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = std::mem::take(&mut self.get_mut().bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && !self.hidden
    }
}

//! An answer that comes piece by piece, for as long as somebody reads it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

/// An object per line.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// Server-Sent Events.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// So many pieces may wait for a reader.
const PIECES: usize = 4;

/// Where the pieces go. A closed one says that nobody reads any more.
pub(super) type Pen = mpsc::Sender<Result<Bytes, io::Error>>;

/// The body of such an answer. Whoever writes it ends with it.
struct Pieces {
    waiting: mpsc::Receiver<Result<Bytes, io::Error>>,
    _writer: JoinSet<()>,
    _place: Option<OwnedSemaphorePermit>,
}

/// Returns an answer of that form that `write` writes; `place` is given back when it ends.
pub(super) fn lines<F>(
    form: &'static str,
    place: Option<OwnedSemaphorePermit>,
    write: impl FnOnce(Pen) -> F,
) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    let (pen, pieces) = mpsc::channel(PIECES);
    let mut writer = JoinSet::new();
    writer.spawn(write(pen));
    let body = Body::new(Pieces {
        waiting: pieces,
        _writer: writer,
        _place: place,
    });
    ([(CONTENT_TYPE, form), (CACHE_CONTROL, "no-store")], body).into_response()
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = self.waiting.poll_recv(context);
        piece.map(|it| it.map(|it| it.map(Frame::data)))
    }
}

//! The body of a request while its handler reads it, and what is left of it afterwards.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{
        HeaderValue,
        header::{CONNECTION, EXPECT},
    },
    middleware::Next,
    response::Response,
};
use futures::StreamExt as _;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a body may keep its reader waiting. Each KiB that arrives allows one more second, up to this again.
const ALLOWANCE: Duration = Duration::from_secs(10);
const BYTES_PER_SECOND: u32 = 1_024;

/// How much of a body that its handler refused is read, so that the next request on the connection is found.
const DRAINED_BYTES: usize = 1024 * 1024;
/// For how long it is read.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Gives the handler a body with a deadline, and reads what the handler has left. If that is too much, the answer closes the
/// connection.
pub(super) async fn read_to_end(request: Request, next: Next) -> Response {
    if HttpBody::is_end_stream(request.body()) {
        return next.run(request).await;
    }
    let expects_continue = request.headers().contains_key(EXPECT);
    let (parts, body) = request.into_parts();
    let shared = SharedBody::new(body);
    let handed = Request::from_parts(parts, Body::new(shared.clone()));
    let mut response = next.run(handed).await;
    // Without the only other reference the handler still reads, for example to forward the body.
    if let Some(rest) = shared.take() {
        // Reading would ask a client for its body that waits for the answer first.
        let is_unasked = expects_continue && !rest.is_polled;
        if !rest.body.is_end_stream() && (is_unasked || !rest.drain().await) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    response
}

/// A body that outlives its handler.
#[derive(Clone)]
struct SharedBody(Arc<Mutex<TimedBody>>);

impl SharedBody {
    fn new(body: Body) -> SharedBody {
        SharedBody(Arc::new(Mutex::new(TimedBody {
            body,
            is_polled: false,
            allowance: ALLOWANCE,
            waiting: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, TimedBody> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body, unless the handler still has it.
    fn take(self) -> Option<TimedBody> {
        Some(Arc::into_inner(self.0)?.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpBody for SharedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.lock().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}

struct TimedBody {
    body: Body,
    is_polled: bool,
    /// How long the reader may still wait.
    allowance: Duration,
    /// Since when the reader waits, and the end of its patience.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl TimedBody {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_polled = true;
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            if let Some((since, _)) = self.waiting.take() {
                self.allowance = self.allowance.saturating_sub(since.elapsed());
            }
            let bytes = match &frame {
                Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => 0,
            };
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            let earned = Duration::from_secs(1) * bytes / BYTES_PER_SECOND;
            self.allowance = self.allowance.saturating_add(earned).min(ALLOWANCE);
            return Poll::Ready(frame);
        }
        let allowance = self.allowance;
        let (_, end) = self.waiting.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + allowance)))
        });
        ready!(end.as_mut().poll(cx));
        let error = io::Error::new(io::ErrorKind::TimedOut, "the body came too slowly");
        Poll::Ready(Some(Err(axum::Error::new(error))))
    }

    /// Reads a bounded rest; whether this was all.
    async fn drain(self) -> bool {
        let mut left = DRAINED_BYTES;
        let mut chunks = self.body.into_data_stream();
        let read = async {
            while let Some(chunk) = chunks.next().await {
                let Ok(chunk) = chunk else { return false };
                let Some(rest) = left.checked_sub(chunk.len()) else { return false };
                left = rest;
            }
            true
        };
        tokio::time::timeout(DRAIN_TIMEOUT, read).await.unwrap_or(false)
    }
}

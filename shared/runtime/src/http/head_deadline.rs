//! The deadline for the head of a request. It begins with the first byte of the head: a connection may be idle for longer.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, response::Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// The requests of one connection, which follow one another.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    begun: AtomicU64,
    answered: AtomicU64,
}

impl Requests {
    /// Records that the head of a request is complete.
    pub(super) fn begin<R>(&self, request: R) -> R {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        request
    }

    /// Makes the request end with the body of its answer.
    pub(super) fn end_with(&self, answer: Response) -> Response {
        let requests = self.clone();
        answer.map(|body| Body::new(AnswerBody { body, requests }))
    }

    fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }

    fn is_one_open(&self) -> bool {
        self.0.answered.load(Ordering::Relaxed) < self.begun()
    }
}

/// The body of an answer. It is dropped when it has been sent.
struct AnswerBody {
    body: Body,
    requests: Requests,
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.requests.0.answered.fetch_add(1, Ordering::Relaxed);
    }
}

impl HttpBody for AnswerBody {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose reads fail when a head takes longer than the limit. The first head begins with the connection.
pub(super) struct HeadDeadline<S> {
    stream: S,
    limit: Duration,
    requests: Requests,
    /// The head that is being read: the number of requests before it, and its deadline.
    head: Option<(u64, Pin<Box<Sleep>>)>,
}

impl<S> HeadDeadline<S> {
    pub(super) fn new(stream: S, limit: Duration, requests: Requests) -> Self {
        let head = Some((requests.begun(), Box::pin(sleep(limit))));
        Self { stream, limit, requests, head }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadDeadline<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let begun = self.requests.begun();
        self.head = self.head.take().filter(|(number, _)| *number == begun);
        let is_new = self.head.is_none() && buffer.filled().len() > before;
        if is_new && !self.requests.is_one_open() {
            self.head = Some((begun, Box::pin(sleep(self.limit))));
        }
        if let Some((_, deadline)) = &mut self.head
            && deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadDeadline<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

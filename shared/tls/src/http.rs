//! HTTP to other programs of the suite, with and without TLS.
//!
//! `https` addresses must have a certificate of the CA of the suite. The TLS of reqwest would make each client of the
//! workspace trust the certificates of the system.

use std::{
    error::Error,
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, uri::Scheme};
use http_body::Body;
use http_body_util::{BodyExt as _, Empty, combinators::UnsyncBoxBody};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{net::TcpStream, time::timeout};
use tower::Service;

use crate::{client::ClientTls, error::refusal};

type BoxError = Box<dyn Error + Send + Sync>;

/// The body of an answer.
pub type ResponseBody = UnsyncBoxBody<Bytes, HttpError>;

/// How long a client waits.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a connection, with its handshake.
    pub connect: Duration,
    /// For the head of an answer and for each part of its body.
    pub read: Option<Duration>,
    /// How long a connection stays open without a request: shorter than the time after which a service closes it.
    pub idle: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("cannot connect")]
    Connect(#[source] legacy::Error),
    #[error("the request failed")]
    Request(#[source] legacy::Error),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("the answer broke off")]
    Body(#[source] BoxError),
    #[error("the answer has the status {0}")]
    Status(StatusCode),
    #[error("the address or a header is not valid")]
    Invalid(#[from] http::Error),
}

/// An HTTP client that follows no redirects and uses no proxy. Clones share connections.
pub struct HttpClient<B = Empty<Bytes>> {
    client: Client<Connector, B>,
    read_timeout: Option<Duration>,
}

impl<B> Clone for HttpClient<B> {
    fn clone(&self) -> HttpClient<B> {
        HttpClient { client: self.client.clone(), read_timeout: self.read_timeout }
    }
}

impl<B> fmt::Debug for HttpClient<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

impl<B> HttpClient<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// A client. Without `tls` it refuses `https` addresses.
    pub fn new(tls: Option<ClientTls>, timeouts: Timeouts) -> HttpClient<B> {
        let Timeouts { connect, read, idle } = timeouts;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(idle)
            .build(Connector { http, tls, timeout: connect });
        HttpClient { client, read_timeout: read }
    }

    /// Sends a `GET` request and waits for the head of its answer.
    pub async fn get(&self, url: &str) -> Result<Response<ResponseBody>, HttpError>
    where
        B: Default,
    {
        self.send(Request::get(url).body(B::default())?).await
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(&self, request: Request<B>) -> Result<Response<ResponseBody>, HttpError> {
        let answer = within(self.read_timeout, self.client.request(request)).await?;
        let answer = answer.map_err(|error| {
            if error.is_connect() { HttpError::Connect(error) } else { HttpError::Request(error) }
        })?;
        let read_timeout = self.read_timeout;
        Ok(answer.map(|body| match read_timeout {
            Some(limit) => timed(body, limit),
            None => body.map_err(|error| HttpError::Body(error.into())).boxed_unsync(),
        }))
    }
}

/// The body with a limit for each of its parts.
fn timed<B>(body: B, limit: Duration) -> ResponseBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    tower_http::timeout::TimeoutBody::new(limit, body).map_err(HttpError::Body).boxed_unsync()
}

async fn within<T>(
    limit: Option<Duration>,
    answer: impl Future<Output = T>,
) -> Result<T, HttpError> {
    match limit {
        Some(limit) => timeout(limit, answer).await.map_err(|_| HttpError::TimedOut(limit)),
        None => Ok(answer.await),
    }
}

/// Reads the body of a successful answer.
pub async fn read_success(answer: Response<ResponseBody>) -> Result<Bytes, HttpError> {
    let status = answer.status();
    if !status.is_success() {
        return Err(HttpError::Status(status));
    }
    Ok(answer.into_body().collect().await?.to_bytes())
}

/// Opens connections.
#[derive(Debug, Clone)]
struct Connector {
    http: HttpConnector,
    tls: Option<ClientTls>,
    timeout: Duration,
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Connector { mut http, tls, timeout: limit } = self.clone();
        Box::pin(async move {
            let address = uri.authority().map(ToString::to_string).unwrap_or_default();
            let connected = timeout(limit, async {
                if uri.scheme() != Some(&Scheme::HTTPS) {
                    return Ok(MaybeHttpsStream::Http(http.call(uri).await?));
                }
                let tls = tls.ok_or("an https address needs TLS_CA_FILE")?;
                HttpsConnector::from((http, tls.config())).call(uri).await
            });
            let connected = connected
                .await
                .unwrap_or_else(|_| Err(format!("no connection within {limit:?}").into()));
            connected.map_err(|error: BoxError| explained(&address, error))
        })
    }
}

/// Adds what to check if the handshake failed.
fn explained(address: &str, error: BoxError) -> BoxError {
    match refusal(&*error) {
        Some(reason) => {
            io::Error::other(format!("no TLS with {address}: {reason} ({error})")).into()
        }
        None => error,
    }
}

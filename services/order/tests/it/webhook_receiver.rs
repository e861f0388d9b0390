//! A server that receives webhooks, and answers as the test says.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
};
use futures::stream;
use serde_json::Value;
use service_testkit::LONGEST_WAIT;
use standardwebhooks::Webhook;
use testkit::wait_for;
use tokio::{net::TcpListener, task::JoinSet};

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What the server answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Status(u16),
    Json(u16, Value),
    /// 302 to this address.
    Redirect(String),
    /// 200 after this time.
    After(Duration),
    /// Nothing.
    Never,
    /// 200, and a body of this many megabytes, or without an end.
    Megabytes(Option<usize>),
}

type Script = Box<dyn FnMut(&Received) -> Reply + Send>;

struct Shared {
    received: Vec<Received>,
    /// Megabytes of bodies that were sent.
    sent_megabytes: usize,
    script: Script,
}

/// The server; it ends when dropped.
pub(crate) struct Receiver {
    address: String,
    shared: Arc<Mutex<Shared>>,
    _server: JoinSet<()>,
}

impl Received {
    pub(crate) fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn event_type(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    pub(crate) fn order(&self) -> String {
        self.json()["data"]["order_id"].as_str().unwrap().to_owned()
    }

    /// Whether the library of the specification's authors accepts the signature.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        Webhook::new(secret).unwrap().verify(&self.body, &self.headers).is_ok()
    }
}

impl Receiver {
    /// Starts a server that answers 204.
    pub(crate) async fn start() -> Self {
        Self::answering(|_| Reply::Status(204)).await
    }

    pub(crate) async fn answering(script: impl FnMut(&Received) -> Reply + Send + 'static) -> Self {
        let script: Script = Box::new(script);
        let shared =
            Arc::new(Mutex::new(Shared { received: Vec::new(), sent_megabytes: 0, script }));
        let router = Router::new().fallback(receive).with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, _server: server }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers differently from now on.
    pub(crate) fn answer(&self, script: impl FnMut(&Received) -> Reply + Send + 'static) {
        self.shared.lock().unwrap().script = Box::new(script);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.lock().unwrap().received.clone()
    }

    pub(crate) fn sent_megabytes(&self) -> usize {
        self.shared.lock().unwrap().sent_megabytes
    }

    /// Waits until at least this many requests have arrived, and returns all.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        wait_for("the webhooks have arrived", LONGEST_WAIT, async || {
            let received = self.received();
            if received.len() >= count {
                Ok(received)
            } else {
                let types: Vec<String> = received.iter().map(Received::event_type).collect();
                Err(format!("{types:?}"))
            }
        })
        .await
        .unwrap()
    }
}

async fn receive(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1_000_000).await.unwrap();
    let received = Received { path: head.uri.path().to_owned(), headers: head.headers, body };
    let reply = {
        let mut shared = shared.lock().unwrap();
        shared.received.push(received.clone());
        (shared.script)(&received)
    };
    match reply {
        Reply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Reply::Json(status, body) => {
            (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
        }
        Reply::Redirect(to) => (StatusCode::FOUND, [(LOCATION, to)]).into_response(),
        Reply::After(pause) => {
            tokio::time::sleep(pause).await;
            StatusCode::OK.into_response()
        }
        Reply::Never => std::future::pending().await,
        Reply::Megabytes(count) => {
            let chunks = stream::unfold(0, move |sent| {
                let shared = shared.clone();
                async move {
                    if count == Some(sent) {
                        return None;
                    }
                    shared.lock().unwrap().sent_megabytes = sent + 1;
                    let chunk = Ok::<_, std::convert::Infallible>(Bytes::from(vec![0; 1 << 20]));
                    Some((chunk, sent + 1))
                }
            });
            Body::from_stream(chunks).into_response()
        }
    }
}

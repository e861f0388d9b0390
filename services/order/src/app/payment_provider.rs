//! The HTTP client of a payment provider. The contract is in `docs/payment-provider.md`.

use std::{str::FromStr as _, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use reqwest::Url;
use runtime::clock;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;
use vocabulary::Money;

use crate::{
    domain::{
        RefundAnswer, RefundRequest,
        webhooks::{SigningKey, sign},
    },
    names::SERVICE,
};

/// The limit for a connection, within the limit for the whole request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer that is read.
const MAX_BODY: usize = 65_536;

/// The head of an answer must fit.
const MAX_HEAD: usize = 65_536;

const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum length of a text that is kept, in characters.
const MAX_TEXT: usize = 200;

/// Clones share the same connections.
#[derive(Debug, Clone)]
pub(crate) struct PaymentProvider {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Without a slash at the end.
    base: Arc<str>,
    key: SigningKey,
    /// The limit for a request with its answer.
    timeout: Duration,
}

/// The answer of the provider. Fields that are not known are ignored.
#[derive(Debug, Deserialize)]
struct AnswerBody {
    status: String,
    reference: Option<String>,
    amount: Option<Money>,
    reason: Option<String>,
}

impl PaymentProvider {
    pub(crate) fn new(base: &Url, key: SigningKey, timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT.min(timeout)));
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .http1_max_buf_size(MAX_HEAD)
            .build(connector);
        Self { client, base: base.as_str().trim_end_matches('/').into(), key, timeout }
    }

    /// Asks for a refund. Every request for the same payment has the same idempotency key.
    pub(crate) async fn refund(&self, refund: &RefundRequest) -> RefundAnswer {
        let body = json!({
            "type": "refund",
            "payment_id": refund.payment,
            "order_id": refund.order,
            "reference": refund.reference,
            "amount": refund.amount,
        });
        let request = match self.request("/refunds", refund, body.to_string().into()) {
            Ok(request) => request,
            Err(error) => return RefundAnswer::Failed(shortened(&error.to_string())),
        };
        match timeout(self.timeout, self.answer(request)).await {
            Ok(Ok((status, body))) => understand(status, &body, refund),
            Ok(Err(error)) => RefundAnswer::Failed(error),
            Err(_) => RefundAnswer::Failed("it did not answer in time".to_owned()),
        }
    }

    fn request(
        &self,
        path: &str,
        refund: &RefundRequest,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let (id, seconds) = (refund.payment.as_uuid(), clock::now().timestamp());
        let signature = sign(&[&self.key], id.into(), seconds, &body);
        Request::post(Uri::from_str(&format!("{}{path}", self.base))?)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(header::USER_AGENT, format!("shop-{}/{}", SERVICE.name, SERVICE.version))
            .header("idempotency-key", format!("refund-{id}"))
            .header("webhook-id", id.to_string())
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(Full::new(body))
    }

    /// The status and the body of an answer, or why there is none. Redirects are not followed.
    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<(u16, Bytes), String> {
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| shortened(&problem::chain(&error)))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
        let body = body.map_err(|error| shortened(&format!("its answer ended: {error}")))?;
        Ok((status, body.to_bytes()))
    }
}

fn understand(status: u16, body: &[u8], refund: &RefundRequest) -> RefundAnswer {
    let answer: Option<AnswerBody> = serde_json::from_slice(body).ok();
    let reason = answer.as_ref().and_then(|answer| answer.reason.clone());
    let reason = shortened(&reason.unwrap_or_else(|| format!("it answered {status}")));
    match (status, answer) {
        (200..=299, Some(AnswerBody { status, reference, amount, .. })) => match status.as_str() {
            "refunded" if amount.is_some_and(|amount| amount != refund.amount) => {
                RefundAnswer::Refused("it refunded another amount".to_owned())
            }
            "refunded" => {
                RefundAnswer::Refunded { reference: reference.map(|text| shortened(&text)) }
            }
            "pending" => RefundAnswer::Pending,
            "refused" => RefundAnswer::Refused(reason),
            _ => RefundAnswer::Failed("its answer has an unknown status".to_owned()),
        },
        (200..=299, None) => RefundAnswer::Failed("its answer is not valid".to_owned()),
        (400 | 404 | 410 | 422, _) => RefundAnswer::Refused(reason),
        _ => RefundAnswer::Failed(reason),
    }
}

/// A provider may send any text.
fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use vocabulary::{Currency, Money, OrderId, PaymentId};

    use super::understand;
    use crate::domain::{RefundAnswer, RefundRequest};

    #[test]
    fn each_answer_has_a_meaning() {
        let amount = Money::new(5_500, Currency::CNY).unwrap();
        let (payment, order, reference) = (PaymentId::new(), OrderId::new(), "pay_1".to_owned());
        let refund = RefundRequest { payment, order, reference, amount };
        let answer = |status, body: &str| understand(status, body.as_bytes(), &refund);
        let refunded = RefundAnswer::Refunded { reference: Some("re_1".to_owned()) };
        let right =
            r#"{"status":"refunded","reference":"re_1","amount":{"amount":5500,"currency":"CNY"}}"#;
        assert_eq!(answer(200, right), refunded);
        assert_eq!(
            answer(201, r#"{"status":"refunded"}"#),
            RefundAnswer::Refunded { reference: None }
        );
        assert_eq!(answer(202, r#"{"status":"pending"}"#), RefundAnswer::Pending);
        let refused = |text: &str| RefundAnswer::Refused(text.to_owned());
        let other = r#"{"status":"refunded","amount":{"amount":55,"currency":"CNY"}}"#;
        assert_eq!(answer(200, other), refused("it refunded another amount"));
        assert_eq!(answer(200, r#"{"status":"refused","reason":"closed"}"#), refused("closed"));
        assert_eq!(answer(422, "no"), refused("it answered 422"));
        for (status, body) in [
            (200, "<html>"),
            (200, r#"{"status":"ok"}"#),
            (200, ""),
            (302, ""),
            (401, ""),
            (409, ""),
            (429, ""),
            (500, right),
        ] {
            assert!(matches!(answer(status, body), RefundAnswer::Failed(_)), "{status} {body}");
        }
    }
}

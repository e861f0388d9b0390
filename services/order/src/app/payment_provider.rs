//! The HTTP client of a payment provider. The contract is in `docs/payment-provider.md`.

use std::{str::FromStr as _, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use reqwest::Url;
use runtime::clock;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use uuid::{Builder, Uuid};
use vocabulary::Money;

use super::https_client::{HttpsClient, https_client};
use crate::{
    domain::{
        Authorisation, AuthorisationAnswer, ProviderAnswer, ProviderOperation, ProviderRequest,
        webhooks::{AddressRule, SigningKey, sign},
    },
    names::SERVICE,
};

/// The largest answer that is read.
const MAX_BODY: usize = 65_536;

/// The maximum length of a text that is kept, in characters.
const MAX_TEXT: usize = 200;

/// Clones share the same connections.
#[derive(Debug, Clone)]
pub(crate) struct PaymentProvider {
    client: HttpsClient,
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

/// A request as it is sent.
struct Message {
    path: &'static str,
    /// The same in every repetition, and for no other request.
    key: String,
    id: Uuid,
    body: Bytes,
}

impl PaymentProvider {
    pub(crate) fn new(base: &Url, key: SigningKey, timeout: Duration) -> Self {
        // The operator has set the address, so it may be a private one.
        let client = https_client(AddressRule::Any, timeout, usize::MAX);
        Self { client, base: base.as_str().trim_end_matches('/').into(), key, timeout }
    }

    /// Asks for an authorisation. A repetition with the same token has the same idempotency key.
    pub(crate) async fn authorise(&self, authorisation: &Authorisation) -> AuthorisationAnswer {
        let Authorisation { order, amount, token } = authorisation;
        let digest = Sha256::digest(format!("{order} {token}").as_bytes());
        let id = Builder::from_custom_bytes(first_bytes(&digest)).into_uuid();
        let body =
            json!({ "type": "authorisation", "order_id": order, "amount": amount, "token": token });
        let message = Message {
            path: "/authorisations",
            key: format!("authorisation-{id}"),
            id,
            body: body.to_string().into(),
        };
        match self.exchange(message).await {
            Ok((status, body)) => understand_authorisation(status, &body, *amount),
            Err(error) => AuthorisationAnswer::Failed(error),
        }
    }

    /// Sends a request of the background once. A repetition has the same idempotency key.
    pub(crate) async fn send(&self, request: &ProviderRequest) -> ProviderAnswer {
        let (name, id) = (request.operation.as_str(), request.id());
        let mut body = json!({
            "type": name,
            "payment_id": request.payment,
            "order_id": request.order,
            "reference": request.reference,
            "amount": request.amount,
        });
        if let Some(refund) = request.refund {
            body["refund_id"] = json!(refund);
        }
        let path = match request.operation {
            ProviderOperation::Capture => "/captures",
            ProviderOperation::Void => "/voids",
            ProviderOperation::Refund => "/refunds",
        };
        let message =
            Message { path, key: format!("{name}-{id}"), id, body: body.to_string().into() };
        match self.exchange(message).await {
            Ok((status, body)) => understand(status, &body, request),
            Err(error) => ProviderAnswer::Failed(error),
        }
    }

    /// The status and the body of the answer, or why there is none.
    async fn exchange(&self, message: Message) -> Result<(u16, Bytes), String> {
        let request = self.request(message).map_err(|error| shortened(&error.to_string()))?;
        match timeout(self.timeout, self.answer(request)).await {
            Ok(answer) => answer,
            Err(_) => Err("it did not answer in time".to_owned()),
        }
    }

    fn request(&self, message: Message) -> Result<Request<Full<Bytes>>, http::Error> {
        let Message { path, key, id, body } = message;
        let seconds = clock::now().timestamp();
        let signature = sign(&[&self.key], id.into(), seconds, &body);
        Request::post(Uri::from_str(&format!("{}{path}", self.base))?)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(header::USER_AGENT, format!("shop-{}/{}", SERVICE.name, SERVICE.version))
            .header("idempotency-key", key)
            .header("webhook-id", id.to_string())
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(Full::new(body))
    }

    /// Redirects are not followed.
    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<(u16, Bytes), String> {
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| shortened(&problem::chain(&error)))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
        let body = body.map_err(|error| shortened(&format!("its answer ended: {error}")))?;
        Ok((status, body.to_bytes()))
    }
}

fn first_bytes(digest: &[u8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(digest) {
        *byte = *from;
    }
    bytes
}

/// The answer in JSON, if it is that, and its reason.
fn parse(status: u16, body: &[u8]) -> (Option<AnswerBody>, String) {
    let answer: Option<AnswerBody> = serde_json::from_slice(body).ok();
    let reason = answer.as_ref().and_then(|answer| answer.reason.clone());
    let reason = shortened(&reason.unwrap_or_else(|| format!("it answered {status}")));
    (answer, reason)
}

fn understand_authorisation(status: u16, body: &[u8], amount: Money) -> AuthorisationAnswer {
    let (answer, reason) = parse(status, body);
    match (status, answer) {
        (200..=299, Some(answer)) => match (answer.status.as_str(), answer.reference) {
            ("authorised", Some(reference))
                if answer.amount.is_none_or(|authorised| authorised == amount)
                    && is_reference(&reference) =>
            {
                AuthorisationAnswer::Authorised { reference }
            }
            ("declined", _) => AuthorisationAnswer::Declined(reason),
            _ => AuthorisationAnswer::Failed("its answer is not valid".to_owned()),
        },
        (200..=299, None) => AuthorisationAnswer::Failed("its answer is not valid".to_owned()),
        (400 | 402 | 404 | 422, _) => AuthorisationAnswer::Declined(reason),
        _ => AuthorisationAnswer::Failed(reason),
    }
}

fn understand(status: u16, body: &[u8], request: &ProviderRequest) -> ProviderAnswer {
    let done = match request.operation {
        ProviderOperation::Capture => "captured",
        ProviderOperation::Void => "voided",
        ProviderOperation::Refund => "refunded",
    };
    let (answer, reason) = parse(status, body);
    match (status, answer) {
        (200..=299, Some(AnswerBody { status, reference, amount, .. })) => match status.as_str() {
            status if status == done && amount.is_some_and(|amount| amount != request.amount) => {
                ProviderAnswer::Refused(format!("it {done} another amount"))
            }
            status if status == done => {
                ProviderAnswer::Done { reference: reference.map(|text| shortened(&text)) }
            }
            "pending" => ProviderAnswer::Pending,
            "refused" => ProviderAnswer::Refused(reason),
            _ => ProviderAnswer::Failed("its answer has an unknown status".to_owned()),
        },
        (200..=299, None) => ProviderAnswer::Failed("its answer is not valid".to_owned()),
        (400 | 404 | 410 | 422, _) => ProviderAnswer::Refused(reason),
        _ => ProviderAnswer::Failed(reason),
    }
}

/// Whether a text can be stored as the provider's id of a payment.
fn is_reference(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// A provider may send any text.
fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use vocabulary::{Currency, Money, OrderId, PaymentId};

    use super::{understand, understand_authorisation};
    use crate::domain::{AuthorisationAnswer, ProviderAnswer, ProviderOperation, ProviderRequest};

    #[test]
    fn each_answer_has_a_meaning() {
        let amount = Money::new(5_500, Currency::CNY).unwrap();
        let (payment, order, reference) = (PaymentId::new(), OrderId::new(), "pay_1".to_owned());
        let operation = ProviderOperation::Refund;
        let refund = ProviderRequest { operation, payment, refund: None, order, reference, amount };
        let answer = |status, body: &str| understand(status, body.as_bytes(), &refund);
        let refunded = ProviderAnswer::Done { reference: Some("re_1".to_owned()) };
        let right =
            r#"{"status":"refunded","reference":"re_1","amount":{"amount":5500,"currency":"CNY"}}"#;
        assert_eq!(answer(200, right), refunded);
        assert_eq!(
            answer(201, r#"{"status":"refunded"}"#),
            ProviderAnswer::Done { reference: None }
        );
        assert_eq!(answer(202, r#"{"status":"pending"}"#), ProviderAnswer::Pending);
        let refused = |text: &str| ProviderAnswer::Refused(text.to_owned());
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
            assert!(matches!(answer(status, body), ProviderAnswer::Failed(_)), "{status} {body}");
        }
    }

    #[test]
    fn only_a_valid_authorisation_with_its_amount_counts() {
        let amount = Money::new(5_500, Currency::CNY).unwrap();
        let answer = |status, body: &str| understand_authorisation(status, body.as_bytes(), amount);
        let authorised = AuthorisationAnswer::Authorised { reference: "pay_1".to_owned() };
        assert_eq!(answer(200, r#"{"status":"authorised","reference":"pay_1"}"#), authorised);
        let declined = AuthorisationAnswer::Declined("no funds".to_owned());
        assert_eq!(answer(200, r#"{"status":"declined","reason":"no funds"}"#), declined);
        assert_eq!(answer(402, r#"{"status":"declined","reason":"no funds"}"#), declined);
        for (status, body) in [
            (200, r#"{"status":"authorised"}"#),
            (200, r#"{"status":"authorised","reference":""}"#),
            (
                200,
                r#"{"status":"authorised","reference":"a","amount":{"amount":1,"currency":"CNY"}}"#,
            ),
            (200, "<html>"),
            (302, ""),
            (409, ""),
            (500, r#"{"status":"authorised","reference":"pay_1"}"#),
        ] {
            assert!(
                matches!(answer(status, body), AuthorisationAnswer::Failed(_)),
                "{status} {body}"
            );
        }
    }
}

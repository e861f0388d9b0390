//! `POST /session`

use console::http::Identity;
use reqwest::StatusCode;
use runtime::auth::Scope;
use serde_json::Value;

use crate::suite::{Settings, Suite};

#[tokio::test]
async fn new_shopper_gets_a_token_with_order_scopes() {
    let suite = Suite::start().await;
    let response = suite.post("/session").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let identity: Identity = response.json().await.unwrap();
    let caller = suite.keys.verifier().verify(&identity.token).unwrap();
    assert_eq!(caller.subject(), identity.customer_id.to_string());
    let carried: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| caller.has(*scope)).collect();
    assert_eq!(carried, [Scope::OrdersRead, Scope::OrdersWrite]);

    let other: Identity = suite.post("/session").send().await.unwrap().json().await.unwrap();
    assert_ne!(other.customer_id, identity.customer_id);
}

#[tokio::test]
async fn renewal_token_keeps_the_customer_and_has_no_scope() {
    let suite = Suite::start().await;
    let first: Identity = suite.post("/session").send().await.unwrap().json().await.unwrap();
    let again = suite.post("/session").bearer_auth(&first.renewal).send().await.unwrap();
    let again: Identity = again.json().await.unwrap();
    assert_eq!(again.customer_id, first.customer_id);
    let renewal = suite.keys.verifier().verify(&first.renewal).unwrap();
    assert!(Scope::ALL.into_iter().all(|scope| !renewal.has(scope)));
    assert_ne!(renewal.subject(), first.customer_id.to_string());

    // An access token must not renew itself for ever, and tokens of other keys are invalid.
    for bad in [first.token.as_str(), "nonsense", ""] {
        let response = suite.post("/session").bearer_auth(bad).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{bad}");
    }
    let stranger = Suite::start().await;
    let response = stranger.post("/session").bearer_auth(&first.renewal).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_a_key_ordering_is_off() {
    let suite = Suite::with(Settings { with_keys: false, ..Settings::default() }).await;
    let response = suite.post("/session").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "ordering_off");
    let response = suite.get("/ops/queues").bearer_auth("anything").send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "tokens_off");
}

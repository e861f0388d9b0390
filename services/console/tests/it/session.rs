//! The shopper's identity.

use console::session::Identity;
use reqwest::StatusCode;
use runtime::auth::Scope;
use serde_json::Value;

use crate::suite::{Setting, Suite};

#[tokio::test]
async fn a_shopper_gets_a_token_for_orders_of_their_own() {
    let suite = Suite::start().await;
    let answer = suite.post("/session").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let identity: Identity = answer.json().await.unwrap();
    let caller = suite.keys.verifier().verify(&identity.token).unwrap();
    assert_eq!(caller.subject(), identity.customer_id.to_string());
    let carried: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| caller.has(*scope)).collect();
    assert_eq!(carried, [Scope::OrdersRead, Scope::OrdersWrite]);

    let other: Identity = suite.post("/session").send().await.unwrap().json().await.unwrap();
    assert_ne!(other.customer_id, identity.customer_id);
}

#[tokio::test]
async fn a_renewal_gives_the_same_customer_and_opens_nothing_else() {
    let suite = Suite::start().await;
    let first: Identity = suite.post("/session").send().await.unwrap().json().await.unwrap();
    let again = suite.post("/session").bearer_auth(&first.renewal).send().await.unwrap();
    let again: Identity = again.json().await.unwrap();
    assert_eq!(again.customer_id, first.customer_id);
    let renewal = suite.keys.verifier().verify(&first.renewal).unwrap();
    assert!(Scope::ALL.into_iter().all(|scope| !renewal.has(scope)));
    assert_ne!(renewal.subject(), first.customer_id.to_string());

    // A token is no renewal, or it could be stretched for ever; nor is anything that others signed.
    for bad in [first.token.as_str(), "nonsense", ""] {
        let answer = suite.post("/session").bearer_auth(bad).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{bad}");
    }
    let stranger = Suite::start().await;
    let answer = stranger.post("/session").bearer_auth(&first.renewal).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_a_key_ordering_is_off_and_says_so() {
    let suite = Suite::with(Setting { with_keys: false, ..Setting::default() }).await;
    let answer = suite.post("/session").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "ordering_off");
    let answer = suite.get("/ops/queues").bearer_auth("anything").send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "tokens_off");
}

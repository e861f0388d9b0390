//! `POST /session`

use std::time::Duration;

use console::{database::MIGRATOR, http::Identity};
use reqwest::StatusCode;
use runtime::auth::{Scope, mint};
use serde_json::Value;
use testkit::Database;
use vocabulary::CustomerId;

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
async fn renewal_token_keeps_the_customer_and_gives_no_access() {
    let suite = Suite::start().await;
    let first: Identity = suite.post("/session").send().await.unwrap().json().await.unwrap();
    let again = suite.post("/session").bearer_auth(&first.renewal).send().await.unwrap();
    let again: Identity = again.json().await.unwrap();
    assert_eq!(again.customer_id, first.customer_id);
    assert!(suite.keys.verifier().verify(&first.renewal).is_err(), "it is no access token");

    // An access token must not renew itself for ever, and tokens of other keys are invalid.
    for bad in [first.token.as_str(), "nonsense", ""] {
        let response = suite.post("/session").bearer_auth(bad).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{bad}");
    }
    let stranger = Suite::start().await;
    let response = stranger.post("/session").bearer_auth(&first.renewal).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

/// The next identity of a shopper; `None` if the renewal token is refused.
async fn renew(suite: &Suite, renewal: &str) -> Option<Identity> {
    let response = suite.post("/session").bearer_auth(renewal).send().await.unwrap();
    let is_refused = response.status() == StatusCode::UNAUTHORIZED;
    if is_refused { None } else { Some(response.json().await.unwrap()) }
}

#[tokio::test]
async fn each_renewal_token_of_a_shopper_is_used_once() {
    let database = Database::migrated(&[&MIGRATOR]).await.unwrap();
    let database_url = Some(database.url().to_owned());
    let suite = Suite::with(Settings { database_url, ..Settings::default() }).await;
    let first: Identity = suite.post("/session").send().await.unwrap().json().await.unwrap();
    let second = renew(&suite, &first.renewal).await.unwrap();
    assert!(renew(&suite, &first.renewal).await.is_some(), "another tab asks at the same time");
    let third = renew(&suite, &second.renewal).await.unwrap();
    assert_eq!(third.customer_id, first.customer_id);
    assert!(renew(&suite, &first.renewal).await.is_none());
    assert!(renew(&suite, &third.renewal).await.is_none(), "a stolen token ends them all");

    // A renewal token of an earlier version is used once as well.
    let customer = CustomerId::new();
    let (subject, lifetime) = (format!("renewal:{customer}"), Duration::from_hours(24));
    let earlier = mint(&suite.keys.signing, &subject, &[], lifetime).unwrap();
    let next = renew(&suite, &earlier).await.unwrap();
    assert_eq!(next.customer_id, customer);
    assert!(renew(&suite, &next.renewal).await.is_some());
    assert!(renew(&suite, &earlier).await.is_none());
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

//! What holds for every operation of the service.

use service_testkit::{assert_hostile_inputs_are_refused, assert_scopes_precede_bodies};

use crate::shop::{Deadlines, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_refuses_hostile_inputs() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (instance, credentials) = shop.service();
    assert_hostile_inputs_are_refused(instance, credentials).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_checks_scopes_before_the_body() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (instance, credentials) = shop.service();
    assert_scopes_precede_bodies(instance, credentials).await;
}

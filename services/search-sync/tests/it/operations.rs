//! What holds for every operation of the service.

use runtime::auth::Scope;
use service_testkit::{
    assert_hostile_inputs_are_refused, assert_roles_follow_the_matrix, assert_scopes_precede_bodies,
};

use crate::suite::Suite;

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_refuses_hostile_inputs() {
    let suite = Suite::start().await;
    let (instance, credentials) = suite.service();
    assert_hostile_inputs_are_refused(instance, credentials).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_checks_scopes_before_the_body() {
    let suite = Suite::start().await;
    let (instance, credentials) = suite.service();
    assert_scopes_precede_bodies(instance, credentials).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_follows_the_matrix_of_roles() {
    let suite = Suite::start().await;
    let (instance, credentials) = suite.service();
    let token = |scopes: &[Scope]| credentials.token("tester", scopes);
    assert_roles_follow_the_matrix(instance.base(), "search-sync", token).await;
}

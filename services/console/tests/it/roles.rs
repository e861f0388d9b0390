//! Who may do what at the console.

use console::database::MIGRATOR;
use runtime::auth::Scope;
use service_testkit::{assert_roles_are_documented, assert_roles_follow_the_matrix};
use testkit::Database;

use crate::suite::{Settings, Suite};

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_follows_the_matrix_of_roles() {
    let database = Database::migrated(&[&MIGRATOR]).await.unwrap();
    let database_url = Some(database.url().to_owned());
    let suite = Suite::with(Settings { database_url, ..Settings::default() }).await;
    let token = |scopes: &[Scope]| suite.keys.token(scopes);
    assert_roles_follow_the_matrix(&suite.url, "console", token).await;
}

#[test]
fn the_page_lists_what_each_role_allows() {
    assert_roles_are_documented();
}

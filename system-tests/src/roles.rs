//! The roles of the databases of a suite under test. They are those of `cargo xtask roles`, so a missing grant fails a test.

use std::collections::BTreeMap;

use database_roles::{create_roles, grant, scram_verifier};
use testkit::{database_url, run_sql};

use crate::error::Error;

/// The password of all roles, where the server asks for one. Roles are not of a database, so tests that run at the same time share them.
const PASSWORD: &str = "only-for-tests";

/// Creates the roles of databases of one server, given by the URLs of its superuser.
pub(crate) async fn create(urls: &[String]) -> Result<(), Error> {
    let Some(first) = urls.first() else { return Ok(()) };
    let names: Vec<&str> = urls.iter().map(|url| name_of(url)).collect();
    let verifier = scram_verifier(PASSWORD);
    let roles = create_roles(&names, |_| Some(verifier.clone()));
    run_sql(&database_url(first, "postgres"), &roles).await?;
    for url in urls {
        grant_in(url).await?;
    }
    Ok(())
}

/// Grants the roles what they may do in the database at the superuser's `url`.
pub(crate) async fn grant_in(url: &str) -> Result<(), Error> {
    Ok(run_sql(url, &grant(name_of(url))).await?)
}

/// The same database for its owner.
pub(crate) fn for_owner(url: &str) -> String {
    for_role(url, &database_roles::owner_of(name_of(url)))
}

/// The same database for its service.
pub(crate) fn for_service(url: &str) -> String {
    for_role(url, name_of(url))
}

/// The same databases for another role.
pub(crate) fn all_for_role(
    databases: &BTreeMap<&'static str, String>,
    role: &str,
) -> BTreeMap<&'static str, String> {
    databases.iter().map(|(service, url)| (*service, for_role(url, role))).collect()
}

/// The same database for another role, without the superuser's socket.
pub(crate) fn for_role(url: &str, role: &str) -> String {
    let (_, address) = url.rsplit_once('@').unwrap_or(("", url));
    let address = address.split('?').next().unwrap_or_default();
    format!("postgres://{role}:{PASSWORD}@{address}")
}

/// The name of the database at `url`.
fn name_of(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or_default();
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::{for_owner, for_service};

    #[test]
    fn a_role_connects_by_tcp() {
        let superuser = "postgres://postgres@127.0.0.1:1/order?host=%2Fvar%2Fx";
        let password = "only-for-tests";
        let service = format!("postgres://order:{password}@127.0.0.1:1/order");
        assert_eq!(for_service(superuser), service);
        let owner = format!("postgres://order-owner:{password}@127.0.0.1:1/order");
        assert_eq!(for_owner(superuser), owner);
    }
}

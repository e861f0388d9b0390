//! Read-only sessions of the databases.

use std::{collections::BTreeMap, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, FromRow, PgConnection,
    postgres::{PgConnectOptions, PgRow},
};
use tokio::time::timeout;

use crate::{error::Error, suite::Databases};

/// Timeout of a connection to a database.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The audit must not change what it checks, and no statement of it may run for longer.
const SETTINGS: [(&str, &str); 3] = [
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "60s"),
    ("lock_timeout", "10s"),
];

/// One session per database, opened at its first use.
#[derive(Debug)]
pub(crate) struct Sessions<'a> {
    databases: &'a Databases,
    open: BTreeMap<&'static str, PgConnection>,
}

/// The session of one database.
pub(crate) struct Session<'a> {
    service: &'static str,
    connection: &'a mut PgConnection,
}

impl<'a> Sessions<'a> {
    pub(crate) fn new(databases: &'a Databases) -> Self {
        Self { databases, open: BTreeMap::new() }
    }

    /// The session of a service's database.
    pub(crate) async fn of(&mut self, service: &'static str) -> Result<Session<'_>, Error> {
        let connection = match self.open.remove(service) {
            Some(connection) => connection,
            None => connect(service, self.databases.url(service)).await?,
        };
        Ok(Session { service, connection: self.open.entry(service).or_insert(connection) })
    }

    /// Ends all sessions, so that the servers do not log lost clients.
    pub(crate) async fn close(self) {
        for connection in self.open.into_values() {
            // Nothing depends on it: a session without a client ends anyway.
            drop(timeout(CONNECT_TIMEOUT, connection.close()).await);
        }
    }
}

async fn connect(service: &'static str, url: &str) -> Result<PgConnection, Error> {
    let failed = |source| Error::Database { service, source };
    let options: PgConnectOptions = url.parse().map_err(failed)?;
    let options = options.application_name("audit").options(SETTINGS);
    match timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(connected) => connected.map_err(failed),
        Err(_) => {
            Err(Error::TimedOut { operation: "connecting to a database", timeout: CONNECT_TIMEOUT })
        }
    }
}

impl Session<'_> {
    /// All rows of a query.
    pub(crate) async fn rows<T>(&mut self, query: &str) -> Result<Vec<T>, Error>
    where
        T: Send + Unpin + for<'r> FromRow<'r, PgRow>,
    {
        let rows = sqlx::query_as(AssertSqlSafe(query)).fetch_all(&mut *self.connection).await;
        rows.map_err(|source| Error::Database { service: self.service, source })
    }

    /// The result of a query for one number.
    pub(crate) async fn number(&mut self, query: &str) -> Result<i64, Error> {
        let number = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut *self.connection);
        number.await.map_err(|source| Error::Database { service: self.service, source })
    }

    /// The result of a query for one number with a text as its parameter.
    pub(crate) async fn number_for(&mut self, query: &str, parameter: &str) -> Result<i64, Error> {
        let number = sqlx::query_scalar(AssertSqlSafe(query)).bind(parameter);
        let number = number.fetch_one(&mut *self.connection).await;
        number.map_err(|source| Error::Database { service: self.service, source })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use testkit::Database;

    use super::Sessions;
    use crate::suite::Databases;

    #[tokio::test]
    async fn a_session_reads_and_cannot_write() {
        let database = Database::create().await.unwrap();
        database.run("create table a (b bigint); insert into a values (7)").await.unwrap();
        let urls = BTreeMap::from([("order", database.url().to_owned())]);
        let databases = Databases::new(urls);
        let mut sessions = Sessions::new(&databases);
        let mut order = sessions.of("order").await.unwrap();
        assert_eq!(order.number("select b from a").await.unwrap(), 7);
        let refused = order.number("update a set b = 8 returning b").await.unwrap_err();
        let cause = std::error::Error::source(&refused).unwrap().to_string();
        assert!(cause.contains("read-only"), "{cause}");
        let timeout = order.rows::<(String,)>("show statement_timeout").await.unwrap();
        assert_eq!(timeout, [("1min".to_owned(),)]);
        sessions.close().await;
    }
}

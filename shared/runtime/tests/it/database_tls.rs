//! TLS to a real PostgreSQL that accepts nothing else.

use std::time::Instant;

use runtime::{
    config::{self, Secret},
    database::{self, DatabaseError},
};
use sqlx::Connection as _;
use testkit::{Authentication, DataDir, Postgres, PostgresSettings, TestAuthority, TlsFiles};
use tls::Refusal;

use crate::{DEADLINE, SERVICE, soon};

const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

async fn start(tls: TlsFiles) -> Postgres {
    let data_dir = DataDir::in_memory("postgres").unwrap();
    let authentication = Authentication::Trust;
    let settings = PostgresSettings { data_dir, port: None, tls: Some(tls), authentication };
    Postgres::start_with(settings).await.unwrap()
}

/// The configuration of a service that demands a certificate of this CA.
fn config(server: &Postgres, mode: &str, authority: &TestAuthority) -> config::Database {
    let url = Secret::from(format!("{}?sslmode={mode}", server.database_url("postgres")));
    let tls = config::Tls { ca_file: Some(authority.file()), ..config::Tls::default() };
    config::Database::at(tls.database_url(&url).expose())
}

async fn refusal(config: &config::Database) -> Refusal {
    let began = Instant::now();
    let error = soon(database::connect(&SERVICE, config)).await.unwrap_err();
    assert!(began.elapsed() < DEADLINE / 2, "it was retried");
    let DatabaseError::Tls(refusal, _) = error else { panic!("{error:?}") };
    refusal
}

#[tokio::test]
async fn the_database_must_have_a_valid_certificate() {
    let (ours, foreign) = (TestAuthority::create().unwrap(), TestAuthority::create().unwrap());
    let mut server = start(ours.issue("postgres", &HOSTS, true).unwrap()).await;
    let verified = config(&server, "verify-full", &ours);
    let open = soon(database::connect(&SERVICE, &verified)).await.unwrap();
    let encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    let encrypted: bool = sqlx::query_scalar(encrypted).fetch_one(&open).await.unwrap();
    assert!(encrypted);

    let plain = soon(database::connect(&SERVICE, &config(&server, "disable", &ours))).await;
    assert!(matches!(plain, Err(DatabaseError::Refused(_))), "{plain:?}");
    let of_foreign = config(&server, "verify-full", &foreign);
    assert_eq!(refusal(&of_foreign).await, Refusal::ForeignAuthority);

    let other = ours.issue("postgres", &["db.example"], true).unwrap();
    server.replace_certificates(other).await.unwrap();
    assert_eq!(refusal(&verified).await, Refusal::OtherName);

    // A certificate that has ended: open connections work, and new ones with the next certificate.
    let ended = ours.issue("postgres", &HOSTS, false).unwrap();
    let mut connection = open.acquire().await.unwrap();
    server.replace_certificates(ended).await.unwrap();
    assert_eq!(refusal(&verified).await, Refusal::Ended);
    connection.ping().await.unwrap();
    server.replace_certificates(ours.issue("postgres", &HOSTS, true).unwrap()).await.unwrap();
    soon(database::connect(&SERVICE, &verified)).await.unwrap();
}

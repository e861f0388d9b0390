//! The roles of a database: what each may do on a real server, before and after migrations.

use database_roles::{
    AUDIT, BACKUP, RECONCILE, create_roles, grant, owner_of, scram_verifier, script,
};
use runtime::{config, database};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use testkit::{Authentication, DataDir, Postgres, PostgresSettings, run_sql};

use crate::{DEADLINE, SERVICE};

/// `insufficient_privilege`.
const REFUSED: Option<&str> = Some("42501");
/// `invalid_password`.
const WRONG_PASSWORD: Option<&str> = Some("28P01");
/// `invalid_authorization_specification`.
const NO_ENTRY: Option<&str> = Some("28000");

/// What a service must not do.
const FORBIDDEN: [&str; 19] = [
    "create table t (a int)",
    "create table messaging.t (a int)",
    "create schema s",
    "create function f() returns int language sql as 'select 1'",
    "create role intruder",
    "create database d",
    "alter table messaging.outbox add column a int",
    "alter role current_user superuser",
    "alter default privileges grant all on tables to public; create table t (a int)",
    "drop table messaging.outbox",
    "drop schema messaging cascade",
    "truncate messaging.cursor",
    "delete from messaging.migrations",
    "insert into schema_compatibility values ('_sqlx_migrations', 1, '', 1)",
    "copy messaging.outbox from program 'true'",
    "copy (select 1) to program 'true'",
    "copy (select 1) to '/tmp/never'",
    "select pg_read_file('/etc/passwd')",
    "select lo_import('/etc/passwd')",
];

/// A private server on which two services have databases with roles, migrated by their owners.
struct Server {
    postgres: Postgres,
}

/// The databases, named like their services.
const DATABASES: [&str; 2] = ["order", "product-catalog"];

impl Server {
    async fn start() -> Server {
        let data_dir = DataDir::in_memory("postgres").unwrap();
        let authentication = Authentication::Passwords;
        let settings = PostgresSettings { data_dir, port: None, tls: None, authentication };
        Server { postgres: Postgres::start_with(settings).await.unwrap() }
    }

    /// Creates databases and roles. May be repeated.
    async fn apply(&self) {
        for database in DATABASES {
            self.postgres.create_database(database).await.unwrap();
        }
        let roles = create_roles(&DATABASES, |role| Some(scram_verifier(&password_of(role))));
        run_sql(&self.postgres.database_url("postgres"), &roles).await.unwrap();
        for database in DATABASES {
            run_sql(&self.postgres.database_url(database), &grant(database)).await.unwrap();
        }
    }

    fn url(&self, role: &str, database: &str) -> String {
        let (password, port) = (password_of(role), self.postgres.port());
        format!("postgres://{role}:{password}@127.0.0.1:{port}/{database}")
    }

    async fn migrate(&self) {
        for database in DATABASES {
            self.migrate_as(&owner_of(database), database).await.unwrap();
        }
    }

    async fn migrate_as(&self, role: &str, database: &str) -> Result<(), database::DatabaseError> {
        let config = config::Database::at(self.url(role, database));
        Box::pin(database::migrate(&SERVICE, &config, &[&messaging::MIGRATOR])).await
    }

    /// Runs SQL, and returns the code of the error if it fails.
    async fn outcome(&self, role: &str, database: &str, sql: &str) -> Option<String> {
        outcome(&self.url(role, database), sql).await
    }

    async fn allows(&self, role: &str, database: &str, sql: &str) {
        assert_eq!(self.outcome(role, database, sql).await, None, "{role} in {database}: {sql}");
    }

    async fn refuses(&self, role: &str, database: &str, sql: &str) {
        let outcome = self.outcome(role, database, sql).await;
        assert_eq!(outcome.as_deref(), REFUSED, "{role} in {database}: {sql}");
    }
}

fn password_of(role: &str) -> String {
    format!("password of {role}").replace(' ', "-")
}

async fn outcome(url: &str, sql: &str) -> Option<String> {
    let run = async || {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        connection.close().await
    };
    run().await.err().map(|error| match error.as_database_error() {
        Some(error) => error.code().unwrap_or_default().into_owned(),
        None => error.to_string(),
    })
}

#[tokio::test]
async fn a_service_reads_and_writes_rows_and_nothing_else() {
    let server = Server::start().await;
    server.apply().await;
    server.migrate().await;

    for rows in [
        "select * from messaging.cursor",
        "update messaging.cursor set last = last",
        "delete from messaging.cursor",
        "select nextval('messaging.message_id')",
        "select * from messaging.migrations",
        // What the relay, subscribers and replays do.
        "truncate messaging.message_3",
        "begin; lock table messaging.cursor in exclusive mode; commit",
        "listen relay",
        "select pg_notify('relay', '')",
        "select pg_advisory_lock(1)",
        "create temporary table difference (a int) on commit drop",
        "select messaging.create_shadow('copy', '0123abcd', '{}');
         insert into shadow_copy_0123abcd.replay_cursor values ('', '', '', 1);
         truncate shadow_copy_0123abcd.replay_target;
         select messaging.drop_shadows('copy')",
    ] {
        server.allows("order", "order", rows).await;
    }
    for forbidden in FORBIDDEN {
        server.refuses("order", "order", forbidden).await;
    }
    server.refuses("order", "order", "set role \"order-owner\"").await;
    for (role, database) in [
        ("order", "product-catalog"),
        ("order-owner", "product-catalog"),
        ("order", "postgres"),
        ("order", "template1"),
    ] {
        server.refuses(role, database, "select 1").await;
    }
}

#[tokio::test]
async fn rights_follow_later_migrations() {
    let server = Server::start().await;
    server.apply().await;
    server.migrate().await;
    let later = "create table public.later (a int, b int generated always as identity);
        create sequence public.numbers;
        create schema more;
        create table more.rows (a int);
        create function public.secret() returns int language sql as 'select 1'";
    server.allows("order-owner", "order", later).await;

    let write = "insert into later (a) values (nextval('numbers')); insert into more.rows select secret(); delete from later";
    server.allows("order", "order", write).await;
    server.allows(AUDIT, "order", "select * from later; select * from more.rows").await;
    server.allows(BACKUP, "order", "select * from later; select last_value from numbers").await;
    for refused in ["delete from later", "select nextval('numbers')", "select secret()"] {
        server.refuses(AUDIT, "order", refused).await;
    }
    server.refuses(RECONCILE, "order", "select * from later").await;
}

#[tokio::test]
async fn readers_write_nothing() {
    let server = Server::start().await;
    server.apply().await;
    server.migrate().await;
    for database in DATABASES {
        for role in [AUDIT, BACKUP] {
            server.allows(role, database, "select * from messaging.outbox").await;
        }
        let seen = "select source, aggregate, key, last from messaging.cursor;
            select source, aggregate, key, seq from messaging.parked;
            select source, aggregate, key, seq, state from messaging.dead_letter;
            select publisher, consumer, history, slot, received from messaging.received_position";
        server.allows(RECONCILE, database, seen).await;
        for refused in
            ["select * from messaging.outbox", "select payload from messaging.dead_letter"]
        {
            server.refuses(RECONCILE, database, refused).await;
        }
        for role in [AUDIT, RECONCILE, BACKUP] {
            for refused in [
                "update messaging.cursor set last = 1",
                "delete from messaging.cursor",
                "truncate messaging.message_3",
                "create table t (a int)",
                "select messaging.drop_shadows('copy')",
                "copy (select 1) to program 'true'",
            ] {
                server.refuses(role, database, refused).await;
            }
            let writable = "do $$ begin
                if exists (
                    select from pg_class
                    where relkind in ('r', 'p', 'v') and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
                        and has_table_privilege(oid, 'insert, update, delete, truncate, references, trigger')
                ) then
                    raise exception 'a table is writable';
                end if;
            end $$";
            server.allows(role, database, writable).await;
        }
    }
    server.refuses(AUDIT, "postgres", "select 1").await;
}

#[tokio::test]
async fn passwords_are_checked_and_the_superuser_stays_local() {
    let server = Server::start().await;
    server.apply().await;
    let port = server.postgres.port();
    let outcome_of = async |user: &str| {
        outcome(&format!("postgres://{user}@127.0.0.1:{port}/order"), "select 1").await
    };
    assert_eq!(outcome_of("order:password-of-order").await, None);
    for user in ["order", "order:", "order:wrong", "order:password-of-order-owner", "unknown:x"] {
        assert_eq!(outcome_of(user).await.as_deref(), WRONG_PASSWORD, "{user}");
    }
    assert_eq!(outcome_of("postgres:postgres").await.as_deref(), NO_ENTRY);
}

/// A server from before the roles: one superuser made everything, and connections were trusted.
#[tokio::test]
async fn an_older_server_is_taken_over() {
    let mut server = Postgres::start().await.unwrap();
    for database in DATABASES {
        let url = server.create_database(database).await.unwrap();
        let config = config::Database::at(url.clone());
        Box::pin(database::migrate(&SERVICE, &config, &[&messaging::MIGRATOR])).await.unwrap();
        let older = "create table older (a int primary key, b serial);
            create sequence numbers;
            create view shown as select a from older;
            create function computed() returns int language sql as 'select 1';
            insert into older values (1);
            grant all on older to public; grant create on schema public to public";
        run_sql(&url, older).await.unwrap();
    }
    let old_role = format!("postgres://postgres@127.0.0.1:{}/order", server.port());
    server.stop().await.unwrap();
    let (port, unused) = (Some(server.port()), DataDir::in_memory("unused").unwrap());
    let data_dir = std::mem::replace(server.data_dir(), unused);
    let authentication = Authentication::Passwords;
    let settings = PostgresSettings { data_dir, port, tls: None, authentication };
    let server = Server { postgres: Postgres::start_with(settings).await.unwrap() };
    assert_eq!(outcome(&old_role, "select 1").await.as_deref(), NO_ENTRY);

    for _ in 0..2 {
        server.apply().await;
        server.migrate().await;
        let owned = "alter table older add column if not exists c int; alter view shown owner to current_user;
            alter sequence numbers start 2; alter function computed() strict; alter table messaging.outbox set (fillfactor = 100)";
        server.allows("order-owner", "order", owned).await;
        let used = "update older set a = 2; select nextval('numbers'), computed() from shown; update messaging.cursor set last = 1";
        server.allows("order", "order", used).await;
        server.refuses("order", "order", "create table t (a int)").await;
        server.refuses("order", "order", "drop table older").await;
    }
}

/// A managed server gives its customers no superuser.
#[tokio::test]
async fn an_administrator_without_all_rights_may_apply_the_roles() {
    let server = Server::start().await;
    let administrator = format!(
        "create role administrator login createrole createdb password '{}';
         grant pg_read_all_data to administrator with admin option",
        password_of("administrator")
    );
    run_sql(&server.postgres.database_url("postgres"), &administrator).await.unwrap();
    let roles = create_roles(&DATABASES, |role| Some(scram_verifier(&password_of(role))));
    for _ in 0..2 {
        server.allows("administrator", "postgres", &roles).await;
    }
    for database in DATABASES {
        let create = format!("create database \"{database}\"");
        server.allows("administrator", "postgres", &create).await;
        for _ in 0..2 {
            server.allows("administrator", database, &grant(database)).await;
        }
    }
    server.migrate().await;
    server.allows("order", "order", "update messaging.cursor set last = 1").await;
    server.refuses("order", "order", "create table t (a int)").await;
    server.allows(BACKUP, "order", "select * from messaging.outbox").await;
}

/// As the image of PostgreSQL does it with an empty data directory, and an operator by hand.
#[tokio::test]
async fn the_script_runs_in_psql_twice() {
    let mut server = Postgres::start().await.unwrap();
    let folder = server.data_dir().path().to_owned();
    let (file, log) = (folder.join("roles.sql"), folder.join("psql.log"));
    std::fs::write(&file, script(&DATABASES, |_| Some(scram_verifier("secret")))).unwrap();
    for _ in 0..2 {
        let psql = server.client("psql", &log).arguments([
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            "postgres",
            "-f",
        ]);
        psql.argument(&file).start().unwrap().wait_for_success(DEADLINE).await.unwrap();
    }
    let url = |role: &str| format!("postgres://{role}@127.0.0.1:{}/order", server.port());
    let config = config::Database::at(url("order-owner"));
    Box::pin(database::migrate(&SERVICE, &config, &[&messaging::MIGRATOR])).await.unwrap();
    assert_eq!(outcome(&url("order"), "update messaging.cursor set last = 1").await, None);
    assert_eq!(outcome(&url("order"), "create table t (a int)").await.as_deref(), REFUSED);
}

/// A role that may more is not silently used.
#[tokio::test]
async fn a_powerful_role_of_the_same_name_is_refused() {
    let server = Server::start().await;
    let administer = server.postgres.database_url("postgres");
    run_sql(&administer, "create role \"order\" login createrole").await.unwrap();
    let refused = run_sql(&administer, &create_roles(&DATABASES, |_| None)).await.unwrap_err();
    assert!(format!("{refused:?}").contains("the role order exists"), "{refused:?}");
}

/// One role owns everything, as before: nothing is taken from it.
#[tokio::test]
async fn one_role_for_everything_keeps_working() {
    let server = Server::start().await;
    let role = format!("create role \"order\" login password '{}'", password_of("order"));
    run_sql(&server.postgres.database_url("postgres"), &role).await.unwrap();
    let create = "create database \"order\" owner \"order\"";
    run_sql(&server.postgres.database_url("postgres"), create).await.unwrap();
    for _ in 0..2 {
        server.migrate_as("order", "order").await.unwrap();
        server.allows("order", "order", "update messaging.migrations set success = success").await;
    }
}

//! Which programs work on a database that a newer version of the program has migrated.
//!
//! A migration states its limit in its first lines: `-- compatible-with: <version>`, the newest migration that a program must
//! know at least. The program that applies a migration also records the limit in the table `schema_compatibility`. An older
//! program does not have the file of a newer migration, so it reads the limit there.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{
    PgConnection,
    migrate::{Migrate as _, MigrateError, Migration, Migrator},
};

/// The line of a migration with its limit. Without it, only programs that know the migration work with it.
const HEADER: &str = "-- compatible-with:";

/// Why a program does not work on a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// A newer migration has removed or changed what this program uses.
    #[error(
        "the migration {migration} of {table} was applied by a newer version of the program; it needs a program with the migration \
         {needed} or later, and the newest of this program is {newest}: start a newer version"
    )]
    Contracted { table: String, migration: String, needed: i64, newest: i64 },
    /// A migration has no recorded limit.
    #[error(
        "the migration {version} of {table} is unknown to this program, and the database does not tell which programs work with it: \
         run `migrate` of the newer version once more, or start that version"
    )]
    Unrecorded { table: String, version: i64 },
    /// Neither the program nor the database is the older one.
    #[error(
        "the database lacks the migration {missing} of {table}, and has {unknown}, which this program lacks: start a version \
         that has both"
    )]
    Diverged { table: String, missing: i64, unknown: i64 },
}

/// The recorded limit of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Limit {
    description: String,
    compatible_with: i64,
}

/// The limit that a migration states: in a comment before its first statement.
pub fn stated_limit(sql: &str) -> Option<i64> {
    let mut comments = sql.lines().take_while(|line| line.starts_with("--"));
    let version = comments.find_map(|line| line.strip_prefix(HEADER))?;
    version.trim().parse().ok()
}

/// Compares the migrations of a program with those of the database. Returns the descriptions of the newer ones if the program works
/// with them.
fn judge(
    table: &str,
    own: &BTreeSet<i64>,
    applied: &BTreeSet<i64>,
    limits: &BTreeMap<i64, Limit>,
) -> Result<Vec<String>, Incompatible> {
    let table = table.to_owned();
    let Some(unknown) = applied.difference(own).next().copied() else { return Ok(Vec::new()) };
    if let Some(missing) = own.difference(applied).next().copied() {
        return Err(Incompatible::Diverged { table, missing, unknown });
    }
    let newest = own.last().copied().unwrap_or_default();
    let mut newer = Vec::new();
    for version in applied.difference(own) {
        let Some(limit) = limits.get(version) else {
            return Err(Incompatible::Unrecorded { table, version: *version });
        };
        let migration = format!("{version} ({})", limit.description);
        let needed = limit.compatible_with;
        if needed > newest {
            return Err(Incompatible::Contracted { table, migration, needed, newest });
        }
        newer.push(migration);
    }
    Ok(newer)
}

/// Whether a program with these migrations works on the database. Returns the descriptions of the newer migrations; none if the
/// database was never migrated.
pub(crate) async fn check(
    migrator: &Migrator,
    connection: &mut PgConnection,
) -> Result<Result<Vec<String>, Incompatible>, MigrateError> {
    // sqlx keeps the name in a hidden field, and has no other access to it.
    let table = &migrator.table_name;
    if !exists(table, connection).await? {
        return Ok(Ok(Vec::new()));
    }
    let applied = connection.list_applied_migrations(table).await?;
    let applied: BTreeSet<i64> = applied.iter().map(|migration| migration.version).collect();
    let own: BTreeSet<i64> = up(migrator).map(|migration| migration.version).collect();
    let limits = limits(table, connection).await?;
    Ok(judge(table, &own, &applied, &limits))
}

/// The migrator without its refusal of unknown migrations. It still verifies the checksums of its own ones.
pub(crate) fn tolerant(migrator: &Migrator) -> Migrator {
    let mut tolerant = Migrator::with_migrations(migrator.iter().cloned().collect());
    tolerant.dangerous_set_table_name(migrator.table_name.clone());
    tolerant.set_ignore_missing(true);
    tolerant
}

/// Records the limits of all migrations of a program that have been applied. A limit never changes, as the file does not.
pub(crate) async fn record(
    migrator: &Migrator,
    connection: &mut PgConnection,
) -> Result<(), MigrateError> {
    let create = "create table if not exists schema_compatibility (
        -- The table in which the migrations are recorded.
        migrations text not null,
        version bigint not null,
        description text not null,
        -- The newest migration that a program must know at least.
        compatible_with bigint not null,
        primary key (migrations, version)
    )";
    if !exists("schema_compatibility", connection).await? {
        sqlx::raw_sql(create).execute(&mut *connection).await?;
    }
    let (mut versions, mut descriptions, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    for migration in up(migrator) {
        versions.push(migration.version);
        descriptions.push(migration.description.to_string());
        limits.push(stated_limit(migration.sql.as_str()).unwrap_or(migration.version));
    }
    let recorded: Vec<i64> = sqlx::query_scalar(
        "insert into schema_compatibility (migrations, version, description, compatible_with)
         select $1, * from unnest($2::bigint[], $3::text[], $4::bigint[])
         on conflict do nothing returning version",
    )
    .bind(&*migrator.table_name)
    .bind(versions)
    .bind(descriptions)
    .bind(limits)
    .fetch_all(connection)
    .await?;
    tracing::debug!(
        migrations = &*migrator.table_name,
        ?recorded,
        "recorded the limits of migrations"
    );
    Ok(())
}

fn up(migrator: &Migrator) -> impl Iterator<Item = &Migration> {
    migrator.iter().filter(|migration| !migration.migration_type.is_down_migration())
}

async fn exists(table: &str, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar("select to_regclass($1) is not null").bind(table);
    found.fetch_one(connection).await
}

async fn limits(
    table: &str,
    connection: &mut PgConnection,
) -> Result<BTreeMap<i64, Limit>, sqlx::Error> {
    if !exists("schema_compatibility", connection).await? {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(
        "select version, description, compatible_with from schema_compatibility where migrations = $1",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let limit =
        |(version, description, compatible_with)| (version, Limit { description, compatible_with });
    Ok(rows.into_iter().map(limit).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Incompatible, Limit, judge, stated_limit};

    /// Judges a program with the migrations `own` on a database with `applied`, of which `limits` are recorded.
    fn verdict(own: &[i64], applied: &[i64], limits: &[(i64, i64)]) -> Result<usize, Incompatible> {
        let limit = |(version, compatible_with): &(i64, i64)| {
            (*version, Limit { description: String::new(), compatible_with: *compatible_with })
        };
        let limits: BTreeMap<i64, Limit> = limits.iter().map(limit).collect();
        let set = |versions: &[i64]| versions.iter().copied().collect();
        judge("t", &set(own), &set(applied), &limits).map(|newer| newer.len())
    }

    #[test]
    fn a_program_works_with_newer_migrations_within_their_limits() {
        assert_eq!(verdict(&[1, 2], &[], &[]), Ok(0));
        assert_eq!(verdict(&[1, 2], &[1], &[]), Ok(0));
        assert_eq!(verdict(&[1, 2], &[1, 2], &[(2, 2)]), Ok(0));
        assert_eq!(verdict(&[1, 2], &[1, 2, 3, 4], &[(3, 1), (4, 2)]), Ok(2));
        let needs = |needed| Incompatible::Contracted {
            table: "t".to_owned(),
            migration: "4 ()".to_owned(),
            needed,
            newest: 2,
        };
        assert_eq!(verdict(&[1, 2], &[1, 2, 3, 4], &[(3, 2), (4, 3)]), Err(needs(3)));
        assert_eq!(verdict(&[1, 2, 3], &[1, 2, 3, 4], &[(4, 3)]), Ok(1));
    }

    #[test]
    fn an_unrecorded_or_diverged_migration_is_refused() {
        let table = || "t".to_owned();
        let unrecorded = Incompatible::Unrecorded { table: table(), version: 3 };
        assert_eq!(verdict(&[1, 2], &[1, 2, 3], &[(2, 2)]), Err(unrecorded));
        let diverged = Incompatible::Diverged { table: table(), missing: 2, unknown: 3 };
        assert_eq!(verdict(&[1, 2], &[1, 3], &[(3, 1)]), Err(diverged));
    }

    #[test]
    fn a_limit_is_a_comment_before_the_first_statement() {
        assert_eq!(
            stated_limit("-- compatible-with: 20261129000061\nselect 1;"),
            Some(20_261_129_000_061)
        );
        let second = "-- no-transaction\n-- compatible-with: 7\nselect 1;";
        assert_eq!(stated_limit(second), Some(7));
        assert_eq!(stated_limit("select 1;\n-- compatible-with: 7"), None);
        assert_eq!(stated_limit("-- compatible-with: soon\nselect 1;"), None);
        assert_eq!(stated_limit(""), None);
    }
}

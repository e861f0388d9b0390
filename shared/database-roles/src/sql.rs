//! The SQL.

use std::fmt::Write as _;

use crate::names::{AUDIT, BACKUP, READERS, RECONCILE, UNAUDITED, all_roles, owner_of};

/// Grants on single tables, which exist after the migrations only. Their owner runs it in its own database, named like the role
/// of the service. It does nothing where one role does everything.
pub const GRANTS_ON_TABLES: &str = include_str!("grants_on_tables.sql");

/// Creates the missing roles of these databases. Runs in the database `postgres`.
///
/// `verifier` gives the password of a role, see [`scram_verifier`](crate::scram_verifier). Without one, the password stays as it is; a new
/// role has none and cannot log in with one.
pub fn create_roles(databases: &[&str], verifier: impl Fn(&str) -> Option<String>) -> String {
    let roles = all_roles(databases);
    let owners: Vec<String> = databases.iter().map(|database| owner_of(database)).collect();
    let (roles_list, owners_list) = (list(&roles), list(&owners));
    let backup = identifier(BACKUP);
    let mut sql = format!(
        r"do $$
declare
    wanted name;
begin
    -- Several programs may create roles at once.
    perform pg_advisory_xact_lock(hashtextextended('database roles', 0));
    foreach wanted in array array[{roles_list}]::name[] loop
        if to_regrole(quote_ident(wanted)) is null then
            execute format('create role %I login', wanted);
        elsif exists (
            select from pg_roles
            where rolname = wanted and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)
        ) then
            raise exception 'the role % exists, and may do more than the suite grants', wanted;
        end if;
    end loop;
    -- To hand a database over, one must be a member of its owner. A superuser is.
    foreach wanted in array array[{owners_list}]::name[] loop
        if not pg_has_role(wanted, 'usage') then
            execute format('grant %I to current_user', wanted);
        end if;
    end loop;
    if not pg_has_role('{BACKUP}', 'pg_read_all_data', 'member') then
        grant pg_read_all_data to {backup};
    end if;
    -- The databases of the server itself are for its administrator.
    for wanted in
        select datname from pg_database
        where datname in ('postgres', 'template1') and pg_has_role(datdba, 'usage')
            and (has_database_privilege('public', oid, 'connect') or has_database_privilege('public', oid, 'temporary'))
    loop
        execute format('revoke all on database %I from public', wanted);
    end loop;
end
$$;
"
    );
    for role in &roles {
        if let Some(verifier) = verifier(role) {
            let (role, verifier) = (identifier(role), literal(&verifier));
            let _infallible = writeln!(sql, "alter role {role} password {verifier};");
        }
    }
    sql
}

/// Hands a database over to its owner, and grants the other roles what they may do there, now and after later migrations. Runs in
/// this database.
pub fn grant(database: &str) -> String {
    let owner = identifier(&owner_of(database));
    // Staff accounts are no data of the shop.
    let is_audited = database != UNAUDITED;
    let if_audited = |sql: &str| if is_audited { sql.to_owned() } else { String::new() };
    let audit_schema = if_audited(&format!(", {AUDIT}"));
    let audit_tables = if_audited(&format!(
        "execute format('grant select on all tables in schema %I to {AUDIT}', schema);"
    ));
    let audit_later = if_audited(&format!(
        "alter default privileges for role {owner} grant usage on schemas to {AUDIT};\n\
         alter default privileges for role {owner} grant select on tables to {AUDIT};"
    ));
    let readers = READERS.map(identifier).join(", ");
    let (owner_name, service_name) = (literal(&owner_of(database)), literal(database));
    let database = identifier(database);
    let service = &database;
    format!(
        r"alter database {database} owner to {owner};
revoke all on database {database} from public;
-- Temporary tables hold the differences that a replay finds.
grant connect, temporary on database {database} to {service};
grant connect on database {database} to {readers};

-- What another role created before belongs to the owner from now on. Sequences of columns follow their tables.
do $$
declare
    handed_over text;
begin
    for handed_over in
        select format('schema %I', n.nspname)
        from pg_namespace n
        where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
            and pg_get_userbyid(n.nspowner) not in ({owner_name}, 'pg_database_owner')
        union all
        select format('%s %s', case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' else 'table' end,
            c.oid::regclass)
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'v', 'm', 'S')
            and pg_get_userbyid(c.relowner) <> {owner_name}
            and not exists (
                select from pg_depend d
                where d.classid = 'pg_class'::regclass and d.objid = c.oid
                    and (d.deptype = 'e' or (c.relkind = 'S' and d.deptype in ('a', 'i')))
            )
        union all
        select format('routine %s', p.oid::regprocedure)
        from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
            and pg_get_userbyid(p.proowner) <> {owner_name}
            and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
    loop
        execute format('alter %s owner to %I', handed_over, {owner_name});
    end loop;
end
$$;

revoke create on schema public from public;
do $$
declare
    schema name;
begin
    for schema in select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' loop
        execute format('grant usage on schema %I to %I{audit_schema}', schema, {service_name});
        execute format('grant select, insert, update, delete on all tables in schema %I to %I', schema, {service_name});
        {audit_tables}
        execute format('grant select, usage on all sequences in schema %I to %I', schema, {service_name});
        execute format('revoke execute on all routines in schema %I from public', schema);
        execute format('grant execute on all routines in schema %I to %I', schema, {service_name});
    end loop;
end
$$;
alter default privileges for role {owner} grant usage on schemas to {service};
alter default privileges for role {owner} grant select, insert, update, delete on tables to {service};
{audit_later}
alter default privileges for role {owner} grant select, usage on sequences to {service};
alter default privileges for role {owner} revoke execute on routines from public;
alter default privileges for role {owner} grant execute on routines to {service};

{GRANTS_ON_TABLES}"
    )
}

/// All of it as a script for `psql`, connected to the database `postgres`. It creates missing databases, too.
pub fn script(databases: &[&str], verifier: impl Fn(&str) -> Option<String>) -> String {
    let mut script = format!(
        "-- The roles and databases of the suite, for psql. It may be repeated. The role {RECONCILE} reads what subscribers have seen.\n\
         \\set ON_ERROR_STOP on\n\n{}",
        create_roles(databases, verifier)
    );
    for database in databases {
        let (name, quoted) = (literal(database), identifier(database));
        let create = literal(&format!("create database {quoted}"));
        let grant = grant(database);
        let _infallible = write!(
            script,
            "\nselect {create} where not exists (select from pg_database where datname = {name}) \\gexec\n\
             \\connect {quoted}\n{grant}"
        );
    }
    script
}

/// A quoted identifier.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A quoted text.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The texts, quoted and separated by commas.
fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::grant;

    #[test]
    fn the_audit_does_not_read_staff_accounts() {
        assert!(grant("order").contains("grant select on tables to audit"));
        let console = grant("console");
        assert!(!console.contains("tables to audit") && !console.contains("%I to audit"));
        assert!(!console.contains("%I, audit") && console.contains("grant usage on schema"));
    }
}

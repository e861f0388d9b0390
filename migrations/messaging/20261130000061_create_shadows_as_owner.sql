-- compatible-with: 20261130000041
-- The role of a service may not create schemas and tables. These functions do it with the rights of the tables' owner, and create
-- nothing but the shadow of a replay.

-- Drops all shadows of a projection.
create function messaging.drop_shadows(projection text) returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    prefix constant text := format('shadow_%s_', projection);
    shadow name;
begin
    for shadow in
        select nspname from pg_namespace
        where starts_with(nspname::text, prefix) and substr(nspname::text, length(prefix) + 1) ~ '^[0-9a-f]{8}$'
    loop
        execute format('drop schema if exists %I cascade', shadow);
    end loop;
end
$$;

-- Creates a shadow: a schema with empty copies of the projection's tables, and the cursors of the replay.
create function messaging.create_shadow(projection text, run text, tables text[]) returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    shadow constant text := format('shadow_%s_%s', projection, run);
    copied text;
begin
    if run !~ '^[0-9a-f]{8}$' then
        raise exception 'a run of a replay has eight hexadecimal digits, not %', run;
    end if;
    execute format('create schema %I', shadow);
    foreach copied in array tables loop
        execute format('create table %I.%I (like public.%I including all)', shadow, copied, copied);
    end loop;
    execute format(
        'create table %I.replay_cursor (
            source text, aggregate text, key text, last bigint not null, snapshot bigint not null default 0,
            primary key (source, aggregate, key)
        )',
        shadow
    );
    execute format(
        'create table %I.replay_target as select consumer, source, aggregate, key, last from messaging.cursor with no data',
        shadow
    );
    execute format('grant usage on schema %I to %I', shadow, session_user);
    execute format('grant select, insert, update, delete, truncate on all tables in schema %I to %I', shadow, session_user);
end
$$;

-- They have more rights than those who call them.
revoke execute on function messaging.drop_shadows(text), messaging.create_shadow(text, text, text[]) from public;

-- What a default of the database cannot express, because it names single tables. Repeatable. Run by the owner of the tables, after
-- migrations.
do $$
declare
    service constant name := current_database();
    journal regclass;
    segment regclass;
begin
    -- One role for everything, or a superuser: there is nothing to divide.
    if to_regrole(quote_ident(service)) is not null and not pg_has_role(service, current_user, 'member') then
        -- A service reads which migrations were applied.
        for journal in
            select c.oid
            from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
            where c.relkind = 'r'
                and (n.nspname, c.relname) in (
                    ('public', '_sqlx_migrations'), ('public', 'schema_compatibility'),
                    ('messaging', 'migrations'), ('idempotency', 'migrations')
                )
        loop
            execute format('revoke all on %s from %I', journal, service);
            execute format('grant select on %s to %I', journal, service);
        end loop;
        -- The relay empties the oldest segment of the message log.
        for segment in
            select i.inhrelid from pg_inherits i where i.inhparent = to_regclass('messaging.message')
        loop
            execute format('grant truncate on %s to %I', segment, service);
        end loop;
    end if;
    if to_regrole('reconcile') is not null and to_regclass('messaging.received_position') is not null then
        grant usage on schema messaging to reconcile;
        grant select (source, aggregate, key, last) on messaging.cursor to reconcile;
        grant select (source, aggregate, key, seq) on messaging.parked to reconcile;
        grant select (source, aggregate, key, seq, state) on messaging.dead_letter to reconcile;
        grant select (publisher, consumer, history, slot, received) on messaging.received_position to reconcile;
    end if;
end
$$;

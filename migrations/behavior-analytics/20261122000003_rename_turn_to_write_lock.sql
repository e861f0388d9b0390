-- The table holds the locks that serialise writers; its name now says so.
alter table turn rename to write_lock;
alter table write_lock rename constraint turn_pkey to write_lock_pkey;
alter table write_lock rename constraint turn_name_check to write_lock_name_check;

-- A process of the previous version must stop instead of writing without the lock, so the old name raises an error. Its class
-- makes the messaging kit treat the database as unavailable: events stay in the queue and do not become dead letters.
create function turn_was_renamed() returns setof write_lock language plpgsql as $$
begin
    raise exception 'this database was migrated for a newer version of the program; stop this process and start the new version'
        using errcode = 'cannot_connect_now';
end
$$;

create view turn as select name from turn_was_renamed();

-- Renames the tables of the consumers and the relay to standard terms. Data and locks are kept.
--
-- Stop all processes of earlier versions first (see ../README.md). If one is still running, every statement on an old name fails
-- with a clear sentence: such a process stops consuming and publishing, and the new version takes over.

alter table messaging.member rename to replica;
alter index messaging.member_pkey rename to replica_pkey;
alter table messaging.lane rename to queue_assignment;
alter index messaging.lane_pkey rename to queue_assignment_pkey;
alter table messaging.relay_trouble rename to relay_outage;
alter index messaging.relay_trouble_pkey rename to relay_outage_pkey;
alter table messaging.relay_outage rename constraint relay_trouble_single_check to relay_outage_single_check;
alter view messaging.living_member rename to active_replica;

comment on table messaging.replica is
    'The running replicas of the service. A row expires, or ends with the session of its server process.';
comment on view messaging.active_replica is 'The replicas that have neither expired nor lost their session.';
comment on table messaging.queue_assignment is
    'The replica that consumes each queue. These rows only assign work; correctness never depends on them.';
comment on table messaging.relay_outage is
    'Why events cannot be published, as the leading relay reports it. A report is valid for some seconds.';

-- Raises an error in every statement on a view below. It is stable and has no arguments, so PostgreSQL evaluates it even if there are no
-- rows. Its class makes earlier versions treat the database as unavailable: no event becomes a dead letter because of it.
create function messaging.refuse_outdated_program() returns boolean
language plpgsql stable
as $$
begin
    raise exception 'this database was migrated for a newer version of the program; stop this process and start the new version'
        using errcode = 'cannot_connect_now';
end
$$;

create view messaging.member as
select id, pid, expires_at from messaging.replica where messaging.refuse_outdated_program()
with local check option;

create view messaging.living_member as
select id from messaging.active_replica where messaging.refuse_outdated_program();

create view messaging.lane as
select queue, holder from messaging.queue_assignment where messaging.refuse_outdated_program()
with local check option;

create view messaging.relay_trouble as
select single, reason, until from messaging.relay_outage where messaging.refuse_outdated_program()
with local check option;

-- The replicas of the service that consume now. A row is renewed every second by the session that the replica has for nothing
-- else: it lives until it expires, or until this session ends, which it does at once when the process is killed.
create table messaging.member (
    id uuid primary key,
    -- The server process of its session.
    pid integer not null,
    expires_at timestamptz not null
);

create view messaging.living_member as
select id from messaging.member m
where expires_at > now() and exists (select from pg_stat_get_activity(m.pid));

-- Which replica consumes which queue. It holds as long as the replica lives: what is renewed is the member alone.
create table messaging.lane (
    queue text primary key,
    holder uuid not null
);

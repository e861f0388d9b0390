-- compatible-with: 20261130000001
-- Commits that this database has lost: subscribers have seen their events, and the database went back to an earlier state.
create table messaging.lost_commit (
    aggregate text not null,
    key text not null,
    -- The last number of the key that this database had; 0 if it did not know the key.
    last bigint not null check (last >= 0),
    -- The highest number that a subscriber had seen. The events from last + 1 to this one are lost.
    seen bigint not null,
    subscriber text not null,
    found_at timestamptz not null default now(),
    primary key (aggregate, key, seen),
    check (last < seen)
);

create index lost_commit_found on messaging.lost_commit (found_at);

-- compatible-with: 20261122000003
-- Each event gets a verdict: it counts, or a rule excludes it. Excluded events stay. The facts on which the verdict depends are stored, so
-- that other rules can decide again. An event that an older program writes counts until then.
alter table user_event
    -- Whether the visitor's id had a signature of this service.
    add column signed boolean not null default false,
    add column consent boolean not null default true,
    add column user_agent text,
    -- The visitor's place among those of its address within ten minutes. The address itself is not stored.
    add column visitor_place integer,
    -- What was added to the client's clock.
    add column clock_offset_ms bigint,
    add column verdict text not null default 'counted',
    -- How much the event counts in demand: 0 if it is excluded.
    add column weight double precision not null default 1;

-- The rules. An operator changes them; then all stored events get new verdicts.
create table event_rules (
    singleton boolean primary key default true check (singleton),
    -- Increases with every change.
    version integer not null,
    -- The version of the rules under which all stored events have their verdicts.
    recounted_version integer not null,
    changed_at timestamptz not null,
    changed_by text not null,
    known_agents text[] not null,
    max_per_minute integer not null,
    max_per_day integer not null,
    pause_events integer not null,
    min_pause_ms integer not null,
    min_pause_spread_ms integer not null,
    max_address_visitors integer not null,
    max_per_visitor_product integer not null,
    unsigned_weight double precision not null
);

-- HTTP libraries are not among the agents: the servers of a shop send events with them.
insert into event_rules values (
    true, 1, 0, now(), 'defaults',
    '{bot/,bot;,+http,crawler,spider,slurp,headlesschrome,phantomjs,selenium,scrapy,facebookexternalhit,lighthouse,pingdom,uptimerobot}',
    60, 2000, 15, 300, 20, 100, 1, 0.25
);

alter table write_lock drop constraint write_lock_name_check;
alter table write_lock add constraint write_lock_name_check check (name in ('basket', 'product', 'erasure', 'recount'));
insert into write_lock (name) values ('recount');

-- Why the events of the outbox do not leave, as the process says that leads the relay: the others cannot know, for the broker
-- tells of an alarm only to connections that publish. It is believed for some seconds and said again as long as it is true, so
-- that a process that dies says nothing for long.
create table messaging.relay_trouble (
    single boolean primary key default true check (single),
    reason text not null,
    until timestamptz not null
);

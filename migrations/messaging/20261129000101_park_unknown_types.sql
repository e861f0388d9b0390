-- Events of a type that the program neither handles nor ignores are parked until a version runs that knows it.

alter table messaging.parked
    -- The type of such an event; null for the others. A starting program looks for the types that it knows.
    add column kind text,
    drop constraint parked_why_check,
    -- Not validated: it accepts all that the previous one accepted, and a scan would stop the consumers.
    add constraint parked_why_check check (why in ('retry', 'gap', 'behind', 'unknown_type')) not valid;

create index parked_unknown on messaging.parked (consumer, kind, slot) where why = 'unknown_type';

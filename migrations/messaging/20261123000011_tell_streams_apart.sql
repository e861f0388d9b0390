-- A stream that was lost and declared anew counts from zero again, and a message that fails is told from one that was never tried.
alter table messaging.stream_offset
    -- A digest of the message before next_offset: if another one stands there, it is another stream. Null if nothing has been read.
    add column last_message uuid,
    -- How often the reader began again because the stream was lost. What was before this column is not known, so it counts as once.
    add column restarts integer not null default 1,
    -- Messages before this offset are handled one by one, for some of them failed together.
    add column singly_before bigint not null default 0,
    -- How often the message at next_offset has failed alone.
    add column failures integer not null default 0;

alter table messaging.stream_offset alter column restarts set default 0;

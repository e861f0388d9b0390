-- Locks the cursors of some keys, in the order given, and reads them.
--
-- Each is found by its key, whatever is known of the table: of a new table nothing is known, and what was known while it was
-- small is still believed when it has grown. The planner would read all cursors of a consumer once for each key, 0.5 seconds
-- for a batch of 500 keys out of 5,000 instead of 2 milliseconds.
create function messaging.lock_cursors(consumer text, aggregate text, sources text[], keys text[])
returns table (source text, key text, last bigint, hold text)
language plpgsql
set enable_seqscan = off
as $$
begin
    return query
    select c.source, c.key, c.last, c.hold
    from unnest($3, $4) as wanted (source, key)
    cross join lateral (
        select cursor.source, cursor.key, cursor.last, cursor.hold
        from messaging.cursor
        where cursor.consumer = $1 and cursor.source = wanted.source and cursor.aggregate = $2 and cursor.key = wanted.key
        for update
    ) c;
end
$$;

-- compatible-with: 20261129000102
-- Parked events are found without reading the others, however many there are.

-- Which events are due in a slot. Only the first event of a key has a due time.
create index parked_next on messaging.parked (consumer, slot, next_at) where next_at is not null;
-- Which event of a key has one.
create index parked_timed on messaging.parked (consumer, source, aggregate, key, seq) where next_at is not null;
drop index messaging.parked_due;

-- Deletes the parked events of some keys up to their cursors, which the caller has locked, and gives the first remaining event of each
-- its due time.
--
-- Each key is settled by lookups in indexes, whatever is known of the tables: see `lock_cursors`. A row that need not change is not
-- locked, because the transaction of a running retry holds it.
create function messaging.settle_parked(consumer text, aggregate text, sources text[], keys text[], gap_timeout interval)
returns void
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    reached record;
    head record;
    due timestamptz;
begin
    for reached in
        select c.source, c.key, c.last, c.hold
        from unnest($3, $4) as wanted (source, key)
        cross join lateral (
            select cursor.source, cursor.key, cursor.last, cursor.hold
            from messaging.cursor
            where cursor.consumer = $1 and cursor.source = wanted.source and cursor.aggregate = $2 and cursor.key = wanted.key
        ) c
    loop
        delete from messaging.parked p
        where p.consumer = $1 and p.source = reached.source and p.aggregate = $2 and p.key = reached.key
            and p.seq <= reached.last;

        select p.seq, p.why, p.next_at into head
        from messaging.parked p
        where p.consumer = $1 and p.source = reached.source and p.aggregate = $2 and p.key = reached.key
        order by p.seq
        limit 1;

        -- A blocked key waits for an operator. The others are held exactly as long as events of them are parked.
        if reached.hold = 'parked' and head.seq is null or reached.hold = 'free' and head.seq is not null then
            update messaging.cursor c
            set hold = case when head.seq is null then 'free' else 'parked' end
            where c.consumer = $1 and c.source = reached.source and c.aggregate = $2 and c.key = reached.key;
        end if;
        continue when head.seq is null;

        due := case
            when reached.hold = 'blocked' then null
            -- It waits for a program that knows it, or for its retry.
            when head.why = 'unknown_type' or head.why = 'retry' and head.next_at is not null then head.next_at
            when head.seq = reached.last + 1 then least(head.next_at, now())
            -- It waits for its predecessor without end if it is a dead letter, otherwise for a limited time.
            when exists (
                select from messaging.dead_letter d
                where d.consumer = $1 and d.source = reached.source and d.aggregate = $2 and d.key = reached.key
                    and d.seq = head.seq and d.state = 'pending'
            ) then null
            else coalesce(head.next_at, now() + $5)
        end;
        update messaging.parked p
        set next_at = null
        where p.consumer = $1 and p.source = reached.source and p.aggregate = $2 and p.key = reached.key
            and p.seq > head.seq and p.next_at is not null;
        if head.next_at is distinct from due then
            update messaging.parked p
            set next_at = due
            where p.consumer = $1 and p.source = reached.source and p.aggregate = $2 and p.key = reached.key
                and p.seq = head.seq;
        end if;
    end loop;
end
$$;

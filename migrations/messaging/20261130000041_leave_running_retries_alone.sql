-- compatible-with: 20261129000102
-- A running retry has locked the row of its event, and needs the cursor of its key at its end. Whoever settles the key has locked the
-- cursor. So it leaves the row alone, because waiting for it would be a deadlock. The retry finds that the cursor has moved, is rolled
-- back, and settles the key when it is tried again.
create or replace function messaging.settle_parked(consumer text, aggregate text, sources text[], keys text[], gap_timeout interval)
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
        delete from messaging.parked
        where ctid = any(array(
            select p.ctid
            from messaging.parked p
            where p.consumer = $1 and p.source = reached.source and p.aggregate = $2 and p.key = reached.key
                and p.seq <= reached.last
            for update skip locked
        ));

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
        -- What is left up to the cursor is being retried.
        continue when head.seq is null or head.seq <= reached.last;

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

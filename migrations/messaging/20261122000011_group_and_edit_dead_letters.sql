-- Dead letters are grouped by their cause, and their data can be put right.

-- What a letter died of, in words in which like causes meet: the first line of the innermost error of the last attempt (an outer
-- one says only what was being done), with whatever has a digit in it, such as ids, SKUs, numbers and places, and quoted texts
-- made equal. Versions such as v1 stay.
create function messaging.cause_of(causes text[]) returns text
language sql immutable
return left(
    regexp_replace(
        regexp_replace(
            split_part(coalesce(causes[array_upper(causes, 1)], ''), E'\n', 1),
            '"[^"]*"', '"…"', 'g'
        ),
        '(?<![\w-])(?!v\d+(?![\w-]))[\w-]*\d[\w-]*', '…', 'g'
    ),
    300
);

alter table messaging.dead_letter
    add column cause text not null generated always as (messaging.cause_of(causes)) stored,
    -- The payload as it came, if somebody has changed its data, and when that was last.
    add column original bytea,
    add column edited_at timestamptz,
    add constraint edited check ((original is null) = (edited_at is null));

-- Renames the table of leases, so that a leading relay of an earlier version is refused as well.
--
-- The rename of the other tables does not reach it: the statement that renews a lease evaluates its condition from left to right, and the
-- holder of the lease meets the first part. It never gets to the old name in the last part, and would lead for ever.

alter table messaging.lease rename to process_lease;
alter index messaging.lease_pkey rename to process_lease_pkey;

comment on table messaging.process_lease is
    'The process that relays, or that reads a stream. The epoch increases with every change of the holder.';

create view messaging.lease as
select name, holder, epoch, expires_at from messaging.process_lease where messaging.refuse_outdated_program()
with local check option;

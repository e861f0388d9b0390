-- compatible-with: 20261130000021
-- The claim of deliveries reads this index in its order, and stops at its limit. The condition on finished_at follows from
-- the status: it keeps the planner from using this index to look for earlier messages of a key, for which it may have no
-- statistics yet. With a backlog of 10,000 that made a claim take a minute.
drop index webhook_delivery_due;
create index webhook_delivery_due on webhook_delivery (endpoint_id, next_attempt_at, position)
    where status = 'pending' and finished_at is null;

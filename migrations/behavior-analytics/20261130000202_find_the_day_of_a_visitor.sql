-- compatible-with: 20261122000003
-- Verdicts depend on what a visitor did on the same day. While the index is built, only the reader of the stream waits.
create index user_event_visitor_day on user_event (visitor_id, received_at);
drop index user_event_visitor;

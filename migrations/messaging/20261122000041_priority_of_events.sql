-- Whether an event is part of bulk work, such as an import: consumers with priority lanes take it behind the rest.
alter table messaging.outbox add column bulk boolean not null default false;

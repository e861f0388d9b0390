-- compatible-with: 20261129000002
-- Which of several warehouses serves an order: the one with the highest priority, then the one in the region of the destination. An
-- older program serves orders in the order of their ids.
alter table warehouse add column priority integer not null default 0;
-- A country, or a part of one: CN, CN-ZJ.
alter table warehouse add column region text;

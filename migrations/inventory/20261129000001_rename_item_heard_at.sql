-- When a product event first listed the SKU.
alter table item rename column heard_at to registered_at;

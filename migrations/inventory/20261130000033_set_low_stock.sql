-- compatible-with: 20261129000002
-- The number of available pieces at which a SKU is low; null if it is low where the setting of the shop says.
alter table item add column low_at bigint check (low_at >= 0);

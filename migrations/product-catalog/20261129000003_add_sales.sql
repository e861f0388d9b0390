-- When the price of a variant changes next without a write: a sale starts or ends. Null: never.
alter table product add column price_changes_at timestamptz;

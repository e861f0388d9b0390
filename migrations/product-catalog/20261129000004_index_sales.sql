-- The products of which a sale starts or ends next. No product has a sale yet, so the index is built by one scan. It is not
-- built concurrently: after a lock timeout that would leave an invalid index, and a retry would fail.
create index product_price_changes_at on product (price_changes_at)
    where price_changes_at is not null and deleted_at is null;

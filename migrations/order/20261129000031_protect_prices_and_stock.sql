-- A payment of another amount than the total of its order is kept for an operator, and settles nothing.
alter table payment drop constraint payment_state_check;
alter table payment add constraint payment_state_check
    check (state in ('approved', 'declined', 'refunded', 'mismatched')) not valid;
alter table payment validate constraint payment_state_check;

-- The right amount may follow under the same reference.
drop index payment_reference;
create unique index payment_reference on payment (order_id, reference, (state = 'declined'))
    where reference is not null and state <> 'mismatched';

create index payment_mismatched on payment (id) where state = 'mismatched';

-- What a customer has not paid yet is counted when the customer orders more.
create index orders_unpaid on orders (customer_id) where status in ('placed', 'reserved') and method = 'manual';

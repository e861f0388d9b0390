-- What a provider calls a payment is one payment, however often and under whatever event it is told. The same one may be
-- declined first and approved later.
create unique index payment_reference on payment (order_id, reference, (state = 'declined')) where reference is not null;

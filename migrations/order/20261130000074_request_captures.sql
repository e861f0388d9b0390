-- compatible-with: 20261129000031
-- All that a payment provider is asked for in the background: captures and voids of what it authorised, and refunds. No release
-- has used the table under its earlier name.
alter table refund rename to provider_request;
alter table provider_request rename column refund_reference to answer_reference;
alter table provider_request add column operation text not null default 'refund' check (operation in ('capture', 'void', 'refund'));
alter table provider_request alter column operation drop default;
alter table provider_request drop constraint refund_pkey;
alter table provider_request add primary key (payment_id, operation);
alter index refund_due rename to provider_request_due;
alter index refund_failed rename to provider_request_failed;
create unique index provider_request_once on provider_request (order_id, reference, operation);

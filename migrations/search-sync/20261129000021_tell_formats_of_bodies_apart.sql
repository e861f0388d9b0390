-- The format of a body. Bodies of format 1 have variants without options and barcodes; a repair fetches them again.
alter table document add column body_format smallint not null default 1;

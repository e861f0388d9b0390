-- The number of counts of stock that an import sent to inventory, or would send if it is a dry run.
alter table import add column counted bigint not null default 0;

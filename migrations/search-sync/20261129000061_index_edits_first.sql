-- Whether the last write was an edit and not part of an import. While many changes wait, the index takes edits first.
alter table document add column is_edit boolean not null default false;

create index document_edit on document (change) where is_edit;

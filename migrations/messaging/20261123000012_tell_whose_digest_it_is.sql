-- An older version of the program, after a rollback or beside the new one in a rolling upgrade, moves next_offset and leaves
-- last_message as it is. Then that is the digest of another message, and a sound stream would be taken for a lost one.
alter table messaging.stream_offset
    -- The offset of the message of which last_message is the digest: unless it is next_offset - 1, the digest says nothing.
    add column last_message_offset bigint;

update messaging.stream_offset set last_message_offset = next_offset - 1 where last_message is not null;

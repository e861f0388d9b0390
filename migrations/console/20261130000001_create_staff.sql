-- compatible-with: 20261130000001
-- Who works in the shop. Accounts are disabled, never deleted: the action log names them.
create table staff (
    id uuid primary key,
    -- In lower case.
    email text not null constraint staff_email_key unique,
    role text not null,
    -- Argon2id, as a PHC string.
    password_hash text not null,
    -- The secret of the second factor; null without one.
    totp_secret bytea,
    -- A new secret whose first code has not been seen.
    totp_pending bytea,
    -- The time step of the last code: a code counts once.
    totp_step bigint not null default 0,
    created_at timestamptz not null,
    disabled_at timestamptz
);

-- The renewal tokens that follow from one another, of staff and of shoppers. A token has a generation; the newest one alone is valid.
create table session (
    id uuid primary key,
    -- Null for shoppers.
    staff_id uuid references staff (id),
    generation integer not null,
    -- When the newest token was issued.
    rotated_at timestamptz not null,
    created_at timestamptz not null,
    -- When the newest token expires.
    expires_at timestamptz not null,
    -- Why no token of it is valid any more: `signed_out`, `reused`, `revoked`. Null while one is.
    ended_by text
);

create index session_of_staff on session (staff_id) where staff_id is not null and ended_by is null;
create index session_expired on session (expires_at);

-- What staff did.
create table staff_action (
    id uuid primary key,
    at timestamptz not null,
    -- The subject of the token; null if an unknown account was to be signed in to.
    subject text,
    -- `request`, or what happened to an account: `sign_in`, `staff_created` and so on.
    action text not null,
    -- Of a request.
    method text,
    path text,
    -- The status of the answer; null while there is none, and if the client left before.
    status smallint,
    -- The account that was changed.
    target uuid references staff (id),
    -- More about it, such as the new role.
    detail text,
    address text
);

create index staff_action_of_subject on staff_action (subject, id);

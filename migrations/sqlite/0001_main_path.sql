-- The main path. Times are milliseconds since 1970-01-01 UTC, ids are UUIDv7 text, json is text.
-- Every key begins with the city, so that a distributed PostgreSQL can shard by it.

-- One row a city: the counters that commits lock last.
create table cities (
    city text primary key not null,
    position integer not null default 0,
    number_day text not null default '',
    number_counter integer not null default 0
) strict;

-- The intake ledger: every inbound message before it is acknowledged. Raw bytes expire, their hash stays.
create table inbound (
    city text not null,
    id text not null,
    channel text not null,
    account text not null,
    received_at integer not null,
    method text not null,
    url text not null,
    headers text not null,
    peer text,
    body blob,
    body_sha256 blob not null,
    outcome text not null,
    reason text,
    ticket text,
    primary key (city, id)
) strict;
create index inbound_by_account on inbound (city, account, received_at);
create index inbound_by_time on inbound (city, received_at) where body is not null;

-- The identity of a message, claimed only by a verified one.
create table message_keys (
    city text not null,
    account text not null,
    message_key text not null,
    digest blob not null,
    inbound_id text not null,
    primary key (city, account, message_key)
) strict, without rowid;

create table duplicates (
    city text not null,
    inbound_id text not null,
    original_id text not null,
    primary key (city, inbound_id)
) strict, without rowid;

create table controls (
    city text not null,
    inbound_id text not null,
    account text not null,
    address text not null,
    kind text not null,
    data text,
    at integer not null,
    primary key (city, inbound_id)
) strict;

-- A provider's word. It waits with matched = 0 until its attempt is known.
create table reports (
    city text not null,
    inbound_id text not null,
    account text not null,
    provider_id text,
    attempt_id text,
    status text not null,
    error text,
    at integer not null,
    matched integer not null default 0,
    primary key (city, inbound_id)
) strict;
create index reports_waiting on reports (city, account, provider_id) where matched = 0;

create table quarantine (
    city text not null,
    inbound_id text not null,
    account text not null,
    reason text not null,
    detail text not null,
    bytes integer not null,
    state text not null,
    at integer not null,
    resolved_at integer,
    resolved_by text,
    note text,
    primary key (city, inbound_id)
) strict;
create index quarantine_held on quarantine (city, account) where state = 'held';

create table contacts (
    city text not null,
    channel text not null,
    address text not null,
    id text not null,
    name text,
    language text,
    stopped_at integer,
    last_seen_at integer not null,
    primary key (city, channel, address)
) strict, without rowid;
create index contacts_by_id on contacts (city, id);

create table tickets (
    city text not null,
    number text not null,
    state text not null,
    item text,
    department text,
    kind text not null,
    priority text not null,
    language text,
    channel text not null,
    account text not null,
    subject text not null,
    contact_id text,
    confidential integer not null default 0,
    spam integer not null default 0,
    place text,
    district text,
    emergency text not null default '',
    code_hash blob not null,
    answer_channel text,
    answer_account text,
    answer_address text,
    answer_confirmed integer not null default 0,
    linked_to text,
    link_reason text,
    hold_until integer,
    due_at integer,
    inbound_id text,
    decision_id text,
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    closed_at integer,
    primary key (city, number)
) strict, without rowid;
create index tickets_by_contact on tickets (city, contact_id, number) where state <> 'closed';
create index tickets_by_department on tickets (city, department, state, number);
create index tickets_by_state on tickets (city, state, number);
create index tickets_held on tickets (city, hold_until) where hold_until is not null;

create table appeals (
    city text not null,
    id text not null,
    ticket text not null,
    inbound_id text,
    is_first integer not null,
    part_of text,
    group_key text,
    channel text not null,
    account text not null,
    contact_id text,
    sender text not null,
    name text,
    subject text,
    text text not null,
    quoted text,
    html text,
    language text,
    location text,
    message_id text,
    received_at integer not null,
    moved_from text,
    moved_by text,
    moved_at integer,
    primary key (city, id)
) strict;
create index appeals_by_ticket on appeals (city, ticket, id);
create index appeals_by_group on appeals (city, account, group_key) where group_key is not null;
create index appeals_by_contact on appeals (city, contact_id, id);

-- Files are content-addressed objects; a row names its object by hash.
create table attachments (
    city text not null,
    id text not null,
    ticket text not null,
    appeal_id text,
    reply_id text,
    account text not null,
    name text not null,
    media_type text not null,
    size integer,
    sha256 text,
    state text not null,
    source text,
    reason text,
    attempts integer not null default 0,
    next_at integer,
    primary key (city, id)
) strict;
create index attachments_by_ticket on attachments (city, ticket);
create index attachments_by_object on attachments (city, sha256);
create index attachments_pending on attachments (city, next_at) where state = 'pending';

create table decisions (
    city text not null,
    id text not null,
    ticket text not null,
    at integer not null,
    decided_by text not null,
    item text,
    department text,
    reason text,
    confidence real,
    rule_set text,
    ranked text not null,
    trace text not null,
    facts text not null,
    actor text,
    primary key (city, id)
) strict;
create index decisions_by_ticket on decisions (city, ticket, id);

create table assignments (
    city text not null,
    id text not null,
    ticket text not null,
    department text not null,
    role text not null,
    state text not null,
    assigned_at integer not null,
    due_at integer not null,
    signed_at integer,
    ended_at integer,
    reason text,
    primary key (city, id)
) strict;
create index assignments_by_ticket on assignments (city, ticket, id);

-- What staff wrote: public answers, internal notes, send-backs.
create table replies (
    city text not null,
    id text not null,
    ticket text not null,
    inbound_id text,
    kind text not null,
    text text not null,
    author text not null,
    department text,
    at integer not null,
    primary key (city, id)
) strict;
create index replies_by_ticket on replies (city, ticket, id);

-- The outbox. position is the place in a mailbox that the citizen's own client collects from.
create table deliveries (
    city text not null,
    id text not null,
    ticket text,
    reply_id text,
    department text,
    kind text not null,
    channel text not null,
    account text not null,
    address text not null,
    subject text,
    text text not null,
    html text,
    language text,
    automatic integer not null,
    thread text,
    buttons text,
    state text not null,
    reason text,
    attempts integer not null default 0,
    uncertain integer not null default 0,
    next_at integer,
    lease_owner text,
    lease_until integer,
    fallback_of text,
    position integer,
    created_at integer not null,
    updated_at integer not null,
    primary key (city, id)
) strict, without rowid;
create index deliveries_due on deliveries (city, next_at) where next_at is not null;
create index deliveries_by_ticket on deliveries (city, ticket, id);
create index deliveries_by_address on deliveries (city, account, address, position) where position is not null;
create index deliveries_uncertain on deliveries (city, id) where state = 'uncertain';
create index deliveries_to_call on deliveries (city, id) where channel = 'phone' and state = 'queued';

create table delivery_parts (
    city text not null,
    delivery_id text not null,
    part integer not null,
    text text not null,
    state text not null,
    provider_id text,
    updated_at integer not null,
    primary key (city, delivery_id, part)
) strict, without rowid;

-- Each try, committed before the call goes out.
create table attempts (
    city text not null,
    id text not null,
    delivery_id text not null,
    part integer not null,
    account text not null,
    started_at integer not null,
    ended_at integer,
    outcome text,
    provider_id text,
    error text,
    report text,
    reported_at integer,
    primary key (city, id)
) strict;
create index attempts_by_delivery on attempts (city, delivery_id, id);
create index attempts_by_provider on attempts (city, account, provider_id) where provider_id is not null;

-- The feed. Rows are the last of their transaction; positions come from the locked city row.
create table events (
    city text not null,
    position integer not null,
    kind text not null,
    ticket text,
    state text,
    department text,
    at integer not null,
    detail text,
    primary key (city, position)
) strict, without rowid;
create index events_by_ticket on events (city, ticket, position);

-- A numbered list that a citizen was asked to choose from.
create table questions (
    city text not null,
    id text not null,
    contact_id text not null,
    ticket text not null,
    options text not null,
    asked_at integer not null,
    until integer not null,
    answered_at integer,
    primary key (city, id)
) strict;
create index questions_open on questions (city, contact_id) where answered_at is null;

create table answer_links (
    city text not null,
    token_hash blob not null,
    ticket text not null,
    reply_id text not null,
    expires_at integer not null,
    primary key (city, token_hash)
) strict, without rowid;

create table confirmations (
    city text not null,
    ticket text not null,
    channel text not null,
    address text not null,
    code_hash blob not null,
    tries integer not null default 0,
    created_at integer not null,
    confirmed_at integer,
    primary key (city, ticket)
) strict, without rowid;
create index confirmations_by_address on confirmations (city, channel, address, created_at);

create table code_attempts (
    city text not null,
    subject text not null,
    window_start integer not null,
    tries integer not null,
    primary key (city, subject)
) strict, without rowid;

create table cursors (
    city text not null,
    name text not null,
    value text not null,
    updated_at integer not null,
    primary key (city, name)
) strict, without rowid;

create table leases (
    name text primary key not null,
    owner text not null,
    until integer not null
) strict, without rowid;

create table websocket_sessions (
    city text not null,
    id text not null,
    account text not null,
    token_hash blob not null,
    position integer not null default 0,
    received integer not null default 0,
    created_at integer not null,
    last_seen_at integer not null,
    primary key (city, id)
) strict, without rowid;
create unique index websocket_sessions_by_token on websocket_sessions (city, token_hash);

create table staff (
    city text not null,
    id text not null,
    login text not null,
    name text not null,
    role text not null,
    department text,
    identity integer not null default 0,
    password_hash text not null,
    failures integer not null default 0,
    locked_until integer,
    disabled_at integer,
    version integer not null default 1,
    created_at integer not null,
    primary key (city, id)
) strict;
create unique index staff_by_login on staff (city, login);

create table staff_sessions (
    city text not null,
    token_hash blob not null,
    staff_id text not null,
    created_at integer not null,
    last_seen_at integer not null,
    expires_at integer not null,
    primary key (city, token_hash)
) strict, without rowid;

create table api_tokens (
    city text not null,
    id text not null,
    token_hash blob not null,
    name text not null,
    role text not null,
    department text,
    identity integer not null default 0,
    created_at integer not null,
    created_by text not null,
    last_used_at integer,
    expires_at integer,
    revoked_at integer,
    primary key (city, id)
) strict;
create unique index api_tokens_by_hash on api_tokens (city, token_hash);

create table audit (
    city text not null,
    id text not null,
    at integer not null,
    actor text not null,
    action text not null,
    subject text,
    detail text,
    primary key (city, id)
) strict;
create index audit_by_subject on audit (city, subject, id);
create trigger audit_is_append_only_update before update on audit begin select raise(abort, 'audit is append-only'); end;
create trigger audit_is_append_only_delete before delete on audit begin select raise(abort, 'audit is append-only'); end;

create table idempotency_keys (
    city text not null,
    actor text not null,
    idempotency_key text not null,
    request_sha256 blob not null,
    response text not null,
    at integer not null,
    primary key (city, actor, idempotency_key)
) strict, without rowid;

create table alarms (
    city text not null,
    name text not null,
    first_at integer not null,
    last_at integer not null,
    count integer not null,
    mailed_at integer,
    cleared_at integer,
    detail text not null,
    primary key (city, name)
) strict, without rowid;

create table rule_sets (
    city text not null,
    version text not null,
    loaded_at integer not null,
    files text not null,
    primary key (city, version)
) strict, without rowid;

-- Filled from the feed; characters of Chinese, Japanese and Korean stand apart so that two of them find a word.
create virtual table search using fts5 (city unindexed, ticket unindexed, body, tokenize = 'unicode61 remove_diacritics 2');
create table search_rows (
    city text not null,
    ticket text not null,
    row_id integer not null,
    primary key (city, ticket)
) strict, without rowid;

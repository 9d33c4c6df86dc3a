-- The main path. Times are milliseconds since 1970-01-01 UTC, ids are UUIDv7 text, json is text.
-- Every key begins with the city, so that a distributed PostgreSQL can shard by it.

-- One row a city: the counters that commits lock last.
create table cities (
    city text primary key not null,
    position bigint not null default 0,
    number_day text not null default '',
    number_counter bigint not null default 0
);

-- The intake ledger: every inbound message before it is acknowledged. Raw bytes expire, their hash stays.
create table inbound (
    city text not null,
    id text not null,
    channel text not null,
    account text not null,
    received_at bigint not null,
    method text not null,
    url text not null,
    headers text not null,
    peer text,
    body bytea,
    body_sha256 bytea not null,
    outcome text not null,
    reason text,
    ticket text,
    primary key (city, id)
);
create index inbound_by_account on inbound (city, account, received_at);
create index inbound_by_time on inbound (city, received_at) where body is not null;

-- The identity of a message, claimed only by a verified one.
create table message_keys (
    city text not null,
    account text not null,
    message_key text not null,
    digest bytea not null,
    inbound_id text not null,
    primary key (city, account, message_key)
);

create table duplicates (
    city text not null,
    inbound_id text not null,
    original_id text not null,
    primary key (city, inbound_id)
);

create table controls (
    city text not null,
    inbound_id text not null,
    account text not null,
    address text not null,
    kind text not null,
    data text,
    at bigint not null,
    primary key (city, inbound_id)
);

-- A provider's word. It waits with matched = 0 until its attempt is known.
create table reports (
    city text not null,
    inbound_id text not null,
    account text not null,
    provider_id text,
    attempt_id text,
    status text not null,
    error text,
    at bigint not null,
    matched bigint not null default 0,
    primary key (city, inbound_id)
);
create index reports_waiting on reports (city, account, provider_id) where matched = 0;

create table quarantine (
    city text not null,
    inbound_id text not null,
    account text not null,
    reason text not null,
    detail text not null,
    bytes bigint not null,
    state text not null,
    at bigint not null,
    resolved_at bigint,
    resolved_by text,
    note text,
    primary key (city, inbound_id)
);
create index quarantine_held on quarantine (city, account) where state = 'held';

create table contacts (
    city text not null,
    channel text not null,
    address text not null,
    id text not null,
    name text,
    language text,
    stopped_at bigint,
    last_seen_at bigint not null,
    primary key (city, channel, address)
);
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
    confidential bigint not null default 0,
    spam bigint not null default 0,
    place text,
    district text,
    emergency text not null default '',
    code_hash bytea not null,
    answer_channel text,
    answer_account text,
    answer_address text,
    answer_confirmed bigint not null default 0,
    linked_to text,
    link_reason text,
    hold_until bigint,
    due_at bigint,
    inbound_id text,
    decision_id text,
    version bigint not null default 1,
    created_at bigint not null,
    updated_at bigint not null,
    closed_at bigint,
    primary key (city, number)
);
create index tickets_by_contact on tickets (city, contact_id, number) where state <> 'closed';
create index tickets_by_department on tickets (city, department, state, number);
create index tickets_by_state on tickets (city, state, number);
create index tickets_held on tickets (city, hold_until) where hold_until is not null;

create table appeals (
    city text not null,
    id text not null,
    ticket text not null,
    inbound_id text,
    is_first bigint not null,
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
    received_at bigint not null,
    moved_from text,
    moved_by text,
    moved_at bigint,
    primary key (city, id)
);
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
    size bigint,
    sha256 text,
    state text not null,
    source text,
    reason text,
    attempts bigint not null default 0,
    next_at bigint,
    primary key (city, id)
);
create index attachments_by_ticket on attachments (city, ticket);
create index attachments_by_object on attachments (city, sha256);
create index attachments_pending on attachments (city, next_at) where state = 'pending';

create table decisions (
    city text not null,
    id text not null,
    ticket text not null,
    at bigint not null,
    decided_by text not null,
    item text,
    department text,
    reason text,
    confidence double precision,
    rule_set text,
    ranked text not null,
    trace text not null,
    facts text not null,
    actor text,
    primary key (city, id)
);
create index decisions_by_ticket on decisions (city, ticket, id);

create table assignments (
    city text not null,
    id text not null,
    ticket text not null,
    department text not null,
    role text not null,
    state text not null,
    assigned_at bigint not null,
    due_at bigint not null,
    signed_at bigint,
    ended_at bigint,
    reason text,
    primary key (city, id)
);
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
    at bigint not null,
    primary key (city, id)
);
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
    automatic bigint not null,
    thread text,
    buttons text,
    state text not null,
    reason text,
    attempts bigint not null default 0,
    uncertain bigint not null default 0,
    next_at bigint,
    lease_owner text,
    lease_until bigint,
    fallback_of text,
    position bigint,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (city, id)
);
create index deliveries_due on deliveries (city, next_at) where next_at is not null;
create index deliveries_by_ticket on deliveries (city, ticket, id);
create index deliveries_by_address on deliveries (city, account, address, position) where position is not null;
create index deliveries_uncertain on deliveries (city, id) where state = 'uncertain';
create index deliveries_to_call on deliveries (city, id) where channel = 'phone' and state = 'queued';

create table delivery_parts (
    city text not null,
    delivery_id text not null,
    part bigint not null,
    text text not null,
    state text not null,
    provider_id text,
    updated_at bigint not null,
    primary key (city, delivery_id, part)
);

-- Each try, committed before the call goes out.
create table attempts (
    city text not null,
    id text not null,
    delivery_id text not null,
    part bigint not null,
    account text not null,
    started_at bigint not null,
    ended_at bigint,
    outcome text,
    provider_id text,
    error text,
    report text,
    reported_at bigint,
    primary key (city, id)
);
create index attempts_by_delivery on attempts (city, delivery_id, id);
create index attempts_by_provider on attempts (city, account, provider_id) where provider_id is not null;

-- The feed. Rows are the last of their transaction; positions come from the locked city row.
create table events (
    city text not null,
    position bigint not null,
    kind text not null,
    ticket text,
    state text,
    department text,
    at bigint not null,
    detail text,
    primary key (city, position)
);
create index events_by_ticket on events (city, ticket, position);

-- A numbered list that a citizen was asked to choose from.
create table questions (
    city text not null,
    id text not null,
    contact_id text not null,
    ticket text not null,
    options text not null,
    asked_at bigint not null,
    until bigint not null,
    answered_at bigint,
    primary key (city, id)
);
create index questions_open on questions (city, contact_id) where answered_at is null;

create table answer_links (
    city text not null,
    token_hash bytea not null,
    ticket text not null,
    reply_id text not null,
    expires_at bigint not null,
    primary key (city, token_hash)
);

create table confirmations (
    city text not null,
    ticket text not null,
    channel text not null,
    address text not null,
    code_hash bytea not null,
    tries bigint not null default 0,
    created_at bigint not null,
    confirmed_at bigint,
    primary key (city, ticket)
);
create index confirmations_by_address on confirmations (city, channel, address, created_at);

create table code_attempts (
    city text not null,
    subject text not null,
    window_start bigint not null,
    tries bigint not null,
    primary key (city, subject)
);

create table cursors (
    city text not null,
    name text not null,
    value text not null,
    updated_at bigint not null,
    primary key (city, name)
);

create table leases (
    name text primary key not null,
    owner text not null,
    until bigint not null
);

create table websocket_sessions (
    city text not null,
    id text not null,
    account text not null,
    token_hash bytea not null,
    position bigint not null default 0,
    received bigint not null default 0,
    created_at bigint not null,
    last_seen_at bigint not null,
    primary key (city, id)
);
create unique index websocket_sessions_by_token on websocket_sessions (city, token_hash);

create table staff (
    city text not null,
    id text not null,
    login text not null,
    name text not null,
    role text not null,
    department text,
    identity bigint not null default 0,
    password_hash text not null,
    failures bigint not null default 0,
    locked_until bigint,
    disabled_at bigint,
    version bigint not null default 1,
    created_at bigint not null,
    primary key (city, id)
);
create unique index staff_by_login on staff (city, login);

create table staff_sessions (
    city text not null,
    token_hash bytea not null,
    staff_id text not null,
    created_at bigint not null,
    last_seen_at bigint not null,
    expires_at bigint not null,
    primary key (city, token_hash)
);

create table api_tokens (
    city text not null,
    id text not null,
    token_hash bytea not null,
    name text not null,
    role text not null,
    department text,
    identity bigint not null default 0,
    created_at bigint not null,
    created_by text not null,
    last_used_at bigint,
    expires_at bigint,
    revoked_at bigint,
    primary key (city, id)
);
create unique index api_tokens_by_hash on api_tokens (city, token_hash);

create table audit (
    city text not null,
    id text not null,
    at bigint not null,
    actor text not null,
    action text not null,
    subject text,
    detail text,
    primary key (city, id)
);
create index audit_by_subject on audit (city, subject, id);
create function audit_is_append_only() returns trigger language plpgsql as $$ begin raise exception 'audit is append-only'; end $$;
create trigger audit_is_append_only before update or delete on audit for each row execute function audit_is_append_only();

create table idempotency_keys (
    city text not null,
    actor text not null,
    idempotency_key text not null,
    request_sha256 bytea not null,
    response text not null,
    at bigint not null,
    primary key (city, actor, idempotency_key)
);

create table alarms (
    city text not null,
    name text not null,
    first_at bigint not null,
    last_at bigint not null,
    count bigint not null,
    mailed_at bigint,
    cleared_at bigint,
    detail text not null,
    primary key (city, name)
);

create table rule_sets (
    city text not null,
    version text not null,
    loaded_at bigint not null,
    files text not null,
    primary key (city, version)
);

-- Filled from the feed; characters of Chinese, Japanese and Korean stand apart so that two of them find a word.
create table search (
    city text not null,
    ticket text not null,
    body tsvector not null,
    primary key (city, ticket)
);
create index search_by_body on search using gin (body);

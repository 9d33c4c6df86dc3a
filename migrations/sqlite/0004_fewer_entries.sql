-- Fewer index entries for each arrival: keys that begin with the ticket need no second index by ticket, ids are in the
-- order of time already, and what an account last received is one row an account.
create table account_arrivals (
    city text not null,
    account text not null,
    last_at integer not null,
    primary key (city, account)
) strict, without rowid;
insert into account_arrivals select city, account, max(received_at) from inbound group by city, account;
drop index inbound_by_account;
drop index inbound_by_time;
drop index contacts_by_id;
drop index tickets_by_contact;
create index tickets_by_contact on tickets (city, contact_id, number);

create table appeals_by_key (
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
    primary key (city, ticket, id)
) strict;
insert into appeals_by_key select * from appeals;
drop table appeals;
alter table appeals_by_key rename to appeals;
create index appeals_by_group on appeals (city, account, group_key) where group_key is not null;
-- The first appeal of a ticket is found by the ticket's own contact.
create index appeals_by_contact on appeals (city, contact_id, ticket) where is_first = 0 or moved_from is not null;

create table decisions_by_key (
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
    primary key (city, ticket, id)
) strict;
insert into decisions_by_key select * from decisions;
drop table decisions;
alter table decisions_by_key rename to decisions;

create table assignments_by_key (
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
    primary key (city, ticket, id)
) strict, without rowid;
insert into assignments_by_key select * from assignments;
drop table assignments;
alter table assignments_by_key rename to assignments;

-- What SQLite shall expect of them, see 0003.
delete from sqlite_stat1 where idx in ('inbound_by_account', 'inbound_by_time', 'contacts_by_id', 'tickets_by_contact')
    or tbl in ('appeals', 'decisions', 'assignments', 'appeals_by_key', 'decisions_by_key', 'assignments_by_key');
insert into sqlite_stat1 (tbl, idx, stat) values
    ('account_arrivals', 'account_arrivals', '1000 1000 1'),
    ('tickets', 'tickets_by_contact', '1000000 1000000 3 1'),
    ('appeals', 'appeals_by_contact', '1000000 1000000 3 1'),
    ('appeals', 'appeals_by_group', '1000000 1000000 200000 3'),
    ('appeals', 'sqlite_autoindex_appeals_1', '1000000 1000000 3 1'),
    ('decisions', 'sqlite_autoindex_decisions_1', '1000000 1000000 3 1'),
    ('assignments', 'assignments', '1000000 1000000 3 1');
analyze sqlite_schema;

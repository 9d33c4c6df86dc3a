-- What the console asks for.

-- The person who works on a ticket, as the audit log names it; null for nobody.
alter table tickets add column assignee text;

-- The queue: open tickets in the order of their numbers with everything that it is narrowed to and counted by, so that a
-- page or a count reads this index alone, and closed tickets, which are nearly all, cost nothing.
drop index tickets_by_state;
create index tickets_open on tickets (city, number, state, department, channel, priority, district, item, language, kind, due_at, assignee) where state <> 'closed';
create index tickets_due on tickets (city, due_at, number) where state <> 'closed' and due_at is not null;
create index tickets_by_assignee on tickets (city, assignee, number) where assignee is not null;

-- Citizens are found by the beginning of their name.
create index contacts_by_name on contacts (city, name) where name is not null;

-- Deliveries that a person has to look at.
create index deliveries_failed on deliveries (city, id) where state = 'failed';
create index deliveries_waiting on deliveries (city, id) where state = 'queued' and next_at is null and channel <> 'phone';

create index audit_by_actor on audit (city, actor, id);
create index audit_by_action on audit (city, action, id);

-- What each change of a ticket was from and to, for whoever saw the version before: json of the fields that staff see. An
-- address is told as changed (1), never as itself.
create table ticket_changes (
    id integer primary key not null,
    city text not null,
    ticket text not null,
    seen integer not null,
    version integer not null,
    at integer not null,
    before text not null,
    after text not null
) strict;
create index ticket_changes_by_ticket on ticket_changes (city, ticket, id);
create trigger tickets_keep_changes after update on tickets
when old.version <> new.version or old.state <> new.state or old.item is not new.item or old.department is not new.department
    or old.kind <> new.kind or old.priority <> new.priority or old.district is not new.district or old.due_at is not new.due_at
    or old.assignee is not new.assignee or old.confidential <> new.confidential or old.linked_to is not new.linked_to
    or old.answer_channel is not new.answer_channel or old.answer_address is not new.answer_address
begin
    insert into ticket_changes (city, ticket, seen, version, at, before, after) values (
        new.city, new.number, old.version, new.version, new.updated_at,
        json_object('state', old.state, 'item', old.item, 'department', old.department, 'kind', old.kind, 'priority', old.priority,
            'district', old.district, 'due_at', old.due_at, 'assignee', old.assignee, 'confidential', old.confidential,
            'linked_to', old.linked_to, 'answer_channel', old.answer_channel, 'answer_address', 0),
        json_object('state', new.state, 'item', new.item, 'department', new.department, 'kind', new.kind, 'priority', new.priority,
            'district', new.district, 'due_at', new.due_at, 'assignee', new.assignee, 'confidential', new.confidential,
            'linked_to', new.linked_to, 'answer_channel', new.answer_channel,
            'answer_address', old.answer_address is not new.answer_address));
end;

-- What somebody is writing and has not sent. A subject is a ticket's number or, for a call that has no ticket yet, an id of
-- the client's own; its text is as personal as an appeal.
create table drafts (
    city text not null,
    staff text not null,
    subject text not null,
    kind text not null,
    ticket text,
    text text not null,
    data text,
    revision integer not null,
    version integer,
    created_at integer not null,
    updated_at integer not null,
    expires_at integer not null,
    primary key (city, staff, subject, kind)
) strict, without rowid;
create index drafts_by_ticket on drafts (city, ticket) where ticket is not null;
create index drafts_by_expiry on drafts (city, expires_at);

-- What SQLite shall expect of it, see 0003.
insert into sqlite_stat1 (tbl, idx, stat) values
    ('tickets', 'tickets_open', '100000 100000 1 1 1 1 1 1 1 1 1 1 1'),
    ('tickets', 'tickets_due', '100000 100000 10 1'),
    ('tickets', 'tickets_by_assignee', '10000 10000 100 1'),
    ('contacts', 'contacts_by_name', '1000000 1000000 3'),
    ('deliveries', 'deliveries_failed', '1000 1000 1'),
    ('deliveries', 'deliveries_waiting', '1000 1000 1'),
    ('audit', 'audit_by_actor', '1000000 1000000 10000 1'),
    ('audit', 'audit_by_action', '1000000 1000000 10000 1'),
    ('ticket_changes', 'ticket_changes_by_ticket', '1000000 1000000 5 1'),
    ('drafts', 'drafts', '1000 1000 10 2 1'),
    ('drafts', 'drafts_by_ticket', '1000 1000 2'),
    ('drafts', 'drafts_by_expiry', '1000 1000 1');
analyze sqlite_schema;

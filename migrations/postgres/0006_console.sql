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
create index contacts_by_name on contacts (city, name collate "C") where name is not null;

-- Deliveries that a person has to look at.
create index deliveries_failed on deliveries (city, id) where state = 'failed';
create index deliveries_waiting on deliveries (city, id) where state = 'queued' and next_at is null and channel <> 'phone';

create index audit_by_actor on audit (city, actor, id);
create index audit_by_action on audit (city, action, id);

-- What each change of a ticket was from and to, for whoever saw the version before: json of the fields that staff see. An
-- address is told as changed (1), never as itself.
create table ticket_changes (
    id bigint generated always as identity,
    city text not null,
    ticket text not null,
    seen bigint not null,
    version bigint not null,
    at bigint not null,
    before text not null,
    after text not null,
    primary key (city, ticket, id)
);
create function tickets_keep_changes() returns trigger language plpgsql as $$
begin
    insert into ticket_changes (city, ticket, seen, version, at, before, after) values (
        new.city, new.number, old.version, new.version, new.updated_at,
        json_build_object('state', old.state, 'item', old.item, 'department', old.department, 'kind', old.kind, 'priority', old.priority,
            'district', old.district, 'due_at', old.due_at, 'assignee', old.assignee, 'confidential', old.confidential,
            'linked_to', old.linked_to, 'answer_channel', old.answer_channel, 'answer_address', 0)::text,
        json_build_object('state', new.state, 'item', new.item, 'department', new.department, 'kind', new.kind, 'priority', new.priority,
            'district', new.district, 'due_at', new.due_at, 'assignee', new.assignee, 'confidential', new.confidential,
            'linked_to', new.linked_to, 'answer_channel', new.answer_channel,
            'answer_address', (old.answer_address is distinct from new.answer_address)::int)::text);
    return null;
end;
$$;
create trigger tickets_keep_changes after update on tickets for each row
when (old.version <> new.version or old.state <> new.state or old.item is distinct from new.item
    or old.department is distinct from new.department or old.kind <> new.kind or old.priority <> new.priority
    or old.district is distinct from new.district or old.due_at is distinct from new.due_at
    or old.assignee is distinct from new.assignee or old.confidential <> new.confidential
    or old.linked_to is distinct from new.linked_to or old.answer_channel is distinct from new.answer_channel
    or old.answer_address is distinct from new.answer_address)
execute function tickets_keep_changes();

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
    revision bigint not null,
    version bigint,
    created_at bigint not null,
    updated_at bigint not null,
    expires_at bigint not null,
    primary key (city, staff, subject, kind)
);
create index drafts_by_ticket on drafts (city, ticket) where ticket is not null;
create index drafts_by_expiry on drafts (city, expires_at);

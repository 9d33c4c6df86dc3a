-- Fewer index entries for each arrival: keys that begin with the ticket need no second index by ticket, ids are in the
-- order of time already, and what an account last received is one row an account.
create table account_arrivals (
    city text not null,
    account text not null,
    last_at bigint not null,
    primary key (city, account)
);
insert into account_arrivals select city, account, max(received_at) from inbound group by city, account;
drop index inbound_by_account;
drop index inbound_by_time;
drop index contacts_by_id;
drop index tickets_by_contact;
create index tickets_by_contact on tickets (city, contact_id, number);

drop index appeals_by_ticket;
drop index appeals_by_contact;
alter table appeals drop constraint appeals_pkey, add primary key (city, ticket, id);
-- The first appeal of a ticket is found by the ticket's own contact.
create index appeals_by_contact on appeals (city, contact_id, ticket) where is_first = 0 or moved_from is not null;

drop index decisions_by_ticket;
alter table decisions drop constraint decisions_pkey, add primary key (city, ticket, id);

drop index assignments_by_ticket;
alter table assignments drop constraint assignments_pkey, add primary key (city, ticket, id);

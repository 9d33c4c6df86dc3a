-- Where the answer goes back to the sender, its contact finds the ticket: only answers that go elsewhere need an index by
-- address. Addresses are scattered, so that an entry for each ticket cost a batch of arrivals a page an appeal.
alter table tickets add column answers_elsewhere bigint not null default 0;
update tickets set answers_elsewhere = 1
where answer_address is not null and answer_channel <> 'webform' and not exists (
    select 1 from contacts c
    where c.city = tickets.city and c.channel = tickets.answer_channel and c.address = tickets.answer_address and c.id = tickets.contact_id);
drop index tickets_by_answer_address;
create index tickets_by_answer_address on tickets (city, answer_address) where answers_elsewhere = 1;

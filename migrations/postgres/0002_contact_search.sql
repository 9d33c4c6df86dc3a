-- Tickets are found by the address that their answers go to.
create index tickets_by_answer_address on tickets (city, answer_address) where answer_address is not null;

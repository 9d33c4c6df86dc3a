-- The outbox looks at what is due account by account, so that the queue of one that is slow is not in the way of the others.
drop index deliveries_due;
create index deliveries_due on deliveries (city, account, next_at) where next_at is not null;

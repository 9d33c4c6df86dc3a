-- What a department has open is read from `tickets_open`, which holds all that is asked for. Arrivals are scattered over the
-- departments, so that an index by department cost each batch of them more pages than any table.
drop index tickets_by_department;
delete from sqlite_stat1 where idx = 'tickets_by_department';
analyze sqlite_schema;

-- What a department has open is read from `tickets_open`, which holds all that is asked for.
drop index tickets_by_department;

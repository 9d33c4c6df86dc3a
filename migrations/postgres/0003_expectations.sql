-- PostgreSQL counts its rows by itself; the version is there because both databases have the same ones.
analyze;

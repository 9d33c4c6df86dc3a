-- The lives of rule sets: draft, backtested, published, superseded. The texts stand in rule_sets under their version, which
-- is the name that decisions carry; `imported` is the version of the text as it came, before a backtest added measured.toml.
create table rule_set_versions (
    city text not null,
    number integer not null,
    version text not null,
    imported text not null,
    state text not null,
    pack text not null,
    note text,
    drafted_at integer not null,
    drafted_by text not null,
    backtested_at integer,
    backtested_by text,
    published_at integer,
    published_by text,
    superseded_at integer,
    report text,
    primary key (city, number)
) strict, without rowid;
create unique index rule_set_versions_published on rule_set_versions (city) where state = 'published';
-- What SQLite shall expect of it, see 0003.
insert into sqlite_stat1 (tbl, idx, stat) values
    ('rule_set_versions', 'rule_set_versions', '1000 1000 1'),
    ('rule_set_versions', 'rule_set_versions_published', '1 1');
analyze sqlite_schema;

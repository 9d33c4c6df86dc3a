-- The lives of rule sets: draft, backtested, published, superseded. The texts stand in rule_sets under their version, which
-- is the name that decisions carry; `imported` is the version of the text as it came, before a backtest added measured.toml.
create table rule_set_versions (
    city text not null,
    number bigint not null,
    version text not null,
    imported text not null,
    state text not null,
    pack text not null,
    note text,
    drafted_at bigint not null,
    drafted_by text not null,
    backtested_at bigint,
    backtested_by text,
    published_at bigint,
    published_by text,
    superseded_at bigint,
    report text,
    primary key (city, number)
);
create unique index rule_set_versions_published on rule_set_versions (city) where state = 'published';

//! Every problem is told, with its origin, key and remedy.

use super::*;

/// What must be set outside the demo.
const REQUIRED: &str = "[server]\npublic_url = \"https://12345.example.gov.cn\"\ntrusted_proxies = []\n";

fn read(file: &str, env: &[(&str, &str)], demo: bool) -> Result<Config, Problems> {
    let mut layers = Layers::defaults();
    layers.text(file, Some(Path::new("city.toml")));
    let env: Vec<_> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    layers.env(&env);
    Config::read(layers, demo)
}

fn problems(file: &str, env: &[(&str, &str)]) -> Vec<String> {
    match read(file, env, false) {
        Ok(_) => Vec::new(),
        Err(Problems(problems)) => {
            problems.iter().map(|problem| format!("{}|{}", problem.origin, problem.key)).collect()
        }
    }
}

#[test]
fn the_defaults_are_whole_and_lack_only_what_a_city_must_say() {
    assert_eq!(problems("", &[]), ["not set|server.public_url", "not set|server.trusted_proxies"]);
    let demo = read("", &[], true).expect("demo");
    assert_eq!(demo.server.public_url.as_str(), "http://127.0.0.1:8080/");
    assert_eq!(demo.server.address("/track"), "http://127.0.0.1:8080/track");
    assert_eq!(demo.database.backend, Backend::Sqlite { path: "data/yingda.db".into() });
    assert_eq!(demo.storage.objects, PathBuf::from("data/objects"));
    assert!(demo.city.names.contains_key("en"), "{:?}", demo.city.names);
    assert!(demo.storage.allows("image/PNG; q=1") && demo.storage.allows("audio/ogg"), "types");
    assert!(!demo.storage.allows("text/html") && !demo.storage.allows("image/svg+xml"), "types");
    assert!(problems(REQUIRED, &[]).is_empty());
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let file = r#"
[city]
zone = "Mars/Olympus"
default_language = "tlh"
colour = "red"

[server]
public_url = "ftp://x"
trusted_proxies = ["10.0.0.0/8", "everybody"]
listen = 8080
secret = "short"

[database]
url = "mysql://root:hunter2@db/x"

[outbox]
backoff_base_secs = 60
backoff_cap_secs = 30
workers = 0

[nonsense]
x = 1

[operator]
email = ["not a mailbox"]

[rules]
path = "no/such/folder"

[log]
format = "xml"

[channels.sms.one]
language = 3

[channels.email.one]
address = "a@example.org"

[channels.telegram."BAD ID"]
token = "x"

[departments.water]
webhook_url = "https://water.example.org/hook"
colour = "blue"
"#;
    let mut found = problems(
        file,
        &[
            ("YINGDA__STAFF__IDLE_MINUTES", "soon"),
            ("yingda__what", "1"),
            ("YINGDA__SMTP__HOST", "x"),
            ("YINGDA__STORAGE__RAW_DAYS", ""),
            ("YINGDA__RULES__UNSEEN_SHARE", "1.5"),
        ],
    );
    found.sort();
    assert_eq!(
        found,
        [
            "city.toml:10|server.listen",
            "city.toml:11|server.secret",
            "city.toml:14|database.url",
            "city.toml:18|outbox.backoff_cap_secs",
            "city.toml:19|outbox.workers",
            "city.toml:22|nonsense",
            "city.toml:25|operator.email",
            "city.toml:28|rules.path",
            "city.toml:31|log.format",
            "city.toml:34|channels.sms.one.language",
            "city.toml:37|channels.email.one",
            "city.toml:3|city.zone",
            "city.toml:40|channels.telegram.BAD ID",
            "city.toml:43|departments.water.webhook_secret",
            "city.toml:44|departments.water.colour",
            "city.toml:4|city.default_language",
            "city.toml:4|city.names",
            "city.toml:5|city.colour",
            "city.toml:8|server.public_url",
            "city.toml:9|server.trusted_proxies",
            "environment YINGDA__RULES__UNSEEN_SHARE|rules.unseen_share",
            "environment YINGDA__SMTP__HOST|smtp",
            "environment YINGDA__STAFF__IDLE_MINUTES|staff.idle_minutes",
            "environment YINGDA__STORAGE__RAW_DAYS|storage.raw_days",
            "environment yingda__what|",
        ]
    );
    let Err(told) = read(file, &[], false) else { panic!("taken") };
    let told = told.to_string();
    assert!(!told.contains("hunter2") && !told.contains("short\""), "no secret is told: {told}");
}

#[test]
fn every_line_that_is_not_toml_is_told() {
    let found = problems("[server]\nlisten == 1\n[city\nid = \"a\"\n", &[]);
    assert!(found.contains(&"city.toml:2|".to_owned()), "{found:?}");
    assert!(
        found.iter().any(|problem| problem.starts_with("city.toml:3|") || problem.starts_with("city.toml:4|")),
        "{found:?}"
    );
}

#[test]
fn later_layers_win_key_by_key() {
    let file = format!("{REQUIRED}listen = \"127.0.0.1:9000\"\n[city.names]\nen = \"Riverton 311\"\n");
    let config = read(
        &file,
        &[("yingda__Server__LISTEN", "127.0.0.1:9001"), ("YINGDA__CITY__NAMES__ZH_HANS", "江城热线")],
        false,
    )
    .expect("read");
    assert_eq!(config.server.listen.port(), 9001);
    assert_eq!(config.city.name("en"), "Riverton 311");
    assert_eq!(config.city.name("zh-Hans"), "江城热线", "_ in a variable meets - in a key");
    assert_eq!(config.city.name("fr"), "江城热线");

    let mut layers = Layers::defaults();
    layers.set(&["server", "listen"], toml::Value::String("0.0.0.0:1".to_owned()), Origin::Flag("--listen"));
    let refused = Config::read(layers, true).expect_err("demo on every address");
    assert!(refused.to_string().starts_with("--listen: server.listen: the demo"), "{refused}");
}

#[test]
fn text_from_the_environment_stays_text() {
    #[derive(Debug, serde::Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        sender: String,
        secret: Option<String>,
        limit: Option<u8>,
        ready: bool,
        names: Option<BTreeMap<String, String>>,
    }
    let file = format!("{REQUIRED}[channels.sms.demo]\nready = true\nlanguage = \"en\"\n");
    let env = [
        ("YINGDA__CHANNELS__SMS__DEMO__SENDER", "+8612345"),
        ("YINGDA__CHANNELS__SMS__DEMO__SECRET", "012345"),
        ("YINGDA__CHANNELS__SMS__DEMO__LIMIT", "7"),
        ("YINGDA__CHANNELS__SMS__DEMO__NAMES", "{ en = \"x\" }"),
        ("YINGDA__OPERATOR__EMAIL", "[\"ops@example.org\"]"),
        ("YINGDA__CITY__HELPLINE", "311"),
    ];
    let config = read(&file, &env, false).expect("read");
    assert_eq!(config.city.helpline, "311");
    assert_eq!(config.operator.email, ["ops@example.org"]);
    let account = &config.channels["demo"];
    assert_eq!(account.language.as_deref(), Some("en"));
    let names = Some(BTreeMap::from([("en".to_owned(), "x".to_owned())]));
    let expected =
        Settings { sender: "+8612345".into(), secret: Some("012345".into()), limit: Some(7), ready: true, names };
    assert_eq!(account.settings::<Settings>().expect("settings"), expected);
    assert!(!format!("{account:?}").contains("012345"));

    let file = format!("{REQUIRED}[channels.sms.demo]\nready = 1\nlimt = 3\nsecret = 99887766\nlimit = 900\n");
    let config = read(&file, &[], false).expect("read");
    let told: Vec<String> =
        config.channels["demo"].settings::<Settings>().expect_err("wrong").iter().map(ToString::to_string).collect();
    for key in ["ready", "limt", "secret", "limit"] {
        assert!(told.iter().any(|line| line.contains(&format!("channels.sms.demo.{key}: "))), "{key} in {told:?}");
    }
    assert!(!told.concat().contains("99887766"), "{told:?}");
}

#[test]
fn any_value_may_stand_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().expect("folder");
    let secret = "0123456789abcdef0123456789abcdef";
    std::fs::write(folder.path().join("secret"), format!("  {secret}\n")).expect("written");
    let path = folder.path().join("city.toml");
    std::fs::write(
        &path,
        format!("{REQUIRED}secret_file = \"secret\"\n[departments.water]\nwebhook_secret_file = \"none\"\n"),
    )
    .expect("written");
    let mut layers = Layers::defaults();
    layers.file(&path);
    let Problems(problems) = Config::read(layers.clone(), false).expect_err("a file is missing");
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["departments.water.webhook_secret_file"]);

    std::fs::write(&path, format!("{REQUIRED}secret_file = \"secret\"\n")).expect("written");
    let mut layers = Layers::defaults();
    layers.file(&path);
    assert_eq!(Config::read(layers.clone(), false).expect("read").server.secret, Some(Secret::new(secret.to_owned())));
    layers.env(&[("YINGDA__SERVER__SECRET".to_owned(), "f".repeat(40))]);
    assert_eq!(
        Config::read(layers, false).expect("read").server.secret,
        Some(Secret::new("f".repeat(40))),
        "the environment wins"
    );

    let both = problems_of_text("[server]\nsecret = \"x\"\nsecret_file = \"y\"\n");
    assert!(both.contains("server.secret_file: secret is given as well"), "{both}");
    let mut layers = Layers::defaults();
    layers.file(&folder.path().join("none.toml"));
    assert!(Config::read(layers, true).expect_err("no file").to_string().starts_with("--config: cannot read"));
}

#[test]
fn a_file_of_a_pack_that_is_no_text_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pack.toml");
    std::fs::write(&file, [0xff, 0x00]).expect("written");
    let problems = crate::config::rules::compile(Some(folder.path())).expect_err("no text").to_string();
    assert_eq!(
        problems,
        format!("{}: this is no text in UTF-8. Convert it, or take it out of the pack", file.display())
    );
}

fn problems_of_text(file: &str) -> String {
    read(file, &[], false).map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
}

#[test]
fn a_database_address_names_one_of_two_kinds() {
    for (url, backend) in [
        ("sqlite:/var/lib/yingda.db", Some(Backend::Sqlite { path: "/var/lib/yingda.db".into() })),
        ("sqlite://relative.db", Some(Backend::Sqlite { path: "relative.db".into() })),
        (
            "postgres://yingda@db/yingda",
            Some(Backend::Postgres { url: Secret::new("postgres://yingda@db/yingda".into()) }),
        ),
        ("sqlite::memory:", None),
        ("sqlite:", None),
        ("oracle:x", None),
    ] {
        let config = read(REQUIRED, &[("YINGDA__DATABASE__URL", url)], false);
        assert_eq!(config.ok().map(|config| config.database.backend), backend, "{url}");
    }
}

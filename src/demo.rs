//! The demo city: accounts with random secrets, staff for every role, tokens for every department.
//!
//! Open logins are only for a loopback address; [`crate::config::Server`] refuses any other.

pub mod traffic;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::objects::hex;
use crate::private::{refused, write};
use crate::secret::{random, token};

/// For how many departments a handler gets a login.
const HANDLER_LOGINS: usize = 4;

/// The departments that most of the demo's appeals go to; theirs are the first logins.
const BUSY: [&str; 4] = ["urban-management", "water", "market-regulation", "traffic-police"];

/// `DATA/demo-credentials.json`, as the outside contract has it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The hub's address.
    pub base_url: String,
    /// Logins.
    pub staff: Vec<Login>,
    /// API tokens.
    pub tokens: Tokens,
    /// SMS accounts.
    pub sms: Sms,
    /// Mail accounts.
    pub email: Email,
    /// Telegram accounts.
    pub telegram: Telegram,
}

/// A demo login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Login name.
    pub login: String,
    /// Password.
    pub password: String,
    /// `agent`, `handler`, `supervisor` or `admin`.
    pub role: String,
    /// A handler's department id.
    pub department: Option<String>,
}

/// Demo API tokens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named by the role")]
pub struct Tokens {
    pub admin: String,
    pub agent: String,
    pub supervisor: String,
    /// One for every department of the rule pack.
    pub handlers: BTreeMap<String, String>,
}

/// Demo SMS accounts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named by the account")]
pub struct Sms {
    pub demo: SecretOf,
    pub twilio: AuthTokenOf,
    pub kannel: SecretOf,
}

/// Demo mail accounts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named by the account")]
pub struct Email {
    pub mailbox: TokenOf,
}

/// Demo Telegram accounts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named by the account")]
pub struct Telegram {
    pub bot: BotOf,
}

/// An account with a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named by the field")]
pub struct SecretOf {
    pub secret: String,
}

/// An account with an auth token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named by the field")]
pub struct AuthTokenOf {
    pub auth_token: String,
}

/// An account with a bearer token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named by the field")]
pub struct TokenOf {
    pub token: String,
}

/// A bot.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named by the field")]
pub struct BotOf {
    pub token: String,
    pub webhook_secret: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// The file of a data folder.
#[must_use]
pub fn credentials_file(data: &Path) -> PathBuf {
    data.join("demo-credentials.json")
}

/// Whether a data folder is one of the demo city.
///
/// # Errors
/// When the folder may not be looked into, with its path and what to do.
pub fn there(data: &Path) -> io::Result<bool> {
    let path = credentials_file(data);
    match path.metadata() {
        Ok(metadata) => Ok(metadata.is_file()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(refused("read", &path, &error)),
        Err(_) => Ok(false),
    }
}

impl Credentials {
    /// Reads the file of a data folder, or makes new secrets and logins.
    ///
    /// What is there stays as it is; departments that the rule pack has since gained get their token.
    ///
    /// # Errors
    /// When the file can be neither read nor made.
    pub fn load_or_create(data: &Path, departments: &[&str]) -> io::Result<Self> {
        let path = credentials_file(data);
        let mut credentials = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{}: {error}; remove it for new demo logins", path.display()),
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::new(departments),
            Err(error) => return Err(refused("read", &path, &error)),
        };
        for department in departments {
            if !credentials.tokens.handlers.contains_key(*department) {
                credentials.tokens.handlers.insert((*department).to_owned(), token());
            }
        }
        Ok(credentials)
    }

    /// Writes the file, if that changes it.
    ///
    /// # Errors
    /// Any failure of the file system.
    pub fn save(&self, data: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let path = credentials_file(data);
        if std::fs::read(&path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        write(&path, &text).map_err(|error| refused("write", &path, &error))
    }

    fn new(departments: &[&str]) -> Self {
        let login = |login: String, role: &str, department: Option<&str>| Login {
            login,
            password: password(),
            role: role.to_owned(),
            department: department.map(str::to_owned),
        };
        let mut staff = vec![
            login("agent1".to_owned(), "agent", None),
            login("agent2".to_owned(), "agent", None),
            login("supervisor".to_owned(), "supervisor", None),
            login("admin".to_owned(), "admin", None),
        ];
        let mut departments = departments.to_vec();
        departments.sort_by_key(|department| BUSY.iter().position(|busy| busy == department).unwrap_or(BUSY.len()));
        for department in departments.iter().take(HANDLER_LOGINS) {
            staff.push(login(format!("handler-{department}"), "handler", Some(department)));
        }
        Self {
            base_url: String::new(),
            staff,
            tokens: Tokens { admin: token(), agent: token(), supervisor: token(), handlers: BTreeMap::new() },
            sms: Sms {
                demo: SecretOf { secret: format!("whsec_{}", STANDARD.encode(random::<32>())) },
                twilio: AuthTokenOf { auth_token: hex(&random::<16>()) },
                kannel: SecretOf { secret: hex(&random::<16>()) },
            },
            email: Email { mailbox: TokenOf { token: token() } },
            telegram: Telegram {
                bot: BotOf {
                    // The shape of a bot token: a number, a colon, 35 characters.
                    token: format!(
                        "{}:{}",
                        1_000_000_000 + u64::from(u32::from_be_bytes(random())),
                        URL_SAFE_NO_PAD.encode(random::<26>())
                    ),
                    webhook_secret: hex(&random::<24>()),
                },
            },
        }
    }

    /// The demo's channel accounts as a layer of settings between the defaults and the file. Their far ends are unset.
    #[must_use]
    pub fn layer(&self) -> toml::Table {
        let text = |value: &str| toml::Value::String(value.to_owned());
        let table = |pairs: &[(&str, toml::Value)]| {
            toml::Value::Table(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        let sms = table(&[
            ("demo", table(&[("provider", text("generic")), ("secret", text(&self.sms.demo.secret))])),
            ("twilio", table(&[("provider", text("twilio")), ("auth_token", text(&self.sms.twilio.auth_token))])),
            (
                "kannel",
                table(&[
                    ("provider", text("kannel")),
                    ("secret", text(&self.sms.kannel.secret)),
                    // A far end that is set later needs no more than its address; one that brings a login uses that.
                    ("username", text("yingda")),
                    ("password", text(&self.sms.kannel.secret)),
                ]),
            ),
        ]);
        // RFC 2606 keeps .example free of real mailboxes.
        let mailbox = [("address", text("12345@demo-city.example")), ("token", text(&self.email.mailbox.token))];
        let bot = [
            ("token", text(&self.telegram.bot.token)),
            ("webhook_secret", text(&self.telegram.bot.webhook_secret)),
            ("api_url", text("")),
        ];
        let channels = table(&[
            ("sms", sms),
            ("email", table(&[("mailbox", table(&mailbox))])),
            ("telegram", table(&[("bot", table(&bot))])),
            ("websocket", table(&[("app", table(&[]))])),
            ("webform", table(&[("form", table(&[]))])),
        ]);
        // A visitor shall see the rules decide each message.
        let rules = table(&[("unseen_share", toml::Value::Float(0.0))]);
        toml::Table::from_iter([("channels".to_owned(), channels), ("rules".to_owned(), rules)])
    }
}

/// Sixteen characters that cannot be mistaken for one another: 80 bits.
pub(crate) fn password() -> String {
    // No l, o, 0 or 1.
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    random::<16>().iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layers};

    #[test]
    fn secrets_are_made_once_and_stay() {
        let folder = tempfile::tempdir().expect("folder");
        let mut first = Credentials::load_or_create(folder.path(), &["water", "roads"]).expect("made");
        first.base_url = "http://127.0.0.1:1".to_owned();
        first.save(folder.path()).expect("saved");
        let again = Credentials::load_or_create(folder.path(), &["water", "roads"]).expect("read");
        assert!(again == first);
        again.save(folder.path()).expect("saved");
        assert_eq!(first.staff.iter().filter(|login| login.role == "agent").count(), 2);
        for role in ["handler", "supervisor", "admin"] {
            assert!(first.staff.iter().any(|login| login.role == role), "{role}");
        }
        let grown = Credentials::load_or_create(folder.path(), &["water", "roads", "parks"]).expect("read");
        assert_eq!(grown.tokens.handlers.len(), 3);
        assert_eq!(grown.tokens.handlers["water"], first.tokens.handlers["water"]);
        assert!(!format!("{first:?}").contains(&first.tokens.admin));
        std::fs::write(credentials_file(folder.path()), "{}").expect("written");
        Credentials::load_or_create(folder.path(), &[]).expect_err("broken");
    }

    #[test]
    fn the_file_has_the_shape_of_the_contract() {
        let credentials = Credentials::load_or_create(Path::new("/nonexistent"), &["water"]).expect("made");
        let json = serde_json::to_value(&credentials).expect("json");
        for pointer in [
            "/base_url",
            "/staff/0/login",
            "/staff/0/password",
            "/staff/0/role",
            "/tokens/admin",
            "/tokens/agent",
            "/tokens/supervisor",
            "/tokens/handlers/water",
            "/sms/twilio/auth_token",
            "/sms/kannel/secret",
            "/email/mailbox/token",
            "/telegram/bot/token",
            "/telegram/bot/webhook_secret",
        ] {
            assert!(json.pointer(pointer).is_some_and(serde_json::Value::is_string), "{pointer}");
        }
        assert!(json.pointer("/staff/0/department").is_some_and(serde_json::Value::is_null));
        assert!(json["sms"]["demo"]["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")));
    }

    #[test]
    fn the_layer_makes_the_accounts_of_the_contract() {
        let credentials = Credentials::load_or_create(Path::new("/nonexistent"), &[]).expect("made");
        let mut layers = Layers::defaults();
        layers.table(&credentials.layer(), &crate::config::Origin::Demo);
        layers.env(&[("YINGDA__CHANNELS__SMS__DEMO__OUTBOUND_URL".to_owned(), "http://127.0.0.1:9/out".to_owned())]);
        let config = Config::read(layers, true).expect("config");
        let ids: Vec<_> = config.channels.keys().map(String::as_str).collect();
        assert_eq!(ids, ["app", "bot", "demo", "form", "kannel", "mailbox", "twilio"]);
        let client = crate::channels::http_client().expect("client");
        let registry = crate::channels::Registry::build(config.channels.values(), &client).expect("adapters");
        for (account, channel) in registry.iter() {
            let waits = channel.descriptor().cannot_send;
            let sends = ["demo", "app", "form"].contains(&account);
            assert_eq!(waits.is_none(), sends, "{account}: {waits:?}");
        }
    }
}

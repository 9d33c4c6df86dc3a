//! How a command that writes gets in: through the running hub, or, when none runs, through one of its own that only
//! answers this command. Either way the staff API does the work, and the data folder has one user at a time.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;

use super::lock::{DataLock, Holder};
use super::remote::Remote;
use super::serve::{Args, prepare};
use super::{Common, Exit, Failure};
use crate::domain::Clock;
use crate::serve::{Running, open};

/// The way into a hub's staff API. Must be closed.
#[derive(Debug)]
pub(super) struct Door {
    remote: Remote,
    own: Option<Running>,
}

impl Door {
    /// Finds the running hub, or opens one without background work on a free loopback port.
    pub(super) async fn open(common: &Common) -> Result<Self, Failure> {
        let config = common.settings()?;
        match DataLock::take(&config.storage).map_err(Failure::of(Exit::Io, config.storage.data.display()))? {
            Holder::Hub(address) => Ok(Self { remote: Remote::at(address, &config.storage)?, own: None }),
            Holder::Other => {
                Err(Failure::new(Exit::TempFail, "another command uses the data folder; try again when it is done"))
            }
            Holder::Us(lock) => {
                drop(lock);
                let args = Args { demo: config.demo, listen: Some("127.0.0.1:0".to_owned()), demo_traffic: false };
                let prepared = prepare(common, &args)?;
                let (address, storage) = (prepared.config.server.listen, prepared.config.storage.clone());
                let own = open(prepared, Clock::System)
                    .await
                    .map_err(|error| Failure::of_hub("the hub cannot be opened", &error))?;
                Ok(Self { remote: Remote::at(address, &storage)?, own: Some(own) })
            }
        }
    }

    /// Calls the staff API; see [`Remote::call`].
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.remote.call(method, path, body).await
    }

    /// Calls it as the holder of the token in a file, instead of as this machine.
    pub(super) fn with_token(mut self, token_file: Option<&std::path::Path>) -> Result<Self, Failure> {
        if let Some(file) = token_file {
            self.remote = self.remote.with_token(file)?;
        }
        Ok(self)
    }

    /// Calls the staff API and waits as long as it takes; see [`Remote::call_patiently`].
    pub(super) async fn call_patiently(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.remote.call_patiently(method, path, body).await
    }

    /// Ends a hub that was opened for this command.
    pub(super) async fn close(self) -> Result<(), Failure> {
        // Open connections would be waited for.
        drop(self.remote);
        match self.own {
            Some(own) => own.end().await.map_err(Failure::of(Exit::Software, "the hub ended")),
            None => Ok(()),
        }
    }
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A field of an answer as text; empty if it is not there.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{Common, mail_in, quarantine, token, user};
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    enum Words {
        User(user::Args),
        Token(token::Args),
        Quarantine(quarantine::Args),
        MailIn(mail_in::Args),
    }

    /// Runs a command of these words and returns what it wrote.
    async fn told(common: &Common, words: &[&str], input: &str) -> Result<String, Failure> {
        let mut out = Vec::new();
        match Words::try_parse_from([&["yingda"], words].concat()).expect("words") {
            Words::User(args) => user::run(common, args, &mut out).await?,
            Words::Token(args) => token::run(common, args, &mut out).await?,
            Words::Quarantine(args) => quarantine::run(common, args, &mut out).await?,
            Words::MailIn(args) => mail_in::run(common, &args, &mut input.as_bytes(), &mut out).await?,
        }
        Ok(String::from_utf8(out).expect("text"))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn commands_work_with_and_without_a_running_hub() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("yingda.toml");
        let text = "[server]\npublic_url = \"https://12345.example.org\"\ntrusted_proxies = []\nlisten = \"127.0.0.1:0\"\n\
                    [channels.email.box]\naddress = \"12345@example.org\"\ntoken = \"a-token-of-the-test\"\n";
        std::fs::write(&file, text).expect("settings");
        let common = Common { config: Some(file), data: Some(folder.path().join("data")), log: None };

        let added =
            told(&common, &["user", "add", "li.wei", "--role", "agent"], "").await.expect("added without a hub");
        assert!(added.contains("password: "), "{added}");
        let wrong = told(&common, &["user", "add", "two words", "--role", "agent"], "").await.expect_err("no login");
        assert_eq!((wrong.exit, wrong.text.as_str()), (Exit::Data, "a login is one word of at most 100 characters"));
        let mail =
            "From: a@example.org\r\nTo: 12345@example.org\r\nSubject: light\r\n\r\nThe street light is broken.\r\n";
        let pipe = ["mail-in", "--account", "box", "--envelope-from", "a@example.org"];
        assert_eq!(told(&common, &pipe, mail).await.expect_err("no hub").exit, Exit::TempFail);

        let mut prepared = prepare(&common, &Args::default()).expect("prepared");
        prepared.lock.announce(prepared.config.server.listen).expect("announced");
        let running = open(prepared, Clock::System).await.expect("opened");
        assert!(told(&common, &["user", "list"], "").await.expect("listed").starts_with("li.wei "), "made before");
        told(&common, &["user", "disable", "li.wei"], "").await.expect("disabled");
        assert!(told(&common, &["user", "list"], "").await.expect("listed").contains("disabled"));
        told(&common, &["user", "unlock", "li.wei"], "").await.expect("unlocked");
        assert_eq!(told(&common, &["user", "unlock", "nobody"], "").await.expect_err("nobody").exit, Exit::Data);
        let made = told(&common, &["token", "add", "crm", "--role", "supervisor"], "").await.expect("made");
        let id = made.split(' ').next().expect("id");
        told(&common, &["token", "revoke", id], "").await.expect("revoked");
        let tokens = told(&common, &["token", "list"], "").await.expect("listed");
        assert!(tokens.lines().any(|line| line.starts_with(id) && line.ends_with("revoked")), "{tokens}");
        assert_eq!(told(&common, &["quarantine", "list"], "").await.expect("listed"), "");
        assert_eq!(told(&common, &["quarantine", "show", "none"], "").await.expect_err("none").exit, Exit::Data);

        assert_eq!(told(&common, &pipe, mail).await.expect("taken"), "new\n");
        assert_eq!(told(&common, &pipe, mail).await.expect("taken"), "duplicate\n");
        assert_eq!(told(&common, &pipe, "").await.expect_err("empty").exit, Exit::Data);
        assert_eq!(told(&common, &["mail-in", "--account", "x"], mail).await.expect_err("account").exit, Exit::Config);
        running.end().await.expect("ended");
        assert_eq!(told(&common, &pipe, mail).await.expect_err("hub gone").exit, Exit::TempFail);
    }
}

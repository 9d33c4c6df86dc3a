//! A mail server that fails on purpose: aiosmtpd under `tests/counterparts/smtp_sink.py`.

use std::path::PathBuf;

use tempfile::TempDir;

use super::process::{Process, Start, python};

/// A running server.
pub(crate) struct SmtpFault {
    server: Option<Process>,
    port: u16,
    directory: TempDir,
}

/// What the server does with the mails to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Takes them.
    Accept,
    /// Refuses the recipient with this code.
    RefuseRecipient(u16),
    /// Refuses the mail, once transferred, with this code.
    RefuseData(u16),
    /// Takes the mail, but breaks the connection before saying so.
    Drop,
}

/// A mail that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The envelope's sender; empty for the null sender.
    pub(crate) from: String,
    /// The envelope's recipients.
    pub(crate) to: Vec<String>,
    /// The raw mail.
    pub(crate) raw: String,
}

impl SmtpFault {
    /// Starts the server in [`Mode::Accept`].
    pub(crate) async fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        std::fs::create_dir(directory.path().join("mails")).expect("a directory");
        let mut fault = Self { server: None, port: super::free_port(), directory };
        fault.switch(Mode::Accept);
        fault.start_again().await;
        fault
    }

    /// Where mail is handed in.
    pub(crate) fn smtp_url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Changes what happens to the mails to come.
    pub(crate) fn switch(&self, mode: Mode) {
        let word = match mode {
            Mode::Accept => "accept".to_owned(),
            Mode::RefuseRecipient(code) => format!("rcpt-{code}"),
            Mode::RefuseData(code) => format!("data-{code}"),
            Mode::Drop => "drop".to_owned(),
        };
        // Renamed into place, so that the server never reads half a word.
        let unfinished = self.directory.path().join("mode.new");
        std::fs::write(&unfinished, word).expect("written");
        std::fs::rename(unfinished, self.directory.path().join("mode")).expect("renamed");
    }

    /// The mails taken so far, in order.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        let entries = std::fs::read_dir(self.directory.path().join("mails")).expect("the mails");
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
        files.sort();
        files.iter().map(read).collect()
    }

    /// Waits for a mail as wanted.
    pub(crate) async fn wait_taken(&self, wanted: impl Fn(&Taken) -> bool) -> Taken {
        super::eventually("a mail at the sink", async || self.taken().into_iter().find(&wanted)).await
    }

    /// The server goes away.
    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    /// The server comes back on the same port.
    pub(crate) async fn start_again(&mut self) {
        let start = Start {
            name: "smtp-sink",
            directory: self.directory.path(),
            signal: "KILL",
            remove_directory: false,
            environment: &[],
        };
        let script = super::repository("tests/counterparts/smtp_sink.py");
        let port = self.port;
        let mut server = Process::start(&start, &[python(), script, port.to_string().into()]);
        server.ready(async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop)).await;
        self.server = Some(server);
    }
}

fn read(file: &PathBuf) -> Taken {
    let content = String::from_utf8_lossy(&std::fs::read(file).expect("a mail")).into_owned();
    let (head, raw) = content.split_once('\n').expect("an envelope");
    let head: serde_json::Value = serde_json::from_str(head).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let to = head["to"].as_array().into_iter().flatten().map(text).collect();
    Taken { from: text(&head["from"]), to, raw: raw.to_owned() }
}

#[cfg(test)]
mod tests {
    use lettre::transport::smtp::Error;
    use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

    use super::*;

    async fn send(fault: &SmtpFault) -> Result<(), Error> {
        let envelope = lettre::address::Envelope::new(
            Some("hub@city.test".parse().expect("an address")),
            vec!["citizen@city.test".parse().expect("an address")],
        )
        .expect("an envelope");
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(fault.port).build();
        transport.send_raw(&envelope, "Subject: answer\r\n\r\n已修复\r\n".as_bytes()).await.map(drop)
    }

    #[tokio::test]
    async fn takes_or_fails_as_switched() {
        let mut fault = SmtpFault::start().await;
        send(&fault).await.expect("taken");
        let taken = fault.wait_taken(|mail| mail.raw.contains("已修复")).await;
        assert_eq!((taken.from.as_str(), taken.to), ("hub@city.test", vec!["citizen@city.test".to_owned()]));
        for (mode, transient) in [
            (Mode::RefuseRecipient(451), true),
            (Mode::RefuseRecipient(550), false),
            (Mode::RefuseData(451), true),
            (Mode::RefuseData(554), false),
        ] {
            fault.switch(mode);
            let error = send(&fault).await.expect_err("refused");
            assert_eq!((error.is_transient(), error.is_permanent()), (transient, !transient), "{mode:?}: {error}");
        }
        assert_eq!(fault.taken().len(), 1);
        fault.switch(Mode::Drop);
        let error = send(&fault).await.expect_err("no answer");
        assert!(!error.is_transient() && !error.is_permanent(), "{error}");
        assert_eq!(fault.taken().len(), 2);
        fault.stop();
        assert!(fault.smtp_url().starts_with("smtp://") && send(&fault).await.is_err());
        fault.switch(Mode::Accept);
        fault.start_again().await;
        send(&fault).await.expect("taken");
    }
}

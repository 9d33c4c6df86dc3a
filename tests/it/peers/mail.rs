//! A real mail system: OpenSMTPD takes mail and hands it by LMTP to Dovecot, which stores it and serves IMAP with IDLE.
//!
//! Every domain is local. Mail for somebody else than [`USERS`] bounces to its sender within seconds: a null sender and
//! a `message/delivery-status` part, which OpenSMTPD wraps in `multipart/mixed` where RFC 3462 has `multipart/report`.
//! `USER+TAG@` reaches `USER`. No TLS and no SMTP login: everything is on loopback. Needs root, as both servers do.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use lettre::address::Envelope;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tempfile::TempDir;

use super::oauth::OAuthProvider;
use super::process::{Process, Start};

/// Who has a mailbox; the password of each is [`PASSWORD`].
pub(crate) const USERS: [&str; 6] = ["hub", "citizen", "neighbour", "department", "operator", "postmaster"];

/// Everybody's password.
pub(crate) const PASSWORD: &str = "test";

/// A running mail system.
pub(crate) struct Mail {
    smtpd: Option<Process>,
    dovecot: Option<Process>,
    smtp: u16,
    imap: u16,
    directory: TempDir,
}

impl Mail {
    /// Starts both servers.
    pub(crate) async fn start() -> Self {
        Self::start_trusting(None).await
    }

    /// Starts both servers; IMAP also takes the tokens (XOAUTH2) of this provider.
    pub(crate) async fn start_trusting(provider: Option<&OAuthProvider>) -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path();
        // The servers drop their privileges and must still reach their files.
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("permissions");
        let (smtp, lmtp, imap) = (super::free_port(), super::free_port(), super::free_port());
        for (name, mode) in [("mail", 0o755), ("spool", 0o711), ("run", 0o755)] {
            std::fs::DirBuilder::new().mode(mode).create(path.join(name)).expect("a directory");
        }
        let owned = std::process::Command::new("chown").arg("mail:mail").arg(path.join("mail")).status();
        assert!(owned.is_ok_and(|status| status.success()), "the mail tests need root");
        let users: String = USERS.iter().map(|user| format!("{user}:{{PLAIN}}{PASSWORD}::::::\n")).collect();
        std::fs::write(path.join("users"), users).expect("users");
        let mut dovecot = dovecot_configuration(path, lmtp, imap);
        if let Some(provider) = provider {
            std::fs::write(path.join("oauth2.conf"), format!("tokeninfo_url = {}\n", provider.tokeninfo_url()))
                .expect("oauth2.conf");
            dovecot.push_str(&token_configuration(path));
        }
        std::fs::write(path.join("dovecot.conf"), dovecot).expect("dovecot.conf");
        std::fs::write(path.join("smtpd.conf"), smtpd_configuration(smtp, lmtp)).expect("smtpd.conf");
        let mut mail = Self { smtpd: None, dovecot: None, smtp, imap, directory };
        mail.start_imap().await;
        mail.start_smtp().await;
        mail
    }

    /// Where mail is handed in.
    pub(crate) fn smtp_url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.smtp)
    }

    /// A user's mailbox by IMAP, with login.
    pub(crate) fn imap_url(&self, user: &str) -> String {
        format!("imap://{user}:{PASSWORD}@127.0.0.1:{}", self.imap)
    }

    /// IMAP without a login, for users with tokens.
    pub(crate) fn imap_address(&self) -> String {
        format!("imap://127.0.0.1:{}", self.imap)
    }

    /// Hands in a raw mail. An empty `from` is the null sender of a bounce.
    pub(crate) async fn deliver(&self, from: &str, to: &str, raw: &[u8]) {
        let from = (!from.is_empty()).then(|| from.parse().expect("a sender"));
        let envelope = Envelope::new(from, vec![to.parse().expect("a recipient")]).expect("an envelope");
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(self.smtp).build();
        transport.send_raw(&envelope, raw).await.expect("OpenSMTPD takes the mail");
    }

    /// Puts a raw mail into another folder of a user, such as `Junk`, as a filter of the mail system does.
    pub(crate) async fn file_into(&self, user: &str, folder: &str, raw: &[u8]) {
        let file = self.directory.path().join("filed.eml");
        std::fs::write(&file, raw).expect("written");
        let doveadm = async |words: &[&str]| {
            let command = [&["/usr/bin/doveadm", "-c", "dovecot.conf"], words].concat();
            super::process::run(&self.process("doveadm"), &command).await
        };
        if !doveadm(&["mailbox", "list", "-u", user]).await.lines().any(|name| name == folder) {
            doveadm(&["mailbox", "create", "-u", user, folder]).await;
        }
        doveadm(&["save", "-u", user, "-m", folder, &file.display().to_string()]).await;
    }

    /// Puts a raw mail into a user's inbox while Dovecot is away, as a delivery agent does
    /// (<https://cr.yp.to/proto/maildir.html>).
    pub(crate) fn deliver_locally(&self, user: &str, raw: &[u8]) {
        let now = super::now();
        let name = format!("{}.M{}.local", now.timestamp(), now.timestamp_subsec_micros());
        let maildir = self.maildir(user);
        std::fs::write(maildir.join("tmp").join(&name), raw).expect("written");
        std::fs::rename(maildir.join("tmp").join(&name), maildir.join("new").join(&name)).expect("delivered");
    }

    /// The raw mails in a user's inbox, oldest first, with what the servers put on top.
    pub(crate) fn fetch(&self, user: &str) -> Vec<String> {
        let mut files: Vec<PathBuf> = ["new", "cur"]
            .iter()
            .filter_map(|folder| std::fs::read_dir(self.maildir(user).join(folder)).ok())
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        // A Maildir name begins with the time of delivery.
        files.sort_by(|one, two| one.file_name().cmp(&two.file_name()));
        // A mail that a reader moves from new to cur meanwhile is seen by the next look.
        files.iter().filter_map(|file| Some(String::from_utf8_lossy(&std::fs::read(file).ok()?).into_owned())).collect()
    }

    /// Waits until a mail as wanted lies in a user's inbox.
    pub(crate) async fn wait_mail(&self, user: &str, wanted: impl Fn(&str) -> bool) -> String {
        let what = format!("a mail for {user}");
        super::eventually(&what, async || self.fetch(user).into_iter().find(|mail| wanted(mail))).await
    }

    /// Gives a mailbox a new UIDVALIDITY and its mails new UIDs, as a restore from backup does. Connections end.
    pub(crate) async fn change_uidvalidity(&mut self, user: &str) {
        self.stop_imap();
        let entries = std::fs::read_dir(self.maildir(user)).expect("the mailbox has been used");
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "dovecot-uidlist" || name.starts_with("dovecot.index") || name.starts_with("dovecot.list") {
                std::fs::remove_file(entry.path()).expect("the index can be removed");
            }
        }
        self.start_imap().await;
    }

    /// OpenSMTPD goes away; its queue stays.
    pub(crate) fn stop_smtp(&mut self) {
        self.smtpd = None;
    }

    /// OpenSMTPD comes back on the same port.
    pub(crate) async fn start_smtp(&mut self) {
        let script = super::repository("tests/counterparts/smtpd.sh");
        let mut smtpd = Process::start(
            &self.process("smtpd"),
            &["sh".as_ref(), script.as_os_str(), self.directory.path().as_ref()],
        );
        let port = self.smtp;
        smtpd.ready(async || greeting(port).await.filter(|line| line.starts_with("220 "))).await;
        self.smtpd = Some(smtpd);
    }

    /// Dovecot goes away, IMAP and LMTP; the mail stays.
    pub(crate) fn stop_imap(&mut self) {
        self.dovecot = None;
    }

    /// Dovecot comes back on the same ports.
    pub(crate) async fn start_imap(&mut self) {
        let mut dovecot = Process::start(&self.process("dovecot"), &["/usr/sbin/dovecot", "-F", "-c", "dovecot.conf"]);
        let port = self.imap;
        dovecot.ready(async || greeting(port).await.filter(|line| line.starts_with("* OK "))).await;
        self.dovecot = Some(dovecot);
    }

    fn maildir(&self, user: &str) -> PathBuf {
        self.directory.path().join("mail").join(user)
    }

    fn process<'a>(&'a self, name: &'a str) -> Start<'a> {
        Start { name, directory: self.directory.path(), signal: "TERM", remove_directory: false, environment: &[] }
    }
}

/// The first line that a server says.
async fn greeting(port: u16) -> Option<String> {
    use tokio::io::{AsyncBufReadExt, BufReader};

    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    BufReader::new(stream).lines().next_line().await.ok()?
}

/// Dovecot asks the provider whose a token is (<https://doc.dovecot.org/2.3/configuration_manual/authentication/oauth2/>).
fn token_configuration(directory: &Path) -> String {
    format!(
        "auth_mechanisms = plain xoauth2\npassdb {{\n  driver = oauth2\n  mechanisms = xoauth2\n  args = {}/oauth2.conf\n}}\n",
        directory.display()
    )
}

fn dovecot_configuration(directory: &Path, lmtp: u16, imap: u16) -> String {
    let directory = directory.display();
    format!(
        r#"
base_dir = {directory}/dovecot
state_dir = {directory}/dovecot-state
log_path = {directory}/dovecot-messages.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_username_format = %Ln
recipient_delimiter = +
mail_location = maildir:{directory}/mail/%n
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 100
passdb {{
  driver = passwd-file
  args = {directory}/users
}}
userdb {{
  driver = passwd-file
  args = {directory}/users
  override_fields = uid=mail gid=mail home={directory}/mail/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
"#
    )
}

fn smtpd_configuration(smtp: u16, lmtp: u16) -> String {
    format!(
        r#"
listen on 127.0.0.1 port {smtp} hostname localhost
action "store" relay host "lmtp://127.0.0.1:{lmtp}"
match from any for any action "store"
"#
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// The UIDVALIDITY of the inbox of `hub`, asked for by IMAP.
    async fn uidvalidity(mail: &Mail) -> u64 {
        let url = url::Url::parse(&mail.imap_url("hub")).expect("an address");
        let (host, port) = (url.host_str().expect("a host"), url.port().expect("a port"));
        let mut stream = tokio::net::TcpStream::connect((host, port)).await.expect("IMAP");
        let login = format!("{} {}", url.username(), url.password().expect("a password"));
        let script = format!("a LOGIN {login}\r\nb STATUS INBOX (UIDVALIDITY)\r\nc LOGOUT\r\n");
        stream.write_all(script.as_bytes()).await.expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("read");
        let (_, rest) = answer.split_once("UIDVALIDITY ").expect("an answer to STATUS");
        rest.split(')').next().and_then(|number| number.parse().ok()).expect("a number")
    }

    #[tokio::test]
    async fn delivers_tags_bounces_and_comes_back_after_outages() {
        let mut mail = Mail::start().await;
        let raw = "From: citizen@city.test\r\nTo: hub@city.test\r\nSubject: light\r\n\r\n路灯坏了\r\n";
        mail.deliver("citizen@city.test", "hub@city.test", raw.as_bytes()).await;
        mail.deliver("citizen@city.test", "hub+t20260001@city.test", raw.replace("light", "tagged").as_bytes()).await;
        let first = mail.wait_mail("hub", |mail| mail.contains("Subject: light")).await;
        assert!(first.contains("路灯坏了"), "{first}");
        let tagged = mail.wait_mail("hub", |mail| mail.contains("Subject: tagged")).await;
        assert!(tagged.contains("hub+t20260001@city.test"), "{tagged}");

        mail.file_into("hub", "Junk", raw.as_bytes()).await;
        mail.file_into("hub", "Junk", raw.as_bytes()).await;
        let junk = mail.maildir("hub").join(".Junk");
        let held = |folder: &str| std::fs::read_dir(junk.join(folder)).map_or(0, Iterator::count);
        assert_eq!(held("new") + held("cur"), 2);

        mail.deliver("citizen@city.test", "nobody@elsewhere.test", raw.as_bytes()).await;
        let bounce = mail.wait_mail("citizen", |mail| mail.contains("message/delivery-status")).await;
        assert!(bounce.contains("nobody@elsewhere.test") && bounce.contains("Return-Path: <>"), "{bounce}");

        let before = uidvalidity(&mail).await;
        mail.change_uidvalidity("hub").await;
        assert_ne!(uidvalidity(&mail).await, before);
        assert_eq!(mail.fetch("hub").len(), 2);

        mail.stop_smtp();
        assert!(mail.smtp_url().ends_with(&mail.smtp.to_string()) && greeting(mail.smtp).await.is_none());
        mail.start_smtp().await;
        mail.deliver("citizen@city.test", "hub@city.test", raw.replace("light", "after").as_bytes()).await;
        mail.wait_mail("hub", |mail| mail.contains("Subject: after")).await;
    }
}

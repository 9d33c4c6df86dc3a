//! A logged-in IMAP connection (RFC 3501, RFC 2177, RFC 2971), over plain text, STARTTLS or TLS.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_imap::error::Error;
use async_imap::imap_proto::{AttributeValue, MailboxDatum, Response, Status};
use async_imap::types::{Mailbox, UnsolicitedResponse};
use async_imap::{Authenticator, Client};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use channel_contract::PollError;
use chrono::{DateTime, NaiveDate, Utc};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::oauth::{TokenError, Tokens};
use crate::settings::{Endpoint, Security};

/// For each command but the fetch of a body.
const COMMAND: Duration = Duration::from_secs(60);

/// For the fetch of one mail: fifty megabytes over a slow line.
const BODY: Duration = Duration::from_secs(600);

/// What carries the protocol.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Debug> Wire for T {}

type Inner = async_imap::Session<Box<dyn Wire>>;

/// How to reach and enter one mailbox.
pub(crate) struct Door {
    pub(crate) endpoint: Endpoint,
    tls: Option<TlsConnector>,
}

/// A connection that has logged in.
pub(crate) struct Session {
    inner: Inner,
    can_idle: bool,
}

/// A mail as the server lists it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed {
    pub(crate) uid: u32,
    pub(crate) size: u64,
    pub(crate) arrived: Option<DateTime<Utc>>,
}

/// What became of the fetch of one mail.
pub(crate) enum Body {
    Bytes(Vec<u8>),
    /// Expunged meanwhile.
    Gone,
    /// The server says that it cannot give this one.
    Refused,
    /// The connection broke or the answer made no sense; the session is of no more use.
    Broken,
    /// The server is out of order as a whole.
    Failed(PollError),
}

/// What came of a login: in time or not, and with the session or why not.
type Login =
    Result<Result<async_imap::Session<Box<dyn Wire>>, (Error, Client<Box<dyn Wire>>)>, tokio::time::error::Elapsed>;

struct XOAuth2(String);

impl Authenticator for XOAuth2 {
    type Response = String;

    fn process(&mut self, _challenge: &[u8]) -> String {
        // A second challenge holds the error; an empty answer makes the server state it.
        std::mem::take(&mut self.0)
    }
}

impl Door {
    /// Prepares TLS; nothing is connected yet.
    pub(crate) fn new(endpoint: Endpoint, extra_roots: Option<&[u8]>) -> Result<Self, String> {
        let tls = if endpoint.security == Security::Plain { None } else { Some(connector(extra_roots)?) };
        Ok(Self { endpoint, tls })
    }

    /// Connects, logs in and introduces us. A held token that is refused (revoked, or ended early) is replaced once.
    pub(crate) async fn enter(&self, tokens: Option<&Tokens>) -> Result<Session, PollError> {
        let mut login = self.log_in(tokens).await?;
        if let (Some(tokens), Ok(Err((Error::No(text), _)))) = (tokens, &login)
            && !temporary(text)
        {
            tokens.forget().await;
            login = self.log_in(Some(tokens)).await?;
        }
        let mut inner = match login {
            Ok(Ok(session)) => session,
            Ok(Err((Error::No(text), _))) if temporary(&text) => {
                return Err(transient("IMAP login: the server is not available now"));
            }
            Ok(Err((Error::No(_) | Error::Bad(_) | Error::Validate(_), _))) => {
                return Err(PollError::Permanent("IMAP login refused: check user, password or grant".to_owned()));
            }
            Ok(Err((error, _))) => return Err(describe("login", &error)),
            Err(_) => return Err(late("login")),
        };
        let capabilities = within("CAPABILITY", inner.capabilities()).await?;
        if capabilities.has_str("ID") {
            // Some providers open no folder for a client that has not said what it is.
            let name = [("name", Some("yingda")), ("version", Some(env!("CARGO_PKG_VERSION")))];
            within("ID", inner.id(name)).await?;
        }
        Ok(Session { can_idle: capabilities.has_str("IDLE"), inner })
    }

    async fn log_in(&self, tokens: Option<&Tokens>) -> Result<Login, PollError> {
        let client = self.connect().await?;
        let user = self.endpoint.username.clone().unwrap_or_default();
        let Some(tokens) = tokens else {
            return Ok(timeout(COMMAND, client.login(user, self.endpoint.password.clone().unwrap_or_default())).await);
        };
        let token = tokens.access().await.map_err(|error| match error {
            TokenError::Transient(reason) => transient(reason),
            TokenError::Refused(reason) => PollError::Permanent(reason),
        })?;
        let answer = XOAuth2(format!("user={user}\x01auth=Bearer {token}\x01\x01"));
        Ok(timeout(COMMAND, client.authenticate("XOAUTH2", answer)).await)
    }

    async fn connect(&self) -> Result<Client<Box<dyn Wire>>, PollError> {
        let address = (self.endpoint.host.as_str(), self.endpoint.port);
        let tcp = match timeout(COMMAND, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => tcp,
            Ok(Err(error)) => return Err(transient(format!("IMAP server cannot be reached: {}", error.kind()))),
            Err(_) => return Err(late("connecting")),
        };
        let wire: Box<dyn Wire> =
            if self.endpoint.security == Security::Tls { self.encrypt(tcp).await? } else { Box::new(tcp) };
        let mut client = Client::new(wire);
        match timeout(COMMAND, client.read_response()).await {
            Ok(Ok(Some(_))) => {}
            Ok(_) => return Err(transient("IMAP server closed the connection without a greeting")),
            Err(_) => return Err(late("greeting")),
        }
        if self.endpoint.security == Security::StartTls {
            within("STARTTLS", client.run_command_and_check_ok("STARTTLS", None)).await?;
            client = Client::new(self.encrypt(client.into_inner()).await?);
        }
        Ok(client)
    }

    async fn encrypt(&self, plain: impl Wire + 'static) -> Result<Box<dyn Wire>, PollError> {
        let connector = self.tls.as_ref().ok_or_else(|| transient("TLS is not set up"))?;
        let name = ServerName::try_from(self.endpoint.host.clone())
            .map_err(|_| PollError::Permanent("imap_url: not a host name".to_owned()))?;
        match timeout(COMMAND, connector.connect(name, plain)).await {
            Ok(Ok(wire)) => Ok(Box::new(wire)),
            Ok(Err(_)) => {
                Err(transient("IMAP TLS failed: is the certificate valid for this host, and its authority known here?"))
            }
            Err(_) => Err(late("TLS")),
        }
    }
}

fn connector(extra_roots: Option<&[u8]>) -> Result<TlsConnector, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots: Vec<CertificateDer<'static>> = match extra_roots {
        Some(pem) => CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|_| "tls_ca_file: holds no PEM certificate".to_owned())?,
        None => Vec::new(),
    };
    let broken = || "imap_url: TLS cannot be set up (are there trusted roots on this machine?)".to_owned();
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(|_| broken())?;
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| broken())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Session {
    /// Opens a folder read-only, so that nothing we do changes a flag. `None` when there is no such folder.
    pub(crate) async fn examine(&mut self, folder: &str) -> Result<Option<Mailbox>, PollError> {
        match timeout(COMMAND, self.inner.examine(modified_utf7(folder))).await {
            Ok(Ok(mailbox)) => Ok(Some(mailbox)),
            Ok(Err(Error::No(text))) if temporary(&text) => {
                Err(transient("IMAP EXAMINE: the server is not available now"))
            }
            Ok(Err(Error::No(_))) => Ok(None),
            Ok(Err(error)) => Err(describe("EXAMINE", &error)),
            Err(_) => Err(late("EXAMINE")),
        }
    }

    /// Runs a command to its end. The library's own streams end alike on success, refusal and a lost connection;
    /// a mail that was not given must not pass for one that is gone.
    async fn run(
        &mut self,
        command: &str,
        longest: Duration,
        mut each: impl FnMut(&Response<'_>) + Send,
    ) -> Result<(), Error> {
        let whole = async {
            let id = self.inner.run_command(command).await?;
            loop {
                let data = self.inner.read_response().await?.ok_or(Error::ConnectionLost)?;
                match data.parsed() {
                    Response::Done { tag, status, outcome } if *tag == id => {
                        return match status {
                            Status::Ok => Ok(()),
                            Status::Bad => Err(Error::Bad(format!("{outcome:?}"))),
                            _ => Err(Error::No(format!("{outcome:?}"))),
                        };
                    }
                    Response::Data { status: Status::Bye, .. } => return Err(Error::ConnectionLost),
                    other => each(other),
                }
            }
        };
        timeout(longest, whole).await.map_err(|_| Error::Io(std::io::ErrorKind::TimedOut.into()))?
    }

    async fn search(&mut self, query: &str) -> Result<Vec<u32>, PollError> {
        let mut uids = Vec::new();
        let collect = |response: &Response<'_>| {
            if let Response::MailboxData(MailboxDatum::Search(found)) = response {
                uids.extend(found);
            }
        };
        self.run(&format!("UID SEARCH {query}"), COMMAND, collect).await.map_err(|error| describe("SEARCH", &error))?;
        uids.sort_unstable();
        uids.dedup();
        Ok(uids)
    }

    /// UIDs above `last`, in order. The server may answer `n:*` with its last mail even when that is below `n`.
    pub(crate) async fn uids_above(&mut self, last: u32) -> Result<Vec<u32>, PollError> {
        let Some(first) = last.checked_add(1) else { return Ok(Vec::new()) };
        let mut uids = self.search(&format!("UID {first}:*")).await?;
        uids.retain(|uid| *uid > last);
        Ok(uids)
    }

    /// The lowest UID that arrived on or after a day.
    pub(crate) async fn first_since(&mut self, day: NaiveDate) -> Result<Option<u32>, PollError> {
        Ok(self.search(&format!("SINCE {}", day.format("%-d-%b-%Y"))).await?.first().copied())
    }

    /// Size and time of arrival of some mails; those that are gone are left out.
    pub(crate) async fn list(&mut self, uids: &[u32]) -> Result<Vec<Listed>, PollError> {
        let set = uids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let mut listed: Vec<Listed> = Vec::new();
        let collect = |response: &Response<'_>| {
            let Response::Fetch(_, values) = response else { return };
            let mut mail = Listed { uid: 0, size: 0, arrived: None };
            for value in values {
                match value {
                    AttributeValue::Uid(uid) => mail.uid = *uid,
                    AttributeValue::Rfc822Size(size) => mail.size = u64::from(*size),
                    AttributeValue::InternalDate(date) => {
                        let parsed = DateTime::parse_from_str(date.trim(), "%d-%b-%Y %H:%M:%S %z");
                        mail.arrived = parsed.ok().map(|time| time.with_timezone(&Utc));
                    }
                    _ => {}
                }
            }
            if uids.contains(&mail.uid) && listed.iter().all(|known| known.uid != mail.uid) {
                listed.push(mail);
            }
        };
        let command = format!("UID FETCH {set} (UID RFC822.SIZE INTERNALDATE)");
        self.run(&command, COMMAND, collect).await.map_err(|error| describe("FETCH", &error))?;
        listed.sort_unstable_by_key(|listed| listed.uid);
        Ok(listed)
    }

    /// The raw bytes of one mail, or of its header only.
    pub(crate) async fn body(&mut self, uid: u32, header_only: bool) -> Body {
        let what = if header_only { "BODY.PEEK[HEADER]" } else { "BODY.PEEK[]" };
        let mut bytes = None;
        let collect = |response: &Response<'_>| {
            let Response::Fetch(_, values) = response else { return };
            let ours = values.iter().any(|value| matches!(value, AttributeValue::Uid(found) if *found == uid));
            for value in values.iter().filter(|_| ours) {
                if let AttributeValue::BodySection { data: Some(data), .. } = value {
                    bytes = Some(data.to_vec());
                }
            }
        };
        match self.run(&format!("UID FETCH {uid} (UID {what})"), BODY, collect).await {
            Ok(()) => bytes.map_or(Body::Gone, Body::Bytes),
            Err(Error::No(text)) if temporary(&text) => {
                Body::Failed(transient("IMAP FETCH: the server is not available now"))
            }
            Err(Error::No(_) | Error::Bad(_)) => Body::Refused,
            Err(_) => Body::Broken,
        }
    }

    /// Whether the server tells by itself when something arrives.
    pub(crate) fn can_idle(&self) -> bool {
        self.can_idle
    }

    /// Waits until something changes in the open folder, at most `longest`.
    pub(crate) async fn idle(self, longest: Duration) -> Result<Self, PollError> {
        let told = self.inner.unsolicited_responses.clone();
        // What was told before is known: the folder was looked through after it.
        while told.try_recv().is_ok() {}
        let can_idle = self.can_idle;
        let mut handle = self.inner.idle();
        within("IDLE", handle.init()).await?;
        // Mail that arrived between the look and IDLE is announced before the wait begins.
        let mut news = false;
        while let Ok(response) = told.try_recv() {
            news |= matches!(response, UnsolicitedResponse::Exists(_) | UnsolicitedResponse::Recent(_));
        }
        if !news {
            // Dropping the interrupt would end the wait at once.
            let (wait, _interrupt) = handle.wait_with_timeout(longest);
            match timeout(longest, wait).await {
                Ok(Ok(_)) | Err(_) => {}
                Ok(Err(error)) => return Err(describe("IDLE", &error)),
            }
        }
        let inner = within("DONE", handle.done()).await?;
        Ok(Self { inner, can_idle })
    }

    /// Says goodbye; nothing depends on it.
    pub(crate) async fn leave(mut self) {
        let _ = timeout(Duration::from_secs(5), self.inner.logout()).await;
    }
}

async fn within<T>(command: &str, future: impl Future<Output = Result<T, Error>>) -> Result<T, PollError> {
    match timeout(COMMAND, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(describe(command, &error)),
        Err(_) => Err(late(command)),
    }
}

/// Response codes of RFC 5530 that pass by themselves.
fn temporary(text: &str) -> bool {
    let text = text.to_uppercase();
    ["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "THROTTLED", "OVERQUOTA", "TRY AGAIN", "TEMPORAR"]
        .iter()
        .any(|word| text.contains(word))
}

/// The kind of trouble without the server's text, which may hold anything.
fn describe(command: &str, error: &Error) -> PollError {
    let kind = match error {
        Error::Io(error) => format!("the connection failed: {}", error.kind()),
        Error::ConnectionLost => "the connection was lost".to_owned(),
        Error::No(_) => "the server said NO".to_owned(),
        Error::Bad(_) => "the server said BAD".to_owned(),
        _ => "the server's answer could not be understood".to_owned(),
    };
    transient(format!("IMAP {command}: {kind}"))
}

fn late(command: &str) -> PollError {
    transient(format!("IMAP {command} took too long"))
}

pub(crate) fn transient(reason: impl Into<String>) -> PollError {
    PollError::Transient { reason: reason.into(), retry_after: None }
}

/// A folder name as IMAP writes it (RFC 3501, 5.1.3). A name in ASCII is taken as already written so.
fn modified_utf7(name: &str) -> String {
    if name.is_ascii() {
        return name.to_owned();
    }
    let mut out = String::new();
    let mut held = String::new();
    for character in name.chars().map(Some).chain([None]) {
        match character {
            Some(character) if !(' '..='~').contains(&character) => held.push(character),
            other => {
                if !held.is_empty() {
                    let bytes: Vec<u8> = held.encode_utf16().flat_map(u16::to_be_bytes).collect();
                    out.push('&');
                    out.push_str(&STANDARD_NO_PAD.encode(bytes).replace('/', ","));
                    out.push('-');
                    held.clear();
                }
                match other {
                    Some('&') => out.push_str("&-"),
                    Some(character) => out.push(character),
                    None => {}
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names() {
        for (name, written) in [
            ("INBOX", "INBOX"),
            ("&V4NXPnux-", "&V4NXPnux-"),
            ("垃圾邮件", "&V4NXPpCuTvY-"),
            ("A & 垃圾/b", "A &- &V4NXPg-/b"),
            ("Entwürfe", "Entw&APw-rfe"),
        ] {
            assert_eq!(modified_utf7(name), written, "{name}");
        }
    }
}

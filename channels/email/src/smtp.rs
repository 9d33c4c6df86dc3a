//! Sending by SMTP (RFC 5321), step by step, because the step at which it fails decides whether the mail may have gone.

use std::error::Error as _;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use channel_contract::{Cause, DeliveryError, Finding};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use regex::Regex;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::compose::Composed;
use crate::oauth::{TokenError, Tokens};
use crate::settings::{Endpoint, Security};

/// For each step but the message itself.
const STEP: Duration = Duration::from_secs(60);

/// For the answer to the message: RFC 5321, 4.5.3.2.6 grants ten minutes.
const FINAL_DOT: Duration = Duration::from_secs(600);

/// An open connection is used again when it was idle no longer than this: servers close them early.
const IDLE: Duration = Duration::from_secs(20);

/// So many connections are kept open.
const MOST_IDLE: usize = 4;

/// The way out of one mailbox.
pub(crate) struct Smtp {
    endpoint: Endpoint,
    tls: Option<TlsParameters>,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Smtp {
    /// Prepares TLS; nothing is connected yet.
    pub(crate) fn new(endpoint: Endpoint, extra_roots: Option<&[u8]>) -> Result<Self, String> {
        let tls =
            if endpoint.security == Security::Plain {
                None
            } else {
                let mut builder = TlsParameters::builder(endpoint.host.clone());
                if let Some(pem) = extra_roots {
                    builder = builder.add_root_certificate(
                        Certificate::from_pem(pem).map_err(|_| "tls_ca_file: holds no PEM certificate".to_owned())?,
                    );
                }
                Some(builder.build_rustls().map_err(|_| {
                    "smtp_url: TLS cannot be set up (are there trusted roots on this machine?)".to_owned()
                })?)
            };
        Ok(Self { endpoint, tls, idle: Mutex::new(Vec::new()) })
    }

    /// Hands one mail over.
    pub(crate) async fn send(&self, mail: &Composed, tokens: Option<&Tokens>) -> Result<(), DeliveryError> {
        let mut connection = self.connection(tokens).await?;
        match transfer(&mut connection, mail).await {
            Ok(()) => {
                let mut idle = self.idle.lock().await;
                if idle.len() < MOST_IDLE {
                    idle.push((connection, Instant::now()));
                }
                Ok(())
            }
            Err(error) => {
                // The mail is lost or not already; a server that does not even take QUIT must not hold us up.
                let _ = timeout(Duration::from_secs(5), connection.abort()).await;
                Err(error)
            }
        }
    }

    /// A connection that still answers, or a new one.
    async fn connection(&self, tokens: Option<&Tokens>) -> Result<AsyncSmtpConnection, DeliveryError> {
        loop {
            let Some((mut connection, since)) = self.idle.lock().await.pop() else { break };
            if since.elapsed() < IDLE
                && matches!(timeout(Duration::from_secs(5), connection.command(Rset)).await, Ok(Ok(_)))
            {
                return Ok(connection);
            }
        }
        self.connect(tokens).await
    }

    async fn connect(&self, tokens: Option<&Tokens>) -> Result<AsyncSmtpConnection, DeliveryError> {
        let hello = ClientId::default();
        let implicit = self.tls.clone().filter(|_| self.endpoint.security == Security::Tls);
        let server = (self.endpoint.host.as_str(), self.endpoint.port);
        let connected =
            timeout(STEP, AsyncSmtpConnection::connect_tokio1(server, Some(STEP), &hello, implicit, None)).await;
        // Whatever goes wrong up to here is our operator's to solve, never the fault of the address.
        let mut connection = operator("connecting (smtp_url)", connected)?;
        if let Some(tls) = self.tls.clone().filter(|_| self.endpoint.security == Security::StartTls) {
            operator("STARTTLS (smtp_url)", timeout(STEP, connection.starttls(tls, &hello)).await)?;
        }
        let Some(user) = self.endpoint.username.clone() else { return Ok(connection) };
        let (secret, mechanisms) = match tokens {
            Some(tokens) => {
                let token = tokens.access().await.map_err(|error| match error {
                    TokenError::Transient(reason) | TokenError::Refused(reason) => DeliveryError::transient(reason),
                })?;
                (token, vec![Mechanism::Xoauth2])
            }
            None => (self.endpoint.password.clone().unwrap_or_default(), vec![Mechanism::Plain, Mechanism::Login]),
        };
        let login = timeout(STEP, connection.auth(&mechanisms, &Credentials::new(user, secret))).await;
        if let (Ok(Err(_)), Some(tokens)) = (&login, tokens) {
            tokens.forget().await;
        }
        operator("login (smtp_username, smtp_password or oauth)", login)?;
        Ok(connection)
    }

    /// Connects, greets, logs in.
    pub(crate) async fn probe(&self, tokens: Option<&Tokens>) -> Finding {
        match self.connect(tokens).await {
            Ok(mut connection) => {
                let _ = timeout(Duration::from_secs(5), connection.quit()).await;
                Finding::good("smtp", format!("{} answers", self.endpoint.shown()))
            }
            Err(error) => {
                Finding::bad("smtp", format!("{}: {error}", self.endpoint.shown())).because(Cause::Unreachable)
            }
        }
    }
}

fn operator<T>(step: &str, outcome: Result<Result<T, Error>, tokio::time::error::Elapsed>) -> Result<T, DeliveryError> {
    match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(DeliveryError::transient(describe(step, &error))),
        Err(_) => Err(DeliveryError::transient(format!("SMTP {step} took too long"))),
    }
}

async fn transfer(connection: &mut AsyncSmtpConnection, mail: &Composed) -> Result<(), DeliveryError> {
    let mut options = Vec::new();
    if mail.envelope.to().iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(DeliveryError::Permanent(
                "the address needs SMTPUTF8, which the server does not offer".to_owned(),
            ));
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    if !mail.bytes.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    operator(
        "MAIL FROM (address)",
        timeout(STEP, connection.command(Mail::new(mail.envelope.from().cloned(), options))).await,
    )?;
    for recipient in mail.envelope.to() {
        step("RCPT TO", timeout(STEP, connection.command(Rcpt::new(recipient.clone(), Vec::new()))).await)?;
    }
    step("DATA", timeout(STEP, connection.command(Data)).await)?;
    match timeout(FINAL_DOT, connection.message(&mail.bytes)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.status().is_some() => Err(judged("message", &error)),
        Ok(Err(_)) => {
            Err(DeliveryError::Uncertain("the SMTP connection broke after the message had begun to leave".to_owned()))
        }
        Err(_) => Err(DeliveryError::Uncertain("the SMTP server did not answer the message".to_owned())),
    }
}

fn step<T>(name: &str, outcome: Result<Result<T, Error>, tokio::time::error::Elapsed>) -> Result<T, DeliveryError> {
    match outcome {
        Ok(Err(error)) => Err(judged(name, &error)),
        other => operator(name, other),
    }
}

/// Only a 5yz reply about this mail gives the address up (RFC 5321, 4.2.1); 530 and its kin speak of our login (RFC 4954).
fn judged(step: &str, error: &Error) -> DeliveryError {
    let text = describe(step, error);
    let about_login = error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538));
    if error.is_permanent() && !about_login { DeliveryError::Permanent(text) } else { DeliveryError::transient(text) }
}

static ENHANCED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b[245]\.\d{1,3}\.\d{1,3}\b").expect("a pattern of this module is not a regular expression")
});

/// Step and codes; never the server's text, which repeats addresses.
fn describe(step: &str, error: &Error) -> String {
    let Some(code) = error.status() else {
        let kind = if error.is_timeout() {
            "took too long"
        } else if error.is_tls() {
            "failed in TLS"
        } else if error.is_client() {
            "is not offered by the server as configured"
        } else {
            "failed: the server cannot be reached, its certificate is not trusted, or it does not speak SMTP"
        };
        return format!("SMTP {step} {kind}");
    };
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    let enhanced = ENHANCED.find(&said).map(|found| format!(" {}", found.as_str())).unwrap_or_default();
    format!("SMTP {step}: {code}{enhanced}")
}

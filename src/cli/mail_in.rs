//! `yingda mail-in`: takes one raw mail from a mail server's pipe and hands it to the running hub.

use std::io::{Read, Write};

use channel_contract::Medium;

use super::remote::Remote;
use super::{Common, Exit, Failure};

/// `yingda mail-in`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The mail is handed to the running hub and acknowledged only after it is on disk there. Exit codes tell the mail server
what to do: 0 taken, 75 keep it and try again (the hub is down or busy), 65 refused for good (empty, or a header too large),
64 wrong arguments, 78 wrong settings.

Examples:
  Postfix, master.cf:
    yingda unix - n n - 10 pipe flags=R user=yingda
      argv=/usr/bin/yingda mail-in --config /etc/yingda/yingda.toml --account mailbox --envelope-from ${sender} --envelope-to ${recipient}
  By hand:
    yingda mail-in --data ./data --account mailbox < message.eml")]
pub struct Args {
    /// The mail account, below [channels.email]
    #[arg(long, value_name = "ID")]
    account: String,
    /// The envelope's sender; an empty one is the null sender of bounces
    #[arg(long, value_name = "ADDRESS")]
    envelope_from: Option<String>,
    /// The envelope's recipient
    #[arg(long, value_name = "ADDRESS")]
    envelope_to: Option<String>,
}

/// Hands the mail on `input` to the hub.
///
/// # Errors
/// With the exit code that tells the mail server whether to keep the mail.
pub async fn run(common: &Common, args: &Args, input: &mut impl Read, out: &mut impl Write) -> Result<(), Failure> {
    let config = common.settings()?;
    let account = config.channels.get(&args.account).filter(|account| account.medium == Medium::Email);
    let Some(account) = account else {
        return Err(Failure::new(Exit::Config, format!("no account channels.email.{} in the settings", args.account)));
    };
    let Some(token) = account.text("token").filter(|token| !token.is_empty()) else {
        return Err(Failure::new(Exit::Config, format!("{} is not set; mail-in needs it", account.path("token"))));
    };
    let mut mail = Vec::new();
    input
        .by_ref()
        .take(config.server.max_body_bytes + 1)
        .read_to_end(&mut mail)
        .map_err(Failure::of(Exit::TempFail, "standard input"))?;
    if mail.is_empty() {
        return Err(Failure::new(Exit::Data, "no mail on standard input"));
    }
    let mut size = None;
    if mail.len() as u64 > config.server.max_body_bytes {
        // A mail is not refused for its files: the hub gets its header, as it does of a mailbox's.
        let rest = std::io::copy(input, &mut std::io::sink()).map_err(Failure::of(Exit::TempFail, "standard input"))?;
        size = Some((mail.len() as u64 + rest).to_string());
        mail.truncate(header_length(&mail));
    }
    let hub = Remote::of(&config)?;
    let mut request = hub.request(reqwest::Method::POST, &format!("/channels/email/{}", args.account));
    for (name, value) in
        [("x-envelope-from", &args.envelope_from), ("x-envelope-to", &args.envelope_to), ("x-message-size", &size)]
    {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let answer =
        request.bearer_auth(token).header("content-type", "message/rfc822").body(mail).send().await.map_err(
            |error| Failure::new(Exit::TempFail, format!("the hub cannot be reached: {}", error.without_url())),
        )?;
    let status = answer.status();
    let outcome =
        answer.headers().get("yingda-outcome").and_then(|value| value.to_str().ok()).unwrap_or("taken").to_owned();
    match status.as_u16() {
        200..=299 => Ok(writeln!(out, "{outcome}")?),
        413 => Err(Failure::new(Exit::Data, "the hub refuses a mail of this size")),
        // A wrong token is the installation's fault, not the mail's: keep it until somebody mends that.
        _ => Err(Failure::new(Exit::TempFail, format!("the hub answered {status}"))),
    }
}

/// How long the header of a mail is, with the empty line behind it; at most a megabyte.
fn header_length(mail: &[u8]) -> usize {
    const LONGEST: usize = 1024 * 1024;
    let mut length = 0;
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        length += line.len();
        if line.trim_ascii().is_empty() || length > LONGEST {
            break;
        }
    }
    length.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::header_length;

    #[test]
    fn the_header_ends_at_the_empty_line() {
        assert_eq!(header_length(b"From: a\r\nTo: b\r\n\r\nbody\n"), 18);
        assert_eq!(header_length(b"From: a\n\nbody"), 9);
        assert_eq!(header_length(b"From: a"), 7);
        assert_eq!(header_length(&vec![b'a'; 3_000_000]), 1024 * 1024);
    }
}

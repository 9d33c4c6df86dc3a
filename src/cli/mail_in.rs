//! `yingda mail-in`: takes one raw mail from a mail server's pipe and hands it to the running hub.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use channel_contract::Medium;

use super::remote::Remote;
use super::{Common, Exit, Failure};

/// `yingda mail-in`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The mail is handed to the running hub and acknowledged only after it is on disk there. Exit codes tell the mail server
what to do: 0 taken; 65 refused for good, since only its sender can mend it (empty, or a header too large);
75 keep it and try again, for whatever is wrong on this side: hub down or busy, settings, permissions, token, and wrong
arguments too. Mail servers bounce on every other code, and citizens cannot mend our settings.

The mail server's user must be able to read the settings, the files they name, and a demo's data folder.

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

/// Ends with what a mail server makes the right thing of: [`Exit::Data`] refuses the mail for good, and everything else,
/// a panic too, is [`Exit::TempFail`], since Postfix bounces on every other code of `sysexits.h`.
///
/// # Errors
/// One of these two.
pub(super) fn deferring(work: impl FnOnce() -> Result<(), Exit>) -> Result<(), Exit> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Err(Exit::Data)) => Err(Exit::Data),
        Ok(Err(_)) | Err(_) => Err(Exit::TempFail),
        Ok(Ok(())) => Ok(()),
    }
}

/// Hands the mail on `input` to the hub.
///
/// # Errors
/// [`Exit::Data`] only for what the sender alone can mend; see [`deferring`] for all others.
pub async fn run(common: &Common, args: &Args, input: &mut impl Read, out: &mut impl Write) -> Result<(), Failure> {
    let config = common.settings()?;
    let account = config.channels.get(&args.account).filter(|account| account.medium == Medium::Email);
    let Some(account) = account else {
        let remedy = "Correct --account, or name the hub's own settings with --config or --data";
        let text = format!("no account channels.email.{} in the settings. {remedy}", args.account);
        return Err(Failure::new(Exit::Config, text));
    };
    let Some(token) = account.text("token").filter(|token| !token.is_empty()) else {
        let text = format!("{} is not set. Set it for the hub and for mail-in alike", account.path("token"));
        return Err(Failure::new(Exit::Config, text));
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
    let answer = request.bearer_auth(token).header("content-type", "message/rfc822").body(mail).send().await.map_err(
        |error| Failure::new(Exit::TempFail, format!("the hub cannot be reached: {}. Start it", error.without_url())),
    )?;
    let status = answer.status();
    let outcome =
        answer.headers().get("yingda-outcome").and_then(|value| value.to_str().ok()).unwrap_or("taken").to_owned();
    match status.as_u16() {
        200..=299 => {
            // Taken is taken, also when nobody reads the word.
            drop(writeln!(out, "{outcome}"));
            Ok(())
        }
        413 => Err(Failure::new(Exit::Data, "the hub refuses a mail of this size")),
        401 | 403 => {
            let remedy = "Give both the same token and restart the hub";
            Err(Failure::new(Exit::TempFail, format!("the hub has another {}. {remedy}", account.path("token"))))
        }
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
    use super::*;

    #[test]
    fn a_mail_server_bounces_only_what_its_sender_can_mend() {
        for exit in [Exit::Usage, Exit::Unavailable, Exit::Software, Exit::Io, Exit::TempFail, Exit::Config] {
            assert_eq!(deferring(|| Err(exit)), Err(Exit::TempFail), "{exit:?}");
        }
        assert_eq!(deferring(|| panic!("a fault of the program")), Err(Exit::TempFail));
        assert_eq!(deferring(|| Err(Exit::Data)), Err(Exit::Data));
        assert_eq!(deferring(|| Ok(())), Ok(()));
    }

    #[test]
    fn the_header_ends_at_the_empty_line() {
        assert_eq!(header_length(b"From: a\r\nTo: b\r\n\r\nbody\n"), 18);
        assert_eq!(header_length(b"From: a\n\nbody"), 9);
        assert_eq!(header_length(b"From: a"), 7);
        assert_eq!(header_length(&vec![b'a'; 3_000_000]), 1024 * 1024);
    }
}

//! Polling, against an IMAP server of our own that can be made to misbehave.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel_contract::{Channel, Content, Message, PollError, Polled, QuarantineReason, Receipt};
use channel_email::{EmailChannel, Settings};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::harness::{channel_with, now};

/// What stands in the server's INBOX, and how it behaves.
struct Folder {
    uidvalidity: u32,
    next: u32,
    /// Raw mail and INTERNALDATE.
    mails: BTreeMap<u32, (String, &'static str)>,
    refused: BTreeSet<u32>,
    breaks: BTreeSet<u32>,
    capabilities: &'static str,
    login: &'static str,
    /// A mail that arrives between the last look and IDLE.
    late: Option<String>,
    commands: Vec<String>,
}

type Shared = Arc<Mutex<Folder>>;

const RECENT: &str = "22-Nov-2026 08:59:00 +0000";

struct Server {
    folder: Shared,
    changed: watch::Sender<u32>,
    port: u16,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let folder = Arc::new(Mutex::new(Folder {
            uidvalidity: 7,
            next: 1,
            mails: BTreeMap::new(),
            refused: BTreeSet::new(),
            breaks: BTreeSet::new(),
            capabilities: "IMAP4rev1 IDLE ID",
            login: "OK",
            late: None,
            commands: Vec::new(),
        }));
        let (changed, watched) = watch::channel(0);
        let shared = Arc::clone(&folder);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared), watched.clone()));
            }
        });
        Self { folder, changed, port }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Folder) -> T) -> T {
        change(&mut self.folder.lock().expect("the folder"))
    }

    fn deliver(&self, text: &str, arrived: &'static str) -> u32 {
        let uid = self.with(|folder| folder.add(text, arrived));
        self.changed.send_modify(|count| *count += 1);
        uid
    }

    fn channel(&self, change: impl FnOnce(&mut Settings)) -> EmailChannel {
        channel_with(|settings| {
            settings.imap_url = Some(format!("imap://user:secret@127.0.0.1:{}", self.port));
            change(settings);
        })
    }
}

impl Folder {
    fn add(&mut self, text: &str, arrived: &'static str) -> u32 {
        let uid = self.next;
        self.next += 1;
        let date = "Sun, 22 Nov 2026 08:58:00 +0000";
        let raw = format!(
            "From: z@mail.example\r\nDate: {date}\r\nMessage-ID: <{text}@mail.example>\r\nSubject: s\r\n\r\n{text}\r\n"
        );
        self.mails.insert(uid, (raw, arrived));
        uid
    }

    fn examine(&self) -> String {
        format!(
            "* {} EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY {}] ok\r\n* OK [UIDNEXT {}] ok\r\n",
            self.mails.len(),
            self.uidvalidity,
            self.next
        )
    }

    /// `UID n:*` as RFC 3501 wants it (the last mail at least), or `SINCE day` by the day of the month.
    fn search(&self, query: &str) -> String {
        let mut found: Vec<u32> = Vec::new();
        if let Some(first) = query.strip_prefix("UID ").and_then(|set| set.strip_suffix(":*")) {
            let first: u32 = first.parse().expect("a uid");
            found.extend(self.mails.range(first..).map(|(uid, _)| *uid));
            if found.is_empty() {
                found.extend(self.mails.keys().last());
            }
        } else if let Some(day) = query.strip_prefix("SINCE ").and_then(|date| date.split('-').next()) {
            let day: u32 = day.parse().expect("a day");
            let of = |arrived: &str| arrived.split('-').next().and_then(|day| day.parse::<u32>().ok()).expect("a day");
            found.extend(self.mails.iter().filter(|(_, (_, arrived))| of(arrived) >= day).map(|(uid, _)| *uid));
        }
        found.iter().fold("* SEARCH".to_owned(), |line, uid| line + &format!(" {uid}")) + "\r\n"
    }

    fn fetch(&self, set: &str, what: &str) -> String {
        let mut out = String::new();
        for uid in set.split(',').map(|uid| uid.parse::<u32>().expect("a uid")) {
            let Some((raw, arrived)) = self.mails.get(&uid) else { continue };
            let head = raw.split_inclusive("\r\n\r\n").next().unwrap_or_default();
            let number = self.mails.range(..=uid).count();
            let _ = if what.contains("RFC822.SIZE") {
                write!(out, "* {number} FETCH (UID {uid} RFC822.SIZE {} INTERNALDATE \"{arrived}\")\r\n", raw.len())
            } else if what.contains("[HEADER]") {
                write!(out, "* {number} FETCH (UID {uid} BODY[HEADER] {{{}}}\r\n{head})\r\n", head.len())
            } else {
                write!(out, "* {number} FETCH (UID {uid} BODY[] {{{}}}\r\n{raw})\r\n", raw.len())
            };
        }
        out
    }
}

async fn serve(mut stream: tokio::net::TcpStream, folder: Shared, mut changed: watch::Receiver<u32>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"* OK ready\r\n").await.ok()?;
    loop {
        let line = lines.next_line().await.ok()??;
        let (tag, command) = line.split_once(' ')?;
        folder.lock().expect("the folder").commands.push(command.to_owned());
        let mut ending = "OK done".to_owned();
        let answer = {
            let mut folder = folder.lock().expect("the folder");
            let words: Vec<&str> = command.splitn(4, ' ').collect();
            match words.as_slice() {
                ["CAPABILITY"] => format!("* CAPABILITY {}\r\n", folder.capabilities),
                ["LOGIN", ..] => {
                    ending = format!("{} login", folder.login);
                    String::new()
                }
                ["ID", ..] => "* ID NIL\r\n".to_owned(),
                ["EXAMINE", "\"INBOX\""] => folder.examine(),
                ["UID", "SEARCH", ..] => folder.search(command.strip_prefix("UID SEARCH ")?),
                ["UID", "FETCH", set, what] => {
                    let body = what.contains("BODY.PEEK");
                    if body && set.parse().is_ok_and(|uid| folder.breaks.contains(&uid)) {
                        return None;
                    }
                    if body && set.parse().is_ok_and(|uid| folder.refused.contains(&uid)) {
                        ending = "NO cannot read it".to_owned();
                        String::new()
                    } else {
                        folder.fetch(set, what)
                    }
                }
                ["IDLE"] => {
                    let late = folder.late.take().map(|text| folder.add(&text, RECENT));
                    let news = late.map(|_| format!("* {} EXISTS\r\n", folder.mails.len())).unwrap_or_default();
                    format!("{news}+ idling\r\n")
                }
                ["LOGOUT"] => "* BYE\r\n".to_owned(),
                _ => {
                    ending = "NO unknown".to_owned();
                    String::new()
                }
            }
        };
        write.write_all(answer.as_bytes()).await.ok()?;
        if command == "IDLE" {
            changed.mark_unchanged();
            tokio::select! {
                done = lines.next_line() => { done.ok()??; }
                news = changed.changed() => {
                    news.ok()?;
                    let count = folder.lock().expect("the folder").mails.len();
                    write.write_all(format!("* {count} EXISTS\r\n").as_bytes()).await.ok()?;
                    lines.next_line().await.ok()??;
                }
            }
        }
        write.write_all(format!("{tag} {ending}\r\n").as_bytes()).await.ok()?;
    }
}

fn messages(polled: &Polled) -> Vec<&Message> {
    polled
        .messages
        .iter()
        .filter_map(|(_, receipt)| match receipt {
            Receipt::Verified(items) => items.first(),
            _ => None,
        })
        .filter_map(|item| match &item.content {
            Content::Message(message) => Some(message.as_ref()),
            _ => None,
        })
        .collect()
}

fn texts(polled: &Polled) -> Vec<&str> {
    messages(polled).into_iter().map(|message| message.text.as_str()).collect()
}

/// Polls without waiting, which must work.
async fn poll(channel: &EmailChannel, cursor: Option<&str>) -> Polled {
    channel.poll(cursor, Duration::ZERO, now()).await.expect("polled")
}

#[tokio::test]
async fn from_now_on_and_every_gap_is_filled() {
    let server = Server::start().await;
    server.deliver("before", RECENT);
    let first = poll(&server.channel(|_| {}), None).await;
    assert!(first.messages.is_empty(), "start = now");
    for number in 0..120 {
        server.deliver(&format!("n{number}"), RECENT);
    }
    // Another process, after an outage.
    let channel = server.channel(|_| {});
    let mut cursor = first.cursor;
    let mut all = Vec::new();
    loop {
        let polled = poll(&channel, Some(&cursor)).await;
        if polled.messages.is_empty() {
            assert_eq!(polled.cursor, cursor);
            break;
        }
        assert!(polled.messages.len() <= 50);
        all.extend(texts(&polled).into_iter().map(str::to_owned));
        cursor = polled.cursor;
    }
    assert_eq!(all, (0..120).map(|number| format!("n{number}")).collect::<Vec<_>>());
    let (request, _) =
        poll(&channel, Some(r#"{"folders":{"INBOX":{"uidvalidity":7,"last_uid":120}}}"#)).await.messages.remove(0);
    assert!(
        request.url.ends_with("/INBOX;UIDVALIDITY=7/;UID=121") && !request.url.contains("secret"),
        "{}",
        request.url
    );
    server.with(|folder| {
        let changing = ["SELECT", "STORE", "EXPUNGE", "MOVE", "COPY", "BODY["];
        assert!(
            !folder.commands.iter().any(|command| changing.iter().any(|word| command.contains(word))),
            "{:?}",
            folder.commands
        );
        assert!(folder.commands.iter().any(|command| command.starts_with("ID (")), "the server offers ID");
    });
}

#[tokio::test]
async fn what_the_first_start_takes() {
    for (start, expected) in [("now", &[][..]), ("all", &["old", "new"]), ("2026-11-20", &["new"])] {
        let server = Server::start().await;
        server.deliver("old", "10-Nov-2026 08:00:00 +0000");
        server.deliver("new", "21-Nov-2026 08:00:00 +0000");
        let polled = poll(&server.channel(|settings| settings.start = start.to_owned()), None).await;
        assert_eq!(texts(&polled), expected, "{start}");
        assert!(messages(&polled).iter().all(|message| message.no_acknowledgement.as_deref() == Some("old_mail")));
    }
}

#[tokio::test]
async fn mail_that_comes_while_the_hub_starts_is_taken() {
    let server = Server::start().await;
    server.deliver("before", RECENT);
    server.deliver("meanwhile", "22-Nov-2026 08:59:57 +0000");
    assert_eq!(texts(&poll(&server.channel(|_| {}), None).await), ["meanwhile"]);
}

#[tokio::test]
async fn a_renumbered_folder_is_fetched_again_without_acknowledgements() {
    let server = Server::start().await;
    server.deliver("ancient", "10-Nov-2026 08:00:00 +0000");
    let channel = server.channel(|_| {});
    let cursor = poll(&channel, None).await.cursor;
    server.deliver("seen", RECENT);
    let seen = poll(&channel, Some(&cursor)).await;
    assert_eq!(texts(&seen), ["seen"]);
    server.with(|folder| {
        folder.uidvalidity = 8;
        folder.mails.clear();
        folder.next = 1;
        folder.add("ancient", "10-Nov-2026 08:00:00 +0000");
        folder.add("seen", RECENT);
    });
    let again = poll(&channel, Some(&seen.cursor)).await;
    assert_eq!(texts(&again), ["seen"], "what was there before the first start stays away");
    assert_eq!(messages(&again).first().and_then(|message| message.no_acknowledgement.as_deref()), Some("refetched"));
    let keys = |polled: &Polled| match polled.messages.first() {
        Some((_, Receipt::Verified(items))) => {
            items.iter().map(|item| (item.key.clone(), item.digest)).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    };
    assert_eq!(keys(&again), keys(&seen), "the hub knows it again");
    server.deliver("later", RECENT);
    let later = poll(&channel, Some(&again.cursor)).await;
    assert_eq!(texts(&later), ["later"]);
    assert_eq!(messages(&later).first().and_then(|message| message.no_acknowledgement.as_deref()), None);
}

#[tokio::test]
async fn a_mail_that_the_server_cannot_give_blocks_nothing() {
    for broken in [false, true] {
        let server = Server::start().await;
        let channel = server.channel(|settings| settings.start = "all".to_owned());
        server.deliver("first", RECENT);
        let bad = server.deliver("bad", RECENT);
        server.deliver("last", RECENT);
        server.with(|folder| if broken { folder.breaks.insert(bad) } else { folder.refused.insert(bad) });
        let mut cursor = None;
        let mut polls = 0;
        let mut seen = Vec::new();
        while !seen.contains(&"last".to_owned()) {
            polls += 1;
            assert!(polls < 20, "it never went on");
            let polled = poll(&channel, cursor.as_deref()).await;
            for (request, receipt) in &polled.messages {
                seen.push(match receipt {
                    Receipt::Quarantine { reason: QuarantineReason::Unparsable, .. } => {
                        assert!(request.url.ends_with(&format!(";UID={bad}")));
                        "quarantined".to_owned()
                    }
                    _ => String::from_utf8_lossy(&request.body).lines().last().unwrap_or_default().to_owned(),
                });
            }
            cursor = Some(polled.cursor);
        }
        assert_eq!(seen, ["first", "quarantined", "last"], "broken: {broken}");
        assert_eq!(polls, if broken { 11 } else { 3 });
    }
}

#[tokio::test]
async fn idle_wakes_when_mail_comes() {
    let server = Server::start().await;
    let channel = server.channel(|_| {});
    let cursor = poll(&channel, None).await.cursor;
    let waiting = channel.poll(Some(&cursor), Duration::from_secs(30), now());
    let arriving = async {
        // The server hears IDLE before the mail is delivered; the poll makes that happen.
        while !server.with(|folder| folder.commands.iter().any(|command| command == "IDLE")) {
            tokio::task::yield_now().await;
        }
        server.deliver("woken", RECENT);
    };
    let (polled, ()) = tokio::join!(waiting, arriving);
    let polled = polled.expect("polled");
    assert_eq!(texts(&polled), ["woken"]);
    // Announced after the last look and before IDLE began: must not wait for the next one.
    server.with(|folder| folder.late = Some("between".to_owned()));
    let polled = tokio::time::timeout(
        Duration::from_secs(10),
        channel.poll(Some(&polled.cursor), Duration::from_secs(30), now()),
    );
    assert_eq!(texts(&polled.await.expect("at once").expect("polled")), ["between"]);
}

#[tokio::test]
async fn of_an_oversize_mail_only_the_header_comes() {
    let server = Server::start().await;
    let channel = server.channel(|settings| {
        settings.start = "all".to_owned();
        settings.max_message_bytes = 200;
    });
    server.deliver(&"x".repeat(300), RECENT);
    let polled = poll(&channel, None).await;
    let [message] = messages(&polled)[..] else { panic!("one message") };
    assert_eq!((message.subject.as_deref(), message.text.as_str()), (Some("s"), ""));
    assert_eq!(message.attachments.first().map(|file| file.media_type.as_str()), Some("message/rfc822"));
}

#[tokio::test]
async fn refusals_and_outages() {
    let server = Server::start().await;
    for (login, permanent) in
        [("NO [AUTHENTICATIONFAILED] wrong", true), ("NO [UNAVAILABLE] later", false), ("BAD what", true)]
    {
        server.with(|folder| folder.login = login);
        let error = server.channel(|_| {}).poll(None, Duration::ZERO, now()).await.expect_err("refused");
        assert_eq!(matches!(error, PollError::Permanent(_)), permanent, "{login}: {error:?}");
        assert!(!error.to_string().contains("secret"));
    }
    server.with(|folder| folder.login = "OK");
    let missing = server.channel(|settings| settings.folders = vec!["Nowhere".to_owned()]);
    assert!(matches!(missing.poll(None, Duration::ZERO, now()).await, Err(PollError::Permanent(_))));
    let junk = server.channel(|settings| settings.folders = vec!["INBOX".to_owned(), "Junk".to_owned()]);
    assert!(poll(&junk, None).await.messages.is_empty(), "a further folder may come later");
    let nobody = channel_with(|settings| settings.imap_url = Some("imap://user:secret@127.0.0.1:1".to_owned()));
    assert!(matches!(nobody.poll(None, Duration::ZERO, now()).await, Err(PollError::Transient { .. })));
    let findings = server.channel(|_| {}).probe().await;
    assert!(
        findings.iter().filter(|finding| finding.check.starts_with("imap")).all(|finding| finding.ok),
        "{findings:?}"
    );
}

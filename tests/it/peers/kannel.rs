//! Kannel, a real SMS gateway, with the telephone network played by its fake SMS centre.
//!
//! The network side speaks Kannel's line protocol (`SENDER RECEIVER TYPE DATA`) over TCP to bearerbox's `smsc = fake`,
//! as Kannel's own `fakesmsc` does - which takes its messages at start only, and the centre serves one connection at
//! a time. Kannel answers a send with 202 `0: Accepted for delivery`; with `dlr-mask=31` the report address then gets
//! type 8 (the centre accepted) and type 1 (delivered), in either order. While the network is off it queues.

use std::sync::{Arc, Mutex};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::JoinHandle;

use super::process::{Process, Start};

/// A running gateway.
pub(crate) struct Kannel {
    network: Option<Network>,
    // Dropped in this order: the box first, then the bearer.
    smsbox: Option<Process>,
    bearerbox: Option<Process>,
    arrived: Arc<Mutex<Vec<Sms>>>,
    ports: Ports,
    directory: TempDir,
}

/// A short message that reached a telephone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sms {
    /// The sender's number as shown.
    pub(crate) from: String,
    /// The telephone.
    pub(crate) to: String,
    /// The text, decoded.
    pub(crate) text: String,
}

struct Ports {
    admin: u16,
    boxes: u16,
    network: u16,
    sendsms: u16,
}

struct Network {
    to_centre: OwnedWriteHalf,
    reader: JoinHandle<()>,
}

impl Drop for Network {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Kannel {
    /// Starts the gateway. `hub_url` is where messages from telephones go, complete with its `secret` parameter;
    /// Kannel adds `id`, `from`, `to`, `text` and `charset`.
    pub(crate) async fn start(hub_url: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let ports = Ports {
            admin: super::free_port(),
            boxes: super::free_port(),
            network: super::free_port(),
            sendsms: super::free_port(),
        };
        let configuration = configuration(&ports, hub_url);
        std::fs::write(directory.path().join("kannel.conf"), configuration).expect("kannel.conf");
        let mut gateway =
            Self { network: None, smsbox: None, bearerbox: None, arrived: Arc::default(), ports, directory };
        gateway.start_again().await;
        gateway
    }

    /// The `sendsms` address with the hub's credentials.
    pub(crate) fn sendsms_url(&self) -> String {
        format!("http://127.0.0.1:{}/cgi-bin/sendsms?username=hub&password=gateway-password", self.ports.sendsms)
    }

    /// A telephone sends a message: plain text where it is ASCII, else UCS-2.
    pub(crate) async fn say(&mut self, from: &str, to: &str, text: &str) {
        let line = if text.is_ascii() && !text.contains('\n') {
            format!("{from} {to} text {text}\n")
        } else {
            let ucs2: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            format!("{from} {to} ucs2 {}\n", percent_encode(&ucs2, NON_ALPHANUMERIC))
        };
        let network = self.network.as_mut().expect("the network is on");
        network.to_centre.write_all(line.as_bytes()).await.expect("the centre takes the message");
    }

    /// A telephone sends a text in two parts, each with its place in a user data header (3GPP TS 23.040, 9.2.3.24.1).
    pub(crate) async fn say_in_parts(&mut self, from: &str, to: &str, parts: [&str; 2]) {
        let network = self.network.as_mut().expect("the network is on");
        for (place, part) in (1..).zip(parts) {
            let header = [5, 0, 3, 42, 2, place];
            let header = percent_encode(&header, NON_ALPHANUMERIC);
            let line = format!("{from} {to} udh {header} {}\n", percent_encode(part.as_bytes(), NON_ALPHANUMERIC));
            network.to_centre.write_all(line.as_bytes()).await.expect("the centre takes the message");
        }
    }

    /// All messages that reached telephones so far, in order.
    pub(crate) fn arrived(&self) -> Vec<Sms> {
        self.arrived.lock().expect("no holder panics").clone()
    }

    /// Waits until a message as wanted has reached a telephone.
    pub(crate) async fn wait_arrived(&self, wanted: impl Fn(&Sms) -> bool) -> Sms {
        super::eventually("a short message on a telephone", async || self.arrived().into_iter().find(&wanted)).await
    }

    /// The telephone network goes away; the gateway goes on accepting and queues.
    pub(crate) fn network_off(&mut self) {
        self.network = None;
    }

    /// The telephone network comes back and takes what was queued.
    pub(crate) async fn network_on(&mut self) {
        let stream = super::eventually("the SMS centre", async || {
            TcpStream::connect(("127.0.0.1", self.ports.network)).await.ok()
        })
        .await;
        let (from_centre, to_centre) = stream.into_split();
        let arrived = Arc::clone(&self.arrived);
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(from_centre).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let sms = parse(&line).unwrap_or_else(|| panic!("the SMS centre wrote {line:?}"));
                arrived.lock().expect("no holder panics").push(sms);
            }
        });
        self.network = Some(Network { to_centre, reader });
    }

    /// The gateway dies at once, with what it had queued.
    pub(crate) fn stop(&mut self) {
        self.network = None;
        self.smsbox = None;
        self.bearerbox = None;
    }

    /// The gateway comes back on the same ports.
    pub(crate) async fn start_again(&mut self) {
        let start = |name| Start {
            name,
            directory: self.directory.path(),
            signal: "KILL",
            remove_directory: false,
            environment: &[],
        };
        let boxes = self.ports.boxes;
        let mut bearerbox = Process::start(&start("bearerbox"), &["/usr/sbin/bearerbox", "kannel.conf"]);
        bearerbox.ready(async || TcpStream::connect(("127.0.0.1", boxes)).await.ok().map(drop)).await;
        let mut smsbox = Process::start(&start("smsbox"), &["/usr/sbin/smsbox", "kannel.conf"]);
        self.network_on().await;
        let client = super::http();
        let status = format!("http://127.0.0.1:{}/status.txt?password=admin-password", self.ports.admin);
        smsbox
            .ready(async || {
                let page = client.get(&status).send().await.ok()?.text().await.ok()?;
                (page.contains("Box connections:") && page.contains("(online")).then_some(())
            })
            .await;
        self.smsbox = Some(smsbox);
        self.bearerbox = Some(bearerbox);
        super::listening(self.ports.sendsms).await;
    }
}

/// Reads a line of the SMS centre. A part of a concatenated message (`udh HEADER data BYTES`) does not say its coding:
/// what is not ASCII is UTF-16BE.
fn parse(line: &str) -> Option<Sms> {
    let mut fields = line.splitn(4, ' ');
    let (from, to, kind, rest) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let utf16 = |bytes: &[u8]| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let decoded = |data: &str| percent_decode_str(&data.replace('+', " ")).collect::<Vec<u8>>();
    let text = match kind {
        "text" => rest.to_owned(),
        "ucs-2" | "ucs2" => utf16(&decoded(rest)),
        "udh" => {
            let bytes = decoded(rest.split_once(" data ")?.1);
            if bytes.is_ascii() { String::from_utf8(bytes).ok()? } else { utf16(&bytes) }
        }
        _ => return None,
    };
    Some(Sms { from: from.to_owned(), to: to.to_owned(), text })
}

fn configuration(ports: &Ports, hub_url: &str) -> String {
    let Ports { admin, boxes, network, sendsms } = ports;
    format!(
        r#"
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = admin-password
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
dlr-storage = internal
log-level = 1

group = smsc
smsc = fake
smsc-id = network
port = {network}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
global-sender = 12345
http-request-retry = 60
http-queue-delay = 1
log-level = 1

group = sendsms-user
username = hub
password = gateway-password
max-messages = 5
concatenation = true

group = sms-service
keyword = default
catch-all = true
get-url = "{hub_url}&id=%I&from=%p&to=%P&text=%b&charset=%C&coding=%c"
assume-plain-text = true
omit-empty = true
max-messages = 0
"#
    )
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::Uri;
    use axum::routing::get;

    use super::*;

    #[tokio::test]
    async fn carries_messages_and_reports_both_ways_and_survives_an_outage() {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let record = Arc::clone(&seen);
        let hub = Router::new().fallback(get(async move |uri: Uri| {
            record.lock().expect("no holder panics").push(uri.to_string());
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let hub_address = listener.local_addr().expect("an address");
        let hub = tokio::spawn(axum::serve(listener, hub).into_future());
        let asked = async |wanted: &str| {
            super::super::eventually(wanted, async || {
                seen.lock().expect("no holder panics").iter().find(|uri| uri.contains(wanted)).cloned()
            })
            .await
        };

        let mut kannel = Kannel::start(&format!("http://{hub_address}/mo?secret=s3cret")).await;
        kannel.say("+8613800138000", "12345", "路灯坏了").await;
        let request = asked("charset=UTF-16BE").await;
        assert!(request.starts_with("/mo?secret=s3cret&id="), "{request}");
        assert!(request.contains("&from=%2B8613800138000&to=12345&text=%8D%EFpoWON%86&"), "{request}");
        kannel.say("+8613800138000", "12345", "street light broken").await;
        asked("text=street+light+broken").await;

        let client = super::super::http();
        let send = async |text: &str, report: &str| {
            let report = format!("http://{hub_address}/report/{report}?type=%d");
            let query = [
                ("to", "+8613800138000"),
                ("text", text),
                ("coding", "2"),
                ("charset", "UTF-8"),
                ("dlr-mask", "31"),
                ("dlr-url", &report),
            ];
            client.get(kannel.sendsms_url()).query(&query).send().await
        };
        assert_eq!(send("您好，已派单", "first").await.expect("an answer").status(), 202);
        let sms = kannel.wait_arrived(|sms| sms.text == "您好，已派单").await;
        assert_eq!((sms.from.as_str(), sms.to.as_str()), ("12345", "+8613800138000"));
        asked("/report/first?type=8").await;
        asked("/report/first?type=1").await;
        let long = "长文，".repeat(40);
        assert_eq!(send(&long, "long").await.expect("an answer").status(), 202);
        asked("/report/long?type=1").await;
        let parts: String = kannel.arrived().iter().skip(1).map(|sms| sms.text.as_str()).collect();
        assert_eq!(parts.chars().count(), long.chars().count());

        kannel.network_off();
        let queued = [("to", "+8613800138000"), ("text", "queued")];
        let answer = client.get(kannel.sendsms_url()).query(&queued).send().await.expect("an answer");
        assert_eq!(answer.status(), 202);
        kannel.network_on().await;
        kannel.wait_arrived(|sms| sms.text == "queued").await;
        kannel.stop();
        let client = super::super::http();
        assert!(client.get(kannel.sendsms_url()).send().await.is_err(), "the gateway is down");
        kannel.start_again().await;
        kannel.say("+8613800138000", "12345", "after the outage").await;
        asked("text=after+the+outage").await;
        hub.abort();
    }
}

//! The real servers and clients that stand opposite the hub in the integration tests.
//!
//! Each peer runs in a directory of its own on free loopback ports, is ready when its `start` returns, and ends with
//! its value - also when the test panics or the test binary is killed ([`process`] tells how). `tests/setup.sh`
//! installs what they need. Times here are the machine's: real servers know no other clock.

pub(crate) mod browser;
pub(crate) mod kannel;
pub(crate) mod mail;
pub(crate) mod oauth;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod sms_gateway;
pub(crate) mod smtp_fault;
pub(crate) mod telegram;
pub(crate) mod twilio;
pub(crate) mod ws_peer;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// How long a test waits for something that a real server does in well under a second on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// A file of the repository, by its path from the root.
pub(crate) fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A loopback port that nobody listens on, handed out once per test binary.
///
/// It lies below the range from which the kernel serves outgoing connections, so that it is still free when a peer
/// comes back on it after an outage.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test binaries of several checkouts may run at once: each begins elsewhere.
    let begin = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or_default();
    for _ in 0..COUNT {
        let port = FIRST + (begin + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free loopback port between {FIRST} and {}", FIRST + COUNT);
}

/// Asks `probe` until it finds something, and panics with `what` if it does not within [`PATIENCE`].
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Some(found) = probe().await {
                return found;
            }
        }
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(found) => found,
        Err(_) => panic!("{what}: not seen within {} s", PATIENCE.as_secs()),
    }
}

/// Waits until somebody accepts connections on a loopback port.
pub(crate) async fn listening(port: u16) {
    eventually(&format!("a listener on port {port}"), async || {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop)
    })
    .await;
}

/// An HTTP client for one test: its connections belong to the test's own runtime, so none is shared.
pub(crate) fn http() -> reqwest::Client {
    // A second installation is refused, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().build().expect("an HTTP client")
}

/// The time by the machine's clock, which real providers sign with.
#[expect(clippy::disallowed_methods, reason = "the far end of a channel has its own clock, not the hub's")]
pub(crate) fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

//! The hub's connections: accepted, served as HTTP/1, and ended when nothing whole comes over them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use futures_util::{StreamExt as _, stream};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How long peers are waited for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For the head of a request, and between two requests.
    head: Duration,
    /// For the next piece of a body.
    piece: Duration,
    /// For a whole body.
    body: Duration,
    /// For anything once the hub was told to end; an answer may still be on its way.
    linger: Duration,
}

const PATIENCE: Patience = Patience {
    // Longer than the 60 seconds for which nginx by default keeps connections that rest, so that it is the proxy that
    // closes them.
    head: Duration::from_secs(75),
    piece: Duration::from_secs(30),
    // 25 MiB at 0.25 Mbit/s.
    body: Duration::from_secs(15 * 60),
    linger: Duration::from_secs(1),
};

/// How long no connection is accepted after that failed: mostly for want of file descriptors, which others give back.
const REST: Duration = Duration::from_secs(1);

/// Serves until `stopping`, then finishes the requests that came in; what upgraded to a websocket ends by itself.
pub(crate) async fn serve(listener: TcpListener, router: Router, stopping: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection(stream, peer, router.clone(), stopping.clone(), PATIENCE));
            }
            Err(error) if of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Whether only this connection failed, before it was accepted.
fn of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Serves one connection until its peer, a patience that is over, or `stopping` ends it.
async fn connection<S>(stream: S, peer: SocketAddr, router: Router, stopping: CancellationToken, patience: Patience)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let working = Arc::new(());
    let (held, ending) = (Arc::downgrade(&working), stopping.clone());
    let service = service_fn(move |request| {
        answer(request, peer, router.clone(), patience, ending.clone(), Arc::clone(&working))
    });
    let mut served = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience.head)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    tokio::select! {
        // Why it ended concerns nobody: peers come and go.
        _ = served.as_mut() => return,
        () = stopping.cancelled() => {}
    }
    served.as_mut().graceful_shutdown();
    // The service holds one; each request that is being answered holds another.
    let mut rests = 0;
    while rests < 2 && tokio::time::timeout(patience.linger, served.as_mut()).await.is_err() {
        rests = if held.strong_count() > 1 { 0 } else { rests + 1 };
    }
}

/// Answers one request; `working` is held until the last byte of the answer has been taken over.
async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    router: Router,
    patience: Patience,
    stopping: CancellationToken,
    working: Arc<()>,
) -> Result<Response<Answer>, Infallible> {
    let cut = Arc::new(AtomicBool::new(false));
    let mut request = request.map(|body| patient(body, patience, stopping, Arc::clone(&cut)));
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut response = router.oneshot(request).await?;
    if cut.load(Ordering::Acquire) && !response.status().is_success() {
        response = (StatusCode::REQUEST_TIMEOUT, [(header::CONNECTION, "close")]).into_response();
    }
    Ok(response.map(|body| Answer { body, _working: working }))
}

/// A body that fails, and says so by `cut`, when it does not come within the patience.
fn patient(body: Incoming, patience: Patience, stopping: CancellationToken, cut: Arc<AtomicBool>) -> Body {
    let body = Body::new(body);
    if body.is_end_stream() {
        return body;
    }
    let last = Instant::now() + patience.body;
    Body::from_stream(stream::unfold(Some(body.into_data_stream()), move |pieces| {
        let (stopping, cut) = (stopping.clone(), Arc::clone(&cut));
        async move {
            let mut pieces = pieces?;
            let stopped = async {
                stopping.cancelled().await;
                tokio::time::sleep(patience.linger).await;
            };
            tokio::select! {
                biased;
                piece = pieces.next() => return Some((piece?, Some(pieces))),
                () = tokio::time::sleep_until(last.min(Instant::now() + patience.piece)) => {}
                () = stopped => {}
            }
            cut.store(true, Ordering::Release);
            Some((Err(axum::Error::new(std::io::Error::from(std::io::ErrorKind::TimedOut))), None))
        }
    }))
}

/// The body of an answer.
struct Answer {
    body: Body,
    _working: Arc<()>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::WebSocketUpgrade;
    use axum::extract::ws::WebSocket;
    use axum::routing::{any, get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);
    const EVER: Patience = {
        let ever = Duration::from_secs(24 * 60 * 60);
        Patience { head: ever, piece: ever, body: ever, linger: ever }
    };

    /// One end of a connection that is being served.
    fn connected(router: &Router, stopping: &CancellationToken, patience: Patience) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        tokio::spawn(connection(theirs, peer, router.clone(), stopping.clone(), patience));
        ours
    }

    /// What comes until the connection ends.
    async fn rest(mut ours: DuplexStream) -> String {
        let mut text = String::new();
        ours.read_to_string(&mut text).await.expect("text");
        text
    }

    fn echo() -> Router {
        Router::new().route("/", post(|body: String| async { body }))
    }

    const HALF_BODY: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{";

    #[tokio::test]
    async fn half_a_head_and_half_a_body_are_not_waited_for() {
        let stopping = CancellationToken::new();
        for nothing_whole in ["", "POST / HT", "POST / HTTP/1.1\r\nHost: x\r\nX-a: "] {
            let mut ours = connected(&echo(), &stopping, Patience { head: SHORT, ..EVER });
            ours.write_all(nothing_whole.as_bytes()).await.expect("sent");
            rest(ours).await;
        }
        for patience in [Patience { piece: SHORT, ..EVER }, Patience { body: SHORT, ..EVER }] {
            let mut ours = connected(&echo(), &stopping, patience);
            ours.write_all(HALF_BODY).await.expect("sent");
            let answer = rest(ours).await;
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        }
    }

    #[tokio::test]
    async fn the_end_waits_for_answers_and_for_nothing_else() {
        let (stopping, patience) = (CancellationToken::new(), Patience { linger: SHORT, ..EVER });
        let (begun, mut beginning) = tokio::sync::mpsc::channel(1);
        let (go, gone) = tokio::sync::watch::channel(false);
        let slow = move || {
            let (begun, mut gone) = (begun.clone(), gone.clone());
            async move {
                begun.send(()).await.expect("heard");
                gone.wait_for(|gone| *gone).await.map_or("", |_| "answered")
            }
        };
        let router = echo().route("/slow", get(slow));
        let mut slow = connected(&router, &stopping, patience);
        slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        beginning.recv().await.expect("begun");
        stopping.cancel();
        // One after the other, so that the answer is waited for longer than a connection without a request.
        for half in [b"", &b"POST / HT"[..], HALF_BODY] {
            let mut ours = connected(&router, &stopping, patience);
            // It may have ended already.
            drop(ours.write_all(half).await);
            rest(ours).await;
        }
        go.send(true).expect("it works");
        let answer = rest(slow).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("answered"), "{answer}");
    }

    #[tokio::test]
    async fn a_websocket_may_be_silent() {
        async fn parrot(mut socket: WebSocket) {
            while let Some(Ok(message)) = socket.recv().await {
                socket.send(message).await.expect("sent");
            }
        }
        let (stopping, patience) = (CancellationToken::new(), Patience { head: SHORT, piece: SHORT, ..EVER });
        let route = any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(parrot) });
        let router = Router::new().route("/", route);
        let mut ours = connected(&router, &stopping, patience);
        let ask = "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        ours.write_all(ask.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(ours.read_u8().await.expect("a head"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        for _ in 0..2 {
            rest(connected(&router, &stopping, patience)).await;
        }
        ours.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.expect("sent");
        let mut frame = [0; 4];
        ours.read_exact(&mut frame).await.expect("a frame");
        assert_eq!(frame, [0x81, 2, b'h', b'i']);
    }
}

//! A provider of access tokens (RFC 6749, section 6) that a mail server asks whose a token is.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::json;

/// The long-lived grant; anything else is refused.
pub(crate) const REFRESH_TOKEN: &str = "refresh-me";

/// A running provider; it ends with the test's runtime.
pub(crate) struct OAuthProvider {
    port: u16,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    /// Tokens given out so far.
    given: usize,
    /// Those that count still.
    valid: Vec<String>,
}

#[derive(serde::Deserialize)]
struct Refresh {
    grant_type: String,
    refresh_token: String,
}

#[derive(serde::Deserialize)]
struct Asked {
    access_token: String,
}

type Shared = State<Arc<Mutex<Book>>>;

impl OAuthProvider {
    /// Starts it on a free port.
    pub(crate) async fn start() -> Self {
        let (port, book) = (super::free_port(), Arc::<Mutex<Book>>::default());
        let router =
            Router::new().route("/token", post(token)).route("/tokeninfo", get(info)).with_state(Arc::clone(&book));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { port, book }
    }

    /// Where tokens are refreshed.
    pub(crate) fn token_url(&self) -> String {
        format!("http://127.0.0.1:{}/token", self.port)
    }

    /// Where a mail server asks about a token, which it appends.
    pub(crate) fn tokeninfo_url(&self) -> String {
        format!("http://127.0.0.1:{}/tokeninfo?access_token=", self.port)
    }

    /// How many tokens it has given out.
    pub(crate) fn given(&self) -> usize {
        book(&self.book).given
    }

    /// Lets every token so far count no more.
    pub(crate) fn revoke(&self) {
        book(&self.book).valid.clear();
    }
}

fn book(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().expect("the book")
}

async fn token(State(shared): Shared, Form(refresh): Form<Refresh>) -> Response {
    if refresh.grant_type != "refresh_token" || refresh.refresh_token != REFRESH_TOKEN {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    }
    let mut book = book(&shared);
    book.given += 1;
    let token = format!("token-{}", book.given);
    book.valid.push(token.clone());
    Json(json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 })).into_response()
}

async fn info(State(shared): Shared, Query(asked): Query<Asked>) -> Response {
    if book(&shared).valid.contains(&asked.access_token) {
        Json(json!({ "email": "hub", "expires_in": 3600 })).into_response()
    } else {
        (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_token" }))).into_response()
    }
}

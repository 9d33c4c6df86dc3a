//! The staff API in one process, on a real store: what each role can do, and what each sees.

mod access;
mod calls;
mod console;
mod conversation;
mod description;
mod desk;
mod queue;
mod rule_sets;
mod sender;
mod tickets;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::config::{Config, Layers, Origin};
use crate::demo::Credentials;
use crate::domain::{Clock, Millis, Role};
use crate::hub::{Hub, Parts};
use crate::objects::Objects;
use crate::staff;
use crate::store::Store;
use crate::store::staff::Grant;
use crate::templates::Templates;

const PASSWORD: &str = "correct horse";
const MINUTE: Millis = 60_000;

struct City {
    hub: Arc<Hub>,
    router: Router,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    body: Value,
    cookie: Option<String>,
}

/// An empty database: a file, or one in the PostgreSQL cluster that `tests/postgres.sh` has started.
async fn database(folder: &std::path::Path) -> String {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

    let Some(cluster) = crate::config::test_cluster() else {
        return format!("sqlite:{}", folder.join("test.db").display());
    };
    let name = format!("api_{}", uuid::Uuid::new_v4().simple());
    let mut connection =
        sqlx::PgConnection::connect(&format!("{cluster}/postgres")).await.expect("the cluster answers");
    connection.execute(AssertSqlSafe(format!("create database {name}"))).await.expect("a database");
    connection.close().await.expect("closed");
    format!("{cluster}/{name}")
}

impl City {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A city with these settings of `[rules]`.
    async fn with(rules: &[(&str, toml::Value)]) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let data = folder.path().to_str().expect("path").to_owned();
        let credentials = Credentials::load_or_create(folder.path(), &[]).expect("credentials");
        let mut layers = Layers::defaults();
        layers.table(&credentials.layer(), &Origin::Demo);
        layers.set(&["storage", "data"], toml::Value::String(data), Origin::Demo);
        for (key, value) in rules {
            layers.set(&["rules", key], value.clone(), Origin::Demo);
        }
        let config = Config::read(layers, true).expect("config");
        let clock = Clock::manual(1_764_000_000_000);
        let url = database(folder.path()).await;
        let store = Store::open(&url, 0, 2, &config.city.id).await.expect("store");
        let client = crate::channels::http_client().expect("client");
        let hub = Hub::new(Parts {
            channels: crate::channels::Registry::build(config.channels.values(), &client).expect("channels"),
            objects: Objects::open(&config.storage.objects).expect("objects"),
            templates: Templates::load(None).expect("templates"),
            rules: crate::config::rules::compile(None).expect("rules"),
            secret: vec![7; 32],
            config,
            clock,
            store,
        });
        let now = hub.clock.millis();
        let departments: Vec<String> =
            hub.rules().departments().iter().map(|department| department.id.clone()).collect();
        for (name, role, identity) in
            [("agent", Role::Agent, true), ("supervisor", Role::Supervisor, true), ("admin", Role::Admin, true)]
        {
            staff::ensure_token(&hub.store, name, name, Grant { role, department: None, identity }, now)
                .await
                .expect("token");
        }
        for department in departments {
            let grant = Grant { role: Role::Handler, department: Some(department.clone()), identity: false };
            staff::ensure_token(&hub.store, &department, &department, grant, now).await.expect("token");
        }
        let router = super::router(&hub).with_state(Arc::clone(&hub));
        Self { hub, router, _folder: folder }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response = self.router.clone().oneshot(request).await.expect("an answer");
        let status = response.status();
        let cookie =
            response.headers().get(header::SET_COOKIE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), cookie }
    }

    async fn call(&self, token: &str, method: Method, path: &str, body: Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).expect("a request")).await
    }

    async fn get(&self, token: &str, path: &str) -> Value {
        let answer = self.call(token, Method::GET, path, Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    async fn post(&self, token: &str, path: &str, body: Value) -> Value {
        let answer = self.call(token, Method::POST, path, body).await;
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.body);
        answer.body
    }

    async fn refused(&self, token: &str, path: &str, body: Value, status: StatusCode, code: &str) -> Value {
        let answer = self.call(token, Method::POST, path, body).await;
        assert_eq!(
            (answer.status, answer.body["error"]["code"].as_str()),
            (status, Some(code)),
            "{path}: {}",
            answer.body
        );
        answer.body["error"].clone()
    }

    async fn file(&self, key: &str, text: &str, answer: &str) -> Answer {
        let body = json!({ "channel": "phone", "from": "+8613800138000", "name": "张三", "text": text, "answer_channel": answer, "answer_address": "" });
        let request = Request::post("/api/v1/tickets")
            .header(header::AUTHORIZATION, "Bearer agent")
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key);
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// A ticket that the rules have sent to a department.
    async fn dispatched(&self) -> (String, String) {
        let filed = self.file("lamp", "中山路的路灯坏了三天，请打13900139000联系我", "phone").await;
        assert_eq!(
            (filed.status, filed.body["state"].as_str()),
            (StatusCode::CREATED, Some("dispatched")),
            "{}",
            filed.body
        );
        let text = |key: &str| filed.body[key].as_str().expect("a text").to_owned();
        (text("number"), text("department"))
    }

    async fn version(&self, number: &str) -> Value {
        self.get("admin", &format!("/tickets/{number}")).await["version"].clone()
    }

    async fn balanced(&self) -> Value {
        let ledger = self.get("agent", "/ledger").await;
        let sum: i64 = ["new", "appended", "reports", "control", "duplicates", "quarantined"]
            .iter()
            .filter_map(|key| ledger[key].as_i64())
            .sum();
        assert_eq!(ledger["received"].as_i64(), Some(sum), "{ledger}");
        ledger
    }
}

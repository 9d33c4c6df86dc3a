//! A hub's life: put together, open the door, work until told to end, finish what was accepted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::cli::serve::Prepared;
use crate::demo::Credentials;
use crate::domain::{Clock, Role};
use crate::hub::{Hub, Parts};
use crate::objects::Objects;
use crate::staff::{self, NewStaff};
use crate::store::staff::Grant;
use crate::store::{Error, Store};
use crate::templates::Templates;

/// A hub that runs; [`Running::end`] ends it cleanly.
#[derive(Debug)]
pub struct Running {
    /// The hub.
    pub hub: Arc<Hub>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    server: tokio::task::JoinHandle<()>,
}

/// Puts a hub together and opens its door. It is ready when this returns.
///
/// # Errors
/// When database, objects or templates cannot be opened, with what to do.
pub async fn start(prepared: Prepared, clock: Clock) -> anyhow::Result<Running> {
    let running = open(prepared, clock).await?;
    wake_waiting(&running.hub).await?;
    take_over(&running.hub).await?;
    let tasks = crate::watch::start(&running.hub);
    Ok(Running { tasks, ..running })
}

/// As [`start`], but without background work: nothing is polled or sent. For a command that finds no hub running.
///
/// # Errors
/// See [`start`].
pub async fn open(prepared: Prepared, clock: Clock) -> anyhow::Result<Running> {
    let Prepared { config, rules, channels, secret, admin_token, demo, listener, lock, client: _ } = prepared;
    crate::telemetry::install();
    let database = &config.database;
    let store = Store::open(&database.url(), database.max_bytes, database.connections, &config.city.id)
        .await
        .with_context(|| database.shown())?;
    let objects = Objects::open(&config.storage.objects)?;
    let templates = Templates::load(config.templates.as_deref().map(Path::new))
        .map_err(|problems| anyhow::anyhow!("templates:\n{}", problems.join("\n")))?
        .with_default_language(&config.city.default_language);
    let files =
        crate::config::rules::files(config.rules.path.as_deref()).map_err(|problem| anyhow::anyhow!("{problem}"))?;
    let caches = crate::rule_sets::cache::Caches::of(&config.storage.data);
    let rules = crate::rule_sets::start(&store, rules, &files, &caches, clock.millis()).await?;
    ensure_token(&store, "commands of this machine", admin_token.expose(), Role::Admin, None, &clock).await?;
    if let Some(credentials) = &demo {
        ensure_demo(&store, credentials, &clock).await?;
    }
    let hub = Hub::new(Parts {
        config,
        clock,
        store,
        objects,
        templates,
        channels,
        rules,
        secret: secret.expose().as_bytes().to_vec(),
    });
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let served = crate::connections::serve(listener, crate::http::router(&hub), hub.stopping.clone());
    let server = tokio::spawn(async move {
        served.await;
        drop(lock);
    });
    Ok(Running { hub, tasks: Vec::new(), server })
}

impl Running {
    /// Ends the hub: takes nothing new, finishes what was accepted, leaves the rest for the next start.
    ///
    /// # Errors
    /// When the server itself had failed.
    pub async fn end(self) -> anyhow::Result<()> {
        const PATIENCE: Duration = Duration::from_secs(20);
        self.hub.stopping.cancel();
        let work = async {
            for task in self.tasks {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(PATIENCE, work).await.is_err() {
            tracing::warn!(
                "some deliveries were still under way; their leases end and they are tried again after the next start"
            );
        }
        match tokio::time::timeout(PATIENCE, self.server).await {
            Ok(ended) => ended?,
            Err(_) => tracing::warn!("some connections were still open"),
        }
        self.hub.store.close().await;
        Ok(())
    }

    /// The token that ends the hub when cancelled.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.hub.stopping.clone()
    }
}

/// Runs a hub until SIGTERM or SIGINT; `ready` is called once it has started.
///
/// # Errors
/// See [`start`]; and of `ready`.
pub async fn run(prepared: Prepared, ready: impl FnOnce() -> std::io::Result<()>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let running = start(prepared, Clock::System).await?;
    ready()?;
    tracing::info!(listen = %running.hub.config.server.listen, "ready");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("ending");
    running.end().await
}

/// Frees what the last process on this data folder held when it was killed; the folder's lock proves that it is gone.
async fn take_over(hub: &Arc<Hub>) -> anyhow::Result<()> {
    let file = hub.config.storage.data.join("owner");
    if let Ok(previous) = std::fs::read_to_string(&file) {
        let (city, now) = (hub.store.city.to_string(), hub.clock.millis());
        hub.store
            .write(move |conn| {
                let (city, previous) = (city.clone(), previous.clone());
                Box::pin(async move { crate::store::watch::release(conn, &city, &previous, now).await })
            })
            .await?;
    }
    std::fs::write(&file, hub.owner.as_str())?;
    Ok(())
}

/// Deliveries that waited for a far end leave when there is one now.
async fn wake_waiting(hub: &Arc<Hub>) -> Result<(), Error> {
    let ready: Vec<String> = hub
        .channels
        .iter()
        .filter(|(_, channel)| channel.descriptor().cannot_send.is_none())
        .map(|(account, _)| account.to_owned())
        .collect();
    let (city, now) = (hub.store.city.to_string(), hub.clock.millis());
    hub.store
        .write(move |conn| {
            let (city, ready) = (city.clone(), ready.clone());
            Box::pin(async move {
                for account in ready {
                    crate::store::deliveries::wake_waiting(conn, &city, &account, now).await?;
                }
                Ok(())
            })
        })
        .await
}

async fn ensure_token(
    store: &Store,
    name: &str,
    token: &str,
    role: Role,
    department: Option<&str>,
    clock: &Clock,
) -> Result<(), Error> {
    staff::ensure_token(store, token, name, grant(role, department), clock.millis()).await
}

/// In the demo everybody but handlers may see who citizens are.
fn grant(role: Role, department: Option<&str>) -> Grant {
    Grant { role, department: department.map(str::to_owned), identity: role != Role::Handler }
}

/// Makes the demo's logins and tokens where they are missing.
async fn ensure_demo(store: &Store, credentials: &Credentials, clock: &Clock) -> anyhow::Result<()> {
    let tokens = &credentials.tokens;
    for (role, token) in
        [(Role::Admin, &tokens.admin), (Role::Agent, &tokens.agent), (Role::Supervisor, &tokens.supervisor)]
    {
        ensure_token(store, "demo", token, role, None, clock).await?;
    }
    for (department, token) in &tokens.handlers {
        ensure_token(store, "demo", token, Role::Handler, Some(department), clock).await?;
    }
    for login in &credentials.staff {
        let wanted = NewStaff {
            login: login.login.clone(),
            name: login.login.clone(),
            grant: grant(Role::parse(&login.role).unwrap_or(Role::Handler), login.department.as_deref()),
            password: login.password.clone(),
        };
        staff::ensure_staff(store, wanted, clock.millis()).await?;
    }
    Ok(())
}

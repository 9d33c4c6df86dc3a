//! `yingda serve`: run the hub.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};

use routing_rules::RuleSet;

use super::lock::{DataLock, Holder};
use super::{Common, Exit, Failure};
use crate::channels::{Registry, http_client};
use crate::config::{Config, Layers, Origin, Secret, rules, secret};
use crate::demo::Credentials;

/// `yingda serve`
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "\
The demo city needs nothing else: accounts, departments, staff and their secrets are made in the data folder
(demo-credentials.json); it is refused on any address but loopback. Without --demo, server.public_url and
server.trusted_proxies must be set.

Examples:
  yingda serve --demo --data ./data --listen 127.0.0.1:8080
  yingda serve --demo --demo-traffic
  yingda serve --config /etc/yingda/yingda.toml --log json")]
pub struct Args {
    /// Run the demo city, on a loopback address only
    #[arg(long)]
    pub demo: bool,
    /// Where to listen, instead of server.listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Send a labelled stream of 60 appeals through the demo's own channels, one every two seconds
    #[arg(long, requires = "demo")]
    pub demo_traffic: bool,
}

/// Everything that is made before a hub can start: checked settings, the lock of the data folder, an open port.
#[derive(Debug)]
pub struct Prepared {
    /// The settings; `server.listen` is the address really bound.
    pub config: Config,
    /// The compiled rules.
    pub rules: RuleSet,
    /// The adapters.
    pub channels: Registry,
    /// The HTTP client that everything shares.
    pub client: reqwest::Client,
    /// The hub's secret, from the settings or from `DATA/secret.key`.
    pub secret: Secret,
    /// An admin token for the commands of this machine, kept in `DATA/admin.token`; the hub takes it like one of the database.
    pub admin_token: Secret,
    /// The demo's logins and tokens, to be made in the database where they are missing.
    pub demo: Option<Credentials>,
    /// The open port, not blocking. Connections wait in its queue until the hub accepts them.
    pub listener: TcpListener,
    /// Held as long as the hub runs.
    pub lock: DataLock,
}

/// Reads and checks everything, makes what is missing in the data folder, takes its lock and opens the port.
///
/// # Errors
/// All problems of settings, rules and accounts at once; a data folder in use; a port in use.
pub fn prepare(common: &Common, args: &Args) -> Result<Prepared, Failure> {
    let upon = |layers: &mut Layers| {
        common.upon(layers);
        if let Some(listen) = &args.listen {
            layers.set(&["server", "listen"], toml::Value::String(listen.clone()), Origin::Flag("--listen"));
        }
    };
    let mut layers = Layers::defaults();
    upon(&mut layers);
    let data = layers.data_folder();
    let rules = rules::compile(
        layers.peek(&["rules", "path"]).as_deref().filter(|path| !path.is_empty()).map(std::path::Path::new),
    );
    let mut demo = None;
    if args.demo {
        // Without readable rules there are no departments yet; the start ends below with the rules' problems.
        let departments: Vec<&str> =
            rules.iter().flat_map(RuleSet::departments).map(|department| department.id.as_str()).collect();
        let credentials = Credentials::load_or_create(&data, &departments)?;
        layers = Layers::defaults();
        layers.table(&credentials.layer(), &Origin::Demo);
        upon(&mut layers);
        demo = Some(credentials);
    }
    let client = http_client().map_err(Failure::of(Exit::Software, "HTTP client"))?;
    let mut problems = Vec::new();
    let channels = Registry::build(&layers.accounts(), &client).map_err(|found| problems.extend(found.0)).ok();
    let config = Config::read(layers, args.demo).map_err(|found| problems.extend(found.0)).ok();
    let rules = rules.map_err(|found| problems.extend(found.0)).ok();
    let (Some(mut config), Some(channels), Some(rules)) = (config, channels, rules) else {
        return Err(crate::config::Problems(problems).into());
    };

    let lock = match DataLock::take(&config.storage).map_err(Failure::of(Exit::Io, config.storage.data.display()))? {
        Holder::Us(lock) => lock,
        Holder::Hub(address) => {
            let text = format!("a hub at {address} already uses {}", config.storage.data.display());
            return Err(Failure::new(Exit::Unavailable, text));
        }
        Holder::Other => {
            let text = format!("another command uses {}; try again when it is done", config.storage.data.display());
            return Err(Failure::new(Exit::TempFail, text));
        }
    };
    let listener = TcpListener::bind(config.server.listen)
        .map_err(Failure::of(Exit::Unavailable, format_args!("cannot listen on {}", config.server.listen)))?;
    listener.set_nonblocking(true)?;
    bound(&mut config, listener.local_addr()?);
    let secret = match &config.server.secret {
        Some(secret) => secret.clone(),
        None => secret::load_or_create(&config.storage.secret_file())?,
    };
    let admin_token = secret::load_or_create(&config.storage.admin_token_file())?;
    if let Some(credentials) = &mut demo {
        credentials.base_url = config.server.address("");
        // A later address is told by `run` only: a command's own hub stands at another one for a moment.
        if !crate::demo::credentials_file(&config.storage.data).exists() {
            credentials.save(&config.storage.data)?;
        }
    }
    Ok(Prepared { config, rules, channels, client, secret, admin_token, demo, listener, lock })
}

/// Takes note of the address that was really bound, for port 0.
fn bound(config: &mut Config, address: SocketAddr) {
    if config.server.listen.port() == 0 && config.server.public_url.port() == Some(0) {
        // An http address always takes a port.
        let _ = config.server.public_url.set_port(Some(address.port()));
    }
    config.server.listen = address;
}

/// Runs the hub until it is told to end.
///
/// # Errors
/// See [`prepare`]; and what ends a running hub.
pub async fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let mut prepared = prepare(common, args)?;
    crate::logging::start(&prepared.config.log);
    prepared.lock.announce(prepared.config.server.listen)?;
    let (demo, config, client) = (prepared.demo.clone(), prepared.config.clone(), prepared.client.clone());
    if let Some(credentials) = &demo {
        credentials.save(&config.storage.data)?;
    }
    let (mut traffic, mut what) = (None, "the hub cannot start");
    let served = crate::serve::run(prepared, || {
        what = "the hub ended";
        if let Some(credentials) = demo {
            greet(&credentials, &config, out)?;
            traffic = args.demo_traffic.then(|| tokio::spawn(crate::demo::traffic::run(credentials, client)));
        }
        Ok(())
    })
    .await;
    if let Some(traffic) = traffic {
        traffic.abort();
    }
    served.map_err(|error| Failure::of_hub(what, &error))
}

/// Tells the addresses and logins of the demo.
fn greet(credentials: &Credentials, config: &Config, out: &mut impl Write) -> std::io::Result<()> {
    let base = &credentials.base_url;
    writeln!(out, "Yingda demo city at {base}/")?;
    writeln!(out, "  citizens   {base}/ and {base}/track")?;
    writeln!(out, "  console    {base}/console/")?;
    writeln!(out, "  staff API  {base}/api/v1, described at {base}/api/openapi.json")?;
    writeln!(out, "  secrets    {}", crate::demo::credentials_file(&config.storage.data).display())?;
    for login in &credentials.staff {
        let department = login.department.as_deref().unwrap_or_default();
        writeln!(out, "  login      {:<28} {}  {} {department}", login.login, login.password, login.role)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `serve --demo` on a data folder where it cannot start; what it printed and why it ended.
    async fn served(data: &std::path::Path) -> (String, Failure) {
        let common = Common { data: Some(data.to_owned()), ..Common::default() };
        let args = Args { demo: true, listen: Some("127.0.0.1:0".to_owned()), demo_traffic: false };
        let mut out = Vec::new();
        let failure = run(&common, &args, &mut out).await.expect_err("no start");
        (String::from_utf8(out).expect("text"), failure)
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_used_is_told_before_the_greeting_and_for_good() {
        let folder = tempfile::tempdir().expect("folder");
        let url = format!("sqlite:{}", folder.path().join("yingda.db").display());
        let store = crate::store::Store::open(&url, 0, 2, "demo").await.expect("store");
        store
            .write(|conn| {
                let row = vec![99_i64.into(), "later".into(), true.into(), vec![0_u8].into(), 0_i64.into()];
                Box::pin(async move {
                    conn.insert(
                        "_sqlx_migrations",
                        "version, description, success, checksum, execution_time",
                        vec![row],
                    )
                    .await
                })
            })
            .await
            .expect("written");
        store.close().await;
        let (out, failure) = served(folder.path()).await;
        let told = "schema: version 99 is unknown to this program; install the version that made it";
        assert!(failure.text.starts_with("the hub cannot start: ") && failure.text.ends_with(told), "{failure}");
        assert_eq!((failure.exit, out.as_str()), (Exit::Config, ""));

        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("yingda.db"), "no database, but long enough. ".repeat(100)).expect("written");
        let (out, failure) = served(folder.path()).await;
        assert!(failure.text.contains("yingda.db: the database is damaged: "), "{failure}");
        assert!(failure.text.contains("yingda restore --data DIR BACKUP"), "{failure}");
        assert_eq!((failure.exit, out.as_str()), (Exit::Config, ""));
    }
}

//! A PostgreSQL cluster of the test binary's own, and a fresh database for each test.
//!
//! One cluster serves the whole binary. Statics are not dropped at exit, so its leash (see [`super::process`]) both
//! stops the server and removes the data directory when the test binary is gone.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::process::{Process, Start};

/// Debian's path of the server programs.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

struct Cluster {
    port: u16,
    _server: Process,
}

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// Creates an empty database and returns its address. Encoding UTF-8, locale `C.UTF-8`, `fsync` on.
pub(crate) async fn create_database() -> String {
    let cluster = CLUSTER.get_or_init(start).await;
    let name = format!("it_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&url(cluster.port, "postgres")).await.expect("the cluster answers");
    connection.execute(AssertSqlSafe(format!("create database {name}"))).await.expect("a database");
    connection.close().await.expect("closed");
    url(cluster.port, &name)
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://yingda@127.0.0.1:{port}/{database}")
}

async fn start() -> Cluster {
    let directory = TempDir::new().expect("a directory").keep();
    let port = super::free_port();
    let root = is_root();
    if root {
        // The server refuses to run as root.
        let owned = std::process::Command::new("chown").arg("postgres").arg(&directory).status();
        assert!(owned.is_ok_and(|status| status.success()), "tests/setup.sh installs postgresql with its user");
    }
    let command = |program: &str, arguments: &[&str]| {
        let user: &[&str] =
            if root { &["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] } else { &[] };
        let program = Path::new(PROGRAMS).join(program).display().to_string();
        let mut words: Vec<String> = user.iter().map(|&word| word.to_owned()).collect();
        words.push(program);
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        words
    };
    let start = |name, remove_directory| Start {
        name,
        directory: &directory,
        signal: "QUIT",
        remove_directory,
        environment: &[],
    };
    let initdb = command(
        "initdb",
        &["--pgdata=data", "--username=yingda", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"],
    );
    super::process::run(&start("initdb", false), &initdb).await;
    let listen = format!("port={port}");
    let settings = [
        "listen_addresses=127.0.0.1",
        &listen,
        "unix_socket_directories=",
        "fsync=on",
        "synchronous_commit=on",
        "max_connections=300",
    ];
    let arguments: Vec<&str> = ["-D", "data"].into_iter().chain(settings.iter().flat_map(|one| ["-c", one])).collect();
    let mut server = Process::start(&start("postgres", true), &command("postgres", &arguments));
    server.ready(async || PgConnection::connect(&url(port, "postgres")).await.ok()).await;
    Cluster { port, _server: server }
}

fn is_root() -> bool {
    let output = std::process::Command::new("id").arg("-u").output().expect("id");
    output.stdout.trim_ascii() == b"0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_each_test_its_own_database() {
        let (one, two) = tokio::join!(create_database(), create_database());
        assert_ne!(one, two);
        let mut connection = PgConnection::connect(&one).await.expect("connected");
        let facts: (String, String, String) =
            sqlx::query_as("select current_setting('server_encoding'), current_setting('fsync'), upper('灯ä')")
                .fetch_one(&mut connection)
                .await
                .expect("facts");
        assert_eq!(facts, ("UTF8".to_owned(), "on".to_owned(), "灯Ä".to_owned()));
    }
}

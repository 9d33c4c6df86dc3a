//! How a command that writes gets in: through the running hub, or, when none runs, through one of its own that only
//! answers this command. Either way the staff API does the work, and the data folder has one user at a time.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;

use super::lock::{DataLock, Holder};
use super::remote::Remote;
use super::serve::{Args, prepare};
use super::{Common, Exit, Failure};
use crate::domain::Clock;
use crate::serve::{Running, open};

/// The way into a hub's staff API. Must be closed.
#[derive(Debug)]
pub(super) struct Door {
    remote: Remote,
    own: Option<Running>,
}

impl Door {
    /// Finds the running hub, or opens one without background work on a free loopback port.
    pub(super) async fn open(common: &Common) -> Result<Self, Failure> {
        let config = common.settings()?;
        match DataLock::take(&config.storage).map_err(Failure::of(Exit::Io, config.storage.data.display()))? {
            Holder::Hub(address) => Ok(Self { remote: Remote::at(address, &config.storage)?, own: None }),
            Holder::Other => Err(Failure::new(Exit::TempFail, "another command uses the data folder; try again when it is done")),
            Holder::Us(lock) => {
                drop(lock);
                let args = Args { demo: config.demo, listen: Some("127.0.0.1:0".to_owned()), demo_traffic: false };
                let prepared = prepare(common, &args)?;
                let (address, storage) = (prepared.config.server.listen, prepared.config.storage.clone());
                let own = open(prepared, Clock::System).await.map_err(Failure::of(Exit::Unavailable, "the hub cannot be opened"))?;
                Ok(Self { remote: Remote::at(address, &storage)?, own: Some(own) })
            }
        }
    }

    /// Calls the staff API; see [`Remote::call`].
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.remote.call(method, path, body).await
    }

    /// Ends a hub that was opened for this command.
    pub(super) async fn close(self) -> Result<(), Failure> {
        // Open connections would be waited for.
        drop(self.remote);
        match self.own {
            Some(own) => own.end().await.map_err(Failure::of(Exit::Software, "the hub ended")),
            None => Ok(()),
        }
    }
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A field of an answer as text; empty if it is not there.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

//! How a command that writes gets in: through the running hub.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;

use super::remote::Remote;
use super::{Common, Failure};

/// The way into a hub's staff API.
#[derive(Debug)]
pub(super) struct Door(Remote);

impl Door {
    pub(super) async fn open(common: &Common) -> Result<Self, Failure> {
        Ok(Self(Remote::of(&common.settings()?)?))
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.0.call(method, path, body).await
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

//! The frames of the protocol: one JSON object (RFC 8259) in each text frame (RFC 6455). README.md tells the whole story.

use std::time::Duration;

use channel_contract::{DeliveryKind, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Settings, settings::is_language};

/// Longest id that a client gives a message, in characters.
pub const MAX_ID_CHARS: usize = 64;

/// Longest session token, in bytes.
const MAX_TOKEN_BYTES: usize = 256;

/// The place of a message in its session's mailbox: greater than that of every earlier one, with gaps, at least 1 and
/// at most 2^53 - 1 so that every JSON reader keeps it exactly.
pub type Position = u64;

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// The first frame: begins a session or resumes one.
    Hello {
        /// The token of an earlier `welcome`; `None` begins a session.
        session: Option<String>,
        /// The last position that the client has kept; `None` for all that was not confirmed by `received`.
        after: Option<Position>,
        /// The language (BCP 47) of the client, a hint. Optional in the protocol.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<String>,
    },
    /// A citizen's message.
    Send {
        /// The client's id of the message: unique in the session, the same when it is sent again.
        id: String,
        /// What the citizen wrote.
        text: String,
    },
    /// Everything up to and including this position has arrived and is kept.
    Received {
        /// The position.
        position: Position,
    },
    /// A sign of life, answered by `pong`.
    Ping,
}

/// What the hub says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HubFrame {
    /// The answer to `hello`.
    Welcome {
        /// The token for the next `hello`: a secret of this client. Another one than it sent means a new session.
        session: String,
        /// Every message after this position follows.
        position: Position,
    },
    /// A message of the client is on disk.
    Ack {
        /// The client's id of it.
        id: String,
        /// What became of it; `duplicate` when it had been taken before.
        outcome: Outcome,
        /// The number of its ticket, if it has one.
        ticket: Option<String>,
    },
    /// A message to the citizen.
    Message {
        /// Its place in the mailbox.
        position: Position,
        /// The number of the ticket it belongs to, if any.
        ticket: Option<String>,
        /// What it is.
        kind: MessageKind,
        /// The text, plain.
        text: String,
    },
    /// The answer to `ping`.
    Pong,
    /// Something was not taken.
    Error {
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for developers, in English; never to be shown to citizens.
        message: String,
        /// The client's id of the message that was refused, when it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// After how many seconds the same frame may be sent again, when it may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_secs: Option<u64>,
    },
}

impl HubFrame {
    /// The frame as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers and unit variants always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a message of the hub is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// "We have it, this is your number."
    Acknowledgement,
    /// The hub asks something.
    Question,
    /// The department's answer.
    Reply,
    /// News of a ticket.
    Notice,
}

impl From<DeliveryKind> for MessageKind {
    fn from(kind: DeliveryKind) -> Self {
        match kind {
            DeliveryKind::Acknowledgement => Self::Acknowledgement,
            DeliveryKind::Question => Self::Question,
            DeliveryKind::Reply => Self::Reply,
            // A session needs no confirming code; should one come, it is news.
            DeliveryKind::Notice | DeliveryKind::Code => Self::Notice,
        }
    }
}

/// Why a frame was not taken. The word in JSON is the variant in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame is not a text frame with one JSON object.
    BadJson,
    /// `type` is missing or not one of the client's.
    UnknownType,
    /// A field is missing or of the wrong kind.
    BadFrame,
    /// The id of a message is not 1 to 64 visible ASCII characters.
    BadId,
    /// The text holds nothing but white space.
    EmptyText,
    /// The text is too long.
    TooLong,
    /// Too many messages; the same one may be sent again after `retry_after_secs`.
    SlowDown,
    /// The first frame was not `hello`; the connection is closed.
    HelloFirst,
    /// A second `hello` on the same connection.
    HelloTwice,
    /// Too many connections; the connection is closed.
    TooMany,
    /// The hub's own trouble: nothing was stored, and the same frame may be sent again after `retry_after_secs`.
    Unavailable,
}

/// A refusal, to be said as [`HubFrame::Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Why, for programs.
    pub code: ErrorCode,
    /// Why, for developers. Never holds what the client sent.
    pub message: &'static str,
    /// The client's id of the message that was refused, if it is a good one.
    pub id: Option<String>,
    /// After how long the same frame may be sent again, when it may.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A refusal that concerns no particular message.
    #[must_use]
    pub const fn new(code: ErrorCode, message: &'static str) -> Self {
        Self { code, message, id: None, retry_after: None }
    }

    /// The session has sent too much; the message `id` may come again after `wait`.
    #[must_use]
    pub fn slow_down(id: &str, wait: Duration) -> Self {
        Self {
            id: Some(id.to_owned()),
            retry_after: Some(wait),
            ..Self::new(ErrorCode::SlowDown, "too many messages a minute")
        }
    }

    /// The hub could not store the message `id`; it may come again after `wait`.
    #[must_use]
    pub fn unavailable(id: &str, wait: Duration) -> Self {
        Self {
            id: Some(id.to_owned()),
            retry_after: Some(wait),
            ..Self::new(ErrorCode::Unavailable, "the message was not stored")
        }
    }

    /// Whether the connection ends after this refusal.
    #[must_use]
    pub const fn closes(&self) -> bool {
        matches!(self.code, ErrorCode::HelloFirst | ErrorCode::TooMany)
    }

    /// The refusal as a frame. Seconds are rounded up.
    #[must_use]
    pub fn to_frame(&self) -> HubFrame {
        HubFrame::Error {
            code: self.code,
            message: self.message.to_owned(),
            id: self.id.clone(),
            retry_after_secs: self.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
        }
    }
}

/// The order of frames on one connection.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Dialogue {
    greeted: bool,
}

impl Dialogue {
    /// A connection on which nothing was said.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next text frame of the client.
    ///
    /// # Errors
    /// [`Fault`], to be said to the client. A refused `hello` may be tried again.
    pub fn read(&mut self, settings: &Settings, text: &str) -> Result<ClientFrame, Fault> {
        let frame = ClientFrame::parse(settings, text)?;
        match (&frame, self.greeted) {
            (ClientFrame::Hello { .. }, true) => Err(Fault::new(ErrorCode::HelloTwice, "hello was said before")),
            (ClientFrame::Hello { .. }, false) => {
                self.greeted = true;
                Ok(frame)
            }
            (_, true) => Ok(frame),
            (_, false) => Err(Fault::new(ErrorCode::HelloFirst, "the first frame must be hello")),
        }
    }
}

impl ClientFrame {
    /// Reads one text frame. Fields that the protocol does not know are passed over, so that it can grow.
    ///
    /// # Errors
    /// [`Fault`], to be said to the client.
    pub fn parse(settings: &Settings, text: &str) -> Result<Self, Fault> {
        let Ok(Value::Object(frame)) = serde_json::from_str::<Value>(text) else {
            return Err(Fault::new(ErrorCode::BadJson, "the frame is not one JSON object"));
        };
        match frame.get("type").and_then(Value::as_str) {
            Some("hello") => hello(&frame),
            Some("send") => send(settings, frame),
            Some("received") => match frame.get("position").and_then(Value::as_u64) {
                Some(position) => Ok(Self::Received { position }),
                None => Err(Fault::new(ErrorCode::BadFrame, "received needs a position, a whole number")),
            },
            Some("ping") => Ok(Self::Ping),
            _ => Err(Fault::new(ErrorCode::UnknownType, "type must be hello, send, received or ping")),
        }
    }
}

fn hello(frame: &Map<String, Value>) -> Result<ClientFrame, Fault> {
    let bad = |message| Fault::new(ErrorCode::BadFrame, message);
    let session = match frame.get("session") {
        None | Some(Value::Null) => None,
        Some(Value::String(token)) if token.len() <= MAX_TOKEN_BYTES => Some(token.clone()),
        Some(_) => return Err(bad("session must be a token or null")),
    };
    let after = match frame.get("after") {
        None | Some(Value::Null) => None,
        Some(after) => Some(after.as_u64().ok_or_else(|| bad("after must be a position or null"))?),
    };
    // A hint is not worth a refusal.
    let language = frame.get("language").and_then(Value::as_str).filter(|text| is_language(text)).map(str::to_owned);
    Ok(ClientFrame::Hello { session, after, language })
}

fn send(settings: &Settings, mut frame: Map<String, Value>) -> Result<ClientFrame, Fault> {
    let id = match frame.remove("id") {
        Some(Value::String(id)) => id,
        _ => return Err(Fault::new(ErrorCode::BadFrame, "send needs an id, a string")),
    };
    if id.is_empty() || id.len() > MAX_ID_CHARS || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault::new(ErrorCode::BadId, "id must be 1 to 64 visible ASCII characters"));
    }
    let (code, message) = match frame.remove("text") {
        Some(Value::String(text)) if channel_contract::is_blank(&text) => (ErrorCode::EmptyText, "the text is empty"),
        Some(Value::String(text)) if text.chars().count() > settings.max_text_chars => {
            (ErrorCode::TooLong, "the text is too long")
        }
        Some(Value::String(text)) => return Ok(ClientFrame::Send { id, text }),
        _ => (ErrorCode::BadFrame, "send needs a text, a string"),
    };
    Err(Fault { id: Some(id), ..Fault::new(code, message) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(text: &str) -> Result<ClientFrame, Fault> {
        ClientFrame::parse(&Settings { max_text_chars: 5, ..Settings::default() }, text)
    }

    #[test]
    fn frames_that_are_taken() {
        let hello = |session: Option<&str>, after, language: Option<&str>| ClientFrame::Hello {
            session: session.map(str::to_owned),
            after,
            language: language.map(str::to_owned),
        };
        let send = |id: &str, text: &str| ClientFrame::Send { id: id.to_owned(), text: text.to_owned() };
        let cases = [
            (r#"{"type":"hello","session":null,"after":null}"#, hello(None, None, None)),
            (r#"{"type":"hello"}"#, hello(None, None, None)),
            (
                r#"{"type":"hello","session":"t","after":7,"language":"zh-CN"}"#,
                hello(Some("t"), Some(7), Some("zh-CN")),
            ),
            (
                r#"{"type":"hello","session":"t","after":0,"language":"no language","x":1}"#,
                hello(Some("t"), Some(0), None),
            ),
            (r#"{"type":"send","id":"a-1","text":"路灯坏了📱"}"#, send("a-1", "路灯坏了📱")),
            (r#" {"text":" x ","id":"~","type":"send"} "#, send("~", " x ")),
            (
                r#"{"type":"received","position":9007199254740991}"#,
                ClientFrame::Received { position: 9_007_199_254_740_991 },
            ),
            (r#"{"type":"ping"}"#, ClientFrame::Ping),
        ];
        for (text, frame) in cases {
            assert_eq!(parse(text), Ok(frame), "{text}");
        }
    }

    #[test]
    fn frames_that_are_refused() {
        use ErrorCode::{BadFrame, BadId, BadJson, EmptyText, TooLong, UnknownType};
        let cases = [
            ("", BadJson, None),
            ("{", BadJson, None),
            ("[]", BadJson, None),
            (r#""ping""#, BadJson, None),
            (r#"{"type":"ping"}{}"#, BadJson, None),
            ("{}", UnknownType, None),
            (r#"{"type":7}"#, UnknownType, None),
            (r#"{"type":"welcome"}"#, UnknownType, None),
            (r#"{"type":"Ping"}"#, UnknownType, None),
            (r#"{"type":"hello","session":7}"#, BadFrame, None),
            (r#"{"type":"hello","after":-1}"#, BadFrame, None),
            (r#"{"type":"hello","after":"7"}"#, BadFrame, None),
            (r#"{"type":"received"}"#, BadFrame, None),
            (r#"{"type":"received","position":1.5}"#, BadFrame, None),
            (r#"{"type":"send","text":"x"}"#, BadFrame, None),
            (r#"{"type":"send","id":7,"text":"x"}"#, BadFrame, None),
            (r#"{"type":"send","id":"","text":"x"}"#, BadId, None),
            (r#"{"type":"send","id":"a b","text":"x"}"#, BadId, None),
            (r#"{"type":"send","id":"号","text":"x"}"#, BadId, None),
            (r#"{"type":"send","id":"a"}"#, BadFrame, Some("a")),
            (r#"{"type":"send","id":"a","text":null}"#, BadFrame, Some("a")),
            (r#"{"type":"send","id":"a","text":" \n\u3000"}"#, EmptyText, Some("a")),
            (r#"{"type":"send","id":"a","text":"路灯坏了吗？"}"#, TooLong, Some("a")),
        ];
        for (text, code, id) in cases {
            let fault = parse(text).expect_err(text);
            assert_eq!((fault.code, fault.id.as_deref()), (code, id), "{text}");
        }
        assert_eq!(
            parse(&json!({ "type": "send", "id": "x".repeat(65), "text": "x" }).to_string())
                .map_err(|fault| fault.code),
            Err(BadId)
        );
        assert_eq!(
            parse(&json!({ "type": "hello", "session": "x".repeat(257) }).to_string()).map_err(|fault| fault.code),
            Err(BadFrame)
        );
    }

    #[test]
    fn hello_comes_first_and_once() {
        let settings = Settings::default();
        let (hello, ping) = (r#"{"type":"hello"}"#, r#"{"type":"ping"}"#);
        let mut dialogue = Dialogue::new();
        let code = |read: Result<ClientFrame, Fault>| read.map_err(|fault| (fault.code, fault.closes()));
        assert_eq!(code(dialogue.read(&settings, "?")), Err((ErrorCode::BadJson, false)));
        assert_eq!(code(dialogue.read(&settings, ping)), Err((ErrorCode::HelloFirst, true)));
        assert!(dialogue.read(&settings, hello).is_ok());
        assert_eq!(code(dialogue.read(&settings, ping)), Ok(ClientFrame::Ping));
        assert_eq!(code(dialogue.read(&settings, hello)), Err((ErrorCode::HelloTwice, false)));
        assert_eq!(code(dialogue.read(&settings, ping)), Ok(ClientFrame::Ping));
    }

    #[test]
    fn the_hub_speaks_as_the_contract_says() {
        let cases = [
            (
                HubFrame::Welcome { session: "t".to_owned(), position: 7 },
                json!({ "type": "welcome", "session": "t", "position": 7 }),
            ),
            (
                HubFrame::Ack { id: "a".to_owned(), outcome: Outcome::New, ticket: Some("202611220000179".to_owned()) },
                json!({ "type": "ack", "id": "a", "outcome": "new", "ticket": "202611220000179" }),
            ),
            (
                HubFrame::Ack { id: "a".to_owned(), outcome: Outcome::Quarantined, ticket: None },
                json!({ "type": "ack", "id": "a", "outcome": "quarantined", "ticket": null }),
            ),
            (
                HubFrame::Message {
                    position: 8,
                    ticket: None,
                    kind: DeliveryKind::Reply.into(),
                    text: "修好了".to_owned(),
                },
                json!({ "type": "message", "position": 8, "ticket": null, "kind": "reply", "text": "修好了" }),
            ),
            (HubFrame::Pong, json!({ "type": "pong" })),
            (
                Fault::new(ErrorCode::HelloFirst, "m").to_frame(),
                json!({ "type": "error", "code": "hello_first", "message": "m" }),
            ),
            (
                Fault::slow_down("a", Duration::from_millis(1_001)).to_frame(),
                json!({ "type": "error", "code": "slow_down", "message": "too many messages a minute", "id": "a", "retry_after_secs": 2 }),
            ),
        ];
        for (frame, expected) in cases {
            let text = frame.to_json();
            assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), expected);
            assert_eq!(serde_json::from_str::<HubFrame>(&text).expect("a client reads it"), frame);
        }
    }

    proptest! {
        #[test]
        fn what_a_client_writes_is_read_back(id in "[!-~]{1,64}", text in "\\PC*[^\\s\\pC]\\PC*", position in 0_u64..1 << 53) {
            let settings = Settings::default();
            for frame in [
                ClientFrame::Send { id, text: text.clone() },
                ClientFrame::Received { position },
                ClientFrame::Hello { session: Some("t".to_owned()), after: Some(position), language: None },
                ClientFrame::Ping,
            ] {
                let json = serde_json::to_string(&frame).expect("JSON");
                prop_assert!(json.len() <= settings.max_frame_bytes());
                prop_assert_eq!(ClientFrame::parse(&settings, &json), Ok(frame));
            }
        }

        #[test]
        fn no_text_causes_a_panic(text in "\\PC*") {
            let _ = Dialogue::new().read(&Settings::default(), &text);
        }
    }
}

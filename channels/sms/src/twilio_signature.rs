//! `X-Twilio-Signature`: HMAC-SHA-1 by the auth token over the address and the sorted form fields
//! (<https://www.twilio.com/docs/usage/security#validating-requests>).

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use channel_contract::RawRequest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::form_urlencoded;

/// Verifies the requests of one account. It has no `Debug`.
pub(crate) struct Validator(Hmac<Sha1>);

impl Validator {
    /// `None` for a token that is no key.
    pub(crate) fn new(auth_token: &str) -> Option<Self> {
        Hmac::new_from_slice(auth_token.as_bytes()).ok().map(Self)
    }

    /// Whether the header signs this address and body, compared in constant time.
    ///
    /// Twilio signs the address with or without its port, as it happens to see it, so both are tried.
    pub(crate) fn verify(&self, request: &RawRequest) -> bool {
        let Some(given) = request.header("x-twilio-signature").and_then(|text| STANDARD.decode(text.trim()).ok())
        else {
            return false;
        };
        let hash = form_urlencoded::parse(request.query().as_bytes())
            .find_map(|(name, value)| (name == "bodySHA256").then(|| value.into_owned()));
        let fields = match hash {
            // Anything but a form is signed by its hash in the address instead.
            Some(hash) => {
                let actual = lower_hex(&Sha256::digest(&request.body));
                if !bool::from(actual.as_bytes().ct_eq(hash.to_ascii_lowercase().as_bytes())) {
                    return false;
                }
                String::new()
            }
            None => signed_fields(&request.body),
        };
        spellings(&request.url).iter().any(|url| {
            let mac = self.0.clone().chain_update(url.as_bytes()).chain_update(fields.as_bytes());
            mac.verify_slice(&given).is_ok()
        })
    }
}

/// Names in order, each followed by its distinct values in order, without any separator.
fn signed_fields(body: &[u8]) -> String {
    let mut fields: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        fields.entry(name).or_default().insert(value);
    }
    let mut text = String::new();
    for (name, values) in &fields {
        for value in values {
            text.extend([name.as_ref(), value.as_ref()]);
        }
    }
    text
}

/// The address as it is, without its port, and with the default port of its scheme. Edited as text, since
/// a parser would normalise other parts of what was signed.
fn spellings(url: &str) -> Vec<String> {
    let mut found = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return found };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            found.push(format!("{scheme}://{host}{tail}"));
        }
        _ => {
            let port = if scheme == "http" { 80 } else { 443 };
            found.push(format!("{scheme}://{authority}:{port}{tail}"));
        }
    }
    found
}

fn lower_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use base64::Engine as _;
    use channel_contract::RawRequest;
    use hmac::Mac as _;
    use proptest::prelude::*;

    use super::{STANDARD, Validator, signed_fields, spellings};

    fn request(url: &str, body: &[u8], signature: &str) -> RawRequest {
        RawRequest {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: vec![("x-twilio-signature".to_owned(), signature.as_bytes().to_vec())],
            peer: None,
            body: body.to_vec().into(),
            received_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn addresses_are_spelled_with_and_without_port() {
        for (url, other) in [
            ("https://hub.example/a?b=c:d", "https://hub.example:443/a?b=c:d"),
            ("http://hub.example/a", "http://hub.example:80/a"),
            ("https://hub.example:8443/a", "https://hub.example/a"),
            ("https://[::1]:8443?x", "https://[::1]?x"),
            ("https://[::1]/", "https://[::1]:443/"),
        ] {
            assert_eq!(spellings(url), [url, other]);
        }
        assert_eq!(spellings("nonsense"), ["nonsense"]);
    }

    #[test]
    fn fields_are_sorted_and_repeated_values_count_once() {
        assert_eq!(signed_fields(b"b=2&a=1&b=1&b=2&c="), "a1b1b2c");
    }

    /// Vectors made by the vendor's own library.
    #[test]
    fn agrees_with_the_vendor() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/data/payloads/twilio/signature_vectors.json");
        let Ok(vectors) = std::fs::read(path) else {
            eprintln!("skipped: no corpus");
            return;
        };
        let vectors: Vec<serde_json::Value> = serde_json::from_slice(&vectors).expect("JSON");
        assert!(!vectors.is_empty());
        for vector in vectors {
            let text = |key: &str| vector.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in vector.get("params").and_then(serde_json::Value::as_object).into_iter().flatten() {
                form.append_pair(name, value.as_str().expect("text"));
            }
            for pair in vector.get("params_list").and_then(serde_json::Value::as_array).into_iter().flatten() {
                let part = |index: usize| pair.get(index).and_then(serde_json::Value::as_str).expect("a pair");
                form.append_pair(part(0), part(1));
            }
            let body = Some(text("body")).filter(|body| !body.is_empty()).unwrap_or_else(|| form.finish());
            let verified = Validator::new(&text("token")).expect("a key").verify(&request(
                &text("url"),
                body.as_bytes(),
                &text("signature"),
            ));
            assert_eq!(Some(verified), vector.get("valid").and_then(serde_json::Value::as_bool), "{}", text("name"));
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_what_is_changed_does_not(
            token in "[0-9a-f]{32}", fields in proptest::collection::vec(("[A-Za-z]{1,8}", "\\PC{0,12}"), 1..8),
        ) {
            let validator = Validator::new(&token).expect("a key");
            let url = "https://hub.example/channels/sms/twilio?attempt=1";
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
            let mac = validator.0.clone().chain_update(url).chain_update(signed_fields(body.as_bytes()));
            let signature = STANDARD.encode(mac.finalize().into_bytes());
            prop_assert!(validator.verify(&request(url, body.as_bytes(), &signature)));
            prop_assert!(!validator.verify(&request("https://hub.example/x", body.as_bytes(), &signature)));
            let longer = [body.as_bytes(), b"&Extra=1"].concat();
            prop_assert!(!validator.verify(&request(url, &longer, &signature)));
        }
    }
}

//! Signatures of Standard Webhooks, version 1 (<https://www.standardwebhooks.com>), symmetric scheme.
//!
//! The signed content is `{webhook-id}.{webhook-timestamp}.{body}`, signed by HMAC-SHA-256; the header
//! `webhook-signature` holds one or more `v1,BASE64` separated by spaces.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use channel_contract::RawRequest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Takes base64 with or without padding, since secrets are pasted by people.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The shortest key that the specification allows, in bytes.
const MIN_KEY_BYTES: usize = 24;

/// A key that signs and verifies. It has no `Debug`.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Reads `whsec_` and base64 of at least 24 bytes; the prefix may be missing.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn parse(secret: &str) -> Result<Self, String> {
        let encoded = secret.trim();
        let encoded = encoded.strip_prefix("whsec_").unwrap_or(encoded);
        let key = LENIENT.decode(encoded).map_err(|_| "must be whsec_ followed by base64".to_owned())?;
        if key.len() < MIN_KEY_BYTES {
            return Err(format!("must hold at least {MIN_KEY_BYTES} bytes, it has {}", key.len()));
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|_| "is no key".to_owned())
    }

    fn mac(&self, id: &[u8], timestamp: &[u8], body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [id, b".", timestamp, b".", body] {
            mac.update(part);
        }
        mac
    }

    /// The value of `webhook-signature` for a message; `timestamp` is in seconds since 1970.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let tag = self.mac(id.as_bytes(), timestamp.to_string().as_bytes(), body).finalize().into_bytes();
        format!("v1,{}", STANDARD.encode(tag))
    }

    /// Whether the headers of a request hold a signature of its body by this key, compared in constant time.
    ///
    /// The timestamp is part of what is signed and nothing else: how old a message may be is no
    /// question of origin, since the ledger remembers every id for ever.
    #[must_use]
    pub fn verify(&self, request: &RawRequest) -> bool {
        let header = |name: &str| request.header(name).unwrap_or_default();
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        if id.is_empty() || timestamp.is_empty() {
            return false;
        }
        header("webhook-signature")
            .split_ascii_whitespace()
            .filter_map(|entry| LENIENT.decode(entry.strip_prefix("v1,")?).ok())
            .any(|tag| self.mac(id.as_bytes(), timestamp.as_bytes(), &request.body).verify_slice(&tag).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use channel_contract::RawRequest;
    use proptest::prelude::*;

    use super::SigningKey;

    /// Key, id, time, body and signature of the example in the specification's own reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn request(id: &str, timestamp: &str, signature: &str, body: &[u8]) -> RawRequest {
        RawRequest {
            method: "POST".to_owned(),
            url: "https://hub.example/channels/sms/demo".to_owned(),
            headers: [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)]
                .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
                .into(),
            peer: None,
            body: body.to_vec().into(),
            received_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn signs_as_the_specification_does() {
        let key = SigningKey::parse(SECRET).expect("the key of the example");
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body), SIGNATURE);
    }

    #[test]
    fn verifies_any_of_several_and_nothing_else() {
        let key = SigningKey::parse(SECRET).expect("the key of the example");
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let several = format!("v1a,AAAA v1,AAAA {SIGNATURE}");
        for (name, id, timestamp, signature, good) in [
            ("plain", id, "1614265330", SIGNATURE, true),
            ("several", id, "1614265330", several.as_str(), true),
            ("other id", "msg_x", "1614265330", SIGNATURE, false),
            ("other time", id, "1614265331", SIGNATURE, false),
            ("no version", id, "1614265330", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", false),
            ("cut short", id, "1614265330", "v1,g0hM9SsE", false),
            ("empty", id, "1614265330", "", false),
            ("no id", "", "1614265330", SIGNATURE, false),
        ] {
            assert_eq!(key.verify(&request(id, timestamp, signature, body)), good, "{name}");
        }
        assert!(!key.verify(&request(id, "1614265330", SIGNATURE, b"{}")), "other body");
    }

    #[test]
    fn weak_or_broken_keys_are_refused_without_repeating_them() {
        for secret in ["whsec_c2hvcnQ=", "whsec_!!!", ""] {
            let problem = SigningKey::parse(secret).err().expect("a problem");
            assert!(!problem.contains("c2hvcnQ"), "{problem}");
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_what_is_changed_does_not(
            key in proptest::collection::vec(any::<u8>(), 24..64), id in "[!-~]{1,40}", timestamp in 0_i64..4_000_000_000,
            body in proptest::collection::vec(any::<u8>(), 0..200), extra: u8,
        ) {
            use base64::Engine as _;
            let secret = format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(&key));
            let key = SigningKey::parse(&secret).expect("long enough");
            let signature = key.sign(&id, timestamp, &body);
            prop_assert!(key.verify(&request(&id, &timestamp.to_string(), &signature, &body)));
            let longer = [body.as_slice(), &[extra]].concat();
            prop_assert!(!key.verify(&request(&id, &timestamp.to_string(), &signature, &longer)));
        }
    }
}

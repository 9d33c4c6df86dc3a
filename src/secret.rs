//! Random tokens and their hashes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Random bytes of the operating system.
///
/// # Panics
/// When the system has no randomness, which no program should survive.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap_or_else(|error| panic!("the system gives no random bytes: {error}"));
    bytes
}

/// A token of 192 random bits, safe in addresses.
#[must_use]
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(random::<24>())
}

/// What the database keeps of a token.
#[must_use]
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

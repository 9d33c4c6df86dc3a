//! Passwords of staff: argon2id (RFC 9106) with the library's recommended parameters, as PHC strings.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// Hashes a password; takes tens of milliseconds, so run it outside the runtime's threads.
///
/// # Errors
/// When the library refuses the parameters or the system has no randomness.
pub fn hash(password: &str) -> anyhow::Result<String> {
    let hash =
        Argon2::default().hash_password(password.as_bytes()).map_err(|error| anyhow::anyhow!("argon2: {error}"))?;
    Ok(hash.to_string())
}

/// Whether a password is the one that was hashed. Without a hash (an unknown login) the work is the same and the answer no.
#[must_use]
pub fn verify(password: &str, stored: Option<&str>) -> bool {
    static NOBODY: LazyLock<String> = LazyLock::new(|| hash("nobody's password").unwrap_or_default());
    let matches = PasswordHash::new(stored.unwrap_or(&NOBODY))
        .is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok());
    matches && stored.is_some()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_the_right_password_fits() {
        let stored = super::hash("12345 应答").expect("hash");
        assert!(super::verify("12345 应答", Some(&stored)));
        assert!(!super::verify("12345", Some(&stored)));
        assert!(!super::verify("nobody's password", None));
    }
}

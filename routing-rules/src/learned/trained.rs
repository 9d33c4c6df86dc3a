//! `learned/trained.txt`: fingerprints of the cases learned from, so that a backtest leaves them out.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The first 64 bits of SHA-256 over the id of a case; over its title and text where it has no id.
#[must_use]
pub fn fingerprint(id: Option<&str>, title: Option<&str>, text: &str) -> u64 {
    let mut hash = Sha256::new();
    match id.filter(|id| !id.is_empty()) {
        Some(id) => {
            hash.update(b"id\0");
            hash.update(id.as_bytes());
        }
        None => {
            hash.update(b"text\0");
            hash.update(title.unwrap_or_default().as_bytes());
            hash.update(b"\0");
            hash.update(text.as_bytes());
        }
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The file for sorted fingerprints.
pub(crate) fn listed(fingerprints: &[u64]) -> String {
    let mut text = String::with_capacity(fingerprints.len() * 17);
    for fingerprint in fingerprints {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{fingerprint:016x}");
    }
    text
}

/// SHA-256 over the file, hexadecimal.
pub(crate) fn summed(listed: &str) -> String {
    Sha256::digest(listed.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the file.
///
/// # Errors
/// The line that is none.
pub(super) fn read(text: &str) -> Result<Vec<u64>, usize> {
    let mut all = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim().is_empty())
        .map(|(line, number)| u64::from_str_radix(line.trim(), 16).map_err(|_| number))
        .collect::<Result<Vec<u64>, usize>>()?;
    all.sort_unstable();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stands_for_its_case() {
        let own = fingerprint(Some("a"), None, "text");
        assert_eq!(own, fingerprint(Some("a"), Some("title"), "other"));
        assert_ne!(own, fingerprint(Some("b"), None, "text"));
        assert_ne!(fingerprint(None, Some("a"), "b"), fingerprint(None, None, "ab"));
        assert_eq!(fingerprint(None, None, "b"), fingerprint(Some(""), Some(""), "b"));
    }

    #[test]
    fn a_list_is_read_back() {
        assert_eq!(read(&listed(&[1, 0xffff_ffff_ffff_ffff])), Ok(vec![1, u64::MAX]));
        assert_eq!(read("01\nxy\n"), Err(2));
    }
}

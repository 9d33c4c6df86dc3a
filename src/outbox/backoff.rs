//! When a delivery is tried again.

use crate::domain::Millis;

/// Milliseconds until the next try after `attempts` tries: doubling from `base_secs` up to `cap_secs`, less up to a quarter (`jitter` in 0..=255)
/// so that deliveries which failed together do not come back together.
#[must_use]
pub(super) fn delay(attempts: i64, base_secs: u64, cap_secs: u64, jitter: u8) -> Millis {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 20)).unwrap_or(20);
    let secs = base_secs.saturating_mul(1 << doublings).min(cap_secs.max(base_secs));
    let millis = Millis::try_from(secs.saturating_mul(1000)).unwrap_or(Millis::MAX / 512);
    millis - millis / 4 * Millis::from(jitter) / 255
}

#[cfg(test)]
mod tests {
    use super::delay;

    #[test]
    fn doubles_up_to_the_cap() {
        let plain: Vec<_> = (1..6).map(|attempts| delay(attempts, 10, 60, 0) / 1000).collect();
        assert_eq!(plain, [10, 20, 40, 60, 60]);
        assert_eq!(delay(1, 10, 60, 255), 7_500);
        assert!(delay(i64::MAX, 10, 60, 0) == 60_000);
    }
}

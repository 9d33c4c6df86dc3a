//! Chance that is the same for the same seed.

/// SplitMix64 (Steele, Lea & Flood 2014).
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed ^ 0x5851_F42D_4C95_7F2D)
    }

    /// The next number.
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(super) const fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Shuffles (Fisher & Yates).
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// As many of the rows as keep the cost, all of them if that is possible; in order.
pub(super) fn sample(rows: &[usize], cost: usize, most: usize, seed: u64) -> Vec<usize> {
    if cost <= most {
        return rows.to_vec();
    }
    let mut chosen = rows.to_vec();
    Random::new(seed).shuffle(&mut chosen);
    let keep = (rows.len() as u128 * most as u128 / cost.max(1) as u128) as usize;
    chosen.truncate(keep.clamp(1, rows.len().max(1)));
    chosen.sort_unstable();
    chosen
}

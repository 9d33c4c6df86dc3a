//! How much a client may do. Pure: time and addresses are passed in, and nothing here waits.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use chrono::{DateTime, Utc};

use crate::{ErrorCode, Settings};

/// When a limiter holds more keys than this it forgets those that have their full allowance again.
const SWEEP_ABOVE: usize = 1024;

/// A token bucket: `capacity` at once, refilled evenly over `period`. A clock that steps back neither adds nor takes.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenBucket {
    capacity: f64,
    per_second: f64,
    tokens: f64,
    filled_at: DateTime<Utc>,
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn new(capacity: u32, period: Duration, now: DateTime<Utc>) -> Self {
        let capacity = f64::from(capacity.max(1));
        Self { capacity, per_second: capacity / period.as_secs_f64().max(0.001), tokens: capacity, filled_at: now }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn take(&mut self, now: DateTime<Utc>) -> Result<(), Duration> {
        self.fill(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.tokens) / self.per_second))
    }

    fn fill(&mut self, now: DateTime<Utc>) {
        let passed = (now - self.filled_at).to_std().unwrap_or_default();
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_second).min(self.capacity);
        self.filled_at = self.filled_at.max(now);
    }

    fn is_full(&mut self, now: DateTime<Utc>) -> bool {
        self.fill(now);
        self.tokens >= self.capacity
    }
}

/// One token bucket for each key. To be held beyond connections, or reconnecting would refill it.
#[derive(Debug)]
pub struct Limiter<K> {
    capacity: u32,
    period: Duration,
    buckets: HashMap<K, TokenBucket>,
    sweep_above: usize,
}

impl<K: Eq + Hash> Limiter<K> {
    /// A limiter that allows each key `capacity` in each `period`.
    #[must_use]
    pub fn new(capacity: u32, period: Duration) -> Self {
        Self { capacity, period, buckets: HashMap::new(), sweep_above: SWEEP_ABOVE }
    }

    /// The limiter of messages by session that the settings ask for.
    #[must_use]
    pub fn of_messages(settings: &Settings) -> Self {
        Self::new(settings.messages_per_minute, Duration::from_secs(60))
    }

    /// Takes one token of `key`.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn take(&mut self, key: K, now: DateTime<Utc>) -> Result<(), Duration> {
        if self.buckets.len() > self.sweep_above {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            // Sweeping again only at twice the size keeps the cost of a take constant on average.
            self.sweep_above = SWEEP_ABOVE.max(self.buckets.len() * 2);
        }
        let (capacity, period) = (self.capacity, self.period);
        self.buckets.entry(key).or_insert_with(|| TokenBucket::new(capacity, period, now)).take(now)
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether no key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

/// The open connections of one account.
///
/// A connection [`enters`](Occupancy::enter) before the upgrade and [`leaves`](Occupancy::leave) at its end, whatever
/// happens between; after its `hello` it also [`joins`](Occupancy::join) its session and names it when it leaves.
#[derive(Debug, Default)]
pub struct Occupancy {
    connections: u32,
    addresses: HashMap<IpAddr, u32>,
    sessions: HashMap<String, u32>,
}

impl Occupancy {
    /// Nobody is here yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a connection.
    ///
    /// # Errors
    /// [`ErrorCode::TooMany`] when the account or the address has no place left; nothing is counted then.
    pub fn enter(&mut self, settings: &Settings, address: IpAddr) -> Result<(), ErrorCode> {
        let network = network_of(address);
        let here = self.addresses.get(&network).copied().unwrap_or(0);
        if self.connections >= settings.connections || here >= settings.sessions_per_address {
            return Err(ErrorCode::TooMany);
        }
        self.connections += 1;
        self.addresses.insert(network, here + 1);
        Ok(())
    }

    /// Counts a connection of a session.
    ///
    /// # Errors
    /// [`ErrorCode::TooMany`] when the session has too many already; nothing is counted then.
    pub fn join(&mut self, settings: &Settings, session: &str) -> Result<(), ErrorCode> {
        let here = self.sessions.get(session).copied().unwrap_or(0);
        if here >= settings.connections_per_session {
            return Err(ErrorCode::TooMany);
        }
        self.sessions.insert(session.to_owned(), here + 1);
        Ok(())
    }

    /// Ends what [`enter`](Self::enter) and, if `session` is given, [`join`](Self::join) counted.
    pub fn leave(&mut self, address: IpAddr, session: Option<&str>) {
        self.connections = self.connections.saturating_sub(1);
        release(&mut self.addresses, &network_of(address));
        if let Some(session) = session {
            release(&mut self.sessions, session);
        }
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.connections
    }
}

fn release<K: Eq + Hash + std::borrow::Borrow<Q>, Q: Eq + Hash + ?Sized>(counts: &mut HashMap<K, u32>, key: &Q) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// What counts as one address: IPv4 as it is, IPv6 by its /64, which one household or phone has to itself (RFC 6177).
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = TokenBucket::new(3, MINUTE, at(0));
        assert_eq!([bucket.take(at(0)), bucket.take(at(0)), bucket.take(at(0))], [Ok(()), Ok(()), Ok(())]);
        assert_eq!(bucket.take(at(0)), Err(Duration::from_secs(20)));
        assert_eq!(bucket.take(at(15_000)), Err(Duration::from_secs(5)));
        assert_eq!(bucket.take(at(20_000)), Ok(()));
        assert!(bucket.take(at(20_000)).is_err(), "one is refilled in 20 s, not two");
        assert_eq!(
            [bucket.take(at(600_000)), bucket.take(at(600_000)), bucket.take(at(600_000))],
            [Ok(()), Ok(()), Ok(())]
        );
        assert!(bucket.take(at(600_000)).is_err(), "a long pause saves no more than the capacity");
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let mut bucket = TokenBucket::new(1, MINUTE, at(100_000));
        assert_eq!(bucket.take(at(100_000)), Ok(()));
        assert!(bucket.take(at(0)).is_err());
        assert!(bucket.take(at(159_000)).is_err(), "the step back did not count as waiting");
        assert_eq!(bucket.take(at(160_000)), Ok(()));
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate(capacity in 1_u32..20, steps in proptest::collection::vec(0_i64..5_000, 1..200)) {
            let mut bucket = TokenBucket::new(capacity, MINUTE, at(0));
            let (mut now, mut taken) = (0, 0.0);
            for step in steps {
                now += step;
                if bucket.take(at(now)).is_ok() {
                    taken += 1.0;
                }
            }
            let most = f64::from(capacity) * (1.0 + now as f64 / 60_000.0);
            prop_assert!(taken <= most + 1e-6, "{taken} of {most}");
        }
    }

    #[test]
    fn keys_do_not_share_and_are_forgotten_when_full() {
        let mut limiter = Limiter::new(1, MINUTE);
        for key in 0..=SWEEP_ABOVE {
            assert_eq!(limiter.take(key, at(0)), Ok(()));
        }
        assert!(limiter.take(0, at(1_000)).is_err());
        assert_eq!(limiter.len(), SWEEP_ABOVE + 1, "none is full, none is forgotten");
        // The next sweep comes at twice the size.
        for key in SWEEP_ABOVE..=SWEEP_ABOVE * 3 {
            let _ = limiter.take(key, at(120_000));
        }
        assert!(limiter.len() <= SWEEP_ABOVE * 2 + 2, "{} keys are remembered", limiter.len());
    }

    #[test]
    fn places_by_account_address_and_session() {
        let settings =
            Settings { connections: 3, sessions_per_address: 2, connections_per_session: 1, ..Settings::default() };
        let address = |text: &str| text.parse::<IpAddr>().expect("address");
        let mut occupancy = Occupancy::new();
        assert_eq!(occupancy.enter(&settings, address("192.0.2.1")), Ok(()));
        assert_eq!(occupancy.enter(&settings, address("::ffff:192.0.2.1")), Ok(()), "the same address, mapped");
        assert_eq!(occupancy.enter(&settings, address("192.0.2.1")), Err(ErrorCode::TooMany));
        assert_eq!(occupancy.enter(&settings, address("2001:db8::1")), Ok(()));
        assert_eq!(occupancy.enter(&settings, address("192.0.2.9")), Err(ErrorCode::TooMany), "the account is full");
        assert_eq!(occupancy.join(&settings, "s"), Ok(()));
        assert_eq!(occupancy.join(&settings, "s"), Err(ErrorCode::TooMany));
        occupancy.leave(address("192.0.2.1"), Some("s"));
        assert_eq!(occupancy.join(&settings, "s"), Ok(()));
        assert_eq!(occupancy.enter(&settings, address("2001:db8::ffff:1")), Ok(()));
        assert_eq!(occupancy.connections(), 3);
        occupancy.leave(address("192.0.2.1"), None);
        assert_eq!(
            occupancy.enter(&settings, address("2001:db8::2")),
            Err(ErrorCode::TooMany),
            "one /64 counts as one address"
        );
        assert_eq!(occupancy.enter(&settings, address("2001:db8:0:1::2")), Ok(()));
    }
}

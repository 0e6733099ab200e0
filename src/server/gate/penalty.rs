//! Wrong tries: counted by address, answered with a growing delay, and said in few lines.
//!
//! Made for the machine that keeps trying a password of yesterday, and for the log, which a
//! guesser must not fill: a try is counted in a table of fixed size, its answer costs no thread
//! that sleeps, and an address has a line a minute. It does not bound how fast somebody guesses,
//! see the gate.

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Tries an address has before it is told to wait.
const FREE: u32 = 3;

/// The first waiting time; each later one is twice as long…
const SHORTEST: Duration = Duration::from_secs(1);

/// …up to this.
const LONGEST: Duration = Duration::from_secs(60);

/// An address that tried nothing wrong for this long begins anew.
const MEMORY: Duration = Duration::from_secs(600);

/// Addresses remembered; the one that has been quiet for longest is forgotten for a new one.
const ADDRESSES: usize = 1024;

/// Between two lines about one address.
const QUIET: Duration = Duration::from_secs(60);

/// Lines a minute about all addresses: who has many must not fill the log either.
const LINES: u32 = 20;

/// Whoever counts as one: an IPv4 address, the /64 of an IPv6 one (a household has at least that
/// many), or everybody on a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(Option<IpAddr>);

impl Address {
    /// The address `peer` counts as; `None` is a Unix socket.
    pub fn of(peer: Option<IpAddr>) -> Address {
        Address(peer.map(|ip| match ip.to_canonical() {
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            ip => ip,
        }))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Some(IpAddr::V6(ip)) => write!(f, "{ip}/64"),
            None => f.write_str("unix"),
        }
    }
}

/// The addresses that tried something wrong lately.
#[derive(Debug, Default)]
pub struct Penalties {
    addresses: HashMap<Address, Tries>,
    /// The minute whose lines are counted.
    minute: Option<Instant>,
    lines: u32,
}

#[derive(Debug)]
struct Tries {
    last: Instant,
    /// Wrong ones outside of waiting times.
    counted: u32,
    /// The waiting time's end.
    until: Instant,
    said: Option<Instant>,
    unsaid: u64,
}

/// What a wrong try leads to.
#[derive(Debug, PartialEq, Eq)]
pub struct Sentence {
    /// It came in the waiting time, which lasts so much longer.
    pub wait: Option<Duration>,
    /// So many tries are to be said in the log now.
    pub say: Option<u64>,
}

impl Penalties {
    /// Notes that `address` tried something wrong at `now`.
    pub fn note(&mut self, address: Address, now: Instant) -> Sentence {
        self.make_room(address);
        let may_say = self.may_say(now);
        let tries = self.addresses.entry(address).or_insert(Tries {
            last: now,
            counted: 0,
            until: now,
            said: None,
            unsaid: 0,
        });
        if now.saturating_duration_since(tries.last) > MEMORY {
            tries.counted = 0;
        }
        tries.last = now;
        tries.unsaid += 1;
        // A try while waiting does not make the waiting longer: who comes every second would never
        // be examined again.
        let wait = tries.until.saturating_duration_since(now);
        if wait.is_zero() {
            tries.counted += 1;
            if let Some(beyond) = tries.counted.checked_sub(FREE) {
                tries.until = now + LONGEST.min(SHORTEST * 2u32.saturating_pow(beyond));
            }
        }
        let is_due = tries
            .said
            .is_none_or(|said| now.saturating_duration_since(said) >= QUIET);
        let say = (may_say && is_due).then(|| {
            tries.said = Some(now);
            std::mem::take(&mut tries.unsaid)
        });
        self.lines += u32::from(say.is_some());
        Sentence {
            wait: (!wait.is_zero()).then_some(wait),
            say,
        }
    }

    fn make_room(&mut self, address: Address) {
        if self.addresses.len() < ADDRESSES || self.addresses.contains_key(&address) {
            return;
        }
        let oldest = self.addresses.iter().min_by_key(|(_, tries)| tries.last);
        if let Some(oldest) = oldest.map(|(address, _)| *address) {
            self.addresses.remove(&oldest);
        }
    }

    fn may_say(&mut self, now: Instant) -> bool {
        let is_over = |minute| now.saturating_duration_since(minute) >= QUIET;
        if self.minute.is_none_or(is_over) {
            self.minute = Some(now);
            self.lines = 0;
        }
        self.lines < LINES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::of(Some(text.parse().expect("an address")))
    }

    #[test]
    fn addresses_that_count_as_one_are_one() {
        for (one, other, are_one) in [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::1", "2001:db8:0:0:ffff::1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            assert_eq!(address(one) == address(other), are_one, "{one} {other}");
        }
        assert_eq!(address("2001:db8::1").to_string(), "2001:db8::/64");
        assert_eq!(address("::ffff:192.0.2.1").to_string(), "192.0.2.1");
        assert_eq!(Address::of(None).to_string(), "unix");
    }

    #[test]
    fn waiting_begins_after_three_tries_and_doubles_up_to_a_minute() {
        let mut penalties = Penalties::default();
        let mut now = Instant::now();
        let guesser = address("192.0.2.1");
        for _ in 0..2 {
            assert_eq!(penalties.note(guesser, now).wait, None);
        }
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let window = Duration::from_secs(seconds);
            assert_eq!(penalties.note(guesser, now).wait, None, "examined");
            assert_eq!(penalties.note(guesser, now).wait, Some(window));
            assert_eq!(
                penalties.note(guesser, now + window / 2).wait,
                Some(window / 2),
                "a try while waiting does not prolong it"
            );
            now += window;
        }
        now += MEMORY * 2;
        for _ in 0..3 {
            assert_eq!(penalties.note(guesser, now).wait, None, "forgotten");
        }
        assert_eq!(penalties.note(guesser, now).wait, Some(SHORTEST));
    }

    #[test]
    fn one_address_does_not_wait_for_another() {
        let mut penalties = Penalties::default();
        let now = Instant::now();
        for _ in 0..10 {
            penalties.note(address("192.0.2.1"), now);
        }
        assert_eq!(penalties.note(address("192.0.2.2"), now).wait, None);
    }

    #[test]
    fn the_table_stays_small_and_forgets_the_oldest() {
        let mut penalties = Penalties::default();
        let start = Instant::now();
        let nth = |number: u32| Address::of(Some(IpAddr::from(number.to_be_bytes())));
        for number in 0..5000 {
            penalties.note(nth(number), start + Duration::from_millis(number.into()));
        }
        assert_eq!(penalties.addresses.len(), ADDRESSES);
        assert!(penalties.addresses.contains_key(&nth(4999)));
        assert!(penalties.addresses.contains_key(&nth(5000 - 1024)));
        assert!(!penalties.addresses.contains_key(&nth(5000 - 1025)));
    }

    #[test]
    fn an_address_has_a_line_a_minute_that_counts_its_tries() {
        let mut penalties = Penalties::default();
        let start = Instant::now();
        let mut said = Vec::new();
        for tenth in 0..=1200 {
            let now = start + Duration::from_millis(tenth * 100);
            said.extend(penalties.note(address("192.0.2.1"), now).say);
        }
        assert_eq!(said, [1, 600, 600]);
    }

    #[test]
    fn many_addresses_do_not_fill_the_log() {
        let mut penalties = Penalties::default();
        let start = Instant::now();
        let lines = |penalties: &mut Penalties, now| {
            (0..3000u32)
                .filter(|number| {
                    let address = Address::of(Some(IpAddr::from(number.to_be_bytes())));
                    penalties.note(address, now).say.is_some()
                })
                .count()
        };
        assert_eq!(lines(&mut penalties, start), 20);
        assert_eq!(lines(&mut penalties, start + QUIET / 2), 0);
        assert_eq!(lines(&mut penalties, start + QUIET), 20);
    }
}

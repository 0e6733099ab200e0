//! By which addresses the server is reached from other machines, asked of the kernel now and then.
//!
//! Every viewer asks for `/state` each second, and addresses change a few times a day.

use parking_lot::Mutex;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// For so long what the kernel said is taken for true.
const KEPT: Duration = Duration::from_secs(10);

/// What the kernel said last.
#[derive(Debug, Default)]
pub struct AddressCache {
    /// When, and what. Held for the time of a copy, not while the kernel is asked.
    last: Mutex<Option<(Instant, Arc<[String]>)>>,
}

impl AddressCache {
    /// The addresses as texts at `now`; `ask` is asked when those known are old.
    pub fn get(&self, now: Instant, ask: impl FnOnce() -> Vec<SocketAddr>) -> Arc<[String]> {
        let last = self.last.lock().clone();
        let is_young = |(at, _): &(Instant, _)| now.saturating_duration_since(*at) < KEPT;
        if let Some((_, known)) = last.filter(is_young) {
            return known;
        }
        let found: Arc<[String]> = ask().iter().map(SocketAddr::to_string).collect();
        *self.last.lock() = Some((now, Arc::clone(&found)));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_asked_once_in_ten_seconds() {
        let (cache, now) = (AddressCache::default(), Instant::now());
        let ask = |text: &str| vec![text.parse().expect("an address")];
        let never = || unreachable!("asked again");
        let (first, second) = ("192.168.1.2:8080", "[fd00::2]:8080");
        assert_eq!(*cache.get(now, || ask(first)), [first]);
        for seconds in [0, 1, 9] {
            let later = now + Duration::from_secs(seconds);
            assert_eq!(*cache.get(later, never), [first]);
        }
        assert_eq!(*cache.get(now + KEPT, || ask(second)), [second]);
        assert_eq!(*cache.get(now + KEPT, never), [second]);
    }
}

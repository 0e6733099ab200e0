//! The search for a camera while `auto` shows the test pattern.
//!
//! Decides when the camera nodes are tried and which capture thread does it; the supervisor
//! launches and abandons that thread. Reads no clock and no device.

use crate::capture::lease::CaptureLease;
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// Nodes that did not open are tried again after this long even if nothing was plugged in.
const RETRY: Duration = Duration::from_secs(15);

/// Time between two looks for new nodes where the system reports none.
const POLL: Duration = Duration::from_secs(5);

/// See the module. Nothing is searched until [`AutoSearch::begin`].
pub struct AutoSearch {
    /// When to look next; `None` while no camera is searched.
    next: Option<Instant>,
    /// Time between two looks.
    period: Duration,
    /// The nodes tried last, and when; `None` when the next look shall try whatever is there.
    tried: Option<(Vec<PathBuf>, Instant)>,
    /// The capture thread that tries the nodes.
    lease: Option<Arc<CaptureLease>>,
}

impl AutoSearch {
    /// A search that is not begun.
    pub fn new() -> AutoSearch {
        AutoSearch {
            next: None,
            period: RETRY,
            tried: None,
            lease: None,
        }
    }

    /// The test pattern stands in: `cameras` were tried just now.
    pub fn begin(&mut self, cameras: Vec<PathBuf>, now: Instant) {
        self.next = Some(now + self.period);
        self.tried = Some((cameras, now));
    }

    /// A camera was found. Gives the lease of a search that is still running.
    pub fn end(&mut self) -> Option<Arc<CaptureLease>> {
        self.next = None;
        self.lease.take()
    }

    /// A node may have come: look at `soon`.
    pub fn plugged(&mut self, soon: Instant) {
        self.tried = None;
        self.next = self.next.map(|next| next.min(soon));
    }

    /// The system does not report new nodes: look for them often.
    pub fn poll(&mut self, now: Instant) {
        self.period = POLL;
        self.next = self.next.map(|next| next.min(now + POLL));
    }

    /// When to look next.
    pub fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// True when it is time to look; puts off the next look.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.next.is_some_and(|next| now >= next);
        if is_due {
            self.next = Some(now + self.period);
        }
        is_due
    }

    /// The capture thread of a search that has got no picture for `timeout`.
    pub fn take_overdue(&mut self, now: Instant, timeout: Duration) -> Option<Arc<CaptureLease>> {
        self.lease
            .take_if(|lease| now >= lease.last_picture() + timeout)
    }

    /// Whether `cameras` shall be tried, and camera modules, which have no nodes: they are others than
    /// last time, or that was long ago. Never while a search is running.
    pub fn wants(&mut self, cameras: &[PathBuf], now: Instant) -> bool {
        let is_known =
            |(tried, at): &(Vec<PathBuf>, Instant)| tried == cameras && now < *at + RETRY;
        if self.lease.is_some() || self.tried.as_ref().is_some_and(is_known) {
            return false;
        }
        self.tried = Some((cameras.to_vec(), now));
        true
    }

    /// The thread under `lease` tries the cameras.
    pub fn launched(&mut self, lease: Arc<CaptureLease>) {
        self.lease = Some(lease);
    }

    /// Takes the lease with `id`, if it is the search's.
    pub fn take(&mut self, id: u64) -> Option<Arc<CaptureLease>> {
        self.lease.take_if(|lease| lease.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn nodes(numbers: &[u32]) -> Vec<PathBuf> {
        let path = |number| PathBuf::from(format!("/dev/video{number}"));
        numbers.iter().map(path).collect()
    }

    /// A look, as the supervisor has it.
    fn look(search: &mut AutoSearch, cameras: &[PathBuf], now: Instant) -> bool {
        search.is_due(now) && search.wants(cameras, now)
    }

    #[test]
    fn nothing_is_searched_before_it_begins_or_after_it_ends() {
        let (mut search, now) = (AutoSearch::new(), Instant::now());
        assert_eq!(search.deadline(), None);
        search.plugged(now);
        search.poll(now);
        assert!(!search.is_due(now + 100 * SECOND));
        search.begin(nodes(&[]), now);
        assert_eq!(search.deadline(), Some(now + POLL));
        assert!(search.end().is_none());
        assert!(!search.is_due(now + 100 * SECOND));
    }

    #[test]
    fn cameras_that_did_not_open_are_tried_every_quarter_of_a_minute() {
        let (mut search, now) = (AutoSearch::new(), Instant::now());
        search.begin(nodes(&[0]), now);
        assert!(!look(&mut search, &nodes(&[0]), now + 14 * SECOND));
        assert!(look(&mut search, &nodes(&[0]), now + 15 * SECOND));
        assert!(!look(&mut search, &nodes(&[0]), now + 16 * SECOND));
        assert!(look(&mut search, &nodes(&[0]), now + 30 * SECOND));
        let is_looked_for = look(&mut search, &nodes(&[]), now + 45 * SECOND);
        assert!(is_looked_for, "a camera module has no node");
    }

    #[test]
    fn a_node_that_comes_is_tried_at_once_though_it_was_tried_before() {
        let (mut search, now) = (AutoSearch::new(), Instant::now());
        search.begin(nodes(&[0]), now);
        search.plugged(now + SECOND);
        assert_eq!(search.deadline(), Some(now + SECOND));
        assert!(look(&mut search, &nodes(&[0]), now + SECOND));
    }

    #[test]
    fn without_reports_new_nodes_are_found_by_polling_and_old_ones_left_alone() {
        let (mut search, now) = (AutoSearch::new(), Instant::now());
        search.begin(nodes(&[0]), now);
        search.poll(now);
        assert!(!look(&mut search, &nodes(&[0]), now + 5 * SECOND));
        assert!(look(&mut search, &nodes(&[0, 2]), now + 10 * SECOND));
        assert!(!look(&mut search, &nodes(&[0, 2]), now + 15 * SECOND));
        assert!(look(&mut search, &nodes(&[0, 2]), now + 25 * SECOND));
    }

    #[test]
    fn one_search_runs_at_a_time_until_it_is_overdue() {
        let (mut search, now) = (AutoSearch::new(), Instant::now());
        search.begin(nodes(&[]), now);
        let lease = Arc::new(CaptureLease::new(7, now));
        search.launched(Arc::clone(&lease));
        search.plugged(now);
        assert!(!look(&mut search, &nodes(&[0]), now), "one is running");
        lease.note_picture(now + 8 * SECOND);
        assert!(
            search
                .take_overdue(now + 17 * SECOND, 10 * SECOND)
                .is_none()
        );
        assert!(search.take(8).is_none(), "not its own");
        let overdue = search.take_overdue(now + 18 * SECOND, 10 * SECOND);
        assert_eq!(overdue.map(|lease| lease.id), Some(7));
        assert!(search.take(7).is_none(), "it was taken");
        assert!(search.wants(&nodes(&[0]), now + 18 * SECOND));
    }
}

//! Viewers of all kinds, played millisecond by millisecond: what each sees, and how old.

use super::*;

const FRAME: usize = 60_000;

/// A frame of 1920 x 1080: larger than the buffer that a connection begins with.
const LARGE_FRAME: usize = 110_000;
const PERIOD: u32 = 33;

/// The kernel takes so many bytes unsent (`UNSENT_BYTES` of the listener).
const UNSENT: f64 = 16_384.0;

/// A viewer behind its receive buffer, as Linux keeps one.
struct Viewer {
    /// Bytes its buffer holds.
    capacity: f64,
    /// Bytes a second it reads, at each millisecond.
    rate: fn(u32) -> f64,
    unsent: f64,
    unread: f64,
    window: f64,
    acked: f64,
    read: f64,
    frame: usize,
    /// The kernel gives it a larger buffer while it reads all there is, to so many bytes.
    grows_to: f64,
    /// Bytes whose acknowledgement is delayed, and until when.
    delayed: (f64, u32),
    /// Milliseconds of such a delay.
    delay: u32,
}

/// What it saw.
#[derive(Debug, Default)]
struct Seen {
    /// Of each frame when all of it was read: when, and how old, milliseconds.
    ages: Vec<(u32, u32)>,
    is_slow: bool,
}

impl Viewer {
    fn new(capacity: f64, rate: fn(u32) -> f64) -> Viewer {
        Viewer {
            capacity,
            rate,
            unsent: 0.0,
            unread: 0.0,
            window: capacity,
            acked: 0.0,
            read: 0.0,
            frame: FRAME,
            grows_to: capacity,
            delayed: (0.0, 0),
            delay: 0,
        }
    }

    fn pass_millisecond(&mut self, at: u32) {
        let read = self.unread.min((self.rate)(at) / 1e3);
        self.unread -= read;
        self.read += read;
        if self.unread == 0.0 && read > 0.0 {
            self.capacity = (self.capacity * 1.2).min(self.grows_to.max(self.capacity));
        }
        if at >= self.delayed.1 {
            self.delayed.0 = 0.0;
        }
        let free = self.capacity - self.unread;
        // Announced when it has doubled and is less than half; see tcp_cleanup_rbuf in Linux.
        if 2.0 * self.window <= self.capacity && free >= 2.0 * self.window && read > 0.0 {
            self.window = free;
        }
        self.deliver(at);
    }

    fn deliver(&mut self, at: u32) {
        // What arrives is answered at once with the window as it is.
        while self.unsent.min(self.window) >= 1.0 {
            let arriving = self.unsent.min(self.window);
            self.unsent -= arriving;
            self.unread += arriving;
            self.acked += arriving;
            self.window = self.capacity - self.unread;
            if self.delay > 0 {
                self.delayed = (arriving.min(64e3), at + self.delay);
            }
        }
    }

    fn wire(&self) -> Wire {
        Wire {
            unacked: u32::from(self.delayed.0 > 0.0),
            flying: self.delayed.0 as u32,
            unsent: self.unsent as u32,
            // As it was told before.
            window: (self.window + self.delayed.0) as u32,
            round_trip: Duration::from_millis(1),
            acked: (self.acked - self.delayed.0) as u64,
        }
    }

    /// Streams to it for `millis`, as `stream.rs` does.
    fn watch(mut self, millis: u32) -> Seen {
        let (begun, mut seen) = (Instant::now(), Seen::default());
        // A buffer of the usual size is announced whole at the beginning, a larger one grows.
        let mut sight = Sight::begin_with((self.capacity as u32).min(65_535));
        // Ends of the parts that were sent, in bytes, and when their frames were taken.
        let mut sent: Vec<(f64, u32)> = Vec::new();
        let mut is_writing = false;
        for at in 0..millis {
            let now = begun + Duration::from_millis(at.into());
            self.pass_millisecond(at);
            let has_written = is_writing && self.unsent <= UNSENT;
            if has_written {
                is_writing = false;
                sight.note_part_at(self.frame, Some(self.wire()), now);
            }
            let taken = at / PERIOD * PERIOD;
            // It looks when a frame comes, or at once if one came while it was writing.
            let is_newer = sent.last().is_none_or(|last| last.1 < taken);
            let is_awake = at == taken || has_written;
            if !is_writing
                && is_newer
                && is_awake
                && (sight.slow.is_none() || sight.judge(self.wire(), now))
            {
                self.unsent += self.frame as f64;
                let end = sent.last().map_or(0.0, |last| last.0) + self.frame as f64;
                sent.push((end, taken));
                self.deliver(at);
                is_writing = self.unsent > UNSENT;
                if is_writing {
                    sight.note_wait_at(now);
                } else {
                    sight.note_part_at(self.frame, sight.slow.map(|_| self.wire()), now);
                }
            }
            while let Some(&(end, taken)) = sent.get(seen.ages.len()) {
                if self.read + 0.5 < end {
                    break;
                }
                seen.ages.push((at, at - taken));
            }
        }
        seen.is_slow = sight.slow.is_some();
        seen
    }
}

impl Seen {
    fn since(&self, begin: u32) -> Vec<u32> {
        let late = self.ages.iter().filter(|(at, _)| *at >= begin);
        late.map(|(_, age)| *age).collect()
    }
}

#[test]
fn a_slow_viewer_sees_the_present_and_its_link_is_not_idle() {
    for capacity in [64e3, 128e3] {
        for rate in [|_| 60e3, |_| 125e3, |_| 500e3, |_| 1.2e6] {
            let case = format!("{capacity} bytes, {} a second", rate(0));
            // A buffer that is larger than it seemed is found out to be so and emptied.
            let (begin, end) = (30_000, 90_000);
            let ages = Viewer::new(capacity, rate).watch(end).since(begin);
            let one = FRAME as f64 / rate(0) * 1e3;
            let mut sorted = ages.clone();
            sorted.sort_unstable();
            // The time to read it, some of what was there before, and until the next look; now and
            // then a whole part was there before.
            for (share, parts) in [(0.5, 2.2), (0.99, 2.5)] {
                let age = sorted[(sorted.len() as f64 * share) as usize];
                let allowed = (one * parts) as u32 + 5 * PERIOD;
                assert!(age <= allowed, "{case}: {age} ms, allowed {allowed}");
            }
            let share = ages.len() as f64 * one / f64::from(end - begin);
            // What does not divide by the source's period loses up to a frame of it.
            assert!(share > 0.7, "{case}: {share} of the link");
        }
    }
}

#[test]
fn a_fast_viewer_that_is_held_up_now_and_then_misses_no_more_than_that() {
    // Held up for 80 ms of every 400, as on a machine that is full.
    fn rate(at: u32) -> f64 {
        if at % 400 < 80 { 0.0 } else { 20e6 }
    }
    for capacity in [64e3, 1e6] {
        let seen = Viewer::new(capacity, rate).watch(20_000);
        // Three frames of twelve fall into each such time, and one of them waits for its end.
        let rate = seen.ages.len() as f64 / 20.0;
        assert!(rate > 23.0, "{capacity}: {rate} frames a second");
    }
}

#[test]
fn a_fast_viewer_misses_nothing_whatever_its_kernel_does() {
    // A buffer smaller than a frame at first, which grows; acknowledgements that are delayed; held up
    // for a moment now and then.
    fn rate(at: u32) -> f64 {
        if at % 5000 < 40 { 0.0 } else { 50e6 }
    }
    for delay in [0, 40] {
        for grows_to in [64e3, 6e6] {
            let mut viewer = Viewer::new(64e3, rate);
            (viewer.frame, viewer.delay, viewer.grows_to) = (LARGE_FRAME, delay, grows_to);
            let seen = viewer.watch(20_000);
            let case = format!("{delay} ms, {grows_to} bytes");
            let late = seen.since(5_000).len();
            assert!(late >= 440, "{case}: {late} of 454");
        }
    }
}

#[test]
fn a_viewer_that_was_held_up_once_is_slow_no_more() {
    fn rate(at: u32) -> f64 {
        if (1000..1500).contains(&at) { 0.0 } else { 5e6 }
    }
    let seen = Viewer::new(64e3, rate).watch(5_000);
    assert!(!seen.is_slow);
    assert!(seen.since(3_000).len() >= 59, "{:?}", seen.since(3_000));
}

#[test]
fn a_viewer_that_becomes_faster_is_found_out() {
    fn rate(at: u32) -> f64 {
        if at < 10_000 { 125e3 } else { 5e6 }
    }
    for capacity in [64e3, 1e6] {
        let seen = Viewer::new(capacity, rate).watch(20_000);
        let late = seen.since(15_000).len();
        assert!(late >= 145, "{capacity}: {late} of 150");
        assert!(!seen.is_slow, "{capacity}");
    }
}

#[test]
fn a_window_that_never_opens_does_not_silence_a_viewer() {
    let mut sight = Sight::default();
    let now = Instant::now();
    sight.note_wait();
    sight.note_part_at(1000, None, now);
    let shut = Wire {
        unacked: 9,
        flying: 9,
        unsent: 9,
        window: 0,
        round_trip: Duration::from_millis(1),
        acked: 0,
    };
    assert!(!sight.judge(shut, now + LONGEST / 2));
    assert!(sight.judge(shut, now + LONGEST * 2));
}

#[test]
fn a_far_viewer_is_waited_for_until_it_has_all() {
    let wire = |unacked, unsent, millis| Wire {
        unacked,
        flying: unacked * 1448,
        unsent,
        window: 65_536,
        round_trip: Duration::from_millis(millis),
        acked: 0,
    };
    let (now, sight) = (Instant::now(), Sight::default());
    for (seen, is_drained) in [
        (wire(0, 0, 400), true),
        (wire(3, 0, 100), true),
        (wire(3, 10, 100), false),
        (wire(3, 0, 400), false),
    ] {
        assert_eq!(sight.is_drained(seen, now), is_drained, "{seen:?}");
    }
}

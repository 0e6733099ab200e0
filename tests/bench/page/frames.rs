//! Which of the camera's frames were on the screen, and how old they were when they came there. Pure,
//! so that its tests run with `tests/it`.
//!
//! A frame is known on the screen by its code, which is its number without the high bits: it is the
//! newest frame of that code that had been taken by then.

use std::collections::HashSet;
use std::ops::Range;

/// Codes there are. At 30 frames a second one comes back after two seconds.
pub const CODES: u64 = 64;

/// A frame of the camera. Times are of CLOCK_MONOTONIC, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub number: u64,
    pub micros: u64,
}

/// A code that was on the screen, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub code: u64,
    pub micros: u64,
}

/// What became of the frames of a window.
#[derive(Debug, Default)]
pub struct Shown {
    /// Frames that the camera took.
    pub taken: usize,
    /// Frames of them that were on the screen.
    pub shown: usize,
    /// From being taken to being on the screen, in milliseconds, of each that was.
    pub ages_ms: Vec<f64>,
    /// Times that an older frame took the place of a newer one.
    pub back: usize,
}

/// `taken` and `seen` are in order of time; of `taken`, some may be missing. Counts the frames that were
/// taken in `window`; `seen` should go on for a while after it.
pub fn shown(taken: &[Taken], seen: &[Seen], window: Range<u64>) -> Shown {
    let taken = without_gaps(taken);
    let is_counted = |frame: &Taken| window.contains(&frame.micros);
    let mut result = Shown {
        taken: taken.iter().filter(|frame| is_counted(frame)).count(),
        ..Shown::default()
    };
    let mut known = HashSet::new();
    let mut newest = 0;
    for seen in seen {
        let by_then = taken.partition_point(|frame| frame.micros <= seen.micros);
        let mut by_then = taken[..by_then].iter().rev().take(CODES as usize);
        let Some(frame) = by_then.find(|frame| frame.number % CODES == seen.code) else {
            continue;
        };
        if frame.number < newest {
            result.back += usize::from(is_counted(frame));
            continue;
        }
        newest = frame.number;
        if is_counted(frame) && known.insert(frame.number) {
            result.shown += 1;
            let age = seen.micros - frame.micros;
            result.ages_ms.push(age as f64 / 1e3);
        }
    }
    result
}

/// With those that did not reach the reader: a camera's frames are evenly apart.
fn without_gaps(taken: &[Taken]) -> Vec<Taken> {
    let mut all: Vec<Taken> = taken.first().copied().into_iter().collect();
    for pair in taken.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let step = after.number.saturating_sub(before.number);
        let apart = after.micros.saturating_sub(before.micros);
        all.extend((1..=step).map(|count| Taken {
            number: before.number + count,
            micros: before.micros + apart * count / step,
        }));
    }
    all
}

#[cfg(test)]
#[allow(dead_code)] // In the bench, which has no harness, the tests vanish.
mod tests {
    use super::*;

    /// One each 33 ms, number 1000 at 0.
    fn frame(number: u64) -> Taken {
        let micros = (number - 1000) * 33_000;
        Taken { number, micros }
    }

    fn taken(numbers: Range<u64>) -> Vec<Taken> {
        numbers.map(frame).collect()
    }

    fn seen(number: u64, age_ms: u64) -> Seen {
        Seen {
            code: number % CODES,
            micros: frame(number).micros + age_ms * 1000,
        }
    }

    fn all_of(taken: &[Taken]) -> Range<u64> {
        0..taken[taken.len() - 1].micros + 1
    }

    #[test]
    fn each_frame_on_the_screen_is_known_with_its_age() {
        let taken = taken(1000..1200);
        let seen: Vec<Seen> = (1000..1200).map(|number| seen(number, 48)).collect();
        let shown = shown(&taken, &seen, all_of(&taken));
        assert_eq!((shown.taken, shown.shown, shown.back), (200, 200, 0));
        assert!(shown.ages_ms.iter().all(|&age| age == 48.0));
    }

    #[test]
    fn a_frame_that_never_came_is_missed_and_one_seen_twice_counts_once() {
        let taken = taken(1000..1010);
        let kept = [1000, 1001, 1001, 1003, 1004, 1005, 1006, 1007, 1008, 1009];
        let seen: Vec<Seen> = kept.iter().map(|&number| seen(number, 5)).collect();
        let shown = shown(&taken, &seen, all_of(&taken));
        assert_eq!((shown.taken, shown.shown, shown.back), (10, 9, 0));
    }

    #[test]
    fn an_older_frame_after_a_newer_one_is_told_of() {
        let taken = taken(1000..1004);
        let order = [seen(1000, 5), seen(1002, 5), seen(1001, 60), seen(1003, 5)];
        let shown = shown(&taken, &order, all_of(&taken));
        assert_eq!((shown.shown, shown.back), (3, 1));
    }

    #[test]
    fn frames_outside_the_window_do_not_count() {
        let taken = taken(1000..1100);
        let seen: Vec<Seen> = (1000..1100).map(|number| seen(number, 16)).collect();
        let window = frame(1010).micros..frame(1060).micros;
        let shown = shown(&taken, &seen, window);
        assert_eq!((shown.taken, shown.shown), (50, 50));
    }

    #[test]
    fn a_frame_that_the_reader_missed_is_still_the_camera_s() {
        let whole = taken(1000..1020);
        let read: Vec<Taken> = whole.iter().copied().filter(|f| f.number != 1007).collect();
        let seen: Vec<Seen> = (1000..1020).map(|number| seen(number, 16)).collect();
        let shown = shown(&read, &seen, all_of(&read));
        assert_eq!((shown.taken, shown.shown), (20, 20));
    }
}

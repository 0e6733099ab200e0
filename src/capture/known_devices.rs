//! Which of the devices that are seen is which that was known: pure, for the discovery.
//!
//! A device is known again where it was plugged in before, or by its serial number where no other has that
//! one; its node's number says nothing. In doubt it is a new one: pictures of one device never come under the
//! name of another.

use crate::feed::place::SeenDevice;

/// A device as it was seen last, and whether it was there at the last look.
pub type Known = (SeenDevice, bool);

/// Whether a device that was known is one that is seen.
type Judgement<'a> = &'a dyn Fn(&Known, &SeenDevice) -> bool;

/// For each of `seen` the place in `known` of the device that it is; `None` for a new one.
pub fn recognize(known: &[Known], seen: &[SeenDevice]) -> Vec<Option<usize>> {
    let mut found: Vec<Option<usize>> = vec![None; seen.len()];
    let mut is_free = vec![true; known.len()];
    // Some makers give all their devices the same serial number.
    let has_own_serial = |seen_now: &SeenDevice| {
        let known = known.iter().map(|(device, _)| device);
        let count = |devices: &mut dyn Iterator<Item = &SeenDevice>| {
            devices.filter(|device| is_alike(device, seen_now)).count()
        };
        seen_now.serial.is_some() && count(&mut known.clone()) == 1 && count(&mut seen.iter()) == 1
    };
    let is_unmoved = |known: &Known, seen: &SeenDevice| {
        let (device, is_there) = known;
        *is_there && device.node == seen.node
    };
    let is_there_again = |known: &Known, seen: &SeenDevice| {
        let (device, _) = known;
        match (&device.port, &seen.port) {
            (Some(port), Some(other)) => port == other,
            // Nothing but its number and its words tells it.
            _ => device.node.path == seen.node.path,
        }
    };
    let is_elsewhere = |_: &Known, seen: &SeenDevice| has_own_serial(seen);
    // The surest first: what one finds is not left for the next.
    let ways: [Judgement; 3] = [&is_unmoved, &is_there_again, &is_elsewhere];
    for is_it in ways {
        for (seen, found) in seen
            .iter()
            .zip(&mut found)
            .filter(|(_, found)| found.is_none())
        {
            let is_it = |at: &usize| {
                is_free[*at] && is_alike(&known[*at].0, seen) && is_it(&known[*at], seen)
            };
            *found = (0..known.len()).find(is_it);
            if let Some(at) = found {
                is_free[*at] = false;
            }
        }
    }
    found
}

/// True where what they say of themselves is the same.
fn is_alike(one: &SeenDevice, other: &SeenDevice) -> bool {
    one.card == other.card && one.serial == other.serial
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::place::NodeIdentity;

    /// A camera with a serial number (0: none) in a port, whose node has a number and an inode.
    fn device(serial: u32, port: u32, node: u32, inode: u64) -> SeenDevice {
        SeenDevice {
            node: NodeIdentity {
                path: format!("/dev/video{node}").into(),
                inode,
                made: None,
            },
            card: "C920".to_owned(),
            serial: (serial > 0).then(|| serial.to_string()),
            port: (port > 0).then(|| format!("/usb1/1-{port}")),
        }
    }

    #[test]
    fn a_device_is_known_again_and_no_other_is_taken_for_it() {
        let there = |devices: &[SeenDevice]| devices.iter().map(|d| (d.clone(), true)).collect();
        let both: Vec<_> = there(&[device(7, 1, 0, 10), device(8, 2, 2, 11)]);
        let twins: Vec<_> = there(&[device(1, 1, 0, 10), device(1, 2, 2, 11)]);
        let nameless: Vec<_> = there(&[device(0, 1, 0, 10), device(0, 2, 2, 11)]);
        let portless: Vec<_> = there(&[device(0, 0, 0, 10)]);
        /// Why, what is known, what is seen, which of the known each is.
        type Case<'a> = (&'a str, &'a [Known], &'a [SeenDevice], &'a [Option<usize>]);
        let cases: [Case; 12] = [
            (
                "nothing has changed",
                &both,
                &[device(7, 1, 0, 10), device(8, 2, 2, 11)],
                &[Some(0), Some(1)],
            ),
            (
                "plugged in again, under each other's numbers",
                &both,
                &[device(8, 2, 0, 20), device(7, 1, 2, 21)],
                &[Some(1), Some(0)],
            ),
            (
                "moved to another port",
                &both,
                &[device(7, 3, 0, 20), device(8, 2, 2, 11)],
                &[Some(0), Some(1)],
            ),
            (
                "they have changed ports",
                &both,
                &[device(8, 1, 0, 20), device(7, 2, 2, 21)],
                &[Some(1), Some(0)],
            ),
            (
                "another one in the port of the first, with its number",
                &both,
                &[device(9, 1, 0, 20), device(8, 2, 2, 11)],
                &[None, Some(1)],
            ),
            (
                "one that hides its serial number in that port",
                &both,
                &[device(0, 1, 0, 20)],
                &[None],
            ),
            (
                "twins in their ports",
                &twins,
                &[device(1, 2, 0, 20), device(1, 1, 2, 21)],
                &[Some(1), Some(0)],
            ),
            (
                "a twin moved, and nobody knows which",
                &twins,
                &[device(1, 3, 0, 20), device(1, 2, 2, 11)],
                &[None, Some(1)],
            ),
            (
                "a third twin",
                &twins,
                &[
                    device(1, 1, 0, 10),
                    device(1, 2, 2, 11),
                    device(1, 3, 4, 12),
                ],
                &[Some(0), Some(1), None],
            ),
            (
                "nothing but ports tells them",
                &nameless,
                &[device(0, 2, 0, 20), device(0, 3, 2, 21)],
                &[Some(1), None],
            ),
            (
                "nothing but its number tells it",
                &portless,
                &[device(0, 0, 0, 20), device(0, 0, 1, 21)],
                &[Some(0), None],
            ),
            (
                "two where one was, of one serial number",
                &there(&[device(7, 1, 0, 10)]),
                &[device(7, 2, 1, 20), device(7, 3, 2, 21)],
                &[None, None],
            ),
        ];
        for (why, known, seen, expected) in cases {
            assert_eq!(recognize(known, seen), expected, "{why}");
        }
    }

    #[test]
    fn one_that_is_gone_keeps_its_place_against_others() {
        let known = [(device(7, 1, 0, 10), false)];
        assert_eq!(recognize(&known, &[device(9, 1, 0, 10)]), [None]);
        assert_eq!(recognize(&known, &[device(7, 1, 0, 20)]), [Some(0)]);
        assert_eq!(recognize(&known, &[]), []);
    }
}

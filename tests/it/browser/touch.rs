//! What only Chromium can be told: fingers on the glass, and which media it seems to have.

use super::{Browser, Point, hands::way};
use serde_json::{Value, json};

/// Half of what lies between two fingers where they are closest, in pixels.
const REACH: f64 = 40.0;

/// A Chromium.
impl Browser {
    /// Makes the page a phone's or a tablet's: so large, with fingers in place of the mouse.
    pub fn be_touched(&mut self, width: u32, height: u32) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": true}),
        );
        let touch = json!({"enabled": true, "maxTouchPoints": 5});
        self.call("Emulation.setTouchEmulationEnabled", touch);
    }

    pub fn tap(&mut self, at: Point) {
        self.taps(at, 1);
    }

    pub fn double_tap(&mut self, at: Point) {
        self.taps(at, 2);
    }

    /// On a busy machine, too, they are not far from each other.
    fn taps(&mut self, at: Point, count: usize) {
        let tap = [touches("touchStart", &[at]), touches("touchEnd", &[])];
        let taps: Vec<_> = tap.iter().cycle().take(2 * count).cloned().collect();
        self.call_all("Input.dispatchTouchEvent", &taps);
    }

    /// Draws one finger over the glass in steps.
    pub fn swipe(&mut self, from: Point, to: Point) {
        self.touch("touchStart", &[from]);
        for at in way(from, to) {
            self.touch("touchMove", &[at]);
        }
        self.touch("touchEnd", &[]);
    }

    /// Moves two fingers around a point apart, or together, until they are `factor` times as far from
    /// each other. They need room: 40 pixels to the left and to the right, times `factor` or through it.
    pub fn pinch(&mut self, at: Point, factor: f64) {
        let start = REACH * (1.0 / factor).max(1.0);
        let fingers = |reach: f64| [(at.0 - reach, at.1), (at.0 + reach, at.1)];
        let (both, end) = (fingers(start), fingers(start * factor));
        self.touch("touchStart", &both[..1]);
        self.touch("touchStart", &both);
        for (left, right) in way(both[0], end[0]).zip(way(both[1], end[1])) {
            self.touch("touchMove", &[left, right]);
        }
        self.touch("touchEnd", &[]);
    }

    /// How much the page is zoomed by fingers: 1 is not at all.
    pub fn page_scale(&mut self) -> f64 {
        let scale = self.eval("visualViewport.scale");
        scale.as_f64().expect("a number")
    }

    /// Lets media be what they are not, such as `("forced-colors", "active")`; none are as they are.
    pub fn emulate_media(&mut self, features: &[(&str, &str)]) {
        let feature = |(name, value): &(&str, &str)| json!({"name": name, "value": value});
        let features: Vec<_> = features.iter().map(feature).collect();
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    fn touch(&mut self, kind: &str, fingers: &[Point]) {
        self.call("Input.dispatchTouchEvent", touches(kind, fingers));
    }
}

/// Where all fingers are now.
fn touches(kind: &str, fingers: &[Point]) -> Value {
    let finger = |(id, at): (usize, &Point)| json!({"id": id, "x": at.0, "y": at.1});
    let fingers: Vec<_> = fingers.iter().enumerate().map(finger).collect();
    json!({"type": kind, "touchPoints": fingers})
}

//! What every engine is told in the same way: hands on the keyboard and the mouse, windows, and the
//! modules of a page.

use super::{Browser, Driver, EarlyScripts, Mouse, Point};
use serde_json::{Value, json};

/// Moves of the mouse, or of a finger, from one place to another.
const STEPS: u32 = 8;

/// The places on the way from one to another, which is the last.
pub fn way(from: Point, to: Point) -> impl Iterator<Item = Point> {
    (1..=STEPS).map(move |step| {
        let share = f64::from(step) / f64::from(STEPS);
        let between = |a: f64, b: f64| a + (b - a) * share;
        (between(from.0, to.0), between(from.1, to.1))
    })
}

impl<D: Driver> Browser<D> {
    /// Presses and releases a key; see [`Driver::key`].
    pub fn key(&mut self, name: &str) {
        self.driver.key(name);
    }

    /// Clicks with the mouse on the middle of the element `id`.
    pub fn click(&mut self, id: &str) {
        let at = self.middle(id);
        self.click_at(at);
    }

    pub fn click_at(&mut self, at: Point) {
        self.driver
            .mouse(&[Mouse::Move(at), Mouse::Press, Mouse::Release]);
    }

    pub fn double_click_at(&mut self, at: Point) {
        let click = [Mouse::Press, Mouse::Release];
        self.driver
            .mouse(&[&[Mouse::Move(at)], &click[..], &click[..]].concat());
    }

    /// Turns the mouse's wheel at a point, downwards where `delta_y` is positive.
    pub fn wheel(&mut self, at: Point, delta_y: f64) {
        self.driver.wheel(at, delta_y);
    }

    /// Moves the mouse in steps with its button pressed.
    pub fn drag(&mut self, from: Point, to: Point) {
        let mut steps = vec![Mouse::Move(from), Mouse::Press];
        steps.extend(way(from, to).map(Mouse::Move));
        steps.push(Mouse::Release);
        self.driver.mouse(&steps);
    }

    /// Makes the page so large; see [`Driver::resize`].
    pub fn resize(&mut self, width: u32, height: u32) {
        self.driver.resize(width, height);
    }

    /// Opens one more window, and stays in this one; see [`Driver::open_window`].
    pub fn open_window(&mut self, url: &str) -> D::Window {
        self.driver.open_window(url)
    }

    /// Does something in another window, and comes back.
    pub fn in_window<T>(
        &mut self,
        window: &D::Window,
        run: impl FnOnce(&mut Browser<D>) -> T,
    ) -> T {
        let before = self.driver.window();
        self.driver.switch_to(window);
        let result = run(self);
        self.driver.switch_to(&before);
        result
    }

    /// Closes another window.
    pub fn close_window(&mut self, window: D::Window) {
        self.driver.close_window(window);
    }

    /// Hides the page: its window is minimized. A page in a window behind others is not hidden.
    pub fn hide(&mut self) {
        self.driver.minimize(true);
        self.wait("document.visibilityState === 'hidden'");
    }

    pub fn show(&mut self) {
        self.driver.minimize(false);
        self.wait("document.visibilityState === 'visible'");
    }

    pub fn back(&mut self) {
        self.driver.traverse(-1);
    }

    pub fn forward(&mut self) {
        self.driver.traverse(1);
    }

    /// The middle of the element `id`, in the window.
    pub fn middle(&mut self, id: &str) -> Point {
        let place = self.eval(&format!(
            "(() => {{ const box = document.getElementById('{id}').getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        serde_json::from_value(place).expect("a point")
    }

    /// Makes what the page's modules `static/NAME.js` export global, for later expressions. They are
    /// the page's own instances: each is imported from the address that the page itself loaded.
    pub fn import(&mut self, names: &[&str]) {
        let script = format!("({IMPORT})({})", json!(names));
        assert_eq!(self.eval(&script), Value::Null, "cannot import {names:?}");
    }
}

impl<D: EarlyScripts> Browser<D> {
    /// Runs a script before all those of each new page; see [`EarlyScripts::at_start`].
    pub fn at_start(&mut self, script: &str) {
        self.driver.at_start(script);
    }
}

/// Gives what is wrong, or null. A getter follows a variable that its module changes.
const IMPORT: &str = "names => Promise.all(names.map(async name => {
  const addresses = performance.getEntriesByType('resource').map(entry => entry.name)
    .filter(address => new URL(address).pathname.endsWith(`/static/${name}.js`));
  const [address, other] = new Set(addresses);
  if (!address || other) throw `the page loads ${name} from: ${addresses}`;
  const module = await import(address);
  for (const key of Object.keys(module)) {
    Object.defineProperty(window, key, { configurable: true, get: () => module[key] });
  }
})).then(() => null, String)";

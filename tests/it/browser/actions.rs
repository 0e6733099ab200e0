//! What hands do, in the words of W3C WebDriver's actions, which WebDriver BiDi shares.

use super::{Mouse, Point};
use serde_json::{Value, json};

/// Presses and releases the key `name`; see [`super::Driver::key`].
pub fn key(name: &str) -> Value {
    let value = match name {
        "Escape" => "\u{e00c}",
        "Space" => " ",
        "Enter" => "\u{e007}",
        "Tab" => "\u{e004}",
        "ArrowLeft" => "\u{e012}",
        "ArrowUp" => "\u{e013}",
        "ArrowRight" => "\u{e014}",
        "ArrowDown" => "\u{e015}",
        letter => letter,
    };
    assert_eq!(value.chars().count(), 1, "no key is called `{name}`");
    let action = |kind: &str| json!({"type": kind, "value": value});
    json!([{"type": "key", "id": "keys", "actions": [action("keyDown"), action("keyUp")]}])
}

/// What the mouse does, in its order.
pub fn mouse(steps: &[Mouse]) -> Value {
    let actions: Vec<_> = steps.iter().map(|&step| action(step)).collect();
    json!([pointer(&actions)])
}

/// Turns the wheel `source`, with the mouse at `at`.
pub fn wheel(at: Point, delta_y: f64, source: &str) -> Value {
    let (x, y) = whole(at);
    let scroll =
        json!({"type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": whole_number(delta_y)});
    let wheel = json!({"type": "wheel", "id": source, "actions": [{"type": "pause"}, scroll]});
    json!([pointer(&[action(Mouse::Move(at))]), wheel])
}

fn pointer(actions: &[Value]) -> Value {
    json!({"type": "pointer", "id": "mouse", "actions": actions})
}

fn action(step: Mouse) -> Value {
    match step {
        Mouse::Move(at) => {
            let (x, y) = whole(at);
            json!({"type": "pointerMove", "x": x, "y": y})
        }
        Mouse::Press => json!({"type": "pointerDown", "button": 0}),
        Mouse::Release => json!({"type": "pointerUp", "button": 0}),
    }
}

/// WebDriver knows whole pixels only.
fn whole((x, y): Point) -> (i64, i64) {
    (whole_number(x), whole_number(y))
}

#[expect(clippy::cast_possible_truncation, reason = "pixels of a screen")]
fn whole_number(value: f64) -> i64 {
    value.round() as i64
}

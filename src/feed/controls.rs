//! A camera's controls (brightness, exposure and the like), whoever sets them.

use serde::{Serialize, Serializer};
use std::{fmt, io};

/// Reads and sets the controls of an opened camera.
pub trait CameraControls: fmt::Debug + Send + Sync {
    /// The controls as they stand.
    fn list(&self) -> io::Result<Vec<Control>>;

    /// Sets `settings`, pairs of a name and a value; a sentence for each that cannot be set.
    fn set(&self, settings: &[(String, String)]) -> io::Result<Vec<String>>;

    /// Whether the camera itself keeps them while it is closed.
    fn are_kept(&self) -> bool;
}

/// A control as it stands.
#[derive(Debug, Clone, Serialize)]
pub struct Control {
    /// Such as `white_balance_automatic`.
    pub name: String,
    /// The driver's words.
    pub title: String,
    /// What its value means.
    #[serde(rename = "type")]
    pub kind: ControlKind,
    /// As it stands.
    #[serde(serialize_with = "number")]
    pub value: f64,
    /// Least value.
    #[serde(serialize_with = "number")]
    pub min: f64,
    /// Greatest value.
    #[serde(serialize_with = "number")]
    pub max: f64,
    /// Between two values.
    #[serde(serialize_with = "number")]
    pub step: f64,
    /// Value after plugging in.
    #[serde(serialize_with = "number")]
    pub default: f64,
    /// It has no effect while another control stands as it does.
    pub is_inactive: bool,
    /// The choices of a menu.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub menu: Vec<Choice>,
}

/// One choice of a menu.
#[derive(Debug, Clone, Serialize)]
pub struct Choice {
    /// The value that chooses it.
    pub value: i32,
    /// The driver's words.
    pub title: String,
}

/// What a control's value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ControlKind {
    /// A whole number.
    Integer,
    /// A number that may have decimals.
    Decimal,
    /// 0 is off, 1 is on.
    Boolean,
    /// One of several choices.
    Menu,
}

/// A whole number without decimals: 128, not 128.0.
fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match value.fract() == 0.0 {
        true => serializer.serialize_i64(*value as i64),
        false => serializer.serialize_f64(*value),
    }
}

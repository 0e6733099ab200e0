//! A camera's controls (brightness, exposure and the like), whoever sets them.

use serde::Serialize;
use std::{fmt, io, path::Path};

/// Reads and sets the controls of the camera at a device node.
pub trait CameraControls: fmt::Debug + Send + Sync {
    /// The controls as they stand.
    fn list(&self, node: &Path) -> io::Result<Vec<Control>>;

    /// Sets `settings`, pairs of a name and a value; a sentence for each that cannot be set.
    fn set(&self, node: &Path, settings: &[(String, String)]) -> io::Result<Vec<String>>;
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
    pub value: i32,
    /// Least value.
    pub min: i32,
    /// Greatest value.
    pub max: i32,
    /// Between two values.
    pub step: i32,
    /// Value after plugging in.
    pub default: i32,
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
    /// A number.
    Integer,
    /// 0 is off, 1 is on.
    Boolean,
    /// One of several choices.
    Menu,
}

//! The names and values by which `--set` and `/controls` mean a camera's controls.

use crate::feed::controls::{Choice, Control, ControlKind};

/// The place of the control and the number that `name=value` means; else why it means none.
pub fn find(controls: &[Control], name: &str, value: &str) -> Result<(usize, f64), String> {
    let name = slug(name);
    let is_mode = value.parse::<f64>().is_err();
    let at = controls
        .iter()
        .position(|control| control.name == name)
        // `exposure=auto` means the control that decides who sets the exposure, `exposure=100` the
        // one that is then set; drivers name them in half a dozen ways.
        .or_else(|| {
            controls.iter().position(|control| {
                control.name.contains(&name) && control.name.contains("auto") == is_mode
            })
        })
        .ok_or_else(|| {
            let names: Vec<_> = controls
                .iter()
                .map(|control| control.name.as_str())
                .collect();
            match names.as_slice() {
                [] => format!("`{name}={value}`: this camera has no controls"),
                names => format!("`{name}={value}`: this camera has {}", names.join(", ")),
            }
        })?;
    let control = &controls[at];
    number(control, value)
        .map(|number| (at, number))
        .ok_or_else(|| format!("`{name}={value}`: allowed are {}", allowed(control)))
}

fn number(control: &Control, value: &str) -> Option<f64> {
    let word = value.to_ascii_lowercase();
    let number = match (control.kind, word.as_str()) {
        (ControlKind::Boolean, "on" | "true" | "auto") => 1.0,
        (ControlKind::Boolean, "off" | "false" | "manual") => 0.0,
        (ControlKind::Menu, word) if word.parse::<i32>().is_err() => {
            // What cameras call automatic exposure is often only their aperture priority.
            let words: &[&str] = if word == "auto" {
                &["auto", "aperture"]
            } else {
                &[word]
            };
            words.iter().find_map(|word| {
                let is_it = |choice: &&Choice| choice.title.to_ascii_lowercase().contains(word);
                control
                    .menu
                    .iter()
                    .find(is_it)
                    .map(|choice| choice.value.into())
            })?
        }
        (ControlKind::Decimal, word) => word.parse().ok()?,
        (_, word) => word.parse::<i32>().ok()?.into(),
    };
    let is_offered = control.kind != ControlKind::Menu
        || control
            .menu
            .iter()
            .any(|choice| f64::from(choice.value) == number);
    ((control.min..=control.max).contains(&number) && is_offered).then_some(number)
}

fn allowed(control: &Control) -> String {
    match control.kind {
        ControlKind::Boolean => "on and off".to_owned(),
        ControlKind::Integer | ControlKind::Decimal => {
            format!("{} to {}", control.min, control.max)
        }
        ControlKind::Menu => {
            let choices: Vec<_> = control
                .menu
                .iter()
                .map(|choice| format!("{} ({})", choice.value, choice.title))
                .collect();
            choices.join(", ")
        }
    }
}

/// `White Balance, Automatic` as `white_balance_automatic`.
pub fn slug(title: &str) -> String {
    let words = title.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(title: &str, kind: ControlKind, menu: &[(i32, &str)]) -> Control {
        Control {
            name: slug(title),
            title: title.to_owned(),
            kind,
            value: 0.0,
            min: 0.0,
            max: if kind == ControlKind::Boolean {
                1.0
            } else {
                255.0
            },
            step: 1.0,
            default: 0.0,
            is_inactive: false,
            menu: menu
                .iter()
                .map(|&(value, title)| Choice {
                    value,
                    title: title.to_owned(),
                })
                .collect(),
        }
    }

    fn controls() -> Vec<Control> {
        vec![
            control("Brightness", ControlKind::Integer, &[]),
            control("White Balance, Automatic", ControlKind::Boolean, &[]),
            control(
                "Auto Exposure",
                ControlKind::Menu,
                &[(1, "Manual Mode"), (3, "Aperture Priority Mode")],
            ),
            control("Exposure Time, Absolute", ControlKind::Integer, &[]),
        ]
    }

    #[test]
    fn settings_find_their_control_and_number() {
        let controls = controls();
        for (name, value, expected, number) in [
            ("brightness", "128", "brightness", 128),
            ("Brightness", "0", "brightness", 0),
            (
                "white_balance_automatic",
                "off",
                "white_balance_automatic",
                0,
            ),
            ("white_balance", "auto", "white_balance_automatic", 1),
            ("exposure", "auto", "auto_exposure", 3),
            ("exposure", "manual", "auto_exposure", 1),
            ("auto_exposure", "3", "auto_exposure", 3),
            ("exposure", "100", "exposure_time_absolute", 100),
        ] {
            let (at, found) = find(&controls, name, value).expect(value);
            let control = &controls[at];
            assert_eq!(
                (control.name.as_str(), found),
                (expected, f64::from(number)),
                "{name}={value}"
            );
        }
    }

    #[test]
    fn what_cannot_be_set_is_told_with_what_is_allowed() {
        let controls = controls();
        for (name, value, said) in [
            (
                "brightness",
                "256",
                "`brightness=256`: allowed are 0 to 255",
            ),
            (
                "brightness",
                "much",
                "`brightness=much`: allowed are 0 to 255",
            ),
            (
                "auto_exposure",
                "2",
                "`auto_exposure=2`: allowed are 1 (Manual Mode), 3 (Aperture Priority Mode)",
            ),
            (
                "white_balance_automatic",
                "2",
                "`white_balance_automatic=2`: allowed are on and off",
            ),
        ] {
            assert_eq!(find(&controls, name, value).expect_err(value), said);
        }
        let said = find(&controls, "zoom", "1").expect_err("none");
        assert!(
            said.starts_with("`zoom=1`: this camera has brightness, white"),
            "{said}"
        );
    }
}

//! The placeholder: what viewers see while there is no live picture.
//!
//! Says why, and since when, in words. Never sent as a snapshot with a 200: a time-lapse would keep it.

use crate::{
    config::Pattern,
    encode::{Encoder, Pixels, text},
    error::Error,
    feed::{
        camera::{Camera, State},
        frame::Frame,
    },
};
use opencv::{
    core::{CV_8UC3, Mat, Point, Scalar},
    prelude::*,
};
use std::time::Duration;

/// Makes a placeholder of the camera's state as it stands and publishes it.
pub fn publish(camera: &Camera) -> Result<(), Error> {
    let status = camera.status().clone();
    let title = match status.state {
        State::Opening => "Opening the camera",
        State::Idle => "Waking the camera",
        State::Online | State::Offline => "No picture",
    };
    let (reason, since) = (status.reason.unwrap_or_default(), status.since.elapsed());
    let size = status.facts.size.or(camera.config.size);
    let size = camera.config.turn.of(size.unwrap_or(Pattern::SIZE));
    let card = draw_card(size.width as i32, size.height as i32, title, &reason, since);
    let mat = card.map_err(|error| Error::Picture {
        operation: "draw a placeholder",
        reason: error.message,
    })?;
    let mut encoder = Encoder::default();
    let jpeg = encoder.encode(&mat, 0..mat.rows(), Pixels::Bgr, camera.quality())?;
    camera
        .slot
        .publish(Frame::placeholder(camera.next_sequence(), jpeg, &reason));
    Ok(())
}

fn draw_card(
    width: i32,
    height: i32,
    title: &str,
    reason: &str,
    since: Duration,
) -> opencv::Result<Mat> {
    let mut mat = Mat::new_rows_cols_with_default(height, width, CV_8UC3, Scalar::all(32.0))?;
    let letters = f64::from(height.min(width * 3 / 4)) / 26.0;
    let small = letters * 0.72;
    let left = width / 12;
    let mut lines = vec![(title.to_owned(), letters, 245.0)];
    for line in text::wrap(&text::plain(reason), small, width - 2 * left)? {
        lines.push((line, small, 200.0));
    }
    lines.push((format!("for {}", human_duration(since)), small, 150.0));
    let step = letters * 2.1;
    let mut base = f64::from(height) / 2.0 - step * (lines.len() - 1) as f64 / 2.0;
    for (line, letters, shade) in lines {
        text::text(
            &mut mat,
            &line,
            Point::new(left, base as i32),
            letters,
            Scalar::all(shade),
        )?;
        base += step;
    }
    Ok(mat)
}

/// A time as people say it: `12 s`, `3 min`, `2 h 5 min`, `4 days`.
pub fn human_duration(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_do() {
        let said = |seconds| human_duration(Duration::from_secs(seconds));
        assert_eq!(said(0), "0 s");
        assert_eq!(said(119), "119 s");
        assert_eq!(said(180), "3 min");
        assert_eq!(said(7_500), "2 h 5 min");
        assert_eq!(said(400_000), "4 days");
    }

    #[test]
    fn a_card_is_drawn_at_any_size() {
        for (width, height) in [(16, 16), (320, 240), (1920, 1080), (720, 1280)] {
            draw_card(width, height, "No picture", "why `not`…", Duration::ZERO).expect("drawn");
        }
    }
}

//! The bare pipeline: what a camera module's pictures take with nothing behind them.
//!
//! A role of the bench, in a process of its own: it runs the pipeline that camfeed runs, nobody grabs, and
//! a probe at the sink notes each picture's age. It reports as the load client does, see `client`.

use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use gstreamer::prelude::*;
use gstreamer::{Bus, ClockTime, MessageType, MessageView, PadProbeReturn, PadProbeType, State};
use serde_json::json;

use crate::client::Figures;
use crate::measures::add_ages;
use crate::meter::named;

pub const ROLE: &str = "--role-bare";
/// For the first picture; less than the bench's own.
const PATIENCE: Duration = Duration::from_secs(15);
/// How soon the first picture is noticed; being late only moves the window.
const CHECK_TIME: Duration = Duration::from_millis(20);

/// The child's main: `words` are the pipeline and the seconds of the window.
pub fn run(words: &[String]) -> Result<(), String> {
    let [text, seconds] = words else {
        return Err(format!("{ROLE} is for the bench itself"));
    };
    let seconds: f64 = seconds.parse().map_err(|_| "seconds")?;
    gstreamer::init().map_err(|error| error.to_string())?;
    let pipeline = gstreamer::parse::launch(text).map_err(|error| error.to_string())?;
    let pipeline = pipeline.downcast::<gstreamer::Pipeline>();
    let pipeline = pipeline.map_err(|_| "it is no pipeline")?;
    let bus = pipeline.bus().ok_or("the pipeline has no bus")?;
    let pictures = pictures(&pipeline).ok_or("the pipeline has no sink")?;
    // Why it does not start is said on the bus.
    let _ = pipeline.set_state(State::Playing);
    let figures = watch(&bus, &pictures, seconds);
    let _ = pipeline.set_state(State::Null);
    println!("{}", json!({ "figures": figures?, "faults": [] }));
    Ok(())
}

/// The age of each picture that reaches the sink, in milliseconds; None for one without a time.
fn pictures(pipeline: &gstreamer::Pipeline) -> Option<Receiver<Option<f64>>> {
    let sink = pipeline.iterate_sinks().next().ok()??;
    let (send, pictures) = mpsc::channel();
    let clock = sink.downgrade();
    sink.static_pad("sink")?
        .add_probe(PadProbeType::BUFFER, move |_, info| {
            let age = || {
                let taken = info.buffer()?.pts()?;
                // The clock's time since the pipeline's base time, as the picture's is.
                let now = clock.upgrade()?.current_running_time()?;
                Some(now.saturating_sub(taken).useconds() as f64 / 1e3)
            };
            // Nobody listens once the window is over.
            let _ = send.send(age());
            PadProbeReturn::Ok
        })?;
    Some(pictures)
}

/// Waits for the first picture and then for the window, which costs nothing itself.
fn watch(bus: &Bus, pictures: &Receiver<Option<f64>>, seconds: f64) -> Result<Figures, String> {
    let started = Instant::now();
    while pictures.try_recv().is_err() {
        failure(bus, CHECK_TIME)?;
        if started.elapsed() > PATIENCE {
            return Err(format!("no picture within {PATIENCE:?}"));
        }
    }
    println!("begin");
    failure(bus, Duration::from_secs_f64(seconds))?;
    let seen: Vec<Option<f64>> = pictures.try_iter().collect();
    println!("end");
    let count = seen.len() as f64;
    let mut figures: Figures = named([("frames", count), ("fps_min", count / seconds)]);
    add_ages(&mut figures, seen.into_iter().flatten().collect());
    Ok(figures)
}

/// Waits so long for the pipeline to fail. It never ends by itself: appsink keeps the end back until
/// somebody grabs.
fn failure(bus: &Bus, patience: Duration) -> Result<(), String> {
    let patience = ClockTime::try_from(patience).map_err(|error| error.to_string())?;
    let message = bus.timed_pop_filtered(patience, &[MessageType::Error]);
    match message.as_ref().map(|message| message.view()) {
        Some(MessageView::Error(error)) => Err(error.error().to_string()),
        _ => Ok(()),
    }
}

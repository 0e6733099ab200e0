//! Opens an `http://` address: asks, sees what comes, and chooses who reads it.

use crate::{
    capture::source::{
        Opened,
        mjpeg_http::{
            answer::Body,
            content::{self, Content},
            jpegs::Jpegs,
            parts::Parts,
            relay::{Relay, Splitter},
            request::{self, Got},
            still::{MOST_STILL_BYTES, Still},
        },
        opencv_stream,
    },
    config::{CameraConfig, Device, SourceText},
    error::{Cause, Error},
    feed::camera::SourceInfo,
    jpeg,
    system::shutdown::ShutdownFlag,
};
use std::{io, sync::Arc, time::Instant};

/// True for what may be such a stream.
pub fn handles(url: &SourceText) -> bool {
    url.secret()
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
}

/// Opens the stream at `url`, which is `device`, or leaves it to FFmpeg; its server has the
/// camera's time-out to answer.
pub fn open(
    url: &SourceText,
    device: &Device,
    config: &CameraConfig,
    stop: &Arc<ShutdownFlag>,
) -> Result<Opened, Error> {
    let cannot_open = |cause, reason: &str| Error::open(device, cause, reason);
    let ffmpeg = |cause, reason: &str| {
        opencv_stream::open(device, config, stop).map_err(|_| cannot_open(cause, reason))
    };
    let deadline = Instant::now() + config.timeout;
    let got = request::get(url.secret(), config.timeout)
        .map_err(|(cause, reason)| cannot_open(cause, &reason))?;
    let mut answer = match got {
        Got::Answer(answer) => answer,
        // FFmpeg can answer to Digest, and does not say that it was refused.
        Got::Digest => {
            let reason = "it answers 401 Unauthorized (is the user's name and password right?)";
            return ffmpeg(Cause::Forbidden, reason);
        }
        Got::NotOurs => return opencv_stream::open(device, config, stop),
    };
    let media_type = answer.header("content-type").unwrap_or_default().to_owned();
    let length = answer.content_length();
    let mut sample = Vec::new();
    let mut may_grow = true;
    let content = loop {
        if let Some(content) = content::judge(&media_type, length.is_some(), &sample, may_grow) {
            break content;
        }
        let read = read_more(&mut answer.body, deadline, &mut sample);
        if read.is_err() && sample.is_empty() {
            let waited = config.timeout.as_secs_f64();
            let reason = format!("it answers, and sends nothing for {waited} s");
            return Err(cannot_open(Cause::Silent, &reason));
        }
        may_grow = read.unwrap_or(false) && length.is_none_or(|length| sample.len() < length);
    };
    let mut splitter = match content {
        Content::Multipart(boundary) => Splitter::Parts(Parts::new(&boundary)),
        Content::Jpegs if !is_single(&mut answer.body, deadline, &mut sample) => {
            Splitter::Jpegs(Jpegs::default())
        }
        Content::Jpegs | Content::Still => {
            // Closed before it is asked again: the server may have but one place.
            drop(answer);
            return Ok(Still::open(url, device, config, stop));
        }
        Content::Useless(reason) => return Err(cannot_open(Cause::NotACamera, &reason)),
        Content::Film => {
            drop(answer);
            return ffmpeg(
                Cause::NotACamera,
                "FFmpeg finds no stream in what it answers",
            );
        }
    };
    splitter.push(&sample);
    let relay = Relay::new(device, answer.body, splitter);
    Ok(Opened {
        source: Box::new(relay),
        facts: SourceInfo {
            source: device.to_string(),
            backend: "MJPEG over HTTP".to_owned(),
            format: "MJPG".to_owned(),
            ..SourceInfo::default()
        },
        controls: None,
    })
}

/// Appends what comes next to `sample`; false at the end.
fn read_more(body: &mut Body, deadline: Instant, sample: &mut Vec<u8>) -> io::Result<bool> {
    let read = body.read(deadline)?;
    sample.extend_from_slice(read.unwrap_or_default());
    Ok(read.is_some())
}

/// True when the body ends behind its first JPEG. One that stays open may go on.
fn is_single(body: &mut Body, deadline: Instant, sample: &mut Vec<u8>) -> bool {
    loop {
        let end = jpeg::inspect(sample).map_or(usize::MAX, |layout| layout.len);
        let has_more = sample.get(end..).is_some_and(|rest| !rest.is_empty());
        if has_more || sample.len() > MOST_STILL_BYTES {
            return false;
        }
        match read_more(body, deadline, sample) {
            Ok(true) => {}
            Ok(false) => return true,
            Err(_) => return false,
        }
    }
}

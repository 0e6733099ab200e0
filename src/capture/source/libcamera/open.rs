//! Opens a camera module: a pipeline for OpenCV, worded by a [`Request`].

use crate::{
    capture::{
        interrupt::Interrupt,
        source::{
            Opened,
            gst::{GstPipeline, Opener},
            libcamera::{
                controls::{ModuleControls, autofocus},
                failure::explain,
                modules::{CameraModule, module_named},
                request::Request,
            },
        },
    },
    config::{CameraConfig, Device, Fps},
    error::{Cause, Error},
    feed::camera::{RequestedFormat, SourceInfo},
};
use log::info;
use std::sync::Arc;

/// Opens the module that `name` means; blocks until it gives a picture or fails, or until it is
/// interrupted.
pub fn open(
    name: Option<&str>,
    device: &Device,
    config: &CameraConfig,
    interrupt: &Arc<Interrupt>,
) -> Result<Opened, Error> {
    let module = module_named(name);
    let module = module.map_err(|none| Error::open(device, none.cause, none.reason))?;
    let device = &Device::Csi(Some(module.id.clone()));
    let refused = |reason| Error::open(device, Cause::Silent, reason);
    let request = Request::new(&module, config).map_err(refused)?;
    let sizes = module.sizes_in_words();
    let try_open = |request: &Request| {
        let (asked, sizes) = (request.clone(), sizes.clone());
        let opener = Opener {
            device: device.clone(),
            interrupt: Arc::clone(interrupt),
            explain: Arc::new(move |stage, failure| explain(&asked, &sizes, stage, failure)),
        };
        opener.open(&request.pipeline(&autofocus(&module.sensor)))
    };
    let (mut reader, mut facts) = try_open(&request)?;
    if let (Some(_), Some(other)) = (reader.padding(), request.without_padding(&module)) {
        // It is free again before it is opened anew.
        drop(reader);
        let (size, tight) = (request.size, other.size);
        info!(
            "lines of {size} have gaps that this version of libcamera or OpenCV does not tell of: {tight} instead"
        );
        (reader, facts) = try_open(&other)?;
    }
    if let Some(reason) = reader.padding() {
        return Err(refused(reason.to_owned()));
    }
    Ok(opened(reader, facts, request, module))
}

fn opened(
    reader: GstPipeline,
    facts: SourceInfo,
    request: Request,
    module: CameraModule,
) -> Opened {
    // It may have another rate than it was asked for, and another width.
    let fps = facts.fps.map_or(request.fps, Fps);
    let size = facts.size.unwrap_or(request.size);
    let controls = reader
        .module()
        .map(|element| ModuleControls::new(element, fps, size, module.largest));
    Opened {
        source: Box::new(reader),
        facts: SourceInfo {
            source: format!("csi:{}", request.id),
            sensor: Some(module.sensor),
            asked: RequestedFormat {
                format: Some(request.format),
                size: Some(request.size),
                fps: Some(request.fps.0),
            },
            // The noise of a sensor changes some bytes of each picture.
            can_freeze: true,
            ..facts
        },
        controls: controls.map(|controls| Arc::new(controls) as _),
    }
}

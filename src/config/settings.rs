//! Checked settings: what the program was told, in the words of each part that reads them.
//!
//! What changes while the program runs stands elsewhere, in `feed`.

use crate::{
    config::{
        AccessConfig, CameraName, Device, EncodeMode, Fps, FrameAncestors, Listen, Orientation,
        Origin, PixelFormat, Size, args::Args,
    },
    system::limits::RequestedLimits,
};
use std::time::Duration;

/// Everything the program was told, checked.
#[derive(Debug)]
pub struct Config {
    /// What concerns the cameras, from device to slot.
    pub cameras: CamerasConfig,
    /// What concerns the network side.
    pub server: ServerConfig,
}

/// Which cameras there are.
#[derive(Debug)]
pub struct CamerasConfig {
    /// What all together are called, on the page that shows them.
    pub name: CameraName,
    /// In their order; the first has the addresses without a name. Empty where all are searched.
    pub listed: Vec<CameraConfig>,
    /// Every camera that is found is served as this says, under a name and from a device of its own. The
    /// name is not yet written into its overlay.
    pub found: Option<CameraConfig>,
}

/// What one camera was told.
#[derive(Debug, Clone)]
pub struct CameraConfig {
    /// What it is called.
    pub name: CameraName,
    /// It has addresses below its name, which is then 1 to 32 of `A-Z a-z 0-9 _ -`.
    pub is_addressed: bool,
    /// What is opened.
    pub device: Device,
    /// Asked of the camera; `None` leaves it to the source.
    pub size: Option<Size>,
    /// Asked of the camera; `None` leaves it to the source.
    pub fps: Option<Fps>,
    /// JPEG quality of what is encoded here, 1 to 100, at the start; the camera knows the present one.
    pub quality: i32,
    /// Encoder threads.
    pub workers: usize,
    /// Pixel format asked of the camera.
    pub format: PixelFormat,
    /// Whether JPEGs are decoded even when nothing asks for pixels.
    pub encode: EncodeMode,
    /// How the picture is turned.
    pub turn: Orientation,
    /// Text burnt into the picture: strftime fields of the capture time, local.
    pub overlay: Option<String>,
    /// Controls set at each opening, in their order.
    pub settings: Vec<(String, String)>,
    /// A camera silent for this long hangs.
    pub timeout: Duration,
    /// Unwatched for this long, the camera is released.
    pub idle_timeout: Option<Duration>,
    /// Pictures not shown after an opening that ended an idle time.
    pub warmup: u32,
    /// Its controls may be read and changed over the network.
    pub has_controls: bool,
}

impl CameraConfig {
    /// The same for a camera that was found: what it is called, and what is opened.
    pub fn of_found(&self, name: CameraName, device: Device) -> CameraConfig {
        let config = CameraConfig {
            name,
            is_addressed: true,
            device,
            ..self.clone()
        };
        config.with_name_in_overlay()
    }

    /// The same with its name written into its overlay.
    fn with_name_in_overlay(self) -> CameraConfig {
        CameraConfig {
            overlay: self.overlay.map(|text| self.name.put_into(&text)),
            ..self
        }
    }

    /// True when JPEGs of the source may go out as they came.
    pub fn passes_through(&self) -> bool {
        self.is_plain() && self.encode == EncodeMode::Auto
    }

    /// True when pictures are neither turned nor written on.
    pub fn is_plain(&self) -> bool {
        self.turn.is_none() && self.overlay.is_none()
    }
}

/// What the server was told.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where to listen.
    pub listen: Listen,
    /// Streams and connections at once.
    pub limits: RequestedLimits,
    /// Connections of one address at once.
    pub max_per_address: Option<usize>,
    /// A client that takes no byte for so long has stalled.
    pub client_timeout: Duration,
    /// `Access-Control-Allow-Origin`, when asked for.
    pub allow_origin: Option<Origin>,
    /// Who may show the page in a frame.
    pub frame_ancestors: FrameAncestors,
    /// Who may look.
    pub access: AccessConfig,
}

impl From<Args> for Config {
    fn from(args: Args) -> Config {
        let name = args.name.unwrap_or_else(CameraName::of_machine);
        let is_all = args.source == Device::All;
        let camera = CameraConfig {
            device: args.source,
            size: args.size,
            fps: args.fps,
            quality: args.quality,
            workers: args.workers,
            format: args.format,
            encode: args.encode,
            turn: Orientation {
                rotate: args.rotate,
                flip: args.flip,
            },
            overlay: args.overlay,
            settings: args.set.concat(),
            timeout: args.camera_timeout,
            idle_timeout: args.idle_timeout,
            warmup: args.warmup,
            has_controls: !args.no_controls,
            is_addressed: false,
            name: name.clone(),
        };
        let (listed, found) = match is_all {
            true => (Vec::new(), Some(camera)),
            false => (vec![camera.with_name_in_overlay()], None),
        };
        Config {
            cameras: CamerasConfig {
                name,
                listed,
                found,
            },
            server: ServerConfig {
                listen: args.listen,
                limits: RequestedLimits {
                    viewers: args.max_viewers,
                    connections: args.max_connections,
                },
                max_per_address: args.max_per_address,
                client_timeout: args.client_timeout,
                allow_origin: args.allow_origin,
                frame_ancestors: args.frame_ancestors,
                access: AccessConfig {
                    password_file: args.password_file,
                    token_file: args.token_file,
                    allow_hosts: args.allow_host,
                },
            },
        }
    }
}

impl CamerasConfig {
    /// What the first camera was told; where all are searched, what each is.
    pub fn first(&self) -> &CameraConfig {
        let found = self.listed.first().or(self.found.as_ref());
        found.expect("one is listed, or all are searched")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::args;

    #[test]
    fn the_cameras_name_is_written_into_the_overlay() {
        let words = ["--name", "100 %H", "--overlay", "{name} %M"];
        let config = Config::from(args::parse(&words).expect("good"));
        assert_eq!(
            config.cameras.first().overlay.as_deref(),
            Some("100 %%H %M")
        );
    }
}

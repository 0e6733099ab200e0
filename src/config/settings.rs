//! Checked settings: what the program was told, in the words of each part that reads them.
//!
//! What changes while the program runs stands elsewhere, in `feed`.

use crate::{
    config::{
        AccessConfig, CameraName, Device, EncodeMode, Fps, FrameAncestors, ListedCamera, Listen,
        Orientation, Origin, PixelFormat, Size, args::Args,
    },
    system::limits::RequestedLimits,
};
use std::time::Duration;

/// Cameras that are found where all are searched; more are few people's.
const USUALLY_FOUND: usize = 4;

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
    /// Every camera that is found is served as this says, [`CameraConfig::addressed`] by a name and a device
    /// of its own. Its device is [`Device::All`].
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
        let listed = args.camera.iter().map(|camera| (camera, &args));
        Config::new(&args, listed)
    }
}

impl Config {
    /// What `args` say of the server, and of a single camera where none are `listed`: each of them with the
    /// options that are for it.
    pub fn new<'a>(
        args: &'a Args,
        listed: impl Iterator<Item = (&'a ListedCamera, &'a Args)>,
    ) -> Config {
        Config {
            cameras: CamerasConfig::new(args, listed),
            server: ServerConfig {
                listen: args.listen.clone(),
                limits: RequestedLimits {
                    viewers: args.max_viewers,
                    connections: args.max_connections,
                },
                max_per_address: args.max_per_address,
                client_timeout: args.client_timeout,
                allow_origin: args.allow_origin.clone(),
                frame_ancestors: args.frame_ancestors.clone(),
                access: AccessConfig {
                    password_file: args.password_file.clone(),
                    token_file: args.token_file.clone(),
                    allow_hosts: args.allow_host.clone(),
                },
            },
        }
    }
}

impl CamerasConfig {
    /// How many there may be.
    pub fn count(&self) -> usize {
        match self.found {
            Some(_) => USUALLY_FOUND,
            None => self.listed.len(),
        }
    }

    fn new<'a>(
        args: &Args,
        listed: impl Iterator<Item = (&'a ListedCamera, &'a Args)>,
    ) -> CamerasConfig {
        let addressed = |(camera, args): (&ListedCamera, &Args)| {
            let template = CameraConfig::template(args, camera.name.clone());
            template.addressed(camera.name.clone(), camera.device.clone())
        };
        let mut listed: Vec<CameraConfig> = listed.map(addressed).collect();
        let name = match (&args.name, &*listed) {
            (Some(name), _) => name.clone(),
            (None, [only]) => only.name.clone(),
            (None, _) => CameraName::of_machine(),
        };
        let template = CameraConfig::template(args, name.clone());
        let found = (template.device == Device::All).then(|| template.clone());
        if listed.is_empty() && found.is_none() {
            listed.push(template.written());
        }
        CamerasConfig {
            name,
            listed,
            found,
        }
    }

    /// What the first camera was told; where all are searched, what each is.
    pub fn first(&self) -> &CameraConfig {
        let found = self.listed.first().or(self.found.as_ref());
        found.expect("one is listed, or all are searched")
    }
}

impl CameraConfig {
    /// What `args` say of the camera called `name`, which is not yet written into the overlay.
    fn template(args: &Args, name: CameraName) -> CameraConfig {
        CameraConfig {
            name,
            is_addressed: false,
            device: args.source.clone().unwrap_or(Device::Auto),
            size: args.size,
            fps: args.fps,
            quality: args.quality,
            workers: args.workers,
            format: args.format.clone(),
            encode: args.encode,
            turn: Orientation {
                rotate: args.rotate,
                flip: args.flip,
            },
            overlay: args.overlay.clone(),
            settings: args.set.concat(),
            timeout: args.camera_timeout,
            idle_timeout: args.idle_timeout,
            warmup: args.warmup,
            has_controls: !args.no_controls,
        }
    }

    /// What this template says of the camera `name`, which has addresses below it.
    pub fn addressed(&self, name: CameraName, device: Device) -> CameraConfig {
        let camera = CameraConfig {
            name,
            device,
            is_addressed: true,
            ..self.clone()
        };
        camera.written()
    }

    /// This with its name in its overlay.
    fn written(mut self) -> CameraConfig {
        self.overlay = self.overlay.map(|text| self.name.put_into(&text));
        self
    }

    /// Its name, where it has addresses below it.
    pub fn address(&self) -> Option<&str> {
        Some(self.name.as_str()).filter(|_| self.is_addressed)
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

    #[test]
    fn each_camera_that_is_listed_has_its_name_its_source_and_the_options_of_all() {
        let words = [
            "--camera",
            "garden=test:320x240",
            "--fps",
            "9",
            "--overlay",
            "{name} %M",
            "--camera",
            "Shed=http://host/a=b",
        ];
        let cameras = Config::from(args::parse(&words).expect("good")).cameras;
        let said = |camera: &CameraConfig| {
            (
                camera.name.to_string(),
                camera.device.to_string(),
                camera.overlay.clone(),
            )
        };
        let listed: Vec<_> = cameras.listed.iter().map(said).collect();
        let overlay = |text: &str| Some(text.to_owned());
        assert_eq!(
            listed,
            [
                ("garden".into(), "test pattern".into(), overlay("garden %M")),
                ("Shed".into(), "http://host/…".into(), overlay("Shed %M")),
            ]
        );
        for camera in &cameras.listed {
            assert!(
                camera.is_addressed && camera.fps == Some(Fps(9.0)),
                "{camera:?}"
            );
        }
        assert!(cameras.found.is_none());
    }

    #[test]
    fn where_all_are_searched_none_is_listed() {
        let words = ["--source", "all", "--name", "Farm", "--overlay", "{name}"];
        let cameras = Config::from(args::parse(&words).expect("good")).cameras;
        assert_eq!((cameras.name.as_str(), cameras.listed.len()), ("Farm", 0));
        let found = cameras.found.expect("a template");
        assert_eq!(found.device, Device::All);
        let name = CameraName::of_address("c920").expect("a name");
        let camera = found.addressed(name, Device::Number(2));
        assert_eq!(camera.overlay.as_deref(), Some("c920"));
        assert!(camera.is_addressed && camera.device == Device::Number(2));
    }

    #[test]
    fn all_together_are_called_as_told_else_as_the_only_one_else_as_the_machine() {
        let machine = CameraName::of_machine();
        for (words, name) in [
            (&["--camera", "a=test"][..], "a"),
            (&["--camera", "a=test", "--name", "Farm"], "Farm"),
            (
                &["--camera", "a=test", "--camera", "b=test"],
                machine.as_str(),
            ),
            (&["--source", "test"], machine.as_str()),
            (&["--source", "all"], machine.as_str()),
        ] {
            let config = Config::from(args::parse(words).expect("good"));
            assert_eq!(config.cameras.name.as_str(), name, "{words:?}");
        }
        let config = Config::from(args::parse(&["--name", "Farm"]).expect("good"));
        assert_eq!(config.cameras.first().name.as_str(), "Farm");
        assert!(!config.cameras.first().is_addressed);
    }
}

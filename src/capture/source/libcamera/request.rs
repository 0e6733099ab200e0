//! What is asked of a camera module, and the pipeline that asks it.

use crate::{
    capture::source::libcamera::modules::CameraModule,
    config::{CameraConfig, Fps, PixelFormat, Size},
};

/// Sensors that are four wide and three high: a picture of 16:9 shows the middle of what they see.
const SENSORS_4_3: [&str; 7] = [
    "imx219", "imx296", "imx378", "imx477", "imx500", "imx519", "ov5647",
];

const WIDE: Size = Size {
    width: 1280,
    height: 720,
};

const FULL_VIEW: Size = Size {
    width: 1280,
    height: 960,
};

/// The rate where none is asked for.
const RATE: Fps = Fps(30.0);

/// Formats by GStreamer's names, best first: their planes are compressed as they are.
const PREFERRED: [&str; 6] = ["NV12", "I420", "NV21", "YV12", "YUY2", "UYVY"];

/// V4L2's codes for formats that GStreamer calls otherwise.
const OTHER_NAMES: [(&str, &str); 6] = [
    ("YU12", "I420"),
    ("YUYV", "YUY2"),
    ("BGR3", "BGR"),
    ("RGB3", "RGB"),
    ("XR24", "BGRx"),
    ("GREY", "GRAY8"),
];

/// Rows whose width is a multiple of this have no padding on any Raspberry Pi.
const TIGHT_WIDTH: u32 = 64;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Libcamera's name of the camera.
    pub id: String,
    /// GStreamer's name of the format.
    pub format: String,
    /// Of the pictures.
    pub size: Size,
    /// Pictures a second.
    pub fps: Fps,
}

impl Request {
    /// What `config` asks of `module`; an error says which option it does not have.
    pub fn new(module: &CameraModule, config: &CameraConfig) -> Result<Request, String> {
        Ok(Request {
            id: module.id.clone(),
            format: format(module, &config.format)?,
            size: size(module, config.size)?,
            fps: config.fps.unwrap_or(RATE),
        })
    }

    /// The same with the nearest width that `module` has and whose rows have no padding; `None` where it
    /// has one.
    pub fn without_padding(&self, module: &CameraModule) -> Option<Request> {
        let tight = |width: u32| width / TIGHT_WIDTH * TIGHT_WIDTH;
        let widest = module.largest.map_or(u32::MAX, |largest| largest.width);
        let width = tight(self.size.width + TIGHT_WIDTH / 2).min(tight(widest));
        let size = Size {
            width: width.max(TIGHT_WIDTH),
            ..self.size
        };
        let request = Request {
            size,
            ..self.clone()
        };
        (self.size.width % TIGHT_WIDTH != 0).then_some(request)
    }

    /// The pipeline, with `properties` of its source.
    ///
    /// The rate stands in the first caps only. A camera that has another one answers with that, which
    /// caps with a rate would refuse without a word. The last caps are those of a camera that has not
    /// the range of a JPEG.
    pub fn pipeline(&self, properties: &str) -> String {
        let id = self.id.replace('\\', "\\\\").replace('"', "\\\"");
        let Size { width, height } = self.size;
        let raw = format!(
            "video/x-raw,format={},width={width},height={height}",
            self.format
        );
        let jpeg_colours = "colorimetry=1:4:7:1";
        // Thousandths are as much as `--fps` means.
        let thousandths = (self.fps.0 * 1000.0).round() as u32;
        format!(
            "libcamerasrc camera-name=\"{id}\" {properties} ! \
             capsfilter caps=\"{raw},framerate={thousandths}/1000,{jpeg_colours};{raw},{jpeg_colours};{raw}\" ! \
             appsink drop=true max-buffers=1 sync=false"
        )
    }
}

fn format(module: &CameraModule, asked: &PixelFormat) -> Result<String, String> {
    let has = |name: &str| module.formats.iter().any(|format| format == name);
    let all = module.formats.join(", ");
    match asked {
        PixelFormat::Auto => {
            let best = PREFERRED
                .into_iter()
                .find(|name| has(name))
                .map(str::to_owned);
            let coloured = || module.formats.iter().find(|name| !name.starts_with("GRAY"));
            best.or_else(|| coloured().cloned()).ok_or_else(|| {
                format!("{} gives no format that can be shown: {all}", module.sensor)
            })
        }
        PixelFormat::Named(code) => {
            let other = OTHER_NAMES.iter().find(|(name, _)| name == code);
            let name = other.map_or(code.as_str(), |(_, name)| name);
            let named = has(name).then(|| name.to_owned());
            let code = code.to_ascii_lowercase();
            named.ok_or_else(|| format!("--format `{code}`: {} gives {all}", module.sensor))
        }
    }
}

fn size(module: &CameraModule, asked: Option<Size>) -> Result<Size, String> {
    let has = |size: Size| {
        let is_within =
            |largest: Size| size.width <= largest.width && size.height <= largest.height;
        let is_even = size.width % 2 == 0 && size.height % 2 == 0;
        match module.largest {
            Some(largest) => is_even && is_within(largest),
            None => module.sizes.is_empty() || module.sizes.contains(&size),
        }
    };
    let usual = if is_four_to_three(module) {
        FULL_VIEW
    } else {
        WIDE
    };
    let wanted = asked.unwrap_or(usual);
    if has(wanted) {
        return Ok(wanted);
    }
    match asked {
        Some(size) => Err(format!(
            "--size `{size}`: {} gives {}",
            module.sensor,
            module.sizes_in_words()
        )),
        None => Ok(nearest(module, usual)),
    }
}

/// Whether all that the sensor sees is four wide and three high.
fn is_four_to_three(module: &CameraModule) -> bool {
    let is_known = SENSORS_4_3
        .iter()
        .any(|name| module.sensor.starts_with(name));
    let largest = module.largest.or_else(|| module.sizes.last().copied());
    let is_shaped_so = |Size { width, height }| 2 * width < 3 * height;
    is_known || !module.sensor.starts_with("imx708") && largest.is_some_and(is_shaped_so)
}

/// The largest size where even that is small, else the one with most nearly as many pixels.
fn nearest(module: &CameraModule, size: Size) -> Size {
    let pixels = |size: &Size| u64::from(size.width) * u64::from(size.height);
    let sizes = module.sizes.iter().chain(&module.largest).copied();
    let nearest = sizes.min_by_key(|other| pixels(other).abs_diff(pixels(&size)));
    nearest.unwrap_or(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, args::Args};
    use argh::FromArgs;

    fn module(sensor: &str, sizes: &[(u32, u32)], largest: Option<(u32, u32)>) -> CameraModule {
        let size = |(width, height)| Size { width, height };
        CameraModule {
            id: format!("/base/soc/i2c0mux/i2c@1/{sensor}@10"),
            sensor: sensor.to_owned(),
            formats: ["GRAY8", "NV21", "NV12", "I420"]
                .map(str::to_owned)
                .to_vec(),
            sizes: sizes.iter().copied().map(size).collect(),
            largest: largest.map(size),
        }
    }

    fn request(module: &CameraModule, args: &[&str]) -> Result<Request, String> {
        let args = Args::from_args(&["camfeed"], args).expect("good options");
        Request::new(module, Config::from(args).cameras.first())
    }

    #[test]
    fn a_sensor_of_four_to_three_shows_all_it_sees() {
        for (sensor, sizes, largest, expected) in [
            ("imx219", &[][..], Some((3280, 2464)), "1280x960"),
            ("imx708_wide", &[], Some((4608, 2592)), "1280x720"),
            ("other", &[], Some((1600, 1200)), "1280x960"),
            ("other", &[], Some((1920, 1080)), "1280x720"),
            ("other", &[], Some((640, 480)), "640x480"),
            ("Virtual0", &[(640, 480), (1280, 720)], None, "1280x720"),
            ("Virtual1", &[(1920, 1080)], None, "1920x1080"),
        ] {
            let request = request(&module(sensor, sizes, largest), &[]).expect(sensor);
            assert_eq!(request.size.to_string(), expected, "{sensor}");
            assert_eq!((request.format.as_str(), request.fps), ("NV12", Fps(30.0)));
        }
    }

    #[test]
    fn what_it_does_not_have_is_said_with_what_it_has() {
        let imx219 = module("imx219", &[], Some((3280, 2464)));
        let virtual0 = module("Virtual0", &[(640, 480), (1280, 720)], None);
        for (module, args, said) in [
            (
                &imx219,
                ["--size", "1281x720"],
                "--size `1281x720`: imx219 gives any even size up to 3280x2464",
            ),
            (
                &imx219,
                ["--size", "3280x2466"],
                "--size `3280x2466`: imx219 gives any even size up to 3280x2464",
            ),
            (
                &virtual0,
                ["--size", "1000x500"],
                "--size `1000x500`: Virtual0 gives 640x480, 1280x720",
            ),
            (
                &imx219,
                ["--format", "mjpg"],
                "--format `mjpg`: imx219 gives GRAY8, NV21, NV12, I420",
            ),
        ] {
            assert_eq!(request(module, &args).expect_err(said), said);
        }
        let i420 = request(&imx219, &["--format", "yu12"]).expect("it has it");
        assert_eq!(i420.format, "I420");
    }

    #[test]
    fn the_rate_stands_in_the_first_caps_only() {
        let request = request(
            &module("imx219", &[], Some((3280, 2464))),
            &["--fps", "7.5"],
        );
        let text = request.expect("it has it").pipeline("af-mode=continuous");
        assert_eq!(
            text,
            "libcamerasrc camera-name=\"/base/soc/i2c0mux/i2c@1/imx219@10\" af-mode=continuous ! \
             capsfilter caps=\"\
             video/x-raw,format=NV12,width=1280,height=960,framerate=7500/1000,colorimetry=1:4:7:1;\
             video/x-raw,format=NV12,width=1280,height=960,colorimetry=1:4:7:1;\
             video/x-raw,format=NV12,width=1280,height=960\" ! \
             appsink drop=true max-buffers=1 sync=false"
        );
    }

    #[test]
    fn padding_is_avoided_by_the_nearest_width_without() {
        let module = module("imx296", &[], Some((1456, 1088)));
        for (size, other) in [
            ("1000x720", Some("1024x720")),
            ("1300x720", Some("1280x720")),
            ("20x20", Some("64x20")),
            ("1280x720", None),
            // 1472 is nearer, and more than the sensor has.
            ("1456x1088", Some("1408x1088")),
        ] {
            let request = request(&module, &["--size", size]).expect(size);
            let other_size = request
                .without_padding(&module)
                .map(|request| request.size.to_string());
            assert_eq!(other_size.as_deref(), other, "{size}");
        }
    }
}

//! Options that were given and that no camera uses, because of what its source is.

use crate::config::{CameraName, CamerasConfig, Device, PixelFormat, settings::CameraConfig};

impl CamerasConfig {
    /// A sentence on each option that none of the listed cameras uses, or that one does not use whose own section
    /// gives it, as `is_own` says.
    pub fn unused(&self, is_own: impl Fn(&CameraName, &str) -> bool) -> Vec<String> {
        type IsGiven = fn(&CameraConfig) -> bool;
        let options: [(&str, IsGiven); 4] = [
            ("--size", |camera| camera.size.is_some()),
            ("--fps", |camera| camera.fps.is_some()),
            ("--format", |camera| camera.format != PixelFormat::Auto),
            ("--set", |camera| !camera.settings.is_empty()),
        ];
        let unused = options.into_iter().filter_map(|(option, is_given)| {
            let given = self.listed.iter().filter(|camera| is_given(camera));
            let (users, mut others): (Vec<_>, Vec<_>) =
                given.partition(|camera| uses(&camera.device, option));
            if !users.is_empty() {
                others.retain(|camera| is_own(&camera.name, option));
            }
            let first = kind(&others.first()?.device);
            let names = others
                .iter()
                .map(|camera| format!("`{}`", camera.name.as_str()));
            let of = match self.listed.len() {
                1 => String::new(),
                _ => format!(" by {}", names.collect::<Vec<_>>().join(", ")),
            };
            Some(format!("`{option}` is not used{of}: {first} takes none"))
        });
        unused.collect()
    }
}

/// False for an option that says nothing to such a source.
fn uses(device: &Device, option: &str) -> bool {
    match device {
        Device::File(_) => option == "--fps",
        Device::Pattern(pattern) => match option {
            "--size" => pattern.size.is_none(),
            "--fps" => pattern.fps.is_none(),
            _ => false,
        },
        // One that answers with a single picture is asked as often as --fps says.
        Device::Url(url) => option == "--fps" && url.to_string().starts_with("http"),
        Device::Gst(_) => false,
        Device::Auto | Device::All | Device::Number(_) | Device::Node(_) | Device::Csi(_) => true,
    }
}

/// What such a source is called.
fn kind(device: &Device) -> &'static str {
    match device {
        Device::File(_) => "a file",
        Device::Pattern(_) => "this test pattern",
        Device::Url(_) => "a network stream",
        Device::Gst(_) => "a pipeline",
        Device::Auto | Device::All | Device::Number(_) | Device::Node(_) | Device::Csi(_) => {
            "a camera"
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, args};

    fn unused(words: &[&str]) -> String {
        let config = Config::from(args::parse(words).expect("good"));
        config.cameras.unused(|_, _| false).join("\n")
    }

    #[test]
    fn what_a_source_does_not_use_is_said_by_name_and_kind() {
        for (source, options, said) in [
            (
                "film.avi",
                &["--size", "640x480"][..],
                "`--size` is not used: a file",
            ),
            ("film.avi", &["--fps", "5"], ""),
            (
                "test",
                &["--format", "yuyv"],
                "`--format` is not used: this test pattern",
            ),
            (
                "test:320x240",
                &["--size", "640x480"],
                "`--size` is not used: this test pattern",
            ),
            ("test", &["--size", "640x480", "--fps", "5"], ""),
            (
                "http://cam/SECRET",
                &["--size", "640x480"],
                "`--size` is not used: a network stream",
            ),
            ("http://cam/SECRET", &["--fps", "5"], ""),
            (
                "rtsp://cam/SECRET",
                &["--fps", "5"],
                "`--fps` is not used: a network stream",
            ),
            (
                "gst:videotestsrc",
                &["--set", "gain=1"],
                "`--set` is not used: a pipeline",
            ),
            (
                "0",
                &["--size", "640x480", "--fps", "5", "--set", "gain=1"],
                "",
            ),
            ("csi", &["--size", "640x480"], ""),
            ("all", &["--size", "640x480"], ""),
        ] {
            let found = unused(&[&["--source", source], options].concat());
            assert!(
                found.starts_with(said) && found.is_empty() == said.is_empty(),
                "{source}: {found}"
            );
            assert!(!found.contains("SECRET"), "{found}");
        }
    }

    #[test]
    fn an_option_that_one_of_several_cameras_uses_is_used() {
        let both = [
            "--camera",
            "a=0",
            "--camera",
            "b=http://cam/",
            "--size",
            "640x480",
        ];
        assert_eq!(unused(&both), "");
        let none = [
            "--camera",
            "a=x.avi",
            "--camera",
            "b=http://cam/",
            "--size",
            "640x480",
        ];
        assert_eq!(
            unused(&none),
            "`--size` is not used by `a`, `b`: a file takes none"
        );
        let config = Config::from(args::parse(&both).expect("good"));
        let own = config
            .cameras
            .unused(|name, option| (name.as_str(), option) == ("b", "--size"));
        assert_eq!(
            own,
            ["`--size` is not used by `b`: a network stream takes none"]
        );
    }
}

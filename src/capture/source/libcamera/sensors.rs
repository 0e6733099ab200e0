//! What the kernel says of the sensors on its camera connectors, whether libcamera is there or not.

use crate::system::machine;
use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Nodes of camera connectors, which the kernel makes once a sensor has answered: of a Raspberry Pi 0
/// to 4, and of a Raspberry Pi 5.
const CONNECTORS: [&str; 2] = ["unicam-", "rp1-cfe-"];

/// What names of sensors begin with; lenses and receivers stand beside them.
const SENSORS: [&str; 12] = [
    "imx", "ov", "ar", "gc", "s5k", "mira", "vd", "irs", "arducam", "tc358743", "adv7", "veye",
];

/// The sensor that the kernel sees on a camera connector, such as `imx708`; `None` where it sees none.
pub fn seen_by_kernel() -> Option<String> {
    seen_in(&machine::root().join("sys/class/video4linux"))
}

/// Said of a camera module that the kernel sees and libcamera does not give.
pub fn unknown_module() -> Option<String> {
    let sensor = seen_by_kernel()?;
    Some(format!(
        "the kernel sees a camera module ({sensor}) and libcamera gives none (`camfeed --list` says why)"
    ))
}

/// One of the nodes that libcamera needs, where this user may open none of its kind.
pub fn forbidden_node() -> Option<PathBuf> {
    let dev = machine::root().join("dev");
    let kinds = [(dev.clone(), "media"), (dev.join("dma_heap"), "")];
    kinds.iter().find_map(|(folder, prefix)| {
        let nodes = fs::read_dir(folder).ok()?.flatten();
        let paths = nodes
            .filter(|node| node.file_name().to_string_lossy().starts_with(prefix))
            .map(|node| node.path());
        let mut forbidden = None;
        for path in paths {
            match File::options().read(true).write(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    forbidden.get_or_insert(path);
                }
                _ => return None,
            }
        }
        forbidden
    })
}

fn seen_in(nodes: &Path) -> Option<String> {
    let names = |prefix| {
        let nodes = fs::read_dir(nodes).into_iter().flatten().flatten();
        let mut paths: Vec<_> = nodes
            .filter(|node| node.file_name().to_string_lossy().starts_with(prefix))
            .map(|node| node.path())
            .collect();
        paths.sort();
        let name = |path: PathBuf| fs::read_to_string(path.join("name")).ok();
        paths.into_iter().filter_map(name).collect::<Vec<_>>()
    };
    let begins = |name: &str, with: &[&str]| with.iter().any(|start| name.starts_with(start));
    let is_connected = names("video").iter().any(|name| begins(name, &CONNECTORS));
    // Behind the name stands the sensor's address.
    let sensor = names("v4l-subdev")
        .into_iter()
        .filter_map(|name| Some(name.split_whitespace().next()?.to_owned()))
        .find(|name| begins(name, &SENSORS));
    is_connected.then(|| sensor.unwrap_or_else(|| "of an unknown name".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;

    #[test]
    fn a_sensor_is_seen_by_its_connectors_nodes() {
        let folder = env::temp_dir().join(format!("camfeed-sensors-{}", std::process::id()));
        for (nodes, seen) in [
            (&[][..], None),
            (&[("video0", "bcm2835-isp-capture0")], None),
            (
                &[
                    ("video0", "unicam-image"),
                    ("v4l-subdev0", "imx219 10-0010"),
                ],
                Some("imx219"),
            ),
            (
                &[
                    ("video0", "rp1-cfe-csi2_ch0"),
                    ("v4l-subdev2", "imx708_wide"),
                ],
                Some("imx708_wide"),
            ),
            (
                &[
                    ("video3", "unicam-image"),
                    ("v4l-subdev0", "dw9807 10-000c"),
                ],
                Some("of an unknown name"),
            ),
            (&[("v4l-subdev0", "imx219 10-0010")], None),
        ] {
            let _ = fs::remove_dir_all(&folder);
            for (node, name) in nodes {
                fs::create_dir_all(folder.join(node)).expect("a folder");
                fs::write(folder.join(node).join("name"), format!("{name}\n")).expect("a folder");
            }
            assert_eq!(seen_in(&folder).as_deref(), seen, "{nodes:?}");
        }
        fs::remove_dir_all(&folder).expect("a folder");
    }
}

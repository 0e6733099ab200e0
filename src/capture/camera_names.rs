//! What cameras that were found are called: after their model, and by their serial number or port where there
//! are several of it. Pure: knows devices by what they say of themselves.

use crate::config::CameraName;
use std::collections::BTreeSet;

/// Letters of a name, at most.
const MOST_LETTERS: usize = 32;

/// Of these are the model's so many at most: a serial number or a port has place behind it.
const MOST_MODEL_LETTERS: usize = 18;

/// Of a serial number so many letters at least, its last ones.
const LEAST_SERIAL_LETTERS: usize = 4;

/// Makers, and what belongs to their names.
const MAKERS: [&str; 40] = [
    "logitech",
    "logi",
    "microsoft",
    "razer",
    "hp",
    "dell",
    "lenovo",
    "creative",
    "sony",
    "elgato",
    "trust",
    "asus",
    "acer",
    "chicony",
    "sunplus",
    "sunplusit",
    "sonix",
    "realtek",
    "suyin",
    "quanta",
    "ricoh",
    "alcor",
    "arducam",
    "aukey",
    "genius",
    "philips",
    "samsung",
    "canon",
    "nikon",
    "gopro",
    "hikvision",
    "intel",
    "inc",
    "corp",
    "corporation",
    "ltd",
    "co",
    "technology",
    "electronics",
    "tm",
];

/// Words that say no more than that it is a camera.
const PLAIN: [&str; 17] = [
    "usb",
    "uvc",
    "hd",
    "fhd",
    "uhd",
    "full",
    "web",
    "webcam",
    "camera",
    "cam",
    "video",
    "pro",
    "stream",
    "integrated",
    "general",
    "device",
    "r",
];

/// Of those the ones that are left out beside a word that says more.
const LEFT_OUT: [&str; 6] = ["usb", "uvc", "web", "webcam", "camera", "r"];

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// See [`model_of_card`]; of a camera module its sensor.
    pub model: String,
    /// Its maker's number for it.
    pub serial: Option<String>,
    /// Where it is plugged in, such as `usb1-2`.
    pub port: Option<String>,
}

/// The names that were given so far. None is given twice.
#[derive(Debug)]
pub struct CameraNames {
    /// In lower case, and what is never a name.
    taken: BTreeSet<String>,
}

impl CameraNames {
    /// No name was given so far; none of `never` will be.
    pub fn new(never: &[&str]) -> CameraNames {
        let taken = never.iter().map(|name| name.to_ascii_lowercase()).collect();
        CameraNames { taken }
    }

    /// A name for each of `devices`, which were found together.
    pub fn give(&mut self, devices: &[Described]) -> Vec<CameraName> {
        let wanted: Vec<_> = devices
            .iter()
            .map(|device| {
                let is_same = |other: &&Described| other.model == device.model;
                let alike: Vec<_> = devices.iter().filter(is_same).collect();
                wishes(device, &alike)
            })
            .collect();
        let names = wanted.into_iter().map(|wishes| {
            let free = |name: String| {
                let is_free = !self.taken.contains(&name);
                CameraName::of_address(&name).ok().filter(|_| is_free)
            };
            let last = wishes.last().cloned().unwrap_or_default();
            let counted = (2..).map(|number| format!("{}-{number}", cut(&last, MOST_LETTERS - 4)));
            let name = wishes.into_iter().chain(counted).find_map(free);
            let name = name.expect("numbers do not end");
            self.taken.insert(name.as_str().to_owned());
            name
        });
        let names = names.collect();
        // One more of a model that there was before is told from it, whatever that is called.
        self.taken.extend(devices.iter().map(short_model));
        names
    }
}

/// The names that `device` may have, best first; `alike` are it and those of its model that came with it.
fn wishes(device: &Described, alike: &[&Described]) -> Vec<String> {
    let model = short_model(device);
    let mut wishes = Vec::new();
    if alike.len() == 1 {
        wishes.push(model.clone());
    }
    wishes.extend(serial_end(device, alike).map(|end| format!("{model}-{end}")));
    let port = device.port.as_deref().map(plain);
    wishes.extend(port.map(|port| cut(&format!("{model}-{port}"), MOST_LETTERS).to_owned()));
    if wishes.is_empty() {
        wishes.push(model);
    }
    wishes
}

fn short_model(device: &Described) -> String {
    match cut(&plain(&device.model), MOST_MODEL_LETTERS) {
        "" => "camera".to_owned(),
        model => model.to_owned(),
    }
}

/// As much of the end of a serial number as tells it from those of the others; `None` where another one has
/// the same.
fn serial_end(device: &Described, alike: &[&Described]) -> Option<String> {
    let letters = |device: &Described| {
        let serial = plain(device.serial.as_deref()?).replace(['-', '_'], "");
        (!serial.is_empty()).then_some(serial)
    };
    let own = letters(device)?;
    let mut others: Vec<_> = alike.iter().filter_map(|other| letters(other)).collect();
    let at = others.iter().position(|other| *other == own)?;
    others.remove(at);
    let end = |length: usize| &own[own.len().saturating_sub(length)..];
    (LEAST_SERIAL_LETTERS..MOST_LETTERS - MOST_MODEL_LETTERS)
        .map(end)
        .find(|end| !others.iter().any(|other| other.ends_with(end)))
        .map(str::to_owned)
}

/// The model in what a device calls itself: `c920` of `HD Pro Webcam C920`, `brio` of `Logitech BRIO`.
pub fn model_of_card(card: &str) -> String {
    // Behind a colon stands what the device calls its part, often the same again and cut off.
    let text = card.split(": ").next().unwrap_or_default();
    let text = text
        .split('(')
        .map(|part| part.rsplit(')').next().unwrap_or_default());
    let text: String = text.collect::<Vec<_>>().join(" ").to_lowercase();
    let words: Vec<_> = text
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-' && letter != '.')
        .map(|word| word.trim_matches(['-', '.']))
        .map(|word| {
            if word.starts_with("usb") && word.contains('.') {
                "usb"
            } else {
                word
            }
        })
        .filter(|word| !word.is_empty() && !is_version(word) && !MAKERS.contains(word))
        .collect();
    if let Some(model) = words.iter().find(|word| is_model(word)) {
        return plain(model);
    }
    let says_more = |word: &&&str| !PLAIN.contains(word) && !is_resolution(word);
    let has_more = words.iter().any(|word| says_more(&word));
    let mut words: Vec<_> = words
        .into_iter()
        .filter(|word| !has_more || !LEFT_OUT.contains(word))
        .collect();
    words.dedup();
    plain(&words.join("-"))
}

/// True for a word such as `c920`, `c930e`, `imx708` or `hd-3000`: a few letters, and a number behind them.
fn is_model(word: &str) -> bool {
    let letters = word
        .find(|letter: char| !letter.is_ascii_alphabetic())
        .unwrap_or(0);
    let rest = word[letters..].trim_start_matches('-');
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let is_codec = ["h264", "h265", "uvc", "usb"]
        .iter()
        .any(|codec| word.starts_with(codec));
    (1..=8).contains(&letters) && digits >= 2 && !is_codec
}

/// True for a word such as `1080p`, `720p`, `4k`, `2mp` or `60fps`.
fn is_resolution(word: &str) -> bool {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && ["", "p", "k", "m", "mp", "fps", "fhd"].contains(&&word[digits..])
}

/// True for a word such as `2.0`.
fn is_version(word: &str) -> bool {
    word.contains('.')
        && word
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// `text` in letters of addresses, in lower case.
fn plain(text: &str) -> String {
    let letters = text.to_lowercase();
    let is_other = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
    let parts: Vec<_> = letters
        .split(is_other)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("-")
}

/// At most so many letters of `name`, which are ASCII; whole words where that leaves some.
fn cut(name: &str, most: usize) -> &str {
    if name.len() <= most {
        return name;
    }
    let cut = &name[..most];
    if name[most..].starts_with('-') {
        return cut;
    }
    let word = cut.rfind('-').filter(|at| *at >= most / 2);
    cut[..word.unwrap_or(most)].trim_end_matches('-')
}

#[cfg(test)]
mod tests;

//! The file of `--config`: options as on the command line, one a line, and a section for each camera.
//!
//! Read at start, before the command line, whose options win, and once more at each reload.

use crate::{
    config::{
        CameraName, Config, Device,
        args::{self, Args},
        given::Given,
        listed::{self, ListedCamera},
        sections::{Line, Lines, Section, WrongLine},
    },
    error::Error,
};
use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

/// Given in several places it adds up; of anything else one place's is taken.
const ADDS_UP: [&str; 2] = ["--set", "--camera"];

/// A file of options that was read and found good. Its values may be secrets.
pub struct ConfigFile {
    path: PathBuf,
    /// What was typed on the command line.
    typed: Vec<Given>,
    lines: Lines,
    /// See [`ConfigFile::find_cameras`]; found once, because which node a name in `/dev` leads to may change.
    cameras: Vec<Listed>,
}

/// A camera of the file or of the command line.
struct Listed {
    /// Where in the file; `None` on the command line.
    number: Option<usize>,
    camera: ListedCamera,
    /// Of a section; the others are told what the server is.
    args: Option<Args>,
}

impl ConfigFile {
    /// Reads the file at `path`, for a command line of `typed`.
    pub fn read(path: &Path, typed: Vec<Given>) -> Result<ConfigFile, Error> {
        let bytes = fs::read(path).map_err(|source| Error::ConfigFile {
            path: path.to_owned(),
            source,
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            Error::ConfigLine {
                path: path.to_owned(),
                line: 1 + good.iter().filter(|byte| **byte == b'\n').count(),
                reason: "it is no UTF-8: allowed are letters in UTF-8, in comments too".to_owned(),
            }
        })?;
        ConfigFile::parse(path, &text, typed)
    }

    /// Reads the file again.
    pub fn read_again(&self) -> Result<ConfigFile, Error> {
        ConfigFile::read(&self.path, self.typed.clone())
    }

    fn parse(path: &Path, text: &str, typed: Vec<Given>) -> Result<ConfigFile, Error> {
        let refused = |(line, reason)| Error::ConfigLine {
            path: path.to_owned(),
            line,
            reason,
        };
        let mut file = ConfigFile {
            path: path.to_owned(),
            typed,
            lines: Lines::parse(text).map_err(refused)?,
            cameras: Vec::new(),
        };
        file.cameras = file.find_cameras(&file.args()).map_err(refused)?;
        Ok(file)
    }

    /// What the file and the command line say together.
    pub fn config(&self) -> Config {
        let args = self.args();
        let listed = self.cameras.iter().map(|listed| {
            let own = listed.args.as_ref();
            (&listed.camera, own.unwrap_or(&args))
        });
        Config::new(&args, listed)
    }

    /// The options before the first section and the command line's together.
    fn args(&self) -> Args {
        let typed = self.typed.iter();
        parse(self.effective(&self.lines.top).map(option).chain(typed))
    }

    /// The cameras that are listed; none where there is a single one, or all are searched.
    fn find_cameras(&self, args: &Args) -> Result<Vec<Listed>, WrongLine> {
        let lines = self.lines.top.iter();
        let lines = lines.filter(|line| line.option.name == "--camera");
        let mut numbers = lines.map(|line| line.number);
        let named = args.camera.iter().map(|camera| Listed {
            number: numbers.next(),
            camera: camera.clone(),
            args: None,
        });
        // What is typed must not take the addresses without a name from the file's first camera.
        let (mut cameras, typed): (Vec<_>, Vec<_>) = named.partition(|one| one.number.is_some());
        for section in &self.lines.sections {
            cameras.push(self.camera(section)?);
        }
        cameras.extend(typed);
        self.judge_source(args, &cameras)?;
        let all: Vec<_> = cameras.iter().map(|listed| &listed.camera).collect();
        if let Some((before, one, clash)) = listed::first_clash(&all) {
            let number = cameras[one].number.max(cameras[before].number);
            return Err((number.unwrap_or(1), clash));
        }
        Ok(cameras)
    }

    /// The camera of `section`.
    fn camera(&self, section: &Section) -> Result<Listed, WrongLine> {
        let of_all = self.effective(&self.lines.top).filter(|line| {
            let name = line.option.name;
            let is_overruled = || section.lines.iter().any(|own| own.option.name == name);
            name != "--camera" && (adds_up(name) || !is_overruled())
        });
        let own = self.effective(&section.lines);
        let typed = self.typed.iter().filter(|given| given.name != "--camera");
        let args = parse(of_all.chain(own).map(option).chain(typed));
        let Some(device) = args.source.clone() else {
            let reason = format!(
                "`[{}]` has no --source: allowed is one below it, or one for all before the first section",
                section.name
            );
            return Err((section.number, reason));
        };
        Ok(Listed {
            number: Some(section.number),
            camera: ListedCamera {
                name: section.name.clone(),
                device,
            },
            args: Some(args),
        })
    }

    /// Refuses a `--source` beside `cameras` that stands for none of them.
    fn judge_source(&self, args: &Args, cameras: &[Listed]) -> Result<(), WrongLine> {
        let (Some(source), Some(first)) = (&args.source, cameras.first()) else {
            return Ok(());
        };
        // It is what the sections have that name none.
        if *source != Device::All && !self.lines.sections.is_empty() {
            return Ok(());
        }
        let mut lines = self.effective(&self.lines.top);
        let line = lines.find(|line| line.option.name == "--source");
        let number = line.map(|line| line.number).or(first.number).unwrap_or(1);
        Err((number, listed::no_source_beside(source).to_owned()))
    }

    /// A sentence on a `--source` of the file that no camera uses.
    pub fn unused(&self) -> Option<String> {
        let is_source = |line: &&Line| line.option.name == "--source";
        self.effective(&self.lines.top).find(is_source)?;
        let mut sections = self.lines.sections.iter();
        let is_used = sections.any(|section| !section.lines.iter().any(|line| is_source(&line)));
        (!is_used && !self.lines.sections.is_empty()).then(|| {
            format!(
                "`{}`: `--source` above the first section is used by no camera: each section has one of its own \
                 (one more camera is one more section, `[NAME]`)",
                self.path.display()
            )
        })
    }

    /// True when the section of the camera `name` gives `option`.
    pub fn has_own(&self, name: &CameraName, option: &str) -> bool {
        let mut sections = self.lines.sections.iter();
        let own = sections.find(|section| section.name == *name);
        own.is_some_and(|own| own.lines.iter().any(|line| line.option.name == option))
    }

    /// `error` with the line before the sections whose option asked for what failed, where there is one.
    pub fn with_line(&self, error: Error) -> Error {
        let mut lines = self.effective(&self.lines.top);
        let Some(line) = lines.find(|line| error.option() == Some(line.option.name)) else {
            return error;
        };
        Error::OfLine {
            path: self.path.clone(),
            line: line.number,
            error: Box::new(error),
        }
    }

    /// Names of the options that `other` gives differently, in alphabetical order: first those before the
    /// sections, then as `[NAME] --option` those of each section. Of a section that only one has, `[NAME]`.
    pub fn differences(&self, other: &ConfigFile) -> Vec<String> {
        let (own, others) = (&self.lines, &other.lines);
        let mut found = self.differing(&own.top, other, &others.top);
        let sections = own.sections.iter().chain(&others.sections);
        let names: BTreeSet<&str> = sections.map(|section| section.name.as_str()).collect();
        for name in names {
            match (own.section(name), others.section(name)) {
                (Some(own), Some(others)) => {
                    let options = self.differing(&own.lines, other, &others.lines);
                    found.extend(options.iter().map(|option| format!("[{name}] {option}")));
                }
                _ => found.push(format!("[{name}]")),
            }
        }
        let order = |lines: &Lines, other: &Lines| -> Vec<String> {
            let names = lines.sections.iter().map(|section| section.name.as_str());
            let in_both = names.filter(|name| other.section(name).is_some());
            in_both.map(str::to_owned).collect()
        };
        if order(own, others) != order(others, own) {
            found.push("the order of the sections".to_owned());
        }
        found
    }

    /// Names of the options that `lines` and `others`, lines of `other`, give differently.
    fn differing(&self, lines: &[Line], other: &ConfigFile, others: &[Line]) -> Vec<String> {
        let options: Vec<_> = self.effective(lines).map(option).collect();
        let others: Vec<_> = other.effective(others).map(option).collect();
        let values = |options: &[&Given], name: &str| -> Vec<Option<String>> {
            let options = options.iter().filter(|option| option.name == name);
            options.map(|option| option.value.clone()).collect()
        };
        let all = options.iter().chain(&others);
        let names: BTreeSet<&str> = all.map(|option| option.name).collect();
        names
            .into_iter()
            .filter(|name| values(&options, name) != values(&others, name))
            .map(str::to_owned)
            .collect()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Those of `lines` that no option of the command line overrules.
    fn effective<'a>(&'a self, lines: &'a [Line]) -> impl Iterator<Item = &'a Line> {
        let is_typed = |name: &str| self.typed.iter().any(|given| given.name == name);
        lines.iter().filter(move |line| {
            let name = line.option.name;
            adds_up(name) || !is_typed(name)
        })
    }
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigFile({})", self.path.display())
    }
}

fn option(line: &Line) -> &Given {
    &line.option
}

fn adds_up(name: &str) -> bool {
    ADDS_UP.contains(&name)
}

/// What `options` say, of which each place's were found good.
fn parse<'a>(options: impl Iterator<Item = &'a Given>) -> Args {
    let words: Vec<&str> = options.flat_map(Given::words).collect();
    // Its words would be in the panic of an `expect`.
    let Ok(args) = args::parse(&words) else {
        unreachable!("each place was parsed, and no two have an option in common");
    };
    args
}

#[cfg(test)]
mod tests;

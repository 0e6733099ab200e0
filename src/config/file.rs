//! The file of `--config`: options as on the command line, one a line, and a section for each camera.
//!
//! Read at start, before the command line, whose options win, and once more at each reload.

use crate::{
    config::{
        Config, Device,
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
#[derive(Clone)]
pub struct ConfigFile {
    path: PathBuf,
    /// What was typed on the command line.
    typed: Vec<Given>,
    lines: Lines,
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
        let text = fs::read_to_string(path).map_err(|source| Error::ConfigFile {
            path: path.to_owned(),
            source,
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
        let file = ConfigFile {
            path: path.to_owned(),
            typed,
            lines: Lines::parse(text).map_err(refused)?,
        };
        file.cameras(&file.args()).map_err(refused)?;
        Ok(file)
    }

    /// What the file and the command line say together.
    pub fn config(&self) -> Config {
        let args = self.args();
        let Ok(cameras) = self.cameras(&args) else {
            unreachable!("they were found good");
        };
        let listed = cameras.iter().map(|listed| {
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
    fn cameras(&self, args: &Args) -> Result<Vec<Listed>, WrongLine> {
        let is_camera = |line: &&Line| line.option.name == "--camera";
        let numbers = self.lines.top.iter().filter(is_camera);
        let mut numbers: Vec<_> = numbers.map(|line| Some(line.number)).collect();
        let in_file = numbers.len();
        numbers.resize(args.camera.len(), None);
        let named = numbers.into_iter().zip(&args.camera);
        let mut cameras: Vec<_> = named
            .map(|(number, camera)| Listed {
                number,
                camera: camera.clone(),
                args: None,
            })
            .collect();
        // What is typed must not take the addresses without a name from the file's first camera.
        let typed = cameras.split_off(in_file);
        for section in &self.lines.sections {
            cameras.push(self.camera(section)?);
        }
        cameras.extend(typed);
        self.judge_source(args, &cameras)?;
        for (index, one) in cameras.iter().enumerate() {
            for before in &cameras[..index] {
                let number = one.number.max(before.number).unwrap_or(1);
                let clash = listed::clash(&before.camera, &one.camera);
                clash.map_or(Ok(()), |clash| Err((number, clash)))?;
            }
        }
        Ok(cameras)
    }

    /// The camera of `section`.
    fn camera(&self, section: &Section) -> Result<Listed, WrongLine> {
        let of_all = self.effective(&self.lines.top).filter(|line| {
            let name = &line.option.name;
            let is_overruled = || section.lines.iter().any(|own| own.option.name == *name);
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

    /// Names of the options that `other` gives differently, in alphabetical order: first those before the
    /// sections, then as `[NAME] --option` those of each section. Of a section that only one has, `[NAME]`.
    pub fn differences(&self, other: &ConfigFile) -> Vec<String> {
        let mut found = self.differing(&self.lines.top, other, &other.lines.top);
        let section = |file: &ConfigFile, name: &str| {
            let mut sections = file.lines.sections.iter();
            let section = sections.find(|section| section.name.as_str() == name);
            section.map(|section| section.lines.clone())
        };
        let sections = self.lines.sections.iter().chain(&other.lines.sections);
        let names: BTreeSet<&str> = sections.map(|section| section.name.as_str()).collect();
        for name in names {
            match (section(self, name), section(other, name)) {
                (Some(own), Some(others)) => {
                    let options = self.differing(&own, other, &others);
                    found.extend(options.iter().map(|option| format!("[{name}] {option}")));
                }
                _ => found.push(format!("[{name}]")),
            }
        }
        let order = |file: &ConfigFile, other: &ConfigFile| -> Vec<String> {
            let is_in_both = |name: &String| section(other, name).is_some();
            let sections = file.lines.sections.iter();
            sections
                .map(|section| section.name.to_string())
                .filter(is_in_both)
                .collect()
        };
        if order(self, other) != order(other, self) {
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
        let names: BTreeSet<&String> = all.map(|option| &option.name).collect();
        names
            .into_iter()
            .filter(|name| values(&options, name) != values(&others, name))
            .cloned()
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
            let name = line.option.name.as_str();
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

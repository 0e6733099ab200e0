//! The README and the pages of `docs/`, and their blocks, for the tests that use what these tell their
//! reader to write.

use crate::camfeed::Camfeed;
use std::{fs, path::Path};

/// The pages, by their paths.
macro_rules! all {
    ($($name:literal)+) => {
        pub const PAGES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../", $name)))),+];
    };
}

all! {
    "README.md"
    "docs/building.md"
    "docs/cameras.md"
    "docs/how-it-works.md"
    "docs/limits.md"
    "docs/migrating.md"
    "docs/monitoring.md"
    "docs/options.md"
    "docs/performance.md"
    "docs/pictures.md"
    "docs/programs.md"
    "docs/raspberry-pi.md"
    "docs/relay.md"
    "docs/security.md"
    "docs/service.md"
    "docs/troubleshooting.md"
}

/// The text of the page at this path.
pub fn page(name: &str) -> &'static str {
    let known = PAGES.iter().find(|(known, _)| *known == name);
    known.unwrap_or_else(|| panic!("no page {name}")).1
}

/// The first block of `language` under the heading `section`.
pub fn block(section: &str, language: &str) -> String {
    blocks(section, language).swap_remove(0)
}

/// All of them, of which there is at least one. One page only has such a heading with such blocks.
pub fn blocks(section: &str, language: &str) -> Vec<String> {
    let mut found = PAGES
        .iter()
        .map(|(_, page)| of_page(page, section, language));
    let blocks = found.find(|blocks| !blocks.is_empty());
    let blocks = blocks.unwrap_or_else(|| panic!("no {language} under {section:?}"));
    let is_only = found.all(|blocks| blocks.is_empty());
    assert!(is_only, "{language} under {section:?} on two pages");
    blocks
}

fn of_page(page: &str, section: &str, language: &str) -> Vec<String> {
    let mut sections = page.split("\n##").filter_map(|section| {
        let (heading, text) = section.split_once('\n')?;
        Some((heading.trim_start_matches('#').trim(), text))
    });
    let Some((_, text)) = sections.find(|(heading, _)| *heading == section) else {
        return Vec::new();
    };
    let fence = format!("```{language}\n");
    let blocks = text.split(&fence).skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    blocks.map(str::to_owned).collect()
}

/// That block with the address of `camfeed`, wherever the reader's stands.
pub fn block_for(camfeed: &Camfeed, section: &str, language: &str) -> String {
    with_address(camfeed, &block(section, language))
}

/// `block` with that address, which it must name.
pub fn with_address(camfeed: &Camfeed, block: &str) -> String {
    let address = camfeed.address.to_string();
    let changed = block
        .replace("pi.local:8080", &address)
        .replace("127.0.0.1:8080", &address);
    assert_ne!(block, changed, "it names no address");
    changed
}

#[test]
fn every_page_is_known() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
    let names = fs::read_dir(docs).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    let mut there: Vec<_> = names.map(|name| format!("docs/{name}")).collect();
    there.push("README.md".to_owned());
    there.sort();
    let known: Vec<_> = PAGES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known, there, "the list in this file");
}

/// Where the headings of a page are linked.
fn anchors(page: &str) -> Vec<String> {
    let mut is_block = false;
    let mut anchors = Vec::new();
    for line in page.lines() {
        is_block ^= line.starts_with("```");
        if !is_block && line.starts_with('#') {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let is_kept = |letter: &char| letter.is_alphanumeric() || " -".contains(*letter);
            let kept: String = heading.chars().filter(is_kept).collect();
            anchors.push(kept.replace(' ', "-"));
        }
    }
    anchors
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for (name, page) in PAGES {
        let links = page.split("](").skip(1);
        for link in links.map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("https://") {
                continue;
            }
            let (to, anchor) = link.split_once('#').unwrap_or((link, ""));
            let place = match name.strip_prefix("docs/") {
                _ if to.is_empty() => (*name).to_owned(),
                Some(_) => to
                    .strip_prefix("../")
                    .map_or_else(|| format!("docs/{to}"), str::to_owned),
                None => to.to_owned(),
            };
            let is_there = match PAGES.iter().find(|(known, _)| *known == place) {
                Some((_, text)) => anchor.is_empty() || anchors(text).contains(&anchor.to_owned()),
                None => anchor.is_empty() && root.join(&place).exists(),
            };
            if !is_there {
                wrong.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "links to nowhere: {wrong:#?}");
}

#[test]
fn every_page_leads_to_the_readme_which_leads_to_each() {
    for (name, text) in PAGES.iter().skip(1) {
        assert!(text.contains("](../README.md"), "{name} leads back");
        let link = format!("]({name}");
        assert!(page("README.md").contains(&link), "no {link}");
    }
}

/// Who comes first reads it whole.
#[test]
fn the_readme_is_short() {
    let lines = page("README.md").lines().count();
    assert!(lines <= 200, "{lines} lines");
}

//! Blocks of the README, for the tests that use what it tells its reader to write.

use crate::camfeed::Camfeed;

/// The first block of `language` under the heading `section`.
pub fn block(section: &str, language: &str) -> String {
    let readme = include_str!("../../README.md");
    let mut sections = readme.split("\n##").filter_map(|section| {
        let (heading, text) = section.split_once('\n')?;
        Some((heading.trim_start_matches('#').trim(), text))
    });
    let found = sections.find(|(heading, _)| *heading == section);
    let (_, text) = found.unwrap_or_else(|| panic!("no section {section:?}"));
    let fence = format!("```{language}\n");
    let (_, block) = text
        .split_once(&fence)
        .unwrap_or_else(|| panic!("no {language} under {section:?}"));
    block.split("```").next().expect("its text").to_owned()
}

/// That block with the address of `camfeed`, wherever the reader's stands.
pub fn block_for(camfeed: &Camfeed, section: &str, language: &str) -> String {
    let address = camfeed.address.to_string();
    let block = block(section, language);
    let changed = block
        .replace("pi.local:8080", &address)
        .replace("127.0.0.1:8080", &address);
    assert_ne!(block, changed, "{section:?} names no address");
    changed
}

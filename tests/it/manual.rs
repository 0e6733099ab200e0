//! Blocks of the README, for the tests that use what it tells its reader to write.

use crate::camfeed::Camfeed;

/// The first block of `language` under the heading `section`.
pub fn block(section: &str, language: &str) -> String {
    blocks(section, language).swap_remove(0)
}

/// All of them, of which there is at least one.
pub fn blocks(section: &str, language: &str) -> Vec<String> {
    let readme = include_str!("../../README.md");
    let mut sections = readme.split("\n##").filter_map(|section| {
        let (heading, text) = section.split_once('\n')?;
        Some((heading.trim_start_matches('#').trim(), text))
    });
    let found = sections.find(|(heading, _)| *heading == section);
    let (_, text) = found.unwrap_or_else(|| panic!("no section {section:?}"));
    let fence = format!("```{language}\n");
    let blocks = text.split(&fence).skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    let blocks: Vec<_> = blocks.map(str::to_owned).collect();
    assert!(!blocks.is_empty(), "no {language} under {section:?}");
    blocks
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

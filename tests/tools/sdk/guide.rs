//! The guide's lines for an SDK, as a service would copy them.

use crate::harness::APPID;

const GUIDE: &str = include_str!("../../../deploy/guides/sdk.md");

/// The first block of `language` under the SDK's heading, with the addresses and names of a test in place of the guide's.
pub(crate) fn lines(sdk: &str, language: &str, proxy: &str) -> String {
    let heading = format!("\n## {sdk}\n");
    let (_, section) = GUIDE.split_once(&heading).unwrap_or_else(|| panic!("no section on {sdk}"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let fence = format!("```{language}\n");
    let (_, block) = section.split_once(&fence).unwrap_or_else(|| panic!("{sdk}: no lines in {language}"));
    let block = block.split("```").next().unwrap_or_default();
    assert!(block.contains("http://wxgate:8080") && block.contains("KEY"), "{sdk}: {block}");
    block.replace("http://wxgate:8080", proxy).replace("wx0123456789abcdef", APPID)
}

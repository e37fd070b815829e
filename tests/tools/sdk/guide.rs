//! The pages of the guides, and the blocks of code in them.

use std::path::{Path, PathBuf};

/// Where a guide's lines for an SDK end, and a call to try them begins.
const FIRST_CALL: &str = "A first call.\n";

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) language: String,
    /// How it is checked: `run`, `parsed`, `untried`; empty for what is only shown.
    pub(crate) mark: String,
    pub(crate) text: String,
}

/// The book in English, whose code is that of the other one.
pub(crate) fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/en")
}

/// The blocks of a page, in order.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(book().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let fenced = text.split("\n```").skip(1).step_by(2).map(|block| {
        let (info, text) = block.split_once('\n').unwrap_or_else(|| panic!("{page}: an empty block"));
        let (language, mark) = info.split_once(' ').unwrap_or((info, ""));
        Block { language: language.into(), mark: mark.into(), text: format!("{text}\n") }
    });
    fenced.collect()
}

/// The guide's lines for an SDK, up to the call to try them.
pub(crate) fn lines(sdk: &str, language: &str) -> String {
    let page = format!("sdk/{sdk}.md");
    let block = blocks(&page).into_iter().find(|block| block.language == language && block.mark == "run");
    let text = block.unwrap_or_else(|| panic!("{page}: no lines in {language}")).text;
    let (lines, _) = text.split_once(FIRST_CALL).unwrap_or_else(|| panic!("{page}: no first call"));
    // Without the sign of the comment.
    lines.rsplit_once('\n').map(|(lines, _)| format!("{lines}\n")).unwrap_or_default()
}

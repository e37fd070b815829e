//! The pages of the guides, and the blocks of code in them.

use std::path::{Path, PathBuf};

/// Where a guide's lines for an SDK end, and a call to try them begins.
const FIRST_CALL: &str = "A first call.\n";

/// What the guides have in common: how the sandbox, wxgate and a key are had, and how to see what
/// came.
pub(crate) const BEGINNING: &str = "docs/en/sdk/index.md";
pub(crate) const WECHATPY: &str = "docs/en/sdk/wechatpy.md";
pub(crate) const CO_WECHAT_API: &str = "docs/en/sdk/co-wechat-api.md";
pub(crate) const NODE_EASYWECHAT: &str = "docs/en/sdk/node-easywechat.md";
pub(crate) const TOKEN_CALLS: &str = "docs/en/sdk/token-calls.md";
pub(crate) const PLAIN_HTTP: &str = "docs/en/plain-http.md";
pub(crate) const OWN_NAME: &str = "docs/en/own-name.md";

/// The pages of which every block that is marked `run` is run by `walk.rs`. Their twins in Chinese
/// have the same blocks.
pub(crate) const FOLLOWED: [&str; 7] =
    [BEGINNING, WECHATPY, CO_WECHAT_API, NODE_EASYWECHAT, TOKEN_CALLS, PLAIN_HTTP, OWN_NAME];

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) language: String,
    /// How it is checked: `run`, `parsed`, `untried`; empty for what is only shown.
    pub(crate) mark: String,
    pub(crate) text: String,
}

/// A file of the repository.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The blocks of a page, in order.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(file(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let fenced = text.split("\n```").skip(1).step_by(2).map(|block| {
        let (info, text) = block.split_once('\n').unwrap_or_else(|| panic!("{page}: an empty block"));
        let (language, mark) = info.split_once(' ').unwrap_or((info, ""));
        Block { language: language.into(), mark: mark.into(), text: format!("{text}\n") }
    });
    fenced.collect()
}

/// The guide's lines for an SDK, up to the call to try them.
pub(crate) fn lines(sdk: &str, language: &str) -> String {
    let page = format!("docs/en/sdk/{sdk}.md");
    let block = blocks(&page).into_iter().find(|block| block.language == language && block.mark == "run");
    let text = block.unwrap_or_else(|| panic!("{page}: no lines in {language}")).text;
    let (lines, _) = text.split_once(FIRST_CALL).unwrap_or_else(|| panic!("{page}: no first call"));
    // Without the sign of the comment.
    lines.rsplit_once('\n').map(|(lines, _)| format!("{lines}\n")).unwrap_or_default()
}

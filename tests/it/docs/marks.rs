//! Every block says how it is checked: run, parsed or untried.

use super::page::{Block, Page};
use super::tree::Tree;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A test runs it: `run.rs`, or what follows the guides of SDKs.
    Run,
    /// A test parses it: `parsed.rs`.
    Parsed,
    /// Nothing is done with it.
    Untried,
    /// What a program printed, or a picture.
    Shown,
}

impl Mark {
    pub(super) fn of(block: &Block) -> Result<Self, String> {
        match (block.language(), block.mark()) {
            ("", _) => Err("a block without a language and a mark (run, parsed or untried)".to_owned()),
            ("text" | "mermaid", "") => Ok(Self::Shown),
            ("text" | "mermaid", mark) => Err(format!("{mark:?} at what is only shown")),
            (_, "run") => Ok(Self::Run),
            (_, "parsed") => Ok(Self::Parsed),
            (_, "untried") => Ok(Self::Untried),
            (language, "") => Err(format!("{language}: without a mark: run, parsed or untried")),
            (language, mark) => Err(format!("{language}: {mark:?} is neither run, parsed nor untried")),
        }
    }
}

/// The blocks of a page that have this mark, each with its line.
pub(super) fn marked(page: &Page, mark: Mark) -> impl Iterator<Item = (usize, &Block)> {
    let blocks = page.blocks.iter().filter(move |block| Mark::of(&block.it) == Ok(mark));
    blocks.map(|block| (block.line, &block.it))
}

fn problems(tree: &Tree) -> Vec<String> {
    let blocks = tree.pages.iter().flat_map(|page| page.blocks.iter().map(move |block| (page, block)));
    blocks
        .filter_map(|(page, block)| Mark::of(&block.it).err().map(|problem| page.tell(block.line, problem)))
        .collect()
}

/// How many there are of each mark, both languages together.
pub(super) fn counts(tree: &Tree) -> String {
    let count = |mark| tree.pages.iter().map(|page| marked(page, mark).count()).sum::<usize>();
    let [run, parsed, untried] = [Mark::Run, Mark::Parsed, Mark::Untried].map(count);
    format!("snippets: {run} run, {parsed} parsed, {untried} untried")
}

#[test]
#[expect(clippy::print_stdout, reason = "how much is tried is to be seen where all holds, too")]
fn every_block_says_how_it_is_checked() {
    let tree = Tree::real();
    println!("{}", counts(&tree));
    tree.holds(&counts(&tree), problems);
}

#[test]
fn a_block_with_another_mark_or_none_is_found() {
    let tree = Tree::of(&[(
        "README.md",
        "```sh run\n```\n```toml parsed\n```\n```js  untried\n```\n```text\n```\n```mermaid\n```\n\n\
         ```sh\n```\n```\n```\n```sh ran\n```\n```text run\n```\n```sh run parsed\n```\n\nwords\n\n    indented\n",
    )]);
    assert_eq!(
        problems(&tree),
        [
            "README.md:12: sh: without a mark: run, parsed or untried",
            "README.md:14: a block without a language and a mark (run, parsed or untried)",
            "README.md:16: sh: \"ran\" is neither run, parsed nor untried",
            "README.md:18: \"run\" at what is only shown",
            "README.md:20: sh: \"run parsed\" is neither run, parsed nor untried",
            "README.md:25: a block without a language and a mark (run, parsed or untried)",
        ]
    );
    assert_eq!(counts(&tree), "snippets: 1 run, 1 parsed, 1 untried");
}

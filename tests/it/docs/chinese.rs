//! Chinese text is never broken within a sentence: Markdown shows a blank where the line ends.

use super::tree::Tree;

/// An ideograph; no punctuation.
pub(super) fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn broken(tree: &Tree) -> Vec<String> {
    let told = tree.pages.iter().flat_map(|page| {
        page.broken.iter().map(|broken| {
            page.tell(broken.line, format_args!("the line ends within a Chinese sentence: {}", broken.it))
        })
    });
    told.collect()
}

#[test]
fn no_line_ends_within_a_chinese_sentence() {
    Tree::real().holds("the Chinese sentences", broken);
}

#[test]
fn a_broken_chinese_sentence_is_found() {
    let tree = Tree::of(&[(
        "README.zh-CN.md",
        "# wxgate\n\n应用的\n凭证。\n完整的一句，\n继续 `code`\n之后 Latin\n中文\nLatin\n\n- 列表\n  也是\n\n```text\n应用\n凭证\n```\n\n| 表 |\n| - |\n| 格 |\n",
    )]);
    assert_eq!(
        broken(&tree),
        [
            "README.zh-CN.md:3: the line ends within a Chinese sentence: 的|凭",
            "README.zh-CN.md:11: the line ends within a Chinese sentence: 表|也"
        ]
    );
}

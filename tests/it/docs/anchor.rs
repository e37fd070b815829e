//! What a link to a heading says, as GitHub and mdBook make it of the heading's text.

use std::collections::HashMap;

/// Makes the anchors of one page, in the order of its headings.
#[derive(Default)]
pub(super) struct Anchors(HashMap<String, usize>);

impl Anchors {
    pub(super) fn of(&mut self, heading: &str) -> String {
        let kept: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let times = self.0.entry(kept.clone()).or_default();
        *times += 1;
        match *times {
            1 => kept,
            times => format!("{kept}-{}", times - 1),
        }
    }
}

#[test]
fn anchors_are_those_of_github() {
    let mut anchors = Anchors::default();
    for (heading, anchor) in [
        ("Getting started", "getting-started"),
        ("What it does, and what it doesn't", "what-it-does-and-what-it-doesnt"),
        ("server.max_body", "servermax_body"),
        ("Getting Started", "getting-started-1"),
        ("Getting started", "getting-started-2"),
        ("JS-SDK 的 ticket 和签名", "js-sdk-的-ticket-和签名"),
        ("配额（quota）：谁在用？", "配额quota谁在用"),
        ("a  b / c", "a--b--c"),
    ] {
        assert_eq!(anchors.of(heading), anchor);
    }
}

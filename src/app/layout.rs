//! Text for a terminal of 80 columns: labels, and texts beside them.

use std::fmt::Display;

use crate::observe::steering::steers;

/// Columns of a line.
pub const WIDTH: usize = 80;

/// Rows of a label and a text, each text wrapped in its own column.
#[derive(Clone, Debug)]
pub struct Sheet {
    indent: usize,
    label: usize,
    text: String,
    rows: Vec<(String, String)>,
}

impl Sheet {
    /// An empty sheet; labels begin behind `indent` spaces and are `label` columns wide.
    pub fn new(indent: usize, label: usize) -> Self {
        Self { indent, label, text: String::new(), rows: Vec::new() }
    }

    /// Adds a row. A label too long for its column gets a line of its own; an empty one continues
    /// the row above.
    pub fn row(&mut self, label: impl Display, text: impl Display) {
        let (label, text) = (&printable(&label.to_string()), &printable(&text.to_string()));
        self.rows.push((label.clone(), text.clone()));
        let mut lead = format!("{:indent$}{label}", "", indent = self.indent);
        let column = self.indent + self.label;
        if !label.is_empty() && columns(label) >= self.label {
            self.line(&lead);
            lead.clear();
        }
        for line in wrap(text, WIDTH - column) {
            let gap = column.saturating_sub(columns(&lead));
            self.line(&format!("{lead}{:gap$}{line}", ""));
            lead.clear();
        }
    }

    /// The rows as they were added, for those who lay them out by themselves.
    pub fn rows(self) -> Vec<(String, String)> {
        self.rows
    }

    /// What was written, lines ending in a newline.
    pub fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// With blanks for what could steer a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// Breaks a text into lines of at most `width` columns, at spaces and between Chinese characters; a
/// word that is longer is broken too. Control characters become spaces. At least one line.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let text = printable(text);
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        for (nth, piece) in pieces(word).into_iter().enumerate() {
            let mut piece = piece;
            while !piece.is_empty() {
                let used = lines.last().map_or(0, |line| columns(line));
                let gap = usize::from(used > 0 && nth == 0);
                if used > 0 && used + gap + columns(piece) > width {
                    lines.push(String::new());
                    continue;
                }
                let end = fitting(piece, width - used - gap);
                if let Some(line) = lines.last_mut() {
                    line.push_str(if gap == 1 { " " } else { "" });
                    line.push_str(&piece[..end]);
                }
                piece = &piece[end..];
            }
        }
    }
    lines
}

/// The parts of a word between which a line may end: beside Chinese characters, but neither before
/// punctuation that closes nor after punctuation that opens.
fn pieces(word: &str) -> Vec<&str> {
    const OPENING: &str = "（「『《【“(['\"`";
    const CLOSING: &str = "，。；：、！？）」』》】”…),.;:!?]'\"`%";
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut before: Option<char> = None;
    for (at, c) in word.char_indices() {
        let may_end = before.is_some_and(|before| {
            (columns_of(before) == 2 || columns_of(c) == 2)
                && !OPENING.contains(before)
                && !CLOSING.contains(c)
        });
        if may_end {
            pieces.push(&word[from..at]);
            from = at;
        }
        before = Some(c);
    }
    pieces.push(&word[from..]);
    pieces
}

/// How many bytes of `word` fit into `width` columns, at least one character.
fn fitting(word: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, c) in word.char_indices() {
        used += columns_of(c);
        if used > width && at > 0 {
            return at;
        }
    }
    word.len()
}

/// Columns that a text takes on a terminal.
pub fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// Chinese characters and their punctuation are two columns wide.
fn columns_of(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' => 2,
        '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' => 2,
        '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{Sheet, WIDTH, columns, wrap};

    #[test]
    fn a_long_text_stays_in_its_column() {
        let mut sheet = Sheet::new(2, 8);
        sheet.row("app", "word ".repeat(40));
        sheet.row("a-long-label", "text");
        let text = sheet.finish();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("  app     word word"), "{text}");
        assert!(lines[1].starts_with("          word"), "{text}");
        assert!(text.ends_with("  a-long-label\n          text\n"), "{text}");
        assert!(lines.iter().all(|line| columns(line) <= WIDTH));
    }

    #[test]
    fn words_longer_than_a_line_are_broken() {
        let lines = wrap(&format!("ab {}", "x".repeat(25)), 10);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [2, 10, 10, 5]);
    }

    #[test]
    fn chinese_characters_take_two_columns() {
        assert_eq!(columns("IP白名单"), 8);
        assert!(wrap(&"白名单".repeat(20), 11).iter().all(|line| columns(line) <= 11));
    }

    #[test]
    fn a_chinese_line_ends_anywhere_but_before_its_punctuation() {
        assert_eq!(wrap("检查配置，列出所有（全部）问题", 8), ["检查配", "置，列出", "所有（全", "部）问题"]);
        assert_eq!(wrap("运行 wxgate 之前", 9), ["运行", "wxgate 之", "前"]);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(wrap("a\u{1b}[2Jb", 20), ["a [2Jb"]);
        assert_eq!(wrap("a\u{202e}b\u{2028}c\u{2066}d\u{e0001}e 务", 20), ["a b c d e 务"]);
    }
}

//! What is wrong with a configuration file, and where.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::message::spelling::suggestion;
use crate::texts::{Words, text, words};

/// Whether a problem keeps the configuration from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// Worth a change, but it works.
    Warning,
}

/// One problem; prints as `FILE:LINE:COL: key.path: what is wrong, what would be right`.
///
/// Never holds a secret's value or a line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named to us.
    pub file: Arc<str>,
    /// Line and column, both from 1, the column in characters; none if the file could not be read
    /// at all.
    pub position: Option<(usize, usize)>,
    /// The path of the key, like `app[0].secret`; empty where no key is at fault.
    pub key: String,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong and what would be right.
    pub text: Words,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some((line, column)) = self.position {
            write!(f, "{line}:{column}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        if self.severity == Severity::Warning {
            return write!(f, " {}", text!("warning: {problem}", problem = self.text));
        }
        write!(f, " {}", self.text)
    }
}

/// Every problem of a refused file, warnings too, in the order of the file; prints one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Where in which file a value is, and its key's path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::config) struct Place {
    pub key: String,
    pub offset: usize,
    /// Which of the report's files; 0 is the main one.
    pub file: usize,
}

impl Place {
    /// The beginning of a file.
    pub(in crate::config) fn of_file(file: usize) -> Self {
        Self { file, ..Self::default() }
    }

    /// The place of `key` below this one; a missing key is looked for where its table begins.
    pub(in crate::config) fn child(&self, key: &str) -> Self {
        let key = if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) };
        Self { key, ..*self }
    }

    /// The place of a list's element.
    pub(in crate::config) fn element(&self, index: usize, offset: usize) -> Self {
        Self { key: format!("{}[{index}]", self.key), offset, file: self.file }
    }

    /// The same key, at another byte of the file.
    pub(in crate::config) fn at(self, offset: usize) -> Self {
        Self { offset, ..self }
    }
}

/// More problems than anyone reads: from here on no long search is made for suggestions.
const MANY: usize = 100;

/// A problem, and which of the files it is in.
pub(in crate::config) type Located = (usize, Problem);

/// Collects problems while files are read.
pub(in crate::config) struct Report<'t> {
    files: Vec<(Arc<str>, Lines<'t>)>,
    problems: Vec<Located>,
    judged: HashMap<String, Option<Words>>,
    strangers: Vec<Stranger>,
}

/// A name that nothing has, and where it stands.
#[derive(Clone, Debug)]
pub(in crate::config) struct Stranger {
    pub name: String,
    pub place: Place,
}

impl<'t> Report<'t> {
    pub(in crate::config) fn new(file: &str, text: &'t str) -> Self {
        let files = vec![(file.into(), Lines::of(text))];
        Self { files, problems: Vec::new(), judged: HashMap::new(), strangers: Vec::new() }
    }

    /// Another file that is read into the same configuration; returns the number that its places
    /// have.
    pub(in crate::config) fn include(&mut self, file: Arc<str>, text: &'t str) -> usize {
        self.files.push((file, Lines::of(text)));
        self.files.len() - 1
    }

    /// A file that could not be read at all, or a problem that is nowhere in it.
    pub(in crate::config) fn error_of_file(&mut self, file: usize, text: impl Into<Words>) {
        let problem = Problem {
            file: self.name(file),
            position: None,
            key: String::new(),
            severity: Severity::Error,
            text: text.into(),
        };
        self.problems.push((file, problem));
    }

    /// Notes a name that was reported since nothing has it.
    pub(in crate::config) fn note_stranger(&mut self, name: &str, place: &Place) {
        self.strangers.push(Stranger { name: name.to_owned(), place: place.clone() });
    }

    pub(in crate::config) fn error(&mut self, place: &Place, text: impl Into<Words>) {
        self.add(place, Severity::Error, text.into());
    }

    pub(in crate::config) fn warn(&mut self, place: &Place, text: impl Into<Words>) {
        self.add(place, Severity::Warning, text.into());
    }

    /// The line of a place.
    pub(in crate::config) fn line(&self, place: &Place) -> usize {
        self.position(place).map_or(0, |(line, _)| line)
    }

    /// The line of a place as it is named at another one, to point at the other half of a
    /// contradiction.
    pub(in crate::config) fn line_seen_from(&self, from: &Place, place: &Place) -> Words {
        let line = self.line(place);
        if from.file == place.file {
            return words!("line {line}", line);
        }
        words!("line {line} of {file}", line, file = self.name(place.file))
    }

    /// Line and column of a place.
    pub(in crate::config) fn position(&self, place: &Place) -> Option<(usize, usize)> {
        self.files.get(place.file).map(|(_, lines)| lines.position(place.offset))
    }

    fn name(&self, file: usize) -> Arc<str> {
        self.files.get(file).map(|(name, _)| Arc::clone(name)).unwrap_or_default()
    }

    /// What `judge` says about `subject`; it is called once, however many tables repeat the
    /// subject.
    pub(in crate::config) fn judged(
        &mut self,
        subject: String,
        judge: impl FnOnce() -> Option<Words>,
    ) -> Option<Words> {
        self.judged.entry(subject).or_insert_with(judge).clone()
    }

    /// Whether there are more problems than anyone reads.
    pub(in crate::config) fn is_long(&self) -> bool {
        self.problems.len() >= MANY
    }

    fn add(&mut self, place: &Place, severity: Severity, text: Words) {
        let (file, position) = (self.name(place.file), self.position(place));
        let problem = Problem { file, position, key: place.key.clone(), severity, text };
        self.problems.push((place.file, problem));
    }

    /// All problems, file by file and in the order of each, and the names that nothing has.
    pub(in crate::config) fn finish(mut self) -> (Vec<Located>, Vec<Stranger>) {
        self.problems.sort_by_key(|(file, problem)| (*file, problem.position));
        (self.problems, self.strangers)
    }

    /// All problems, of which at least one is an error.
    pub(in crate::config) fn refuse(self) -> Problems {
        Problems(self.finish().0.into_iter().map(|(_, problem)| problem).collect())
    }
}

/// A text, and where its lines begin.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(starts).collect() }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        (line, self.text[start..offset].chars().count() + 1)
    }
}

/// What is wrong, with the candidate that was probably meant; none if no candidate is like `word`.
pub(in crate::config) fn did_you_mean<'a>(
    wrong: &Words,
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<Words> {
    let candidate = suggestion(word, candidates)?;
    Some(words!("{wrong}, did you mean \"{candidate}\"?", wrong, candidate))
}

/// A value in quotes, as a problem may repeat it.
pub(in crate::config) fn repeated(value: &str) -> String {
    if looks_like_secret(value) { "\"***\"".to_owned() } else { format!("{value:?}") }
}

/// Whether a text where none belongs may be a pasted secret, which must not be repeated.
pub(in crate::config) fn looks_like_secret(text: &str) -> bool {
    text.len() >= 16
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let text = "a = 1\n名 = 公众号x\n";
        let lines = Lines::of(text);
        assert_eq!(lines.position(0), (1, 1));
        assert_eq!(lines.position(5), (1, 6));
        assert_eq!(lines.position(6), (2, 1));
        assert_eq!(lines.position(text.find('x').unwrap()), (2, 8));
        assert_eq!(lines.position(text.len() + 9), (3, 1));
        assert_eq!(Lines::of("").position(0), (1, 1));
    }

    #[test]
    fn a_subject_is_judged_once() {
        let (mut report, mut asked) = (Report::new("f", ""), 0);
        for _ in 0..3 {
            let said = report.judged("subject".to_owned(), || {
                asked += 1;
                Some(Words::untranslated("wrong"))
            });
            assert_eq!(said.as_ref().map(Words::as_str), Some("wrong"));
        }
        assert_eq!(asked, 1);
    }

    #[test]
    fn a_pasted_secret_is_recognised() {
        assert!(looks_like_secret("0123456789abcdef0123456789abcdef"));
        assert!(!looks_like_secret("SHOP_SECRET"));
        assert!(!looks_like_secret("/run/secrets/shop1234567"));
    }
}

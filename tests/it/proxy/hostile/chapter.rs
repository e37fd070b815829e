//! A file of `tests/hostile`, whose README tells its format.

use std::path::Path;

/// A file.
pub struct Chapter {
    pub name: String,
    /// The proxy has a `[[caller]]`.
    pub callers: bool,
    pub cases: Vec<Case>,
}

/// A request, and what must happen.
#[derive(Default)]
pub struct Case {
    pub name: String,
    pub request: Vec<u8>,
    /// The caller ends its side behind it.
    pub gone: bool,
    /// Status and code of each.
    pub answers: Vec<(u16, String)>,
    pub sent: Vec<Sent>,
    /// `open` or `close`.
    pub end: Option<String>,
}

/// What reaches WeChat.
#[derive(Default)]
pub struct Sent {
    pub cut: bool,
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub body: Vec<u8>,
    pub with: Vec<(String, Vec<u8>)>,
    pub without: Vec<String>,
}

impl Sent {
    /// For people.
    pub fn line(&self) -> String {
        let Self { method, target, body, .. } = self;
        let cut = if self.cut { "cut " } else { "" };
        format!("{cut}{} {} {}", method.escape_ascii(), target.escape_ascii(), body.escape_ascii())
    }
}

impl Chapter {
    pub fn read(folder: &Path, name: &str) -> Self {
        let text = std::fs::read_to_string(folder.join(format!("{name}.txt"))).expect("a chapter");
        let mut chapter = Self { name: name.to_owned(), callers: false, cases: Vec::new() };
        let mut lets: Vec<(String, String)> = Vec::new();
        let mut blocks = text.split("\n== ");
        for line in blocks.next().unwrap_or_default().lines() {
            if line == "callers" {
                chapter.callers = true;
            } else if let Some((name, value)) =
                line.strip_prefix("let ").and_then(|line| line.split_once(" = "))
            {
                lets.push((format!("${name}"), replaced(value, &lets)));
                // No name may hide behind the beginning of another one.
                lets.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
            }
        }
        chapter.cases = blocks.map(|block| Case::read(block, &lets)).collect();
        chapter
    }
}

impl Case {
    fn read(block: &str, lets: &[(String, String)]) -> Self {
        let (name, rest) = block.split_once('\n').expect("a request");
        let (mut case, mut text) = (Self { name: name.to_owned(), ..Self::default() }, String::new());
        for line in rest.lines() {
            match line.split_at_checked(3) {
                Some(("-> ", end @ ("open" | "close"))) => case.end = Some(end.to_owned()),
                Some(("-> ", answer)) => {
                    let (status, code) = answer.split_once(' ').unwrap_or((answer, ""));
                    case.answers.push((status.parse().expect("a status"), code.to_owned()));
                }
                Some(("=> ", sent)) => case.sent.push(Sent::read(sent)),
                Some(("=+ ", field)) => {
                    let (name, value) = field.split_once(": ").expect("a field");
                    let last = case.sent.last_mut().expect("something sent");
                    last.with.push((name.to_owned(), unescaped(value)));
                }
                Some(("=- ", name)) => {
                    case.sent.last_mut().expect("something sent").without.push(name.to_owned());
                }
                // For people.
                Some(("-- ", _)) => {}
                _ => text.push_str(line),
            }
        }
        case.gone = text.ends_with("\\|");
        case.request = unescaped(&replaced(text.trim_end_matches("\\|"), lets));
        case
    }
}

impl Sent {
    fn read(text: &str) -> Self {
        let (cut, text) = text.strip_prefix("cut ").map_or((false, text), |text| (true, text));
        let mut words = text.splitn(3, ' ').map(unescaped);
        let mut word = || words.next().unwrap_or_default();
        Self { cut, method: word(), target: word(), body: word(), ..Self::default() }
    }
}

fn replaced(text: &str, lets: &[(String, String)]) -> String {
    lets.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

fn unescaped(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some((plain, behind)) = rest.split_once('\\') {
        out.extend_from_slice(plain.as_bytes());
        let (escape, behind) = behind.split_at(1);
        rest = behind;
        match escape {
            "r" => out.push(b'\r'),
            "n" => out.push(b'\n'),
            "t" => out.push(b'\t'),
            "s" => out.push(b' '),
            "0" => out.push(0),
            "\\" => out.push(b'\\'),
            "x" => {
                out.push(u8::from_str_radix(&rest[..2], 16).expect("two digits"));
                rest = &rest[2..];
            }
            "(" => {
                let end = closing(rest);
                let (times, what) = rest[..end].split_once('*').expect("a number and a text");
                out.extend(unescaped(what).repeat(times.parse().expect("a number")));
                rest = &rest[end + 1..];
            }
            other => panic!("no escape: \\{other} in {text}"),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// Where the bracket ends that was opened before `text`.
fn closing(text: &str) -> usize {
    let (mut depth, mut escaped) = (1, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\\' => escaped = !escaped,
            b'(' if escaped => (depth, escaped) = (depth + 1, false),
            b')' if !escaped && depth == 1 => return at,
            b')' if !escaped => depth -= 1,
            _ => escaped = false,
        }
    }
    panic!("a bracket without an end: {text}")
}

//! The codec towards WeChat beside three others' readers: h11, node's parser and hyper's client.
//!
//! What it reads one of the others reads too, and each of them that does has the same status,
//! fields, body and rest. It never uses a connection again that one of the others would close, or
//! whose response one of them refuses.
//!
//! `READERS_CASES=1000000 READERS_SEED=7 tests/run readers::` looks further.
#![expect(clippy::print_stdout, reason = "a test that says what it saw")]

mod corpus;
mod generated;
mod hyper_reader;
mod ours;

use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::installer::{Packages, output};

const H11: Packages = Packages {
    of: "the tests of the codec",
    folder: "readers-venv",
    npm: None,
    pip: Some([include_str!("requirements.txt"), "h11"]),
    then: None,
};

/// At a time, so that none of the programs holds many.
const BATCH: usize = 2000;

/// The bytes of a response, and what it answers.
#[derive(Clone)]
struct Case {
    to_head: bool,
    bytes: Vec<u8>,
}

/// What a reader made of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reading {
    Refused(String),
    /// It doesn't support this, which is no judgement.
    Unable,
    Read(Response),
}

/// A response as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Response {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// Surplus bytes, if the reader tells of them.
    rest: Option<Vec<u8>>,
    /// Whether its head lets the connection serve again, if the reader can tell.
    goes_on: Option<bool>,
}

impl Case {
    fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { to_head: false, bytes: bytes.into() }
    }

    fn to_head(bytes: impl Into<Vec<u8>>) -> Self {
        Self { to_head: true, bytes: bytes.into() }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = if self.to_head { "to HEAD" } else { "to GET" };
        write!(f, "{method} b\"{}\"", self.bytes.escape_ascii())
    }
}

impl Reading {
    fn refused(why: impl fmt::Display) -> Self {
        Self::Refused(why.to_string())
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let response = match self {
            Self::Refused(why) => return write!(f, "refused: {why}"),
            Self::Unable => return f.write_str("can't tell"),
            Self::Read(response) => response,
        };
        write!(f, "{}", response.status)?;
        for (name, value) in &response.fields {
            write!(f, ", {name}: {}", value.escape_ascii())?;
        }
        write!(f, "; body \"{}\"", response.body.escape_ascii())?;
        if let Some(rest) = &response.rest {
            write!(f, ", rest \"{}\"", rest.escape_ascii())?;
        }
        write!(f, ", goes on: {:?}", response.goes_on)
    }
}

/// A line of another program's.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Refused {
        refused: String,
        #[serde(default)]
        unable: bool,
    },
    Read {
        status: u16,
        fields: Vec<(String, String)>,
        body: String,
        rest: String,
        goes_on: Option<bool>,
    },
}

impl From<Line> for Reading {
    fn from(line: Line) -> Self {
        match line {
            Line::Refused { unable: true, .. } => Self::Unable,
            Line::Refused { refused, .. } => Self::Refused(refused),
            Line::Read { status, fields, body, rest, goes_on } => Self::Read(Response {
                status,
                fields: fields.into_iter().map(|(name, value)| (name, of_hex(&value))).collect(),
                body: of_hex(&body),
                rest: Some(of_hex(&rest)),
                goes_on,
            }),
        }
    }
}

fn of_hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("digits"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

/// What another program makes of each.
fn read_by(program: &mut Command, cases: &Path) -> Vec<Reading> {
    let lines = output(program.arg(cases)).unwrap_or_else(|problem| panic!("{problem}"));
    let parse = |line: &str| serde_json::from_str::<Line>(line).expect("a line of JSON").into();
    lines.lines().map(parse).collect()
}

/// What all make of one.
struct Verdicts {
    ours: Reading,
    others: [(&'static str, Reading); 3],
}

/// Has all readers read the cases.
fn read(cases: &[Case]) -> Vec<Verdicts> {
    static PYTHON: LazyLock<Result<std::path::PathBuf, String>> = LazyLock::new(|| H11.install());
    let python = PYTHON.as_deref().unwrap_or_else(|problem| panic!("{problem}")).join("venv/bin/python");
    let folder = tempfile::tempdir().expect("a folder");
    let [file, h11, node] = ["cases", "h11_reader.py", "node_reader.js"].map(|name| folder.path().join(name));
    let mut text = String::new();
    for case in cases {
        text.push_str(if case.to_head { "HEAD " } else { "GET " });
        case.bytes.iter().for_each(|byte| write!(text, "{byte:02x}").expect("room"));
        text.push('\n');
    }
    fs::write(&file, text).expect("written");
    fs::write(&h11, include_str!("h11_reader.py")).expect("written");
    fs::write(&node, include_str!("node_reader.js")).expect("written");
    let h11 = read_by(Command::new(python).arg("-I").arg(h11), &file);
    let node = read_by(Command::new("node").arg(node), &file);
    let hyper = hyper_reader::read(cases);
    assert_eq!([h11.len(), node.len(), hyper.len()], [cases.len(); 3]);
    let others = h11.into_iter().zip(node).zip(hyper);
    let verdict = |(case, ((h11, node), hyper))| Verdicts {
        ours: switched(ours::read(case)),
        others: [("h11", h11), ("node", node), ("hyper", hyper)]
            .map(|(name, reading)| (name, switched(reading))),
    };
    cases.iter().zip(others).map(verdict).collect()
}

/// The client refuses to switch to a protocol that it hasn't asked for, whoever reads for it.
fn switched(reading: Reading) -> Reading {
    match reading {
        Reading::Read(response) if response.status == 101 => Reading::refused("another protocol"),
        other => other,
    }
}

impl Verdicts {
    /// What mustn't be.
    fn difference(&self) -> Option<String> {
        let Reading::Read(ours) = &self.ours else { return None };
        if self.none_reads() {
            return Some("ours alone reads it".to_owned());
        }
        for (name, reading) in &self.others {
            match reading {
                Reading::Read(theirs) => {
                    if let Some(part) = ours.differs_from(theirs) {
                        return Some(format!("{part} of {name}"));
                    }
                    if ours.is_used_again() && !theirs.is_used_again() {
                        return Some(format!("{name} would close the connection"));
                    }
                }
                Reading::Refused(_) if ours.is_used_again() => {
                    return Some(format!(
                        "the connection is used again, although {name} refuses the response"
                    ));
                }
                Reading::Refused(_) | Reading::Unable => {}
            }
        }
        None
    }

    fn none_reads(&self) -> bool {
        self.others.iter().all(|(_, reading)| matches!(reading, Reading::Refused(_)))
    }

    fn all_others_read(&self) -> bool {
        self.others.iter().all(|(_, reading)| matches!(reading, Reading::Read(_)))
    }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  ours: {}", self.ours)?;
        self.others.iter().try_for_each(|(name, reading)| writeln!(f, "  {name}: {reading}"))
    }
}

impl Response {
    fn differs_from(&self, other: &Self) -> Option<&'static str> {
        let rest = self.rest.as_ref().zip(other.rest.as_ref());
        [
            ("the status", self.status != other.status),
            ("a field", self.of_message() != other.of_message()),
            ("the body", self.body != other.body),
            ("the rest", rest.is_some_and(|(ours, theirs)| ours != theirs)),
        ]
        .into_iter()
        .find_map(|(part, differs)| differs.then_some(part))
    }

    fn is_used_again(&self) -> bool {
        self.goes_on.unwrap_or(true) && self.rest.as_ref().is_none_or(Vec::is_empty)
    }

    /// The fields that don't end with the connection, by name; a length once, and none beside a
    /// coding, which is how ours hands them on.
    fn of_message(&self) -> Vec<(String, &[u8])> {
        let mut fields: Vec<_> =
            self.fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), &value[..])).collect();
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        let is_there = |wanted: &str| fields.iter().any(|(name, _)| name == wanted);
        let coded = is_there("transfer-encoding");
        let options: Vec<_> = fields
            .iter()
            .filter(|(name, _)| name == "connection")
            .flat_map(|(_, value)| value.split(|byte| *byte == b','))
            .map(|option| option.trim_ascii().to_ascii_lowercase())
            .collect();
        let mut lengths = 0;
        fields.retain(|(name, _)| match &**name {
            "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization" => false,
            "te" | "trailer" | "transfer-encoding" | "upgrade" => false,
            "content-length" => {
                lengths += 1;
                !coded && lengths == 1
            }
            _ => !options.iter().any(|option| option == name.as_bytes()),
        });
        fields
    }
}

/// Looks at all; fails with the first of the differences. How many ours reads.
fn compare(cases: &[Case]) -> usize {
    let (mut differences, mut read_by_ours, mut stricter) = (Vec::new(), 0, 0);
    for batch in cases.chunks(BATCH) {
        for (case, verdicts) in batch.iter().zip(read(batch)) {
            match &verdicts.ours {
                Reading::Read(_) => read_by_ours += 1,
                Reading::Refused(_) if verdicts.all_others_read() => {
                    stricter += 1;
                    println!("ours alone refuses {case}\n{verdicts}");
                }
                Reading::Refused(_) | Reading::Unable => {}
            }
            if let Some(difference) = verdicts.difference() {
                differences.push(format!("{difference}: {case}\n{verdicts}"));
            }
        }
    }
    println!("{} responses, {read_by_ours} read, {stricter} that ours alone refuses", cases.len());
    differences.iter().skip(10).for_each(|difference| println!("{difference}"));
    let count = differences.len();
    assert_eq!(count, 0, "the first of them:\n{}", differences[..count.min(10)].join("\n"));
    read_by_ours
}

#[test]
fn what_is_well_formed_all_read_and_read_alike() {
    let cases = corpus::well_formed();
    for (case, verdicts) in cases.iter().zip(read(&cases)) {
        assert!(
            verdicts.all_others_read() && matches!(verdicts.ours, Reading::Read(_)),
            "{case}\n{verdicts}"
        );
        assert_eq!(verdicts.difference(), None, "{case}\n{verdicts}");
    }
}

#[test]
fn what_is_hostile_ours_reads_as_all_others_or_refuses() {
    compare(&corpus::hostile());
}

#[test]
fn what_comes_of_changing_responses_ours_reads_as_all_others_or_refuses() {
    let count = setting("READERS_CASES").unwrap_or(4000);
    let seed = setting("READERS_SEED").unwrap_or(16);
    println!("READERS_CASES={count} READERS_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut read = 0;
    for at in (0..count).step_by(20 * BATCH) {
        let cases: Vec<_> =
            (at..count.min(at + 20 * BATCH)).map(|_| generated::response(&mut random)).collect();
        read += compare(&cases);
    }
    assert!(read > count / 4, "{read} of {count} read: the others were hardly compared");
}

#[expect(clippy::disallowed_methods, reason = "there is nothing else to set it by")]
fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|text| text.parse().ok().unwrap_or_else(|| panic!("{name}={text:?}")))
}

//! The targets of `fuzz/`, each for a moment: over its seeds, and over what comes of changing them.
//! The same inputs in every run; `./x fuzz` looks further.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fastrand::Rng;

use self::targets::{TARGETS, run};

/// What hostile bytes are made of.
const WORDS: &[&[u8]] = &[
    b"access_token=",
    b"secret=",
    b"wxgate-",
    b"&",
    b"=",
    b";",
    b"?",
    b"%",
    b"%00",
    b"%61",
    b"+",
    b"/",
    b"//",
    b"..",
    b"@shop/",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b",",
    b"\"errcode\":",
    b"40001",
    b"-1",
    b"18446744073709551615",
    b"9007199254740993",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xe5\xbe\xae",
    b"Content-Length: 4\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n",
    b"0\r\n\r\n",
    b"<xml>",
    b"<![CDATA[",
    b"]]>",
    b"</xml>",
];

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let files = std::fs::read_dir(folder).expect("seeds").map(|file| file.expect("a file").path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a seed")).collect()
}

/// One to five changes to one of the seeds.
fn mutated(seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seeds[rng.usize(..seeds.len())].clone();
    for _ in 0..rng.usize(1..=5) {
        let at = rng.usize(..=bytes.len());
        let end = rng.usize(at..=bytes.len().min(at + 20));
        match rng.u8(..6) {
            0 if at < bytes.len() => bytes[at] = rng.u8(..),
            1 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            4 => {
                let other = &seeds[rng.usize(..seeds.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[rng.usize(..=other.len())..]);
            }
            _ => drop(bytes.splice(at..at, WORDS[rng.usize(..WORDS.len())].iter().copied())),
        }
    }
    bytes
}

fn hold(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let (seeds, mut rng) = (seeds(name), Rng::with_seed(13));
    let inputs = seeds.iter().cloned().chain((0..target.inputs).map(|_| mutated(&seeds, &mut rng)));
    for input in inputs.collect::<Vec<_>>() {
        let held = catch_unwind(AssertUnwindSafe(|| run(name, &input)));
        assert!(held.is_ok(), "{name} doesn't hold for b\"{}\"", input.escape_ascii());
    }
}

macro_rules! targets {
    ($($name:ident),+) => {
        $(#[test]
        fn $name() {
            hold(stringify!($name));
        })+

        #[test]
        fn every_target_has_its_program_and_its_test() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),+]);
            let manifest = include_str!("../../fuzz/Cargo.toml");
            for name in names {
                assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
            }
        }
    };
}

targets!(
    callback_open,
    configuration,
    errcode_scan,
    form_rewrite,
    framing,
    path_check,
    placeholder,
    query_rewrite,
    routing,
    signed,
    store_record,
    upstream_response
);

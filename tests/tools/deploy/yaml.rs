//! YAML, read by Python.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::programs::python;

/// The documents of each text; `how` as `read.py` says.
pub(super) fn parse(texts: &[String], how: Option<&str>) -> Result<Vec<Vec<Value>>, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/deploy/read.py");
    let mut command = Command::new(python());
    command.arg(script).args(how).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python runs");
    let all = serde_json::to_vec(texts).expect("JSON");
    // The whole of it is read before a word is printed.
    child.stdin.take().expect("a pipe").write_all(&all).expect("written");
    let output = child.wait_with_output().expect("an end");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// The one document of a text.
pub(super) fn document(text: String) -> Value {
    let mut documents = parse(&[text], None).unwrap_or_else(|said| panic!("{said}")).swap_remove(0);
    assert_eq!(documents.len(), 1);
    documents.swap_remove(0)
}

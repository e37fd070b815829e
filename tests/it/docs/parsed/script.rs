//! Scripts, by the interpreters that would run them; `tests/run` installs these.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

pub(super) fn sh(text: &str) -> Result<(), String> {
    judged("sh -n", fed(Command::new("sh").arg("-n"), text))
}

pub(super) fn python(text: &str) -> Result<(), String> {
    let parse = ["-I", "-c", "import ast, sys; ast.parse(sys.stdin.read())"];
    judged("python3", fed(Command::new("python3").args(parse), text))
}

/// As a module, or as a script of CommonJS; what `import` and `await` at the top make it is for
/// Node to say.
pub(super) fn js(text: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        judged("node --check", Command::new("node").arg("--check").arg(path).output().expect("node"))
    };
    check("block.mjs").or_else(|_| check("block.cjs"))
}

/// What a command does with a text on its standard input.
fn fed(command: &mut Command, text: &str) -> Output {
    let name = command.get_program().to_owned();
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap_or_else(|error| panic!("{}: {error}", name.display()));
    // Which closes it.
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn judged(command: &str, output: Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command}: {}", String::from_utf8_lossy(&output.stderr)))
}

//! A Python with the SDKs that `requirements.txt` pins, kept in the target directory from run to run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::installer::run;

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/sdk/requirements.txt");

/// The interpreter; whatever kept it from being there fails each test that asks.
pub(crate) fn python() -> &'static Path {
    static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(prepare);
    PYTHON.as_deref().unwrap_or_else(|problem| panic!("{problem}"))
}

fn prepare() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    let venv = target.join("sdk-venv");
    // Another run of the tests may be installing. The lock ends with the file.
    let lock = File::create(target.join("sdk-venv.lock")).expect("a lock file");
    lock.lock().expect("the lock");

    let python = venv.join("bin/python");
    let wanted = fs::read_to_string(REQUIREMENTS).expect("the requirements");
    let installed = venv.join("installed.txt");
    let is_current = fs::read_to_string(&installed).is_ok_and(|known| known == wanted);
    // An update of the system's Python takes away what the environment points at.
    if is_current && run(Command::new(&python).args(["-c", "import wechatpy"])).is_ok() {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv)).map_err(|problem| {
        format!("the SDK tests need python3 with venv, which tests/run installs: {problem}")
    })?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let exact = ["--require-hashes", "--only-binary=:all:", "--requirement", REQUIREMENTS];
    run(Command::new(&python).args(pip).args(exact))
        .map_err(|problem| format!("the SDK tests need packages from PyPI: {problem}"))?;
    fs::write(installed, wanted).expect("a note of what is installed");
    Ok(python)
}

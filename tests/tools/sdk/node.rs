//! The Node SDKs that `package.json` pins, kept in the target directory from run to run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::installer::run;

const FILES: [(&str, &str); 2] = [
    ("package.json", include_str!("package.json")),
    ("package-lock.json", include_str!("package-lock.json")),
];

/// Where `require` finds the SDKs; whatever kept them from being there fails each test that asks.
pub(crate) fn modules() -> &'static Path {
    static MODULES: LazyLock<Result<PathBuf, String>> = LazyLock::new(prepare);
    MODULES.as_deref().unwrap_or_else(|problem| panic!("{problem}"))
}

fn prepare() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    let folder = target.join("sdk-node");
    // Another run of the tests may be installing. The lock ends with the file.
    let lock = File::create(target.join("sdk-node.lock")).expect("a lock file");
    lock.lock().expect("the lock");

    let modules = folder.join("node_modules");
    let installed = folder.join("installed.json");
    let wanted = FILES[1].1;
    if fs::read_to_string(&installed).is_ok_and(|known| known == wanted) && modules.is_dir() {
        return Ok(modules);
    }
    fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in FILES {
        fs::write(folder.join(name), text).expect("written");
    }
    // Exactly what the lock file names, by digest; nothing of the packages is run.
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&folder);
    run(&mut npm).map_err(|problem| {
        format!("the SDK tests need npm, which tests/run installs, and packages from npmjs: {problem}")
    })?;
    fs::write(installed, wanted).expect("a note of what is installed");
    Ok(modules)
}

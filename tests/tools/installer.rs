//! Packages from npmjs and PyPI, kept in the target directory from run to run; and how programs are
//! run to their end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What some tests need of others.
pub(crate) struct Packages {
    /// The tests, as a failure names them.
    pub(crate) of: &'static str,
    /// Where it is kept, below the target directory.
    pub(crate) folder: &'static str,
    /// `package.json` and `package-lock.json`, for `node_modules`.
    pub(crate) npm: Option<[&'static str; 2]>,
    /// `requirements.txt`, for `venv`, and a module that must be there afterwards.
    pub(crate) pip: Option<[&'static str; 2]>,
    /// What Python does in the folder when all is there.
    pub(crate) then: Option<&'static str>,
}

impl Packages {
    /// Installs what isn't there yet. The folder, or what kept it from being filled.
    pub(crate) fn install(&self) -> Result<PathBuf, String> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
        let folder = target.join(self.folder);
        // Another run of the tests may be installing. The lock ends with the file.
        let lock = File::create(target.join(format!("{}.lock", self.folder))).expect("a lock file");
        lock.lock().expect("the lock");

        let wanted: String = self.npm.iter().chain(&self.pip).flatten().chain(&self.then).copied().collect();
        let installed = folder.join("installed.txt");
        if fs::read_to_string(&installed).is_ok_and(|known| known == wanted) && self.is_sound(&folder) {
            return Ok(folder);
        }
        fs::create_dir_all(&folder).expect("a folder");
        if let Some(files) = self.npm {
            self.node_modules(&folder, files)?;
        }
        if let Some([requirements, _]) = self.pip {
            self.venv(&folder, requirements)?;
        }
        if let Some(script) = self.then {
            output(Command::new("python3").args(["-c", script]).current_dir(&folder))?;
        }
        fs::write(installed, wanted).expect("a note of what is installed");
        Ok(folder)
    }

    /// An update of the system's Python takes away what an environment points at.
    fn is_sound(&self, folder: &Path) -> bool {
        let imports = |[_, module]: [&str; 2]| {
            output(Command::new(folder.join("venv/bin/python")).args(["-c", &format!("import {module}")]))
                .is_ok()
        };
        (self.npm.is_none() || folder.join("node_modules").is_dir()) && self.pip.is_none_or(imports)
    }

    /// Exactly what the lock file names, by digest, whatever else packages ask for; nothing of them
    /// is run.
    fn node_modules(&self, folder: &Path, [manifest, lock]: [&str; 2]) -> Result<(), String> {
        fs::write(folder.join("package.json"), manifest).expect("written");
        fs::write(folder.join("package-lock.json"), lock).expect("written");
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--legacy-peer-deps"]);
        npm.args(["--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
        self.run(&mut npm, "npm, which tests/run installs, and packages from npmjs")
    }

    fn venv(&self, folder: &Path, requirements: &str) -> Result<(), String> {
        fs::write(folder.join("requirements.txt"), requirements).expect("written");
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear", "venv"]).current_dir(folder);
        self.run(&mut venv, "python3 with venv, which tests/run installs")?;
        let mut pip = Command::new(folder.join("venv/bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(["--require-hashes", "--only-binary=:all:", "--requirement", "requirements.txt"]);
        self.run(pip.current_dir(folder), "packages from PyPI")
    }

    fn run(&self, command: &mut Command, what: &str) -> Result<(), String> {
        output(command).map(drop).map_err(|problem| format!("{} need {what}: {problem}", self.of))
    }
}

/// What a program prints, or what it says if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{command:?}: {}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

//! The program, run in a folder of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a planted secret looks like; must show up in no output.
pub const CANARY: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";

/// A configuration that `check` passes.
pub const GOOD: &str =
    "[[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = { env = 'SHOP_SECRET' }\n";

/// Where the program is.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_wxgate");

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The folder that the program is started in.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// Runs the program in this folder, with the canary as its only secrets.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    /// The same with more in the environment.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let Output { status, stdout, stderr } = Command::new(PROGRAM)
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("SHOP_SECRET", CANARY)
            .env("WXGATE_ADMIN_TOKEN", CANARY)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let ran = Ran {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        };
        assert!(!ran.stdout.contains(CANARY) && !ran.stderr.contains(CANARY), "a secret is printed: {ran:?}");
        ran
    }

    /// Runs it on a terminal of so many columns where `typed` is typed; what is seen there.
    pub fn on_a_terminal(&self, columns: usize, arguments: &[&str], typed: &str) -> String {
        let words: Vec<_> = arguments.iter().map(|word| format!("'{word}'")).collect();
        let command = format!("stty cols {columns}; exec {PROGRAM} {}", words.join(" "));
        let mut script = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .current_dir(self.path())
            .env_remove("WXGATE_CONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = script.stdin.take().unwrap();
        stdin.write_all(typed.as_bytes()).unwrap();
        let output = script.wait_with_output().unwrap();
        // Open until then: its end would be one of what is typed.
        drop(stdin);
        String::from_utf8(output.stdout).unwrap().replace('\r', "")
    }
}

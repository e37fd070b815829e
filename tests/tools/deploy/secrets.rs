//! Stand-ins for the files of `/run/secrets`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::installer::output;

pub(super) const MOUNTED: &str = "/run/secrets";

/// What the shipped configurations name there.
const FILES: [&str; 4] = ["shop", "admin-token", "redis-password", "seal-key"];

pub(super) struct Secrets(tempfile::TempDir);

impl Secrets {
    pub(super) fn new() -> Self {
        let closed = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().permissions(closed).tempdir().expect("a folder");
        for name in FILES {
            fs::write(folder.path().join(name), "0123456789abcdef".repeat(4)).expect("written");
        }
        Self(folder)
    }

    /// `toml` with these files, and the digest of a key.
    pub(super) fn in_place(&self, toml: &str) -> String {
        toml.replace(MOUNTED, self.0.path().to_str().expect("UTF-8")).replace("PASTE", &"a1".repeat(32))
    }

    /// What `wxgate check` says of a configuration that has no fault.
    pub(super) fn check(&self, toml: &str) -> String {
        let file = self.0.path().join("wxgate.toml");
        fs::write(&file, self.in_place(toml)).expect("written");
        let mut wxgate = Command::new(env!("CARGO_BIN_EXE_wxgate"));
        output(wxgate.arg("check").arg("--config").arg(&file).env_clear())
            .unwrap_or_else(|said| panic!("{said}"))
    }
}

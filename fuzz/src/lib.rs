//! What must hold for any bytes, whoever sends them. cargo-fuzz runs each target by hand (`./x fuzz`), and the tests run all
//! of them for a moment, over `fuzz/seeds` and what comes of changing those.

mod callback_open;
mod configuration;
mod errcode_scan;
mod form_rewrite;
mod framing;
mod path_check;
mod placeholder;
mod query_rewrite;
mod routing;
mod signed;
mod store_record;
mod upstream_response;

/// A target.
pub struct Target {
    /// Of its seeds' folder and its program.
    pub name: &'static str,
    /// Panics where something doesn't hold.
    pub run: fn(&[u8]),
    /// How many inputs it is worth on every run of the tests.
    pub inputs: usize,
}

/// All of them, by name.
pub const TARGETS: &[Target] = &[
    Target { name: "callback_open", run: callback_open::run, inputs: 1000 },
    Target { name: "configuration", run: configuration::run, inputs: 500 },
    Target { name: "errcode_scan", run: errcode_scan::run, inputs: 5000 },
    Target { name: "form_rewrite", run: form_rewrite::run, inputs: 5000 },
    Target { name: "framing", run: framing::run, inputs: 150 },
    Target { name: "path_check", run: path_check::run, inputs: 2000 },
    Target { name: "placeholder", run: placeholder::run, inputs: 1000 },
    Target { name: "query_rewrite", run: query_rewrite::run, inputs: 5000 },
    Target { name: "routing", run: routing::run, inputs: 1000 },
    Target { name: "signed", run: signed::run, inputs: 300 },
    Target { name: "store_record", run: store_record::run, inputs: 300 },
    Target { name: "upstream_response", run: upstream_response::run, inputs: 2000 },
];

/// Runs the target of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    (target.run)(bytes);
}

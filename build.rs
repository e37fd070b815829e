//! A static build looks names up without the system's modules: `deploy/release/static_names.c` says why.
#![expect(clippy::disallowed_methods, reason = "cargo tells in variables what is built")]

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=deploy/release/static_names.c");
    let is =
        |name: &str, value: &str| env::var(name).is_ok_and(|found| found.split(',').any(|one| one == value));
    if is("CARGO_CFG_TARGET_ENV", "gnu") && is("CARGO_CFG_TARGET_FEATURE", "crt-static") {
        for object in cc::Build::new().file("deploy/release/static_names.c").compile_intermediates() {
            println!("cargo::rustc-link-arg-bins={}", object.display());
        }
    }
}

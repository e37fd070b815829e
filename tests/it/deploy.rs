//! What `deploy/` ships: its configuration loads, and its memory limits are kept.

use std::path::Path;

use wxgate::config::Config;

const APP: &str =
    "\n[[app]]\nname = \"shop\"\nappid = \"wx0123456789abcdef\"\nsecret = { env = \"SHOP_SECRET\" }\n";

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The configuration, with a variable for each secret.
fn load(toml: &str) -> Config {
    let config = Config::parse(toml, "test.toml", &|_| Some("correct-horse-battery-staple".to_owned()));
    config.unwrap_or_else(|problems| panic!("{problems}"))
}

/// The image's configuration, with what is to be filled in.
fn image() -> String {
    let text = read("deploy/docker/wxgate.toml").replace("PASTE", &"0123456789abcdef".repeat(4));
    let secret = "secret = { file = \"/run/secrets/shop\" }";
    assert!(text.contains(secret));
    text.replace(secret, "secret = { env = \"SHOP_SECRET\" }")
}

/// The bytes in what a file says behind `key`: `8G`, `2g`, `256m`.
fn size(file: &str, key: &str) -> u64 {
    let text = read(file);
    let line = text.lines().find_map(|line| line.trim().strip_prefix(key)).expect("a line");
    let (number, unit) = line.split(',').next().unwrap().split_at(line.find(['g', 'G', 'm']).unwrap());
    number.trim().parse::<u64>().unwrap() << if unit == "m" { 20 } else { 30 }
}

#[test]
fn the_configuration_of_the_image_loads_without_a_warning() {
    assert!(load(&image()).warnings.is_empty());
}

#[test]
fn the_memory_limits_that_are_shipped_fit_what_is_taken_at_most() {
    let most = |toml: &str| wxgate::app::most_memory(&load(toml)).bytes();
    let unit = size("deploy/systemd/wxgate.service", "MemoryMax=");
    for workers in [1, 2, 4, 8, 16, 64] {
        let defaults = most(&format!("[server]\nworkers = {workers}\n{APP}"));
        assert!(defaults < unit, "{defaults} bytes with {workers} workers, of {unit}");
    }
    let spool = size("deploy/docker/compose.yaml", "- /tmp:size=");
    assert_eq!(spool, 256 << 20);
    let taken = spool + most(&image().replace("[server]\n", "[server]\nworkers = 8\n"));
    let container = size("deploy/docker/compose.yaml", "mem_limit:");
    assert!(taken < container, "{taken} bytes of {container}");
}

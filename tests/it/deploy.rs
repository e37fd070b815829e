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

/// The image's configuration, with what is to be filled in, and the secrets that it reads in `folder`.
fn image(folder: &Path) -> String {
    for name in ["shop", "admin-token", "redis-password", "seal-key"] {
        std::fs::write(folder.join(name), "0123456789abcdef".repeat(4)).unwrap();
    }
    let certified = rcgen::generate_simple_self_signed(vec!["redis".to_owned()]).unwrap();
    std::fs::write(folder.join("redis-certificate"), certified.cert.pem()).unwrap();
    let text = read("deploy/docker/wxgate.toml").replace("PASTE", &"0123456789abcdef".repeat(4));
    assert!(text.contains("/run/secrets/shop"));
    text.replace("/run/secrets", folder.to_str().unwrap())
}

/// Closed to others, as a folder of secrets is.
fn closed_folder() -> tempfile::TempDir {
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    tempfile::Builder::new().permissions(closed).tempdir().unwrap()
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
    let folder = closed_folder();
    assert_eq!(load(&image(folder.path())).warnings.len(), 0);
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
    let folder = closed_folder();
    let taken = spool + most(&image(folder.path()).replace("[server]\n", "[server]\nworkers = 8\n"));
    let container = size("deploy/docker/compose.yaml", "mem_limit:");
    assert!(taken < container, "{taken} bytes of {container}");
}

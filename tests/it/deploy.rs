//! What `deploy/` ships: its configuration loads, and its memory limits are kept.

use std::path::Path;
use std::time::Duration;

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

/// The image's configuration, with what is to be filled in, and the secrets that it reads in
/// `folder`.
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

/// The bytes in what a file says behind `key`.
fn size(file: &str, key: &str) -> u64 {
    let text = read(file);
    bytes(text.lines().find_map(|line| line.trim().strip_prefix(key)).expect("a line"))
}

/// `8G`, `2g` or `256m`, up to a comma.
fn bytes(size: &str) -> u64 {
    let (number, unit) = size.split(',').next().unwrap().split_at(size.find(['g', 'G', 'm']).unwrap());
    number.trim().parse::<u64>().unwrap() << if unit == "m" { 20 } else { 30 }
}

/// The most that a configuration takes, on a machine like a server.
fn most(toml: &str) -> u64 {
    wxgate::app::most_memory(&load(&toml.replace("[server]\n", "[server]\nworkers = 8\n"))).bytes()
}

#[test]
fn the_configuration_of_the_image_loads_without_a_warning() {
    let folder = closed_folder();
    assert_eq!(load(&image(folder.path())).warnings.len(), 0);
}

/// `wxgate status --healthz` ends within 3 s by itself, and says why: killed, it says nothing.
#[test]
fn health_checks_are_given_the_time_that_they_take() {
    for (file, before, after) in [
        ("deploy/docker/Dockerfile", "HEALTHCHECK --interval=10s --timeout=", "s"),
        ("deploy/docker/compose.yaml", "\"--healthz\"]\n      interval: 10s\n      timeout: ", "s"),
        ("deploy/release/image", "\"Timeout\": ", " * second"),
    ] {
        let text = read(file);
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{file} has no {before}"));
        let seconds: u32 = rest.split_once(after).unwrap().0.parse().unwrap();
        assert!(seconds > 3, "{file}: {seconds} s");
    }
}

#[test]
fn the_open_files_that_are_shipped_are_enough() {
    let shipped = |file: &str, key: &str| {
        let text = read(file);
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)).expect("a line");
        line.trim().parse::<u64>().unwrap()
    };
    let unit = shipped("deploy/systemd/wxgate.service", "LimitNOFILE=");
    let container = shipped("deploy/docker/compose.yaml", "nofile:");
    let folder = closed_folder();
    for workers in [1, 2, 8, 64] {
        let key = format!("[server]\nworkers = {workers}\n");
        let needed = wxgate::app::most_files(&load(&format!("{key}{APP}")));
        assert!(needed < unit, "{needed} with {workers} workers, of {unit}");
        let needed = wxgate::app::most_files(&load(&image(folder.path()).replace("[server]\n", &key)));
        assert!(needed < container, "{needed} with {workers} workers, of {container}");
    }
}

/// The seconds in what a file says behind `key`: `65s`.
fn seconds(file: &str, key: &str) -> Duration {
    let text = read(file);
    let line = text.lines().find_map(|line| line.trim().strip_prefix(key)).expect("a line");
    Duration::from_secs(line.trim().trim_end_matches('s').parse().unwrap())
}

/// What may go on behind the drain: a token call, somebody at the admin address, traces, and twice
/// a log that nobody reads.
fn behind_the_drain(config: &Config) -> Duration {
    config.token.fetch_timeout * 4 + Duration::from_secs(2 + 2 + 2 * 5)
}

#[test]
fn what_ends_the_process_waits_for_what_it_does_at_its_end() {
    let folder = closed_folder();
    let unit = format!("{}{APP}", read("deploy/systemd/wxgate.toml"));
    for (toml, file, key) in [
        (unit, "deploy/systemd/wxgate.service", "TimeoutStopSec="),
        (image(folder.path()), "deploy/docker/compose.yaml", "stop_grace_period:"),
    ] {
        let config = load(&toml);
        let options = &config.server.options;
        assert_eq!(options.drain_delay, Duration::from_secs(5), "{file}");
        let needed = options.drain_delay + options.drain_timeout + behind_the_drain(&config);
        assert!(needed < seconds(file, key), "{file}: {needed:?}");
    }
    let compose = seconds("deploy/docker/compose.yaml", "stop_grace_period:").as_secs();
    for page in ["docs/en/deployment.md", "docs/zh/deployment.md"] {
        assert!(read(page).contains(&format!("--stop-timeout {compose} ")), "{page}");
    }
}

#[test]
fn the_memory_limits_that_are_shipped_fit_what_is_taken_at_most() {
    let unit = size("deploy/systemd/wxgate.service", "MemoryMax=");
    for workers in [1, 2, 4, 8, 16, 64] {
        let defaults = load(&format!("[server]\nworkers = {workers}\n{APP}"));
        let defaults = wxgate::app::most_memory(&defaults).bytes();
        assert!(defaults < unit, "{defaults} bytes with {workers} workers, of {unit}");
    }
    let spool = size("deploy/docker/compose.yaml", "- /tmp:size=");
    assert_eq!(spool, 256 << 20);
    let folder = closed_folder();
    let taken = spool + most(&image(folder.path()));
    let container = size("deploy/docker/compose.yaml", "mem_limit:");
    assert!(taken < container, "{taken} bytes of {container}");
}

#[test]
fn docker_run_mounts_publishes_and_allows_what_the_configuration_beside_it_takes() {
    let page = read("docs/en/deployment.md");
    let section = page.split("\n## ").find(|section| section.starts_with("Image\n")).unwrap();
    let block = |info: &str| {
        let rest = section.split(&format!("\n```{info}\n")).nth(1).unwrap();
        rest.split("\n```").next().unwrap().to_owned()
    };
    let (toml, script) = (block("toml parsed"), block("sh parsed").replace("\\\n", " "));
    let words: Vec<&str> = script.split("docker run -d ").nth(1).unwrap().split_whitespace().collect();
    let values = |option: &str| -> Vec<&str> {
        let pairs = words.windows(2).filter(|pair| pair[0] == option);
        pairs.map(|pair| pair[1].trim_matches('"')).collect()
    };

    let mounted: Vec<_> = values("-v").into_iter().map(|mount| mount.split(':').nth(1).unwrap()).collect();
    assert!(mounted.contains(&"/etc/wxgate/wxgate.toml"), "{mounted:?}");
    let paths =
        || toml.split('"').map(|text| text.trim_start_matches("file:")).filter(|path| path.starts_with('/'));
    assert_eq!(paths().count(), 3);
    for path in paths() {
        assert!(mounted.iter().any(|folder| Path::new(path).starts_with(folder)), "{path} is not mounted");
    }
    let inside: Vec<_> = values("-p").into_iter().map(|port| port.rsplit(':').next().unwrap()).collect();
    let listening = toml.split("0.0.0.0:").skip(1).map(|rest| rest.split('"').next().unwrap());
    assert_eq!(inside, listening.collect::<Vec<_>>());
    assert!(values("-p").iter().all(|port| port.starts_with("127.0.0.1:")), "a key in clear on the network");

    let folder = closed_folder();
    for name in ["shop", "admin-token"] {
        std::fs::write(folder.path().join(name), "0123456789abcdef".repeat(4)).unwrap();
    }
    let toml = toml.replace("PASTE", &"0123456789abcdef".repeat(4));
    let toml = toml.replace("/etc/wxgate/secrets", folder.path().to_str().unwrap());
    assert_eq!(load(&toml).warnings.len(), 0);
    let spool = bytes(values("--tmpfs")[0].split_once("size=").unwrap().1);
    assert!(spool == 256 << 20 && toml.contains("spool = \"256MiB\""), "{spool}");
    let (taken, container) = (spool + most(&toml), bytes(values("--memory")[0]));
    assert!(taken < container, "{taken} bytes of {container}");
}

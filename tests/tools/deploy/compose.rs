//! `deploy/docker`: compose, and what it gives to its services.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::monitoring::promtool;
use super::programs::compose_schema;
use super::secrets::MOUNTED;
use super::yaml::{document, parse};
use super::{deployed, read};
use crate::installer::output;
use crate::until::until;

fn compose() -> Value {
    let text = read(&deployed("docker/compose.yaml"));
    let schema = compose_schema();
    let schema = schema.to_str().expect("UTF-8");
    let mut parsed = parse(&[text], Some(schema)).unwrap_or_else(|said| panic!("{said}"));
    parsed.swap_remove(0).swap_remove(0)
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

#[test]
fn the_services_fit_the_specification_and_are_limited() {
    let compose = compose();
    let services = compose["services"].as_object().expect("services");
    assert_eq!(services.keys().collect::<Vec<_>>(), ["grafana", "prometheus", "redis", "wxgate"]);
    for (name, service) in services {
        assert!(service["mem_limit"].is_string(), "{name}");
        assert!(service["pids_limit"].is_u64(), "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        assert!(service["logging"]["options"]["max-size"].is_string(), "{name}");
        // Whose image can't be told to go without, or isn't known to.
        assert_eq!(service["read_only"] == true, name != "grafana", "{name}");
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
        // All come from where the user says.
        let image = service["image"].as_str().expect("an image");
        assert!(image.starts_with(&format!("${{{}_IMAGE:-", name.to_uppercase())), "{image}");
        assert_eq!(
            service["profiles"] == json!(["monitoring"]),
            ["prometheus", "grafana"].contains(&name.as_str())
        );
    }
    assert_eq!(
        services["wxgate"]["healthcheck"]["test"],
        json!(["CMD", "/usr/bin/wxgate", "status", "--healthz"])
    );
    assert_eq!(compose["networks"]["store"]["internal"], true);
    assert_eq!(services["redis"]["networks"], json!(["store"]));
}

#[test]
fn what_is_mounted_exists_and_secrets_are_files_that_prepare_makes() {
    let compose = compose();
    let folder = deployed("docker");
    let prepared = Prepared::new();
    let mut used = BTreeSet::new();
    for (name, service) in compose["services"].as_object().expect("services") {
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().expect("a source");
            if source.starts_with('.') {
                assert!(folder.join(source).exists(), "{name}: {volume}");
                assert!(volume.ends_with(":ro"), "{name}: {volume}");
            } else {
                assert!(compose["volumes"].get(source).is_some(), "{name}: {volume}");
            }
        }
        let secrets = texts(&service["secrets"]);
        used.extend(secrets.iter().map(|secret| (*secret).to_owned()));
        // What `prepare` lets group 65532 read.
        let user = service["user"].as_str().unwrap_or_default();
        let is_in_group = user.ends_with(":65532") || service["group_add"] == json!(["65532"]);
        assert!(secrets.is_empty() || is_in_group, "{name} can't read {secrets:?}");
    }
    let declared = compose["secrets"].as_object().expect("secrets");
    assert_eq!(used, declared.keys().cloned().collect(), "used, and declared");
    for (name, secret) in declared {
        assert_eq!(secret, &json!({"file": format!("./secrets/{name}")}));
        if name != "shop" {
            assert!(prepared.file(name).exists(), "prepare doesn't make {name}");
        }
    }
    // Each service is given what its files name.
    for (service, file) in
        [("wxgate", "wxgate.toml"), ("redis", "redis.conf"), ("prometheus", "prometheus.yml")]
    {
        let text = read(&folder.join(file));
        let named = text
            .split("/run/secrets/")
            .skip(1)
            .map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().expect("a name"));
        let given = texts(&compose["services"][service]["secrets"]).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(named.collect::<BTreeSet<_>>(), given, "{service}");
    }
}

/// What `prepare` makes, with the test's own group in place of the containers'.
struct Prepared(tempfile::TempDir);

impl Prepared {
    fn new() -> Self {
        let made = Self(tempfile::tempdir().expect("a folder"));
        made.again();
        made
    }

    fn again(&self) {
        let group = self.0.path().metadata().expect("a folder").gid().to_string();
        let mut prepare = Command::new(deployed("docker/prepare"));
        output(prepare.arg(self.0.path().join("secrets")).env("WXGATE_GROUP", group))
            .unwrap_or_else(|said| panic!("{said}"));
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join("secrets").join(name)
    }

    /// `text` with these files.
    fn in_place(&self, text: &str) -> String {
        text.replace(MOUNTED, self.0.path().join("secrets").to_str().expect("UTF-8"))
    }
}

#[test]
fn prepare_makes_files_for_one_group_and_leaves_alone_what_is_there() {
    let made = Prepared::new();
    assert_eq!(made.0.path().join("secrets").metadata().expect("a folder").mode() & 0o777, 0o700);
    fs::write(made.file("shop"), "0123456789abcdef0123456789abcdef\n").expect("written");
    let list = || -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(made.0.path().join("secrets")).expect("a folder");
        let mut files: Vec<_> = entries
            .map(|entry| entry.expect("an entry"))
            .map(|entry| {
                (entry.file_name().into_string().expect("UTF-8"), fs::read(entry.path()).expect("a file"))
            })
            .collect();
        files.sort();
        files
    };
    let before = list();
    made.again();
    assert_eq!(list(), before);
    for (name, bytes) in before {
        assert_eq!(made.file(&name).metadata().expect("a file").mode() & 0o777, 0o440, "{name}");
        assert!(bytes.len() > 30, "{name}");
    }
    // Redis is told a digest.
    let password = read(&made.file("redis-password"));
    assert!(!read(&made.file("redis-acl")).contains(password.trim()));
}

/// Ended with the test.
struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn wxgate_gets_into_redis_as_both_are_composed() {
    let made = Prepared::new();
    fs::write(made.file("shop"), "0123456789abcdef0123456789abcdef\n").expect("written");
    let folder = made.0.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("permitted");
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    let port = port.expect("a free port").port();
    let conf = made.in_place(&read(&deployed("docker/redis.conf")));
    assert!(conf.contains("tls-port 6379\n") && conf.contains("dir /data\n"));
    let conf = conf.replace("tls-port 6379\n", &format!("tls-port {port}\nbind 127.0.0.1\n"));
    fs::write(folder.join("redis.conf"), conf.replace("dir /data\n", &format!("dir {}\n", folder.display())))
        .expect("written");
    let mut server = Command::new("redis-server");
    let child = server.arg(folder.join("redis.conf")).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let _redis = Redis(child.expect("redis-server runs: tests/run --install installs it"));

    // The health check is well once it listens, and only then.
    let compose = compose();
    let test = &compose["services"]["redis"]["healthcheck"]["test"];
    let words: Vec<String> = texts(test).into_iter().skip(1).map(|word| made.in_place(word)).collect();
    let healthy = |port: u16| {
        let mut check = Command::new(&words[0]);
        check.args(["-p", &port.to_string()]).args(&words[1..]).output().expect("redis-cli runs")
    };
    until(|| "redis-server listens", async || healthy(port).status.success()).await;
    assert!(
        String::from_utf8_lossy(&healthy(port).stdout).contains("NOAUTH"),
        "nobody gets in without a password"
    );
    assert!(!healthy(1).status.success());

    let toml = made.in_place(&read(&deployed("docker/wxgate.toml")));
    assert!(toml.contains("rediss://redis:6379/0"));
    let toml = toml.replace("redis:6379", &format!("localhost:{port}")).replace("PASTE", &"a1".repeat(32));
    let config = folder.join("wxgate.toml");
    fs::write(&config, toml).expect("written");
    let wxgate = |arguments: &[&str]| {
        let mut wxgate = Command::new(env!("CARGO_BIN_EXE_wxgate"));
        output(wxgate.args(arguments).arg("--config").arg(&config).env_clear())
    };
    let said = wxgate(&["check"]).unwrap_or_else(|said| panic!("{said}"));
    assert!(!said.contains("warning"), "{said}");
    let said = wxgate(&["store", "show"]).unwrap_or_else(|said| panic!("{said}"));
    assert!(said.contains("rediss://localhost") && said.contains("(empty)"), "{said}");

    fs::remove_file(made.file("redis-password")).expect("removed");
    fs::write(made.file("redis-password"), "another").expect("written");
    let said = wxgate(&["store", "show"]).expect_err("a wrong password");
    assert!(said.contains("Redis") || said.contains("rediss"), "{said}");
}

#[test]
fn prometheus_and_grafana_find_each_other_and_wxgate() {
    let made = Prepared::new();
    let folder = deployed("docker");
    let text = read(&folder.join("prometheus.yml"));
    let prometheus = document(text.clone());
    let job = &prometheus["scrape_configs"][0];
    let toml: toml::Table = read(&folder.join("wxgate.toml")).parse().expect("TOML");
    let port = toml["admin"]["listen"].as_str().and_then(|listen| listen.rsplit(':').next()).expect("a port");
    assert_eq!(job["static_configs"][0]["targets"], json!([format!("wxgate:{port}")]));
    // As in the example for all.
    let example = document(read(&deployed("prometheus/wxgate.yml")));
    assert_eq!(job["job_name"], example["scrape_configs"][0]["job_name"]);
    fs::write(made.0.path().join("prometheus.yml"), made.in_place(&text)).expect("written");
    fs::copy(deployed("prometheus/alerts.yml"), made.0.path().join("alerts.yml")).expect("copied");
    let said = promtool(&["check", "config"], &made.0.path().join("prometheus.yml"));
    assert!(said.contains("1 rule files found"), "{said}");

    let compose = compose();
    let mounted = |service: &str, path: &str| -> String {
        let volumes = texts(&compose["services"][service]["volumes"]);
        let volume = volumes.iter().find(|volume| volume.split(':').nth(1).is_some_and(|to| to == path));
        volume
            .unwrap_or_else(|| panic!("{service}: nothing at {path}"))
            .split(':')
            .next()
            .expect("a source")
            .to_owned()
    };
    let arguments = texts(&compose["services"]["prometheus"]["command"]).join(" ");
    assert!(arguments.contains("--config.file=/etc/prometheus/prometheus.yml"), "{arguments}");
    assert_eq!(mounted("prometheus", "/etc/prometheus/alerts.yml"), "../prometheus/alerts.yml");
    let sources = document(read(&folder.join("grafana/datasources.yaml")));
    assert_eq!(sources["datasources"][0]["type"], "prometheus");
    // Its own port, whatever the machine's is.
    assert_eq!(sources["datasources"][0]["url"], "http://prometheus:9090");
    let boards = document(read(&folder.join("grafana/dashboards.yaml")));
    let path = boards["providers"][0]["options"]["path"].as_str().expect("a path");
    assert_eq!(mounted("grafana", &format!("{path}/wxgate.json")), "../grafana/wxgate.json");
    for (kind, file) in [("datasources", "datasources.yaml"), ("dashboards", "dashboards.yaml")] {
        let to = format!("/etc/grafana/provisioning/{kind}/wxgate.yaml");
        assert_eq!(Path::new(&mounted("grafana", &to)), Path::new("./grafana").join(file));
    }
}

/// Whether `.dockerignore` lets a file into the build's context: the last line that speaks of it
/// decides.
fn is_in_context(file: &str) -> bool {
    let text = read(&deployed("../.dockerignore"));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut deciding = lines.filter(|line| {
        let pattern = line.trim_start_matches('!');
        match pattern.strip_prefix("**/") {
            Some(name) => file.split('/').any(|part| part == name),
            None => Path::new(file).starts_with(pattern),
        }
    });
    deciding.next_back().is_none_or(|line| line.starts_with('!'))
}

#[test]
fn the_dockerfile_gets_what_the_build_reads_and_none_of_the_secrets_beside_it() {
    let script = read(&deployed("../build.rs"));
    let read_by_it = script.split('"').filter(|text| text.starts_with("deploy/") && text.ends_with(".c"));
    let read_by_it: BTreeSet<_> = read_by_it.collect();
    assert!(!read_by_it.is_empty());
    for file in read_by_it.into_iter().chain(["Cargo.toml", "Cargo.lock", "build.rs", "src/main.rs"]) {
        assert!(deployed("..").join(file).exists() && is_in_context(file), "{file}");
    }
    for file in ["deploy/docker/secrets/shop", "deploy/release/run", ".git/config", "target/release/wxgate"] {
        assert!(!is_in_context(file), "{file}");
    }
}

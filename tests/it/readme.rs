//! What the READMEs show must exist, and both must show the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use wxgate::config::{Config, known_keys};

const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];
const GUIDES: [&str; 2] = ["deploy/guides/sdk.md", "deploy/guides/sdk.zh-CN.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// Language and text of each fenced block.
fn blocks(markdown: &str) -> Vec<(&str, &str)> {
    let fenced = markdown.split("```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).collect()
}

/// What stands in backticks outside fenced blocks.
fn spans(markdown: &str) -> BTreeSet<&str> {
    let prose = markdown.split("```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2)).collect()
}

/// Everything that is code: spans, and the lines of blocks.
fn code(markdown: &str) -> Vec<&str> {
    let lines = blocks(markdown).into_iter().flat_map(|(_, block)| block.lines());
    spans(markdown).into_iter().chain(lines).collect()
}

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_wxgate"))
        .args(arguments)
        .arg("--help")
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "wxgate {arguments:?} --help fails");
    String::from_utf8(output.stdout).unwrap()
}

fn sources(folder: &Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The texts in `text` that begin with `wxgate_`.
fn metrics(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_').collect()
    };
    text.split("wxgate_").skip(1).map(|rest| format!("wxgate_{}", name(rest))).collect()
}

/// What a block that shows some tables alone leaves out.
const APP: &str =
    "\n[[app]]\nname = \"shop\"\nappid = \"wx0123456789abcdef\"\nsecret = { env = \"SHOP_SECRET\" }\n";

#[test]
fn every_configuration_loads() {
    // Closed to others, as the folders of secrets are that it stands for.
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let folder = tempfile::Builder::new().permissions(closed).tempdir().unwrap();
    let secret = folder.path().join("shop");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef\n").unwrap();
    let certified = rcgen::generate_simple_self_signed(vec!["api.weixin.qq.com".to_owned()]).unwrap();
    std::fs::write(folder.path().join("wxgate.pem"), certified.cert.pem()).unwrap();
    std::fs::write(folder.path().join("wxgate.key"), certified.signing_key.serialize_pem()).unwrap();
    let env = |name: &str| match name {
        "SHOP_SECRET" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        "WXGATE_ADMIN_TOKEN"
        | "WXGATE_REDIS_PASSWORD"
        | "WXGATE_EGRESS_PASSWORD"
        | "PLATFORM_SECRET"
        | "PLATFORM_TOKEN"
        | "SALES_SECRET"
        | "HR_SECRET" => Some("correct-horse-battery-staple".to_owned()),
        "ALERT_URL" => Some("https://robot.example/send?key=k".to_owned()),
        "PLATFORM_AES_KEY" => Some("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG".to_owned()),
        "WXGATE_SEAL_KEY" => Some("0123456789abcdef".repeat(4)),
        _ => None,
    };
    let mut seen = 0;
    for name in READMES.into_iter().chain(["deploy/docker/wxgate.toml"]) {
        let text = read(name);
        let whole = if name.ends_with(".toml") { vec![("toml", text.as_str())] } else { blocks(&text) };
        for (_, toml) in whole.into_iter().filter(|(language, _)| *language == "toml") {
            let toml = toml
                .replace("/run/secrets/shop", secret.to_str().unwrap())
                .replace("/srv/shop", folder.path().to_str().unwrap())
                .replace("/etc/wxgate", folder.path().to_str().unwrap())
                .replace("PASTE", &"0123456789abcdef".repeat(4));
            let toml = if toml.contains("[[app]]") { toml } else { format!("{toml}{APP}") };
            let config = Config::parse(&toml, name, &env).unwrap_or_else(|problems| panic!("{problems}"));
            assert!(config.warnings.is_empty(), "{:?}", config.warnings);
            seen += 1;
        }
    }
    assert_eq!(seen, 25);
}

/// The bytes in what a file says behind `key`: `8G`, `2g`, `256m`.
fn size(file: &str, key: &str) -> u64 {
    let text = read(file);
    let line = text.lines().find_map(|line| line.trim().strip_prefix(key)).expect("a line");
    let (number, unit) = line.split(',').next().unwrap().split_at(line.find(['g', 'G', 'm']).unwrap());
    number.trim().parse::<u64>().unwrap() << if unit == "m" { 20 } else { 30 }
}

#[test]
fn the_memory_limits_that_are_shipped_fit_what_is_taken_at_most() {
    let most = |toml: &str| {
        let config = Config::parse(toml, "test.toml", &|_| Some("correct-horse-battery-staple".to_owned()));
        wxgate::app::most_memory(&config.unwrap_or_else(|problems| panic!("{problems}"))).bytes()
    };
    let unit = size("deploy/systemd/wxgate.service", "MemoryMax=");
    for workers in [1, 2, 4, 8, 16, 64] {
        let defaults = most(&format!("[server]\nworkers = {workers}\n{APP}"));
        assert!(defaults < unit, "{defaults} bytes with {workers} workers, of {unit}");
    }
    let text = read("deploy/docker/wxgate.toml").replace("PASTE", &"0123456789abcdef".repeat(4));
    let secret = "secret = { file = \"/run/secrets/shop\" }";
    assert!(text.contains(secret));
    let image = text.replace(secret, "secret = { env = \"SHOP_SECRET\" }");
    let spool = size("deploy/docker/compose.yaml", "- /tmp:size=");
    assert_eq!(spool, 256 << 20);
    let taken = spool + most(&image.replace("[server]\n", "[server]\nworkers = 8\n"));
    let container = size("deploy/docker/compose.yaml", "mem_limit:");
    assert!(taken < container, "{taken} bytes of {container}");
}

#[test]
fn commands_and_their_options_exist() {
    let top = help(&[]);
    let mut seen = BTreeSet::new();
    for readme in READMES {
        let text = read(readme);
        for shown in code(&text) {
            let Some(rest) = shown.strip_prefix("wxgate ") else { continue };
            let mut words = rest.split_whitespace();
            let command = words.next().unwrap();
            assert!(top.contains(&format!("\n  {command} ")), "{readme}: {shown}");
            let about = help(&[command]);
            let sub = words.clone().next().filter(|word| about.contains(&format!("\n  {word} ")));
            let help = sub.map_or(about, |sub| help(&[command, sub]));
            for option in words.filter(|word| word.starts_with("--")) {
                assert!(help.contains(option), "{readme}: {shown}");
            }
            seen.insert(command.to_owned());
        }
    }
    assert!(seen.len() > 5, "{seen:?}");
}

#[test]
fn every_metric_is_listed_and_every_listed_metric_exists() {
    let mut source = String::new();
    sources(&root().join("src"), &mut source);
    let quoted = source.split('"').filter(|text| text.starts_with("wxgate_")).collect::<Vec<_>>().join(" ");
    let exposed = metrics(&quoted);
    assert!(exposed.len() > 10, "{exposed:?}");
    for readme in READMES {
        assert_eq!(
            metrics(&spans(&read(readme)).into_iter().collect::<Vec<_>>().join(" ")),
            exposed,
            "{readme}"
        );
    }
}

#[test]
fn configuration_keys_exist() {
    for readme in READMES.into_iter().chain(GUIDES) {
        let text = read(readme);
        let mut seen = 0;
        for span in spans(&text) {
            let Some((table, key)) = span.split(" = ").next().unwrap().rsplit_once('.') else { continue };
            if !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
                continue;
            }
            let known = known_keys().find(|(known, _)| known.trim_matches(['[', ']']) == table);
            if let Some((_, keys)) = known {
                assert!(keys.contains(&key), "{readme}: {span}");
                seen += 1;
            }
        }
        assert!(seen > 10 || (seen > 0 && !READMES.contains(&readme)), "{readme}: {seen}");
    }
}

#[test]
fn both_languages_show_the_same() {
    for pair in [READMES, GUIDES] {
        let [english, chinese] = pair.map(read);
        same(&english, &chinese);
    }
}

fn same(english: &str, chinese: &str) {
    let levels = |text: &str| -> Vec<usize> {
        let prose: String = text.split("```").step_by(2).collect();
        prose.lines().map(|line| line.chars().take_while(|c| *c == '#').count()).filter(|n| *n > 0).collect()
    };
    assert_eq!(levels(english), levels(chinese), "headings");
    let rows = |text: &str| text.lines().filter(|line| line.starts_with('|')).count();
    assert_eq!(rows(english), rows(chinese), "rows of tables");
    let [shown, also] = [blocks(english), blocks(chinese)];
    assert_eq!(shown.len(), also.len(), "blocks");
    for (one, other) in shown.iter().zip(&also) {
        // The picture's labels are translated.
        assert!(one == other || (one.0 == "mermaid" && other.0 == "mermaid"), "{}\n{}", one.1, other.1);
    }
    let names = [spans(english), spans(chinese)];
    let differ: Vec<_> = names[0].symmetric_difference(&names[1]).collect();
    assert!(differ.is_empty(), "in one language alone: {differ:?}");
}

/// What a link to a heading says, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn links_lead_somewhere() {
    for name in READMES.into_iter().chain(GUIDES).chain(["CONTRIBUTING.md", "CHANGELOG.md"]) {
        let text = read(name);
        let prose: String = text.split("```").step_by(2).collect();
        for link in prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let path: PathBuf = match file {
                "" => root().join(name),
                file => root().join(name).parent().unwrap().join(file),
            };
            assert!(path.exists(), "{name}: {link}");
            let headed = heading.is_empty() || {
                let target = std::fs::read_to_string(&path).unwrap();
                target.lines().any(|line| line.starts_with('#') && anchor(line) == heading)
            };
            assert!(headed, "{name}: {link}");
        }
    }
}

//! `wxgate key`: a new API key for a caller.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;
use ring::rand::{SecureRandom as _, SystemRandom};
use wxgate::config::{Config, digest};
use wxgate::observe::hex::hex;
use wxgate::secret::file::{self, Links};
use wxgate::texts::text;
use zeroize::Zeroizing;

use super::config_file::ConfigFile;
use super::failure::Failure;
use super::new_file;
use super::terminal::{print, tell};
use super::written::{list, quoted};

/// As `openssl rand -hex 32`: nothing in it needs an escape anywhere, and the log knows it by its
/// shape.
const BYTES: usize = 32;

/// What stands for the app where none is known.
const APP: &str = "APP";

/// A caller, and what it may use.
#[derive(Debug, Args)]
pub(super) struct NewKey {
    /// Name of the caller, for logs and metrics: A-Z a-z 0-9 _ . -
    name: String,
    /// App that the caller may use, repeatable; default: the configuration's app, if it has just
    /// one
    #[arg(long = "app", value_name = "APP")]
    apps: Vec<String>,
    /// Write the key to this new file instead of printing it
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

/// Creates a key. If stdout is not a terminal, only the table goes there: it may be appended to the
/// configuration, where the key does not belong and would not be TOML.
pub(super) fn run(new: NewKey) -> Result<(), Failure> {
    let NewKey { name, mut apps, key_file, config } = new;
    if apps.is_empty() {
        // A configuration that can't be looked for names no app.
        apps.extend(config.if_any().ok().flatten().as_deref().and_then(only_app));
    }
    let is_known = !apps.is_empty();
    if !is_known {
        apps.push(APP.to_owned());
    }
    let key = random()?;
    let table = table(&name, &key, &apps);
    check(&table, &apps)?;
    let on_terminal = std::io::stdout().is_terminal();
    match key_file {
        Some(path) => {
            keep(&path, &key)?;
            let path = path.display();
            tell(
                &text!("The API key of {name} is in {path}: give it to the service.", name, path).to_string(),
            );
        }
        None => {
            tell(&shown_once(&name));
            if on_terminal { print(&format!("{}\n\n", *key))? } else { tell(&key) }
        }
    }
    if on_terminal {
        tell(&text!("Add to wxgate.toml:").to_string());
    }
    print(&table)?;
    if !is_known {
        tell(
            &text!("Replace {placeholder} by the name of the app, or use --app.", placeholder = APP)
                .to_string(),
        );
    }
    Ok(())
}

/// What stands above a new key.
pub(super) fn shown_once(name: &str) -> String {
    text!(
        "The API key of {name}, shown only once: give it to the service. wxgate stores only its hash.",
        name
    )
    .to_string()
}

/// A key from the system's random source.
pub(super) fn random() -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    SystemRandom::new()
        .fill(&mut *bytes)
        .map_err(|_| Failure::run(text!("the system's random source failed").to_string()))?;
    Ok(Zeroizing::new(hex(*bytes)))
}

/// The `[[caller]]` table, with the key's hash.
pub(super) fn table(name: &str, key: &str, apps: &[String]) -> String {
    let hash = hex(digest(key.as_bytes()));
    format!("[[caller]]\nname = {}\nkey_sha256 = \"{hash}\"\napps = {}\n", quoted(name), list(apps))
}

/// Writes the key to a file that only its owner can read.
pub(super) fn keep(path: &Path, secret: &str) -> Result<(), Failure> {
    new_file::create(path, &Zeroizing::new(format!("{secret}\n")))
}

/// Has the configuration's own rules judge the names.
fn check(table: &str, apps: &[String]) -> Result<(), Failure> {
    let mut text = String::new();
    for (index, app) in apps.iter().enumerate() {
        text += &format!(
            "[[app]]\nname = {}\nappid = \"wx{index:016x}\"\nsecret = {{ env = \"SECRET\" }}\n",
            quoted(app)
        );
    }
    text += table;
    let checked = Config::parse(&text, "", &|_| Some("0".repeat(BYTES)));
    let Err(problems) = checked else { return Ok(()) };
    let named = problems.0.iter().find(|problem| problem.key.ends_with(".name"));
    Err(Failure::usage(match named {
        Some(problem) if problem.key.starts_with("app") => format!("--app {}", problem.text),
        Some(problem) => text!("the caller's name {problem}", problem = problem.text).to_string(),
        // That of those who have no key.
        None => text!(
            "\"anonymous\" stands for all callers without an API key, expected another name; write a [[caller]] with \
             this name and without key_sha256 to say what they may call"
        )
        .to_string(),
    }))
}

/// The name of the configuration's app, if it has just one. That file may be broken, or another's.
fn only_app(path: &Path) -> Option<String> {
    let bytes = file::read(path, file::LONGEST, Links::Followed).ok()?;
    let table: toml::Table = toml::from_str(std::str::from_utf8(&bytes).ok()?).ok()?;
    match table.get("app")?.as_array()?.as_slice() {
        [app] => app.get("name")?.as_str().map(str::to_owned),
        _ => None,
    }
}

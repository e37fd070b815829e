//! `wxgate init`: a configuration file, from questions or flags.

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use wxgate::config::{Config, Problem, Severity, parse_address};
use wxgate::sandbox::OFFICIAL_ACCOUNT;
use wxgate::server::Address;
use wxgate::texts::{Text, text};
use zeroize::Zeroizing;

use super::failure::Failure;
use super::key;
use super::questions::{ask, ask_secret};
use super::terminal::{print, tell};

mod file;

use file::{Contents, Secret};

/// Stands for stdout instead of a file.
const STDOUT: &str = "-";
/// The kinds it can write; what a third-party platform (`component`) needs is written by hand.
const KINDS: [&str; 4] = ["official_account", "mini_program", "store", "wecom"];

/// What goes into the file.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// AppID of the account (WeCom: the corpid)
    #[arg(long, value_name = "APPID")]
    appid: Option<String>,
    /// Name of the app in metrics, logs and URLs; default: shop
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Kind of account; default: official_account, or wecom if the AppID begins with ww
    #[arg(long, value_parser = KINDS)]
    kind: Option<String>,
    /// File with the AppSecret, relative to the configuration's directory; default: shop.secret,
    /// after the name of the app
    #[arg(long, value_name = "FILE", conflicts_with = "secret_env")]
    secret_file: Option<String>,
    /// Environment variable with the AppSecret
    #[arg(long, value_name = "VARIABLE")]
    secret_env: Option<String>,
    /// Address that services call: HOST:PORT or unix:/path
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Store for tokens: memory:, file:/PATH, redis://HOST:PORT/0
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Service that may call, repeatable: each gets an API key, printed once. Without any, every
    /// program on this machine may call
    #[arg(long = "caller", value_name = "NAME")]
    callers: Vec<String>,
    /// Use the account and address of `wxgate sandbox`, to try wxgate out
    #[arg(long, conflicts_with_all = ["appid", "kind", "secret_file", "secret_env"])]
    sandbox: bool,
    /// File to write, - for stdout
    #[arg(long, value_name = "FILE", default_value = "wxgate.toml")]
    output: PathBuf,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
}

/// Writes the file, and says what is left to do.
pub(super) fn run(init: Init) -> Result<(), Failure> {
    let to_stdout = init.output.as_os_str() == STDOUT;
    if !to_stdout && !init.force && init.output.symlink_metadata().is_ok() {
        return Err(exists(&init.output));
    }
    let (output, force) = (init.output.clone(), init.force);
    let contents = settled(init, if to_stdout { None } else { Some(&output) })?;
    let keys = contents
        .callers
        .iter()
        .map(|name| Ok((name, key::random()?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let callers: Vec<_> =
        keys.iter().map(|(name, key)| key::table(name, key, std::slice::from_ref(&contents.app))).collect();
    let text = contents.text(&callers);
    let left = left_to_do(&text, if to_stdout { Path::new("wxgate.toml") } else { &output }, &contents)?;
    if to_stdout {
        print(&text)?;
    } else {
        write(&output, &text, force)?;
        tell(&text!("Wrote {path}.", path = output.display()).to_string());
    }
    for (name, key) in &keys {
        tell(&key::shown_once(name));
        // Stdout may be redirected to the file.
        if to_stdout { tell(key) } else { print(&format!("{}\n", **key))? }
    }
    let config = if to_stdout || output == Path::new("wxgate.toml") {
        String::new()
    } else {
        format!(" --config {}", output.display())
    };
    let left: String = left.iter().map(|left| format!("  {left}\n")).collect();
    let first = match contents.secret {
        Secret::Sandbox => format!("wxgate sandbox      # {}", text!("in a terminal of its own")),
        Secret::File(_) | Secret::Variable(_) => format!("wxgate check --online{config}"),
    };
    tell(&format!("{}\n{left}  {first}\n  wxgate serve{config}", text!("Next:")));
    if let (true, Ok(Address::Tcp(address))) = (keys.is_empty(), parse_address(&contents.listen)) {
        tell(&format!("  curl http://{address}/cgi-bin/get_api_domain_ip"));
    }
    Ok(())
}

fn exists(path: &Path) -> Failure {
    let path = path.display();
    let problem =
        text!("{path} already exists: use --force to overwrite it, or --output for another file", path);
    Failure::usage(problem.to_string())
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => Failure::run(text!("could not write {path}: {error}", path = path.display(), error).to_string()),
    })
}

/// What the flags say, and the user at the terminal of the rest; `output` is the file, if one is
/// written.
fn settled(init: Init, output: Option<&Path>) -> Result<Contents, Failure> {
    let Init { appid, app, kind, secret_file, secret_env, listen, store, callers, sandbox, .. } = init;
    let asks = appid.is_none() && !sandbox;
    if asks && !std::io::stdin().is_terminal() {
        let problem = text!(
            "stdin is not a terminal: pass --appid, and --secret-file or --secret-env (see wxgate init --help); or \
             --sandbox, for a configuration to try wxgate out"
        );
        return Err(Failure::usage(problem.to_string()));
    }
    let or_ask = |given: Option<String>, key: &str, question: Text<'_>, default: &str| match given {
        Some(given) => Ok(given),
        None if asks => settle(key, question, default),
        None => Ok(default.to_owned()),
    };
    let appid = match appid {
        _ if sandbox => OFFICIAL_ACCOUNT.to_owned(),
        Some(appid) => appid,
        None => settle("app[0].appid", text!("AppID of the account (WeCom: the corpid)"), "")?,
    };
    let usual = usual_kind(&appid);
    let kind = if sandbox {
        usual.to_owned()
    } else {
        or_ask(kind, "app[0].kind", text!("Kind: {kinds}", kinds = KINDS.join(", ")), usual)?
    };
    let app = or_ask(app, "app[0].name", text!("Name of the app in metrics, logs and URLs"), "shop")?;
    let secret = match (secret_file, secret_env) {
        _ if sandbox => Secret::Sandbox,
        (_, Some(variable)) => Secret::Variable(variable),
        (file, None) => {
            let default = format!("{app}.secret");
            Secret::File(or_ask(file, "app[0].secret", text!("File for the AppSecret"), &default)?)
        }
    };
    if let (true, Secret::File(file), Some(output)) = (asks, &secret, output) {
        keep_secret(&output.parent().unwrap_or_else(|| Path::new("")).join(file))?;
    }
    let listen = or_ask(
        listen,
        "server.listen",
        text!("Address that services call: HOST:PORT or unix:/path"),
        "127.0.0.1:8080",
    )?;
    let callers = if asks && callers.is_empty() {
        let question =
            text!("Services that may call, each gets an API key (empty: every program on this machine)");
        names(&settle("caller", question, "")?)
    } else {
        callers
    };
    let store = or_ask(
        store,
        "store.url",
        text!("Store for tokens: memory:, file:/PATH, redis://HOST:PORT/0"),
        "memory:",
    )?;
    Ok(Contents { appid, app, kind, secret, listen, store, callers })
}

/// Asks until the configuration's own rules accept the answer for `key`. One that they warn of is
/// accepted if it is given again.
fn settle(key: &str, question: Text<'_>, default: &str) -> Result<String, Failure> {
    let (question, mut doubted) = (question.to_string(), None);
    loop {
        let answer = ask(&question, doubted.as_deref().unwrap_or(default))?;
        match complaint(key, &answer) {
            Some((Severity::Warning, _)) if doubted.as_ref() == Some(&answer) => return Ok(answer),
            Some((severity, text)) => {
                tell(&text);
                doubted = (severity == Severity::Warning).then_some(answer);
            }
            None => return Ok(answer),
        }
    }
}

/// The kind of an account of which only the appid is known.
fn usual_kind(appid: &str) -> &'static str {
    if appid.starts_with("ww") { "wecom" } else { "official_account" }
}

/// What is wrong with `answer` among answers that are right, or worth a second look.
fn complaint(key: &str, answer: &str) -> Option<(Severity, String)> {
    if key == "app[0].kind" && !KINDS.contains(&answer) {
        let text = text!(
            "expected one of {kinds}; the configuration of a third-party platform (component) is written by hand",
            kinds = KINDS.join(", ")
        );
        return Some((Severity::Error, text.to_string()));
    }
    let mut contents = Contents {
        appid: "wx0123456789abcdef".to_owned(),
        app: "shop".to_owned(),
        kind: "official_account".to_owned(),
        secret: Secret::Variable("SECRET".to_owned()),
        listen: "127.0.0.1:8080".to_owned(),
        store: "memory:".to_owned(),
        callers: vec!["orders".to_owned()],
    };
    match key {
        "app[0].appid" => {
            contents.appid = answer.to_owned();
            contents.kind = usual_kind(answer).to_owned();
        }
        // One of the known ones.
        "app[0].kind" => return None,
        "app[0].name" => contents.app = answer.to_owned(),
        "server.listen" => contents.listen = answer.to_owned(),
        "store.url" => contents.store = answer.to_owned(),
        "caller" => contents.callers = names(answer),
        // Whether a file is there is said at the end.
        _ => return None,
    }
    let apps = std::slice::from_ref(&contents.app);
    let callers: Vec<_> = contents.callers.iter().map(|name| key::table(name, name, apps)).collect();
    let problems = match Config::parse(&contents.text(&callers), "", &|_| Some("0".repeat(32))) {
        Ok(config) => config.warnings,
        Err(problems) => problems.0,
    };
    let mut of_key = problems.into_iter().filter(|problem| problem.key.starts_with(key));
    let first = of_key.next()?;
    // Errors go before warnings.
    let worst = of_key.find(|problem| problem.severity == Severity::Error).unwrap_or(first);
    Some((worst.severity, worst.text.to_string()))
}

fn names(answer: &str) -> Vec<String> {
    answer.split([' ', ',']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Has the AppSecret typed in, unless it is there already.
fn keep_secret(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Ok(());
    }
    let secret: Zeroizing<String> = ask_secret(&text!("AppSecret (not shown; empty: later)").to_string())?;
    if secret.is_empty() { Ok(()) } else { key::keep(path, &secret) }
}

/// What keeps `check` from passing and isn't in the file itself. Anything else that is wrong with
/// it is a failure; what `check` would warn of is printed.
fn left_to_do(text: &str, path: &Path, contents: &Contents) -> Result<Vec<String>, Failure> {
    let problems = match Config::parse(text, &path.display().to_string(), &|name| {
        std::env::var_os(name)?.into_string().ok()
    }) {
        Ok(config) => config.warnings,
        Err(problems) => problems.0,
    };
    let is_secret = |problem: &&Problem| problem.key.starts_with("app[0].secret");
    let (wrong, doubtful): (Vec<_>, Vec<_>) =
        problems.iter().partition(|problem| problem.severity == Severity::Error);
    if let Some(wrong) = wrong.iter().find(|problem| !is_secret(problem)) {
        let (key, problem) = (&wrong.key, &wrong.text);
        return Err(Failure::usage(match key.starts_with("server") {
            true => text!("{key}: {problem} (--caller NAME adds a [[caller]])", key, problem).to_string(),
            false => format!("{key}: {problem}"),
        }));
    }
    for problem in doubtful.iter().filter(|problem| !is_secret(problem)) {
        tell(&text!("{key}: warning: {problem}", key = problem.key, problem = problem.text).to_string());
    }
    Ok(wrong.iter().map(|_| contents.secret_to_do(path)).collect())
}

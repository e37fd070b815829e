//! `wxgate init`: a configuration file, from questions or flags.

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use wxgate::config::{Config, Problem, Severity, parse_address};
use wxgate::sandbox::{OFFICIAL_ACCOUNT, SECRET};
use wxgate::server::Address;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::key;
use super::questions::{ask, ask_secret};
use super::terminal::{print, tell};
use super::written::quoted;

/// In the place of a file: stdout.
const STDOUT: &str = "-";
/// What it writes; what a third-party platform (`component`) needs beside is written by hand.
const KINDS: [&str; 4] = ["official_account", "mini_program", "store", "wecom"];
/// Where `wxgate sandbox` listens.
const SANDBOX: &str = "http://127.0.0.1:9080";

/// What goes into the file.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The account's AppID; of WeCom the corpid
    #[arg(long, value_name = "APPID")]
    appid: Option<String>,
    /// Its name in metrics, logs and URLs, "shop" if it isn't given
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// What it is; "official_account" if it isn't given, of an appid that begins with ww "wecom"
    #[arg(long, value_parser = KINDS)]
    kind: Option<String>,
    /// The file that holds its AppSecret, from the configuration's folder on; "shop.secret" if
    /// neither is given
    #[arg(long, value_name = "FILE", conflicts_with = "secret_env")]
    secret_file: Option<String>,
    /// The environment variable that holds its AppSecret
    #[arg(long, value_name = "VARIABLE")]
    secret_env: Option<String>,
    /// Where services reach wxgate: HOST:PORT or unix:/path
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where tokens are kept: memory:, file:/PATH, redis://HOST:PORT/0
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// A service that calls: it gets a key, which is printed once; can be given several times.
    /// Without any, everybody on this machine may call
    #[arg(long = "caller", value_name = "NAME")]
    callers: Vec<String>,
    /// For trying it out: the account and the address of `wxgate sandbox`
    #[arg(long, conflicts_with_all = ["appid", "kind", "secret_file", "secret_env"])]
    sandbox: bool,
    /// Where to write it; "-" is stdout
    #[arg(long, value_name = "FILE", default_value = "wxgate.toml")]
    output: PathBuf,
    /// Overwrite the file if there is one
    #[arg(long)]
    force: bool,
}

/// All that the file says.
struct Answers {
    appid: String,
    app: String,
    kind: String,
    secret: Secret,
    listen: String,
    store: String,
    callers: Vec<String>,
}

/// Where the AppSecret is.
enum Secret {
    File(String),
    Variable(String),
    /// The sandbox's, which everybody knows.
    Sandbox,
}

/// Writes the file, and says what is left to be done.
pub(super) fn run(init: Init) -> Result<(), Failure> {
    let to_stdout = init.output.as_os_str() == STDOUT;
    if !to_stdout && !init.force && init.output.symlink_metadata().is_ok() {
        return Err(exists(&init.output));
    }
    let (output, force) = (init.output.clone(), init.force);
    let answers = answers(init, if to_stdout { None } else { Some(&output) })?;
    let keys =
        answers.callers.iter().map(|name| Ok((name, key::random()?))).collect::<Result<Vec<_>, Failure>>()?;
    let callers: Vec<_> =
        keys.iter().map(|(name, key)| key::table(name, key, std::slice::from_ref(&answers.app))).collect();
    let text = text(&answers, &callers);
    let left = left_to_do(&text, if to_stdout { Path::new("wxgate.toml") } else { &output }, &answers)?;
    if to_stdout {
        print(&text)?;
    } else {
        write(&output, &text, force)?;
        tell(&format!("{} is written.", output.display()));
    }
    for (name, key) in &keys {
        tell(&format!(
            "The key of {name}, shown this once: give it to the service. wxgate keeps only its hash."
        ));
        // The file may be what stdout is.
        if to_stdout { tell(key) } else { print(&format!("{}\n", **key))? }
    }
    let config = if to_stdout || output == Path::new("wxgate.toml") {
        String::new()
    } else {
        format!(" --config {}", output.display())
    };
    let left: String = left.iter().map(|left| format!("  {left}\n")).collect();
    let first = match answers.secret {
        Secret::Sandbox => "wxgate sandbox      # in a terminal of its own".to_owned(),
        Secret::File(_) | Secret::Variable(_) => format!("wxgate check --online{config}"),
    };
    tell(&format!("Next:\n{left}  {first}\n  wxgate serve{config}"));
    if let (true, Ok(Address::Tcp(address))) = (keys.is_empty(), parse_address(&answers.listen)) {
        tell(&format!("  curl http://{address}/cgi-bin/get_api_domain_ip"));
    }
    Ok(())
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!(
        "{} exists already: --force overwrites it, --output writes another file",
        path.display()
    ))
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
        _ => Failure::run(format!("cannot write {}: {error}", path.display())),
    })
}

/// From the flags, and for the rest from whoever sits at the terminal; `output` is the file, if one
/// is written.
fn answers(init: Init, output: Option<&Path>) -> Result<Answers, Failure> {
    let Init { appid, app, kind, secret_file, secret_env, listen, store, callers, sandbox, .. } = init;
    let asks = appid.is_none() && !sandbox;
    if asks && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "nobody can be asked here: say --appid, and --secret-file or --secret-env (wxgate init --help); or --sandbox, \
             for a configuration to try things out with",
        ));
    }
    let or_ask = |given: Option<String>, key: &str, question: &str, default: &str| match given {
        Some(given) => Ok(given),
        None if asks => settle(key, question, default),
        None => Ok(default.to_owned()),
    };
    let appid = match appid {
        _ if sandbox => OFFICIAL_ACCOUNT.to_owned(),
        Some(appid) => appid,
        None => settle("app[0].appid", "AppID of the account (of WeCom the corpid)", "")?,
    };
    let usual = usual_kind(&appid);
    let kind = if sandbox {
        usual.to_owned()
    } else {
        or_ask(kind, "app[0].kind", &format!("Kind: {}", KINDS.join(", ")), usual)?
    };
    let app = or_ask(app, "app[0].name", "Its name in metrics, logs and URLs", "shop")?;
    let secret = match (secret_file, secret_env) {
        _ if sandbox => Secret::Sandbox,
        (_, Some(variable)) => Secret::Variable(variable),
        (file, None) => {
            Secret::File(or_ask(file, "app[0].secret", "File for its AppSecret", &format!("{app}.secret"))?)
        }
    };
    if let (true, Secret::File(file), Some(output)) = (asks, &secret, output) {
        keep_secret(&output.parent().unwrap_or_else(|| Path::new("")).join(file))?;
    }
    let listen = or_ask(
        listen,
        "server.listen",
        "Where services reach wxgate: HOST:PORT or unix:/path",
        "127.0.0.1:8080",
    )?;
    let callers = if asks && callers.is_empty() {
        names(&settle("caller", "Services that call, each gets a key (none: everybody on this machine)", "")?)
    } else {
        callers
    };
    let store = or_ask(
        store,
        "store.url",
        "Where tokens are kept: memory:, file:/PATH, redis://HOST:PORT/0",
        "memory:",
    )?;
    Ok(Answers { appid, app, kind, secret, listen, store, callers })
}

/// Asks until the configuration's own rules take the answer for `key`. One that they warn of is
/// taken if it is given again.
fn settle(key: &str, question: &str, default: &str) -> Result<String, Failure> {
    let mut doubted = None;
    loop {
        let answer = ask(question, doubted.as_deref().unwrap_or(default))?;
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

/// The kind of an account that nothing but its appid is known of.
fn usual_kind(appid: &str) -> &'static str {
    if appid.starts_with("ww") { "wecom" } else { "official_account" }
}

/// What is wrong with `answer` beside answers that are right, or worth a second look.
fn complaint(key: &str, answer: &str) -> Option<(Severity, String)> {
    if key == "app[0].kind" && !KINDS.contains(&answer) {
        let text = format!(
            "is none of {}; what a third-party platform (component) needs is written by hand",
            KINDS.join(", ")
        );
        return Some((Severity::Error, text));
    }
    let mut answers = Answers {
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
            answers.appid = answer.to_owned();
            answers.kind = usual_kind(answer).to_owned();
        }
        // One of those that there are.
        "app[0].kind" => return None,
        "app[0].name" => answers.app = answer.to_owned(),
        "server.listen" => answers.listen = answer.to_owned(),
        "store.url" => answers.store = answer.to_owned(),
        "caller" => answers.callers = names(answer),
        // Whether a file is there is said at the end.
        _ => return None,
    }
    let apps = std::slice::from_ref(&answers.app);
    let callers: Vec<_> = answers.callers.iter().map(|name| key::table(name, name, apps)).collect();
    let problems = match Config::parse(&text(&answers, &callers), "", &|_| Some("0".repeat(32))) {
        Ok(config) => config.warnings,
        Err(problems) => problems.0,
    };
    let mut of_key = problems.into_iter().filter(|problem| problem.key.starts_with(key));
    let first = of_key.next()?;
    // What is refused goes before what is doubted.
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
    let secret: Zeroizing<String> = ask_secret("The AppSecret (isn't shown; empty: later)")?;
    if secret.is_empty() { Ok(()) } else { key::keep(path, &secret) }
}

/// What keeps `check` from passing that isn't in the file itself. All else that is wrong with it is
/// a failure; what `check` would warn of is told.
fn left_to_do(text: &str, path: &Path, answers: &Answers) -> Result<Vec<String>, Failure> {
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
        let remedy = if wrong.key.starts_with("server") { " (--caller NAME makes a [[caller]])" } else { "" };
        return Err(Failure::usage(format!("{}: {}{remedy}", wrong.key, wrong.text)));
    }
    for problem in doubtful.iter().filter(|problem| !is_secret(problem)) {
        tell(&format!("{}: warning: {}", problem.key, problem.text));
    }
    Ok(wrong.iter().map(|_| answers.secret_to_do(path)).collect())
}

impl Answers {
    fn is_sandbox(&self) -> bool {
        matches!(self.secret, Secret::Sandbox)
    }

    fn secret_to_do(&self, path: &Path) -> String {
        match &self.secret {
            Secret::Variable(variable) => format!("set {variable} to the AppSecret, in wxgate's environment"),
            Secret::File(file) => {
                let file = path.parent().unwrap_or_else(|| Path::new("")).join(file);
                format!("put the AppSecret into {}, which nobody else may read", file.display())
            }
            Secret::Sandbox => String::new(),
        }
    }
}

fn text(answers: &Answers, callers: &[String]) -> String {
    let Answers { appid, app, kind, secret, listen, store, .. } = answers;
    const WHERE: &str = "{ file = \"PATH\" } or { env = \"NAME\" }.";
    let (about, secret) = match secret {
        Secret::File(file) => (WHERE, format!("{{ file = {} }}", quoted(file))),
        Secret::Variable(variable) => (WHERE, format!("{{ env = {} }}", quoted(variable))),
        Secret::Sandbox => {
            ("The sandbox's, which everybody knows. `check` warns of secrets in clear.", quoted(SECRET))
        }
    };
    let upstream = if answers.is_sandbox() {
        format!(
            "[upstream]\n# `wxgate sandbox`; without this, WeChat.\nbase_urls = [{}]\n\n",
            quoted(SANDBOX)
        )
    } else {
        String::new()
    };
    let callers = if callers.is_empty() {
        "# Without any [[caller]] everybody on this machine may call. `wxgate key NAME` makes a key and its table.\n"
            .to_owned()
    } else {
        format!("# Who may call; `wxgate key NAME` makes another key and its table.\n{}", callers.join("\n"))
    };
    format!(
        "# Written by `wxgate init`. `wxgate check` finds mistakes, `wxgate check --online` asks WeChat too.\n\n\
         [server]\n\
         # Services call WeChat's own paths here, without a token: http://.../cgi-bin/user/info?openid=O\n\
         listen = [{listen}]\n\
         # wxgate's own answers have status 200 as WeChat's have; \"http\": 401, 403, 429, 502, ...\n\
         error_status = \"wechat\"\n\n\
         [admin]\n\
         # Status page, API, metrics, health.\n\
         listen = \"127.0.0.1:9090\"\n\n\
         {upstream}\
         [store]\n\
         # \"memory:\" is this process; \"file:/PATH\" outlives it; \"redis://HOST:6379/0\" is for several machines.\n\
         url = {store}\n\n\
         [[app]]\n\
         # In metrics, logs and URLs.\n\
         name = {app}\n\
         appid = {appid}\n\
         # {about}\n\
         secret = {secret}\n\
         # official_account, mini_program, store, component, wecom.\n\
         kind = {kind}\n\n\
         {callers}",
        listen = quoted(listen),
        store = quoted(store),
        app = quoted(app),
        appid = quoted(appid),
        kind = quoted(kind),
    )
}

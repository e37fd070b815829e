//! A reader who does what a page says, in a folder and a network of their own: there the addresses
//! that pages name are free, and nothing leads to WeChat.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::sha256;

const SECRET: &str = "secret";
const KEY: &str = "5e0ee7b3c1d94f20a8f6b1d2c3e4f506a7b8c9d0e1f2031425364758697a8b9c";

/// Runs `NN.sh` one after the other in one shell, as somebody with a terminal does. It is the first
/// process of its namespace, which takes all others along. `serving` waits for what a page starts
/// in the foreground.
const DRIVER: &str = r#"
until_it() { # until_it COMMAND...: as often as it takes, for a minute at most, while what was begun last runs
    for _ in $(seq 600); do
        kill -0 $! 2>/dev/null || { wait $!; return; }
        "$@" && return
        sleep 0.1
    done
    echo "this never came about: $*" >> "$out"; return 1
}
answers() { curl -s -o /dev/null "$1"; }
said() { grep -q "$1" "$out"; }
serving() {
    case $1 in
        serve) until_it answers http://127.0.0.1:9090/healthz ;;
        sandbox) until_it answers http://127.0.0.1:9080/sandbox/ ;;
        *) until_it said Ctrl-C ;;
    esac
}
out=.log
ip link set lo up
if [ -e .wxgate.toml ]; then
    cp .wxgate.toml wxgate.toml
    wxgate sandbox --config wxgate.toml >> .log 2>&1 &
    wxgate serve --config wxgate.toml >> .log 2>&1 &
    until_it curl -sf -o /dev/null 'http://127.0.0.1:9090/readyz?all' || { cat .log >&2; exit 1; }
fi
set -e
for block in .??.sh; do
    out=${block%.sh}.out
    . "./$block" </dev/null > "$out" 2>&1
    touch "${block%.sh}.done"
done
"#;

/// What a page without programs of its own finds running, with its store in `folder`.
fn running(folder: &Path) -> String {
    format!(
        "[server]\nworkers = 2\nanonymous = true\n[admin]\ntoken = {{ env = \"WXGATE_ADMIN_TOKEN\" }}\n\
         [upstream]\nbase_urls = [\"http://127.0.0.1:9080\"]\n[store]\nurl = \"file:{}/store\"\n\
         [[app]]\nname = \"shop\"\nappid = \"wx0123456789abcdef\"\nsecret = {{ env = \"SHOP_SECRET\" }}\n\
         default = true\njssdk_hosts = [\"shop.example.com\"]\n\
         [[caller]]\nname = \"orders\"\nkey_sha256 = \"{}\"\napps = [\"shop\"]\nlease_token = true\n\
         [[caller]]\nname = \"anonymous\"\napps = [\"shop\"]\nallow = [\"/**\"]\n",
        folder.display(),
        sha256(KEY.as_bytes())
    )
}

pub(super) struct Reader {
    folder: tempfile::TempDir,
    /// Whether the page starts its own sandbox or wxgate, and so all that it needs.
    starts: bool,
    steps: usize,
    configuration: Option<String>,
}

/// How a step ended, and what it wrote.
pub(super) struct Ended {
    pub(super) problem: Option<String>,
    pub(super) said: String,
}

impl Reader {
    pub(super) fn new(scripts: &[&str]) -> Self {
        // Closed to others, as a folder with secrets is.
        let closed = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().permissions(closed).tempdir().unwrap();
        fs::create_dir(folder.path().join(".bin")).unwrap();
        symlink(env!("CARGO_BIN_EXE_wxgate"), folder.path().join(".bin/wxgate")).unwrap();
        fs::write(folder.path().join(".driver"), DRIVER).unwrap();
        // Its progress would hide in a failure what was said.
        fs::write(folder.path().join(".curlrc"), "silent\nshow-error\n").unwrap();
        let starts =
            scripts.iter().any(|script| script.contains("wxgate sandbox") || script.contains("wxgate serve"));
        if !starts {
            fs::write(folder.path().join(".wxgate.toml"), running(folder.path())).unwrap();
        }
        Self { folder, starts, steps: 0, configuration: None }
    }

    /// The page shows a configuration: it is `wxgate.toml` in the next step, if the page serves
    /// with one.
    pub(super) fn show(&mut self, toml: &str) {
        self.configuration = self.starts.then(|| toml.to_owned());
    }

    /// The page has a script of this name.
    pub(super) fn save(&self, name: &str, script: &str) {
        fs::write(self.folder.path().join(name), script).unwrap();
    }

    /// The page has something to run.
    pub(super) fn add(&mut self, script: &str) {
        let mut step = String::new();
        if let Some(toml) = self.configuration.take() {
            let name = format!(".{:02}.toml", self.steps);
            fs::write(self.folder.path().join(&name), toml).unwrap();
            step = format!("cp {name} wxgate.toml\n");
        }
        step += script.replace("http://wxgate:", "http://127.0.0.1:").trim_end();
        if let Some(command) = serves(script) {
            step += &format!(" &\nserving {command}");
        }
        step.push('\n');
        fs::write(self.path("sh", self.steps), step).unwrap();
        self.steps += 1;
    }

    fn path(&self, kind: &str, step: usize) -> PathBuf {
        self.folder.path().join(format!(".{step:02}.{kind}"))
    }

    /// Does it all, up to the first step that fails.
    pub(super) fn run(self) -> Vec<Ended> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--net", "--pid", "--fork", "--kill-child"]);
        // Longer than anything takes on a busy machine.
        unshare.args(["timeout", "--kill-after=1", "180", "bash", ".driver"]);
        unshare
            .current_dir(&self.folder)
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", self.folder.path());
        let mut path = self.folder.path().join(".bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        unshare.env("PATH", path);
        if !self.starts {
            unshare.env("SHOP_SECRET", SECRET).env("WXGATE_ADMIN_TOKEN", "correct-horse-battery-staple");
            unshare.env("KEY", KEY).env("WXGATE_KEY", KEY).env("WXGATE_APPID", "wx0123456789abcdef");
            unshare.env("WXGATE_URL", "http://127.0.0.1:8080");
        }
        let output = unshare.output().expect("unshare");
        let mut problem = match output.status.code() {
            _ if !self.path("out", 0).exists() => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                panic!(
                    "there is no network to run pages in (who may run `unshare --map-root-user --net --pid`?), or \
                     wxgate doesn't start there: {said}"
                )
            }
            Some(124 | 137) => "it doesn't end: have it end, or mark it untried".to_owned(),
            Some(0) => "it ended the shell".to_owned(),
            code => format!("exit code {}", code.unwrap_or(-1)),
        };
        let begun = (0..self.steps).take_while(|step| self.path("out", *step).exists());
        begun
            .map(|step| {
                let said = fs::read_to_string(self.path("out", step)).unwrap_or_default();
                let done = self.path("done", step).exists();
                Ended { problem: (!done).then(|| std::mem::take(&mut problem)), said }
            })
            .collect()
    }
}

/// The command in which a script ends up serving, if it does so in the foreground.
fn serves(script: &str) -> Option<&str> {
    let last = script.lines().rev().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let command = last.split('#').next()?.trim();
    let (_, called) = command.rsplit_once("wxgate ")?;
    let serves =
        ["serve", "sandbox", "demo"].into_iter().find(|name| called.split(' ').next() == Some(name))?;
    let ends = command.contains("--once") || command.contains("--help") || command.ends_with('&');
    (!ends).then_some(serves)
}

#[test]
fn what_serves_in_the_foreground_is_known() {
    assert_eq!(serves("export A=1\nwxgate serve --config a.toml\n\n"), Some("serve"));
    assert_eq!(serves("A=1 wxgate sandbox\n# Ctrl-C ends it\n"), Some("sandbox"));
    assert_eq!(serves("wxgate demo"), Some("demo"));
    for script in
        ["wxgate demo --once", "wxgate serve &", "wxgate serve --help", "wxgate serve &\nwxgate status", ""]
    {
        assert_eq!(serves(script), None, "{script}");
    }
}

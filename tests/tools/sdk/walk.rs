//! The guides followed by the letter, in an empty folder and a network of one's own: there the
//! addresses that they name are free, and nothing leads to WeChat.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use super::guide::{
    BEGINNING, Block, CO_WECHAT_API, FOLLOWED, NODE_EASYWECHAT, OWN_NAME, PLAIN_HTTP, TOKEN_CALLS, WECHATPY,
    blocks, file,
};
use super::{node, venv};

/// Starts the programs, waits for wxgate's token, and runs the blocks one after the other in one
/// shell, as somebody with a terminal does. As the first process of its namespace it takes all
/// others along.
const DRIVER: &str = r#"
ip link set lo up
started=
for program in *.service; do
    sh "$program" > "$program.log" 2>&1 &
    started="$started $!"
done
tries=0
until curl -sf -o /dev/null 'http://127.0.0.1:9090/readyz?all'; do
    tries=$((tries + 1))
    for program in $started; do
        kill -0 "$program" && [ $tries -lt 600 ] || { cat *.log >&2; exit 1; }
    done
    sleep 0.05
done
for step in *.step; do
    . "./$step" > "$step.out" || { echo "$step ended with $?" >&2; cat *.log >&2; exit 1; }
done
"#;

fn run_blocks(page: &str) -> Vec<Block> {
    blocks(page).into_iter().filter(|block| block.mark == "run").collect()
}

/// The output that a page shows behind one of its blocks.
fn shown(page: &str, block: &Block) -> Option<String> {
    let all = blocks(page);
    let at = all.iter().position(|other| other == block)?;
    all.get(at + 1).filter(|next| next.language == "text").map(|next| next.text.clone())
}

/// Whether an output is what the page shows, which has `...` for what differs from run to run.
fn matches(said: &str, shown: &str) -> bool {
    let (said, shown) = (said.trim_end(), shown.trim_end());
    let parts: Vec<&str> = shown.split("...").collect();
    let [first, middle @ .., last] = &parts[..] else { return said == shown };
    let Some(mut rest) = said.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

/// A folder in which somebody follows a guide.
struct Reader {
    folder: tempfile::TempDir,
    /// Where each step's block is from, in order.
    steps: Vec<(&'static str, Block)>,
}

impl Reader {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), steps: Vec::new() }
    }

    fn save(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("written");
    }

    /// Runs a block: a script of its language is saved under the name that the guides give it.
    fn step(&mut self, page: &'static str, block: Block) {
        let line = match &*block.language {
            "sh" => block.text.clone(),
            "python" => "python hello.py\n".to_owned(),
            "js" => "node hello.js\n".to_owned(),
            other => panic!("{page}: nobody here runs {other}"),
        };
        if block.language != "sh" {
            self.save(line.split_whitespace().nth(1).expect("a name"), &block.text);
        }
        self.save(&format!("{:02}.step", self.steps.len()), &line);
        self.steps.push((page, block));
    }

    fn command(&self, program: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_wxgate")).parent().expect("a folder");
        let python = venv::python().parent().expect("a folder");
        let others = std::env::var_os("PATH").expect("a PATH");
        let others: Vec<_> = std::env::split_paths(&others).collect();
        let path = [binary, python].into_iter().chain(others.iter().map(|folder| &**folder));
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C.UTF-8").env("HOME", self.folder.path());
        command.env("PATH", std::env::join_paths(path).expect("folders without a colon"));
        command.current_dir(self.folder.path());
        command
    }

    /// Runs a block that ends before the programs begin.
    fn at_first(&self, block: &Block) {
        let output = self.command("sh").args(["-euc", &block.text]).output().expect("a shell");
        succeeded(&block.text, &output);
    }

    /// All of it; the outputs must be those that the pages show, and the key is in no file's name.
    fn walk(self) {
        symlink(node::modules(), self.folder.path().join("node_modules")).expect("linked");
        let mut unshare = self.command("unshare");
        unshare.args(["--map-root-user", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", DRIVER]);
        succeeded("a network of one's own, or a step in it", &unshare.output().expect("unshare runs"));
        for (at, (page, block)) in self.steps.iter().enumerate() {
            let out = self.folder.path().join(format!("{at:02}.step.out"));
            let said = std::fs::read_to_string(out).expect("an output");
            if let Some(shown) = shown(page, block) {
                assert!(matches(&said, &shown), "{page}: {}said {said:?}, not {shown:?}", block.text);
            }
        }
        let Ok(key) = std::fs::read_to_string(self.folder.path().join("orders.key")) else { return };
        for entry in std::fs::read_dir(self.folder.path()).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("a name");
            assert!(!name.contains(key.trim()), "{name}");
        }
    }
}

fn succeeded(what: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}: {said}", output.status);
}

/// What `BEGINNING` has its reader run: a key, two programs, variables, and a look at what came.
fn beginning() -> [Block; 5] {
    <[Block; 5]>::try_from(run_blocks(BEGINNING)).expect("five blocks to run")
}

fn config(page: &str) -> String {
    blocks(page).into_iter().find(|block| block.language == "toml").expect("a configuration").text
}

/// Follows the beginning and one page.
fn follow(page: &'static str) -> Reader {
    let mut reader = Reader::new();
    reader.save("wxgate.toml", &config(BEGINNING));
    let [key, sandbox, serve, variables, _] = beginning();
    reader.at_first(&key);
    reader.save("sandbox.service", &sandbox.text);
    reader.save("wxgate.service", &serve.text);
    reader.step(BEGINNING, variables);
    let blocks = run_blocks(page);
    assert!(!blocks.is_empty(), "{page}: nothing to run");
    for block in blocks {
        reader.step(page, block);
    }
    reader
}

/// The page of an SDK, and then what the beginning shows of a token call and a call.
fn follow_an_sdk(page: &'static str) {
    let mut reader = follow(page);
    let [.., look] = beginning();
    reader.step(BEGINNING, look);
    reader.walk();
}

#[test]
fn the_guide_to_wechatpy_works_to_the_letter() {
    follow_an_sdk(WECHATPY);
}

#[test]
fn the_guide_to_co_wechat_api_works_to_the_letter() {
    follow_an_sdk(CO_WECHAT_API);
}

#[test]
fn the_guide_to_node_easywechat_works_to_the_letter() {
    follow_an_sdk(NODE_EASYWECHAT);
}

#[test]
fn the_page_on_token_calls_works_to_the_letter() {
    follow(TOKEN_CALLS).walk();
}

#[test]
fn the_page_on_plain_http_works_to_the_letter() {
    follow(PLAIN_HTTP).walk();
}

#[test]
fn wechats_own_name_leads_to_wxgate_with_the_certificate_of_the_page() {
    let [certificate, look] = <[Block; 2]>::try_from(run_blocks(OWN_NAME)).expect("two blocks to run");
    let [_, sandbox, serve, ..] = beginning();
    let mut reader = Reader::new();
    // The sandbox in the place of WeChat's address, and this folder in that of wxgate's.
    let folder = format!("{}/", reader.folder.path().display());
    let [address, app] = [config(OWN_NAME).replace("/etc/wxgate/", &folder), config(BEGINNING)];
    let (upstream, app) = app.split_once("[[app]]").expect("an app");
    let address = address.split("[upstream]").next().expect("tables before it");
    reader.save("wxgate.toml", &format!("{address}{upstream}[[app]]{app}"));
    reader.at_first(&certificate);
    reader.save("sandbox.service", &sandbox.text);
    reader.save("wxgate.service", &serve.text);
    reader.step(OWN_NAME, look);
    reader.walk();
}

#[test]
fn every_guide_with_blocks_to_run_is_followed() {
    let mut marked = BTreeSet::from([PLAIN_HTTP.to_owned(), OWN_NAME.to_owned()]);
    for entry in std::fs::read_dir(file("docs/en/sdk")).expect("a folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        marked.insert(format!("docs/en/sdk/{name}"));
    }
    marked.retain(|page| !run_blocks(page).is_empty());
    assert_eq!(marked, FOLLOWED.map(str::to_owned).into());
}

#[test]
fn an_output_matches_up_to_its_gaps() {
    assert!(matches("{\"a\":1,\"b\":2}\n", "{\"a\":1,...}\n"));
    assert!(matches("one two", "one...") && matches("{{}}", "{...}") && matches("same\n", "same"));
    assert!(!matches("one two", "one"));
    assert!(!matches("one two", "two"));
    assert!(!matches("{\"a\":1}", "{\"a\":2...}"));
}

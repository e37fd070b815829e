//! Every shell block that is marked `run` is run: the blocks of a page in order, in one shell.
//!
//! Both languages have the same blocks (`languages.rs`), so that the English ones are run. The
//! pages that the tests of SDKs follow are theirs, with blocks in Python and JavaScript.

mod reader;

use super::marks::{Mark, counts, marked};
use super::page::{Block, Page};
use super::tree::Tree;
use reader::{Ended, Reader};

/// Names the pages that the tests of SDKs follow.
const GUIDE: &str = "tests/tools/sdk/guide.rs";

/// The English page that has the same blocks, or the page itself.
fn original(page: &Page) -> String {
    page.name.replacen("docs/zh/", "docs/en/", 1).replace(".zh-CN.md", ".md")
}

/// Whether the tests of SDKs follow a page.
fn is_followed(tree: &Tree, page: &Page) -> bool {
    let guide = std::fs::read_to_string(tree.root.join(GUIDE)).unwrap_or_default();
    guide.contains(&format!("\"{}\"", original(page)))
}

/// The blocks that say they are run, and are not.
fn left_out(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for page in &tree.pages {
        let is_followed = is_followed(tree, page);
        for (line, block) in marked(page, Mark::Run) {
            match block.language() {
                "sh" => {}
                "python" | "js" if is_followed || is_used(page, block) => {}
                language => {
                    found.push(page.tell(line, format_args!("no test runs {language} here, see {GUIDE}")))
                }
            }
        }
    }
    found
}

/// The name of the file that a script is to be saved as: its first line says it.
fn file_of(block: &Block) -> Option<&str> {
    let (sign, endings) = match block.language() {
        "python" => ("# ", &[".py"][..]),
        "js" => ("// ", &[".js", ".mjs", ".cjs"][..]),
        _ => return None,
    };
    let name = block.text.lines().next()?.strip_prefix(sign)?.trim();
    let is_name = !name.contains(['/', ' ']) && endings.iter().any(|ending| name.ends_with(ending));
    is_name.then_some(name)
}

/// Whether a script has a name, and another block that is run uses it.
fn is_used(page: &Page, script: &Block) -> bool {
    let Some((stem, _)) = file_of(script).and_then(|name| name.rsplit_once('.')) else { return false };
    let mut others = marked(page, Mark::Run).filter(|(_, other)| *other != script);
    others.any(|(_, other)| other.text.contains(stem))
}

/// The blocks that wait for a time, and not for what they need: on a slow machine that takes
/// longer.
fn hasty(tree: &Tree) -> Vec<String> {
    let blocks = tree.pages.iter().flat_map(|page| marked(page, Mark::Run).map(move |block| (page, block)));
    let hasty = blocks.filter(|(_, (_, block))| block.text.contains("sleep "));
    hasty
        .map(|(page, (line, _))| {
            page.tell(line, "it sleeps: let it wait for the answer: curl --retry-connrefused")
        })
        .collect()
}

/// What goes wrong on the pages that have blocks to run.
fn problems(tree: &Tree) -> Vec<String> {
    let ours = tree.pages.iter().filter(|page| original(page) == page.name && !is_followed(tree, page));
    ours.filter_map(|page| follow(page).err()).collect()
}

fn is_run(block: &Block) -> bool {
    block.language() == "sh" && Mark::of(block) == Ok(Mark::Run)
}

/// Does what a page says.
fn follow(page: &Page) -> Result<(), String> {
    let steps: Vec<_> = page.blocks.iter().filter(|block| is_run(&block.it)).collect();
    let scripts: Vec<&str> = steps.iter().map(|step| &*step.it.text).collect();
    if scripts.is_empty() {
        return Ok(());
    }
    let mut reader = Reader::new(&scripts);
    for block in &page.blocks {
        match block.it.language() {
            "toml" => reader.show(&block.it.text),
            _ if is_run(&block.it) => reader.add(&block.it.text),
            _ if Mark::of(&block.it) == Ok(Mark::Run) => {
                if let Some(name) = file_of(&block.it) {
                    reader.save(name, &block.it.text);
                }
            }
            _ => {}
        }
    }
    for (step, ended) in steps.into_iter().zip(reader.run()) {
        judge(&step.it.text, &ended).map_err(|problem| page.tell(step.line, problem))?;
    }
    Ok(())
}

/// A block must end well; what WeChat or wxgate refused is no success unless the block says so.
fn judge(block: &str, ended: &Ended) -> Result<(), String> {
    let Ended { problem, said } = ended;
    if let Some(problem) = problem {
        return Err(format!("{problem}\n{block}{said}"));
    }
    let refused = said.split("\"errcode\":").skip(1).any(|rest| !rest.trim_start().starts_with('0'));
    if refused && !block.contains("errcode") {
        return Err(format!("it was refused\n{block}{said}"));
    }
    for shown in block.lines().filter_map(|line| json(line.strip_prefix("# ")?)) {
        let has_its_keys = |answer: &serde_json::Map<_, _>| shown.keys().all(|key| answer.contains_key(key));
        if !said.lines().filter_map(json).any(|answer| has_its_keys(&answer)) {
            return Err(format!("the answer isn't as it is shown\n{block}{said}"));
        }
    }
    Ok(())
}

fn json(line: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_str(line).ok()
}

#[test]
fn what_is_marked_run_is_run_by_a_test() {
    Tree::real().holds("blocks that nobody runs", left_out);
}

#[test]
fn a_block_that_is_marked_run_and_that_nobody_runs_is_found() {
    let tree = Tree::of(&[
        (GUIDE, "const PAGES: [&str; 1] = [\"docs/en/sdk/wechatpy.md\"];\n"),
        ("docs/en/sdk/wechatpy.md", "```python run\n1\n```\n```go run\n```\n```sh run\nfalse\n```\n"),
        ("docs/zh/sdk/wechatpy.md", "```python run\n1\n```\n"),
        ("docs/en/sdk/wechat.md", "```js run\n1\n```\n```python parsed\n```\n```sh run\ntrue\n```\n"),
    ]);
    assert_eq!(
        left_out(&tree),
        [
            "docs/en/sdk/wechat.md:1: no test runs js here, see tests/tools/sdk/guide.rs",
            "docs/en/sdk/wechatpy.md:4: no test runs go here, see tests/tools/sdk/guide.rs",
        ]
    );
    // Others follow the page that fails.
    assert_eq!(problems(&tree), [""; 0]);
}

#[test]
fn a_script_with_a_name_is_saved_and_run_by_what_uses_it() {
    let page = "```python run\n# one.py\nNUMBER = 1\n```\n```python run\n# two.py\nimport one\nprint(one.NUMBER)\n```\n\
        ```js run\n// three.mjs\nconsole.log(3)\n```\n\
        ```sh run\n[ \"$(python3 two.py)\" = 1 ]\n[ \"$(node three.mjs)\" = 3 ]\n```\n";
    let tree = Tree::of(&[("docs/en/a.md", page)]);
    assert_eq!(left_out(&tree), [""; 0]);
    tree.holds("the page", problems);
    let unused = page.replace("three.mjs)\"", "four.mjs)\"").replace("python3 two.py", "true");
    let tree = Tree::of(&[("docs/en/a.md", &unused)]);
    let found = left_out(&tree);
    assert!(found.len() == 2 && found[0].contains("python") && found[1].contains("js"), "{found:?}");
    assert_eq!(problems(&tree).len(), 1, "what the shell says counts");
}

#[test]
fn no_block_that_is_run_guesses_how_long_a_start_takes() {
    Tree::real().holds("blocks that sleep", hasty);
}

#[test]
fn a_block_that_sleeps_is_found() {
    let tree = Tree::of(&[
        ("README.md", "```sh run\nwxgate sandbox & sleep 1\n```\n```sh untried\nsleep 1\n```\n"),
        ("docs/zh/a.md", "```sh run\ncurl --retry 5 http://127.0.0.1:9080/\n```\n"),
    ]);
    let found = hasty(&tree);
    assert!(found.len() == 1 && found[0].starts_with("README.md:1: it sleeps"), "{found:?}");
}

#[test]
fn every_block_that_is_marked_run_runs() {
    let tree = Tree::real();
    tree.holds(&counts(&tree), problems);
}

#[test]
fn a_page_is_followed_from_its_configuration_to_the_first_answer() {
    let tree = Tree::of(&[
        (
            "README.md",
            "```toml parsed\nupstream.base_urls = [\"http://127.0.0.1:9080\"]\n[[app]]\nname = \"shop\"\n\
             appid = \"wx0000000000sandbox\"\nsecret = { env = \"SHOP_SECRET\" }\n```\n\n\
             ```sh run\nexport SHOP_SECRET=secret\nwxgate sandbox\n```\n\n\
             ```sh run\nwxgate check --config wxgate.toml --online\nwxgate serve --config wxgate.toml\n```\n\n\
             ```sh run\nOPENID=you\ncurl \"http://127.0.0.1:8080/cgi-bin/user/info?openid=$OPENID\"\nwxgate status\n```\n",
        ),
        (
            "docs/en/a.md",
            "```sh run\ncurl -H \"X-Wxgate-Key: $KEY\" http://wxgate:8080/wxgate/token\n\
             # {\"access_token\":\"...\",\"expires_in\":7012,\"generation\":42}\nA=2\n```\n\n\
             ```toml parsed\n[server]\nanonymous = true\n```\n\n```sh run\n[ $A = 2 ]\n\
             curl -s http://127.0.0.1:9090/metrics | grep -c wxgate_\n\
             wxgate check --config wxgate.toml\nwxgate quota shop --json\n```\n",
        ),
        ("docs/zh/a.md", "```sh run\nfalse\n```\n"),
    ]);
    tree.holds("the pages", problems);
}

#[test]
fn a_block_that_fails_or_is_refused_is_found() {
    for (block, told) in [
        ("false\ntrue", "exit code 1"),
        ("A=1\nunset A\n[ \"$A\" = 1 ]", "exit code 1"),
        ("wxgate check --config none.toml", "exit code 64"),
        ("curl -s http://127.0.0.1:8080/pay/unifiedorder", "refused"),
        ("curl -s http://127.0.0.1:8080/cgi-bin/user/info?openid=o\n# {\"opened\":\"o\"}", "as it is shown"),
        ("wxgate serve --config none.toml", "exit code 64"),
        ("exit 0", "ended the shell"),
    ] {
        let tree =
            Tree::of(&[("README.md", &format!("\n```sh run\ntrue\n```\n\n```sh run\n{block}\n```\n"))]);
        let found = problems(&tree);
        assert_eq!(found.len(), 1, "{block}: {found:?}");
        assert!(found[0].starts_with("README.md:6: ") && found[0].contains(told), "{block}: {found:?}");
    }
}

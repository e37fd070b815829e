//! The commands and options that pages show exist.

use std::collections::{BTreeSet, HashMap};
use std::process::Command;

use super::page::Page;
use super::tree::Tree;

/// What `--help` says, by the words before it.
#[derive(Default)]
struct Help(HashMap<Vec<String>, String>);

impl Help {
    fn of(&mut self, words: &[&str]) -> &str {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        self.0.entry(words).or_insert_with_key(|words| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_wxgate"));
            let output = command.args(words).arg("--help").env_clear().output().unwrap();
            assert!(output.status.success(), "wxgate {words:?} --help fails");
            String::from_utf8(output.stdout).unwrap()
        })
    }

    /// Whether `word` is a command below these.
    fn lists(&mut self, words: &[&str], word: &str) -> bool {
        let listed = self.of(words).lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        listed.filter_map(|line| line.split_whitespace().next()).any(|listed| listed == word)
    }

    fn has_option(&mut self, words: &[&str], option: &str) -> bool {
        let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        self.of(words).split(|c| !is_of_a_name(c)).any(|word| word == option)
    }
}

/// What pages show of commands: the words behind `wxgate`, each with its line.
fn shown(page: &Page) -> Vec<(usize, String)> {
    let mut shown: Vec<(usize, String)> =
        page.spans.iter().filter_map(|span| Some((span.line, invocation(&span.it)?.to_owned()))).collect();
    for block in page.blocks.iter().filter(|block| block.it.language() == "sh") {
        // A line that goes on in the next one is one.
        let joined = block.it.text.replace("\\\n", " ");
        let lines = joined.lines().filter_map(|line| invocation(line).map(str::to_owned));
        shown.extend(lines.map(|line| (block.line, line)));
    }
    shown
}

/// What stands behind `wxgate` where a line calls it: in the beginning, behind a variable, `sudo`,
/// a pipe or `$(`.
fn invocation(line: &str) -> Option<&str> {
    let from_source = line.split_once("cargo run ").and_then(|(_, rest)| rest.split_once(" -- "));
    let called = match from_source {
        Some((_, rest)) => rest,
        None => {
            let (at, name) = line.match_indices("wxgate ").find(|(at, _)| is_called(&line[..*at]))?;
            &line[at + name.len()..]
        }
    };
    Some(called.split([';', '|', '#', ')', '>', '&']).next().unwrap_or_default().trim())
}

/// Whether what stands before `wxgate` leaves it a command.
fn is_called(before: &str) -> bool {
    let (words, folder) = before.rsplit_once(' ').unwrap_or(("", before));
    let is_variable = |word: &str| word.split_once('=').is_some_and(|(name, _)| !name.starts_with('-'));
    let mut words = words.split_whitespace().rev().skip_while(|word| is_variable(word));
    let begins = words.next().is_none_or(|word| {
        matches!(word, "sudo" | "|" | "&&" | "||" | "exec" | "then" | "do" | "!") || word.ends_with(';')
    });
    folder.ends_with("$(") || begins && (folder.trim().is_empty() || folder.ends_with('/'))
}

fn problems(tree: &Tree) -> Vec<String> {
    let mut help = Help::default();
    let mut found = Vec::new();
    for page in &tree.pages {
        // What was once is told there.
        if page.name == "CHANGELOG.md" {
            continue;
        }
        for (line, shown) in shown(page) {
            for problem in judge(&mut help, &shown) {
                let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
                found.push(page.tell(line, format_args!("wxgate {shown}: {problem}")));
            }
        }
    }
    found
}

fn judge(help: &mut Help, shown: &str) -> Vec<String> {
    let words: Vec<&str> = shown.split_whitespace().collect();
    let mut command: Vec<&str> = Vec::new();
    for word in words.iter().take_while(|word| !word.starts_with('-')).take(2) {
        if !help.lists(&command, word) {
            break;
        }
        command.push(word);
    }
    if let Some(next) = words.get(command.len())
        && !next.starts_with('-')
        && help.of(&command).contains("<COMMAND>")
        && !help.of(&command).contains("\nArguments:")
    {
        return vec![format!("no command {next}")];
    }
    let mut problems = Vec::new();
    for option in words.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
        let option = option.split('=').next().unwrap_or(option);
        if !help.has_option(&command, option) {
            problems.push(format!("no option {option}"));
        }
    }
    problems
}

#[test]
fn commands_and_their_options_exist() {
    let tree = Tree::real();
    let first = |(_, shown): (usize, String)| shown.split(' ').next().unwrap_or_default().to_owned();
    let seen: BTreeSet<String> = tree.guides().flat_map(shown).map(first).collect();
    assert!(seen.len() > 5, "{seen:?}");
    tree.holds("commands", problems);
}

#[test]
fn a_command_or_an_option_that_does_not_exist_is_found() {
    let tree = Tree::of(&[
        (
            "README.md",
            "`wxgate check --online` `wxgate store show --config x` `wxgate.toml` `wxgate --version` `wxgate quota reset shop` `wxgate quota shop`\n\n\
             ```sh run\nSHOP_SECRET=x wxgate serve --config wxgate.toml &\n./wxgate demo --once | cat --all\n\
             cargo run --release -- demo\necho about wxgate things\n\
             sudo install a/wxgate /usr/bin/\nkubectl logs deploy/wxgate 9090\nuseradd --home=x wxgate --shell\n```\n\n`wxgate chekc`, `wxgate check --onlin`\n\n\
             ```sh untried\nA=1 B=2 ./wxgate store sho\necho \"$(wxgate quot)\"; true && wxgate chek\nwxgate check \\\n  --rotat=1\ncargo run -q -- dmo\nwxgate store --config x\n```\n",
        ),
        ("CHANGELOG.md", "`wxgate gone`\n"),
    ]);
    assert_eq!(
        problems(&tree),
        [
            "README.md:13: wxgate chekc: no command chekc",
            "README.md:13: wxgate check --onlin: no option --onlin",
            "README.md:15: wxgate store sho: no command sho",
            "README.md:15: wxgate quot: no command quot",
            "README.md:15: wxgate check --rotat=1: no option --rotat",
            "README.md:15: wxgate dmo: no command dmo",
            "README.md:15: wxgate store --config x: no option --config",
        ]
    );
}

//! The documentation's page about the command line knows each command and option, and no other.

use std::collections::BTreeSet;

use crate::program::Folder;

/// The commands that stand in `help`.
fn commands(help: &str) -> Vec<String> {
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// `--name` wherever it stands at a line's beginning, but for those that all commands have.
fn options(help: &str) -> BTreeSet<String> {
    let lines =
        help.lines().map(|line| line.trim_start().trim_start_matches("-h, ").trim_start_matches("-V, "));
    lines.filter_map(option).filter(|name| !matches!(name.as_str(), "--help" | "--version")).collect()
}

/// The option that a text begins with.
fn option(text: &str) -> Option<String> {
    let name = text.strip_prefix("--")?;
    let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(name.len());
    // Not the line below a table's head.
    name.starts_with(|c: char| c.is_ascii_lowercase()).then(|| format!("--{}", &name[..end]))
}

/// The section of a command, to the next.
fn section<'p>(page: &'p str, command: &str) -> &'p str {
    let title = format!("\n## wxgate {command}\n");
    let start = page.find(&title).unwrap_or_else(|| panic!("no section of {command}"));
    let rest = &page[start + title.len()..];
    &rest[..rest.find("\n## ").unwrap_or(rest.len())]
}

#[test]
fn each_command_and_option_stands_on_the_page_and_nothing_else() {
    let folder = Folder::new();
    let help = |words: &[&str]| {
        let ran = folder.run(&[words, &["--help"]].concat());
        assert_eq!(ran.code, Some(0), "{words:?}");
        ran.stdout
    };
    for language in ["en", "zh"] {
        let file = format!("{}/docs/{language}/command-line.md", env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(file).unwrap();
        let all = commands(&help(&[]));
        assert!(all.len() >= 15, "{all:?}");
        let mut sections: BTreeSet<_> =
            page.lines().filter_map(|line| line.strip_prefix("## wxgate ")).collect();
        for command in &all {
            assert!(page.contains(&format!("`{command}`")), "{command} is not in the table of {language}");
            sections.remove(command.as_str());
            let section = section(&page, command);
            let text = help(&[command]);
            let mut known = options(&text);
            for below in commands(&text) {
                assert!(section.contains(&below), "{command} {below} is not on the page of {language}");
                known.extend(options(&help(&[command, &below])));
            }
            // `--config` is told of once, for all.
            known.remove("--config");
            let told: BTreeSet<_> =
                section.match_indices("--").filter_map(|(at, _)| option(&section[at..])).collect();
            let missing: Vec<_> = known.difference(&told).collect();
            assert!(missing.is_empty(), "{command} lacks {missing:?} on the page of {language}");
            known.insert("--config".to_owned());
            let made_up: Vec<_> = told.difference(&known).collect();
            assert!(made_up.is_empty(), "{command} has no {made_up:?}, says the page of {language}");
        }
        assert!(sections.is_empty(), "{language} tells of {sections:?}");
    }
}

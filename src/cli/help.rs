//! The help of every command in the language of the process. clap writes the English; it knows
//! neither how wide Chinese characters are nor where their lines may break, so the Chinese is laid
//! out here, from the same commands and with the catalogue's table `help`.

use clap::builder::StyledStr;
use clap::{Arg, Command};
use wxgate::app::layout::{Sheet, WIDTH, columns, wrap};
use wxgate::texts::{Language, catalogue, text};

/// Columns of an option and its value, with the gap behind them.
const OPTION: usize = 28;
/// The least of them, so that short lists stand apart from their texts.
const GAP: usize = 2;
/// The table of the catalogue.
const TABLE: &str = "help";

/// The command, with help in the language of the process; `-h` and `--help` are the same in Chinese.
pub(super) fn localised(mut command: Command) -> Command {
    if Language::current() == Language::English {
        return command;
    }
    // Sets the full names that usages begin with.
    command.build();
    with_help(command)
}

fn with_help(mut command: Command) -> Command {
    let help = written(&mut command);
    command.override_help(help).mut_subcommands(with_help)
}

fn written(command: &mut Command) -> String {
    let mut parts = Vec::new();
    parts.extend(command.get_long_about().or_else(|| command.get_about()).map(paragraphs));
    let usage = command.render_usage();
    parts.push(format!("{}\n", usage_line(&usage)));
    let commands = command.get_subcommands().map(|command| {
        let about = command.get_about().map(translated);
        (command.get_name().to_owned(), about.unwrap_or_default())
    });
    parts.extend(list(text!("Commands:").to_string(), commands.collect()));
    let positionals = command.get_positionals().map(argument).collect();
    parts.extend(list(text!("Arguments:").to_string(), positionals));
    let options = command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
    parts.extend(list(text!("Options:").to_string(), options.map(argument).collect()));
    parts.extend(command.get_after_help().map(paragraphs));
    parts.join("\n")
}

/// `Usage: wxgate check [OPTIONS]`, in the language of the process.
pub(super) fn usage_line(usage: &StyledStr) -> String {
    let usage = usage.to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    text!("Usage: {usage}", usage = usage).to_string()
}

fn paragraphs(english: &StyledStr) -> String {
    let paragraph = |english| wrap(&chinese(english), WIDTH).join("\n") + "\n";
    english.to_string().split("\n\n").map(paragraph).collect::<Vec<_>>().join("\n")
}

fn translated(english: &StyledStr) -> String {
    english.to_string().split("\n\n").map(chinese).collect()
}

fn chinese(english: &str) -> String {
    let row = catalogue().find(|(table, known, _)| *table == TABLE && *known == english);
    row.map_or(english, |(_, _, chinese)| chinese).to_owned()
}

/// What is listed under a heading; nothing where there is nothing.
fn list(heading: String, rows: Vec<(String, String)>) -> Option<String> {
    let widest = rows.iter().map(|(label, _)| columns(label)).max()?;
    let mut sheet = Sheet::new(2, OPTION.min(widest + GAP));
    rows.iter().for_each(|(label, about)| sheet.row(label, about));
    Some(format!("{heading}\n{}", sheet.finish()))
}

/// How an argument is written, and what it is for.
fn argument(arg: &Arg) -> (String, String) {
    let label = match arg.get_short() {
        Some(short) => format!("-{short}, {arg}"),
        None if arg.is_positional() => arg.to_string(),
        None => format!("    {arg}"),
    };
    let mut about: Vec<_> =
        arg.get_long_help().or_else(|| arg.get_help()).map(translated).into_iter().collect();
    if let Some(variable) = arg.get_env() {
        about.push(text!("[env: {variable}]", variable = variable.display()).to_string());
    }
    let takes_value = arg.get_action().takes_values();
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_value && !defaults.is_empty() {
        about.push(text!("[default: {values}]", values = defaults.join(" ")).to_string());
    }
    let possible: Vec<_> =
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if takes_value && !possible.is_empty() {
        about.push(text!("[possible values: {values}]", values = possible.join(", ")).to_string());
    }
    (label, about.join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{Command, CommandFactory as _};
    use wxgate::app::layout::{WIDTH, columns};
    use wxgate::texts::{Language, catalogue};

    use super::super::Cli;
    use super::{TABLE, localised};

    /// The English of each paragraph that the command and those below it show.
    fn paragraphs(command: &Command, found: &mut BTreeSet<String>) {
        let of_arguments = command.get_arguments().flat_map(|arg| [arg.get_help(), arg.get_long_help()]);
        let of_command = [command.get_about(), command.get_long_about(), command.get_after_help()];
        for text in of_command.into_iter().chain(of_arguments).flatten() {
            found.extend(text.to_string().split("\n\n").map(str::to_owned));
        }
        command.get_subcommands().for_each(|command| paragraphs(command, found));
    }

    #[test]
    fn the_help_is_there_in_chinese_and_nothing_else_is() {
        let mut command = Cli::command();
        command.build();
        let mut english = BTreeSet::new();
        paragraphs(&command, &mut english);
        let translated: BTreeSet<_> = catalogue()
            .filter(|(table, ..)| *table == TABLE)
            .map(|(_, english, _)| english.to_owned())
            .collect();
        let without: Vec<_> = english.difference(&translated).collect();
        let stale: Vec<_> = translated.difference(&english).collect();
        assert!(without.is_empty() && stale.is_empty(), "without Chinese: {without:#?}\nstale: {stale:#?}");
    }

    #[test]
    fn the_chinese_help_of_each_command_fits_a_terminal() {
        fn look(mut command: Command) {
            let help = command.render_long_help().to_string();
            assert!(help.contains("用法：") && !help.contains("Usage"), "{help}");
            for line in help.lines() {
                assert!(columns(line) <= WIDTH || line.contains("用法："), "{line}");
                let is_english = line.chars().any(|c| c.is_ascii_lowercase()) && line.is_ascii();
                let is_syntax = line.trim_start().starts_with(['-', '<', '[']) || line.contains("wxgate ");
                assert!(!is_english || is_syntax, "{line}");
            }
            command.get_subcommands().cloned().for_each(look);
        }
        Language::Chinese.scope(|| look(localised(Cli::command())));
    }
}

//! The help of every command in the language of the process. clap writes the English; it knows
//! neither how wide Chinese characters are nor where their lines may break, so the Chinese is laid
//! out here, from the same commands and with the catalogue's table `help`.

use clap::builder::StyledStr;
use clap::{Arg, Command};
use wxgate::app::layout::{Sheet, WIDTH, columns, wrap};
use wxgate::texts::{Language, Text, catalogue, text};

/// Columns between a name and what it is for.
const GAP: usize = 2;
/// The table of the catalogue.
const TABLE: &str = "help";

/// The command, with help in the language of the process; `-h` and `--help` are the same in
/// Chinese.
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
    parts.extend(command.get_long_about().or_else(|| command.get_about()).map(about));
    parts.push(usage(&command.render_usage()));
    let commands = command.get_subcommands().map(|command| Row {
        label: command.get_name().to_owned(),
        about: command.get_about().map(paragraphs).unwrap_or_default(),
    });
    parts.extend(list(&text!("Commands:"), commands.collect()));
    parts.extend(list(&text!("Arguments:"), command.get_positionals().map(argument).collect()));
    let options = command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
    parts.extend(list(&text!("Options:"), options.map(argument).collect()));
    parts.extend(command.get_after_help().map(about));
    parts.join("\n")
}

/// `Usage: wxgate check [OPTIONS]`, in the language of the process.
pub(super) fn usage(english: &StyledStr) -> String {
    let english = english.to_string();
    let usages = english.strip_prefix("Usage:").unwrap_or(&english).lines().map(str::trim);
    let heading = text!("Usage: ").to_string();
    let gap = format!("\n{:1$}", "", columns(&heading));
    format!("{heading}{}\n", usages.collect::<Vec<_>>().join(&gap))
}

fn about(english: &StyledStr) -> String {
    let paragraph = |text: &String| format!("{}\n", wrap(text, WIDTH).join("\n"));
    paragraphs(english).iter().map(paragraph).collect::<Vec<_>>().join("\n")
}

fn paragraphs(english: &StyledStr) -> Vec<String> {
    english.to_string().split("\n\n").map(translated).collect()
}

fn translated(english: &str) -> String {
    let row = catalogue().find(|(table, known, _)| *table == TABLE && *known == english);
    row.map_or(english, |(_, _, chinese)| chinese).to_owned()
}

/// What is listed: its name, and what it is for.
struct Row {
    label: String,
    about: Vec<String>,
}

/// The rows under a heading; nothing if there are none.
fn list(heading: &Text<'_>, rows: Vec<Row>) -> Option<String> {
    let widest = rows.iter().map(|row| columns(&row.label)).max()?;
    let mut sheet = Sheet::new(2, widest + GAP);
    for Row { label, about } in &rows {
        let labels = std::iter::once(label.as_str()).chain(std::iter::repeat(""));
        labels.zip(about).for_each(|(label, text)| sheet.row(label, text));
    }
    Some(format!("{heading}\n{}", sheet.finish()))
}

fn argument(arg: &Arg) -> Row {
    let label = match arg.get_short() {
        Some(short) => format!("-{short}, {arg}"),
        None if arg.is_positional() => arg.to_string(),
        None => format!("    {arg}"),
    };
    let mut about = arg.get_long_help().or_else(|| arg.get_help()).map(paragraphs).unwrap_or_default();
    if let Some(variable) = arg.get_env() {
        about.push(text!("[env: {variable}]", variable = variable.display()).to_string());
    }
    let takes_value = arg.get_action().takes_values();
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_value && !defaults.is_empty() {
        about.push(text!("[default: {values}]", values = defaults.join(" ")).to_string());
    }
    let possible = arg.get_possible_values();
    let possible: Vec<_> = possible.iter().map(|value| value.get_name()).collect();
    if takes_value && !possible.is_empty() {
        about.push(text!("[possible values: {values}]", values = possible.join(", ")).to_string());
    }
    Row { label, about }
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
            let is_word = |word: &&str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_lowercase());
            for line in help.lines().filter(|line| !line.contains("wxgate ")) {
                assert!(columns(line) <= WIDTH, "{line}");
                assert!(line.split(' ').filter(is_word).count() < 5, "{line}");
            }
            command.get_subcommands().cloned().for_each(look);
        }
        Language::Chinese.scope(|| look(localised(Cli::command())));
    }
}

//! Arguments that the command line doesn't take: what clap says of them, in the language of the
//! process.

use std::error::Error as _;
use std::io::Write as _;

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use wxgate::texts::{Language, text};

use super::help::usage;

/// Prints help, a version or an error, where clap would.
pub(super) fn print(error: &Error) {
    let chinese = (Language::current() == Language::Chinese).then(|| explained(error)).flatten();
    // Nothing can be done about a closed stdout or stderr.
    let _ = match chinese {
        Some(text) => write!(std::io::stderr(), "{text}"),
        None => error.print(),
    };
}

/// An error with its remedy; none where clap's text isn't an error, or has no translation.
fn explained(error: &Error) -> Option<String> {
    let arg = || text_of(error, ContextKind::InvalidArg);
    let value = || text_of(error, ContextKind::InvalidValue).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::UnknownArgument => text!("unexpected argument '{arg}'", arg = arg()?).to_string(),
        ErrorKind::InvalidSubcommand => {
            let command = text_of(error, ContextKind::InvalidSubcommand)?;
            text!("unknown command '{command}'", command).to_string()
        }
        ErrorKind::InvalidValue if value().is_empty() => {
            text!("'{arg}' requires a value", arg = arg()?).to_string()
        }
        ErrorKind::InvalidValue => {
            text!("invalid value '{value}' for '{arg}'", value = value(), arg = arg()?).to_string()
        }
        ErrorKind::ValueValidation => {
            let reason = error.source().map(ToString::to_string).unwrap_or_default();
            text!("invalid value '{value}' for '{arg}': {reason}", value = value(), arg = arg()?, reason)
                .to_string()
        }
        ErrorKind::MissingRequiredArgument => text!("missing: {args}", args = arg()?).to_string(),
        ErrorKind::ArgumentConflict => {
            let arg = arg().or_else(|| text_of(error, ContextKind::InvalidSubcommand))?;
            match text_of(error, ContextKind::PriorArg) {
                Some(other) if other == arg => text!("'{arg}' is given twice", arg).to_string(),
                Some(other) => text!("'{arg}' cannot be used with '{other}'", arg, other).to_string(),
                None => text!("'{arg}' cannot be used with another option", arg).to_string(),
            }
        }
        ErrorKind::InvalidUtf8 => text!("an argument is not valid UTF-8").to_string(),
        _ => return None,
    };
    let mut out = format!("wxgate: {what}\n");
    let suggestion =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
            .into_iter()
            .find_map(|kind| text_of(error, kind));
    if let Some(suggestion) = suggestion {
        out += &format!("  {}\n", text!("did you mean '{suggestion}'?", suggestion));
    }
    if let Some(values) = text_of(error, ContextKind::ValidValue) {
        out += &format!("  {}\n", text!("possible values: {values}", values));
    }
    if let Some(ContextValue::StyledStr(english)) = error.get(ContextKind::Usage) {
        out += &format!("\n{}", usage(english));
    }
    out += &format!("\n{}\n", text!("For help, run it with --help."));
    Some(out)
}

/// What clap knows of the error; several are joined.
fn text_of(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) if !texts.is_empty() => Some(texts.join(", ")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Error};
    use wxgate::texts::Language;

    use super::super::Cli;
    use super::super::help::localised;
    use super::explained;

    fn error(arguments: &[&str]) -> Error {
        let arguments = std::iter::once("wxgate").chain(arguments.iter().copied());
        localised(Cli::command()).try_get_matches_from(arguments).expect_err("wrong arguments")
    }

    #[test]
    fn each_mistake_is_explained_in_chinese_and_help_is_not_one() {
        Language::Chinese.scope(|| {
            for (arguments, said) in [
                (&["check", "--onlin"][..], "--online"),
                (&["statsu"], "status"),
                (&["check", "--config"], "--config <FILE>"),
                (&["init", "--kind", "x"], "mini_program"),
                (&["explain", "get", "foo"], "foo"),
                (&["explain"], "<METHOD>, <PATH>"),
                (&["init", "--sandbox", "--appid", "a"], "--appid"),
                (&["check", "--online", "--online"], "--online"),
                (&["check", "--probe"], "--online"),
            ] {
                let text = explained(&error(arguments)).expect("an explanation");
                assert!(text.contains(said), "{text}");
                assert!(!text.contains("Usage") && text.contains("--help"), "{text}");
            }
            for arguments in [&["--help"][..], &["-V"], &["store"], &["help", "check"]] {
                assert_eq!(explained(&error(arguments)), None);
            }
        });
    }
}

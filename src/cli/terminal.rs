//! What goes to the terminal, and how it is written there.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

pub(super) use wxgate::app::layout::printable;
use wxgate::app::layout::{WIDTH, wrap};
use wxgate::texts::text;

use super::failure::Failure;

/// Asks on the terminal; if stdin is not one, it says how to go on without.
pub(super) fn confirm(question: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        let problem = text!("{question} stdin is not a terminal: pass --yes to confirm.", question);
        return Err(Failure::usage(problem.to_string()));
    }
    print(&format!("{question} [y/N] "))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(Failure::run)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::run(text!("nothing was done").to_string())),
    }
}

/// Whether stdout takes colour: a terminal, and no `NO_COLOR` (<https://no-color.org>).
pub(super) fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

/// Writes to stdout; a reader that left early (`| head`) is not a failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::run(error)),
        _ => Ok(()),
    }
}

/// Prints to stderr what is for people only.
pub(super) fn tell(text: &str) {
    let mut stderr = std::io::stderr();
    // Nothing can be done about a closed stderr.
    let _ = writeln!(stderr, "{text}");
}

/// The columns of the terminal that stdout is, if it is one.
pub(super) fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    // Some don't know.
    Some(if size.ws_col == 0 { WIDTH } else { usize::from(size.ws_col) })
}

/// Breaks a text into lines of so many columns, if that is known; else it stays one.
pub(super) fn fitted(text: &str, indent: &str, width: Option<usize>) -> String {
    let text = printable(text);
    let lines = width.map(|width| wrap(&text, width.saturating_sub(indent.len()).max(1)));
    lines.unwrap_or_else(|| vec![text]).iter().map(|line| format!("{indent}{line}\n")).collect()
}

/// At most two units, like `1h47m`.
pub(super) fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = match seconds {
        0..60 => write!(text, "{seconds}s"),
        60..3600 => write!(text, "{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => write!(text, "{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => write!(text, "{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::fitted;

    #[test]
    fn words_longer_than_a_line_are_broken() {
        let text = fitted(&format!("ab {}", "x".repeat(200)), "  ", Some(80));
        let widths: Vec<_> = text.lines().map(str::len).collect();
        assert_eq!(widths, [4, 80, 80, 46]);
    }
}

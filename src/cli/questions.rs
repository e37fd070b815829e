//! Questions to the user at the terminal.

use std::io::{BufRead as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use wxgate::texts::text;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::terminal::tell;

/// Asks on stderr, so that stdout can be redirected; an empty answer is `default`.
pub(super) fn ask(question: &str, default: &str) -> Result<String, Failure> {
    let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    let answer = answered(&format!("{question}{shown}: "))?;
    Ok(if answer.is_empty() { default.to_owned() } else { answer.to_string() })
}

/// Asks for what isn't to be seen while it is typed.
pub(super) fn ask_secret(question: &str) -> Result<Zeroizing<String>, Failure> {
    let answer = {
        let _hidden = Hidden::begin();
        answered(&format!("{question}: "))
    };
    // The end of the line wasn't shown either.
    tell("");
    answer
}

fn answered(question: &str) -> Result<Zeroizing<String>, Failure> {
    let mut stderr = std::io::stderr();
    let asked = write!(stderr, "{question}").and_then(|()| stderr.flush());
    asked.map_err(Failure::run)?;
    let mut line = Zeroizing::new(String::new());
    if std::io::stdin().lock().read_line(&mut line).map_err(Failure::run)? == 0 {
        return Err(Failure::run(text!("end of input; nothing was written").to_string()));
    }
    Ok(Zeroizing::new(line.trim().to_owned()))
}

/// The terminal doesn't show what is typed, until this is dropped.
struct Hidden(Option<Termios>);

impl Hidden {
    fn begin() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        Self(tcsetattr(&stdin, OptionalActions::Now, &hidden).is_ok().then_some(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // Nothing can be done about a terminal that is gone.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

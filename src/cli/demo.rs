//! `wxgate demo`: the tour.

use std::io::IsTerminal as _;
use std::time::Duration;

use wxgate::demo::{self, Outcome, Show};
use wxgate::texts::text;

use super::failure::Failure;
use super::terminal::colour;

/// Between two steps of the tour, time to read.
const READING: Duration = Duration::from_millis(450);

/// Runs the tour; goes on serving unless `once`.
pub(super) async fn run(once: bool) -> Result<(), Failure> {
    let pause = if std::io::stdout().is_terminal() { READING } else { Duration::ZERO };
    match demo::run(once, Show { colour: colour(), pause }).await.map_err(Failure::run)? {
        Outcome::Held => Ok(()),
        Outcome::Failed(1) => Err(Failure::run(text!("1 claim of the tour did not hold").to_string())),
        Outcome::Failed(claims) => {
            Err(Failure::run(text!("{claims} claims of the tour did not hold", claims).to_string()))
        }
    }
}

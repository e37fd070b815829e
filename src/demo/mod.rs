//! `wxgate demo`: a fake WeChat and a proxy on this machine, and a tour of what the proxy does,
//! step by step, each one checked against what really reached WeChat.

mod caller;
mod screen;
mod stage;
mod steps;

pub use self::caller::CallError;
use self::screen::Screen;
pub use self::screen::Show;
use self::stage::Stage;
pub use self::stage::StageError;
use crate::app::Termination;
use crate::texts::text;

/// How the tour ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every claim held.
    Held,
    /// So many claims turned out false.
    Failed(usize),
}

/// Why the tour failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Sandbox or proxy could not be started.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Signals can't be caught.
    #[error("{}", text!("could not install signal handlers"))]
    Signal(#[source] std::io::Error),
}

/// Runs the tour and, unless `once`, goes on serving until a signal ends it.
///
/// # Errors
/// If the tour could not run; a claim that doesn't hold is an [`Outcome`].
pub async fn run(once: bool, show: Show) -> Result<Outcome, DemoError> {
    let mut screen = Screen::new(show);
    let stage = Stage::set(once).await?;
    stage.introduce(&mut screen);
    steps::all(&stage, &mut screen).await;
    screen.sum_up();
    let outcome = match screen.failures() {
        0 => Outcome::Held,
        failures => Outcome::Failed(failures),
    };
    if !once {
        let mut termination = Termination::catch().map_err(DemoError::Signal)?;
        stage.invite(&mut screen);
        termination.wait().await;
    }
    stage.strike().await;
    Ok(outcome)
}

//! The tour's steps.

mod crowd;
mod killed;
mod mistakes;
mod plain;
mod quota;
mod sdk;
mod seen;
mod upload;

use super::screen::Screen;
use super::stage::Stage;
use crate::observe::chain::Chain;
use crate::texts::{marked, text, translated};

#[derive(Clone, Copy)]
enum Step {
    Plain,
    Killed,
    Crowd,
    Sdk,
    Upload,
    Mistakes,
    Quota,
}

const TOUR: [(Step, &str); 7] = [
    (Step::Plain, marked!("A service calls WeChat without any credential")),
    (Step::Killed, marked!("The token is invalidated behind the proxy's back")),
    (Step::Crowd, marked!("It is invalidated again, and many callers come at once")),
    (Step::Sdk, marked!("An unmodified SDK fetches a token of its own")),
    (Step::Upload, marked!("A file is uploaded with a dead token")),
    (Step::Mistakes, marked!("Two mistakes are refused with the reason, and never reach WeChat")),
    (Step::Quota, marked!("A day's quota runs low, and wxgate knows who spends it")),
];

/// Shows everything, in order. A step that fails counts as a claim that didn't hold.
pub(super) async fn all(stage: &Stage, screen: &mut Screen) {
    for (step, title) in TOUR {
        tokio::time::sleep(screen.pause()).await;
        screen.step(translated(title));
        let shown = match step {
            Step::Plain => plain::show(stage, screen).await,
            Step::Killed => killed::show(stage, screen).await,
            Step::Crowd => crowd::show(stage, screen).await,
            Step::Sdk => sdk::show(stage, screen).await,
            Step::Upload => upload::show(stage, screen).await,
            Step::Mistakes => mistakes::show(stage, screen).await,
            Step::Quota => quota::show(stage, screen).await,
        };
        if let Err(error) = shown {
            screen.check(false, text!("the step failed: {error}", error = Chain(&error)));
        }
    }
}

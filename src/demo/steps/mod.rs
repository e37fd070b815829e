//! The tour's steps.

mod crowd;
mod killed;
mod mistakes;
mod plain;
mod sdk;
mod seen;
mod upload;

use super::screen::Screen;
use super::stage::Stage;
use crate::observe::chain::Chain;

#[derive(Clone, Copy)]
enum Step {
    Plain,
    Killed,
    Crowd,
    Sdk,
    Upload,
    Mistakes,
}

const TOUR: [(Step, &str); 6] = [
    (Step::Plain, "A service calls WeChat without any credential"),
    (Step::Killed, "The token is killed behind the proxy's back"),
    (Step::Crowd, "It is killed again, and many callers come at once"),
    (Step::Sdk, "An unmodified SDK asks for a token of its own"),
    (Step::Upload, "A file is uploaded with a dead token"),
    (Step::Mistakes, "Two mistakes get a plain answer, and WeChat never hears of them"),
];

/// Shows everything, in order. A step that breaks off counts as one that didn't hold.
pub(super) async fn all(stage: &Stage, screen: &mut Screen) {
    for (step, title) in TOUR {
        tokio::time::sleep(screen.pause()).await;
        screen.step(title);
        let shown = match step {
            Step::Plain => plain::show(stage, screen).await,
            Step::Killed => killed::show(stage, screen).await,
            Step::Crowd => crowd::show(stage, screen).await,
            Step::Sdk => sdk::show(stage, screen).await,
            Step::Upload => upload::show(stage, screen).await,
            Step::Mistakes => mistakes::show(stage, screen).await,
        };
        if let Err(error) = shown {
            screen.check(false, &format!("the step broke off: {}", Chain(&error)));
        }
    }
}

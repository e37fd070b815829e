//! The token dies between two calls.

use tokio::time::Instant;

use super::super::caller::{self, CallError};
use super::super::screen::Screen;
use super::super::stage::Stage;
use super::seen::{USER_INFO, is_replay_of, is_user, show_seen, user};

pub(super) async fn show(stage: &Stage, screen: &mut Screen) -> Result<(), CallError> {
    screen.say(
        "Another program fetched a token with the same secret, so WeChat no longer takes ours. wxgate can't know yet.",
    );
    let call = async || {
        let began = Instant::now();
        let answer = caller::get(&stage.address, &format!("{USER_INFO}?openid=bob")).await?;
        Ok((answer, began.elapsed()))
    };
    let ((answer, took), entries) = stage.with_a_dead_token(call).await?;

    screen.show("service sent", &format!("GET {USER_INFO}?openid=bob"));
    show_seen(screen, &entries);
    screen.show("service got", &user(&answer));
    screen.check(
        is_user(&answer, "bob") && is_replay_of(USER_INFO, &entries),
        &format!(
            "rejected, fetched, replayed: the service noticed nothing but {:.1} ms",
            took.as_secs_f64() * 1000.0
        ),
    );
    Ok(())
}

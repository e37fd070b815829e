//! The token dies between two calls.

use tokio::time::Instant;

use super::super::caller::{self, CallError};
use super::super::screen::Screen;
use super::super::stage::Stage;
use super::seen::{USER_INFO, is_replay_of, is_user, show_seen, user};
use crate::texts::text;

pub(super) async fn show(stage: &Stage, screen: &mut Screen) -> Result<(), CallError> {
    screen.say(text!(
        "Another program fetched a token with the same secret, so WeChat no longer accepts ours. wxgate does not know yet."
    ));
    let call = async || {
        let began = Instant::now();
        let answer = caller::get(&stage.address, &format!("{USER_INFO}?openid=bob")).await?;
        Ok((answer, began.elapsed()))
    };
    let ((answer, took), entries) = stage.with_a_dead_token(call).await?;

    screen.show(text!("service sent"), format_args!("GET {USER_INFO}?openid=bob"));
    show_seen(screen, &entries);
    screen.show(text!("service got"), user(&answer));
    screen.check(
        is_user(&answer, "bob") && is_replay_of(USER_INFO, &entries),
        text!(
            "rejected, new token fetched, replayed: the service only waited {ms} ms",
            ms = format_args!("{:.1}", took.as_secs_f64() * 1000.0)
        ),
    );
    Ok(())
}

//! Many callers at once, and the token is dead.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::super::caller::{self, CallError};
use super::super::screen::Screen;
use super::super::stage::Stage;
use super::seen::{STABLE_TOKEN, USER_INFO, is_user};
use crate::texts::text;

/// Callers at once. Each takes four sockets of this process, of which some systems give only 256 at
/// first.
const CALLERS: usize = 50;
/// Calls of each, one after another.
const CALLS: usize = 4;

pub(super) async fn show(stage: &Stage, screen: &mut Screen) -> Result<(), CallError> {
    screen.say(text!(
        "{callers} services make {calls} calls each, all at the same time.",
        callers = CALLERS,
        calls = CALLS
    ));
    let all = async || Ok(all_call(&stage.address).await);
    let (right, entries) = stage.with_a_dead_token(all).await?;
    let fetched = entries.iter().filter(|entry| entry.path == STABLE_TOKEN).count();
    let rejected = entries.iter().filter(|entry| entry.errcode == Some(40001)).count();

    screen.show(text!("right results"), text!("{right} of {calls}", right, calls = CALLERS * CALLS));
    screen.show(text!("WeChat saw"), text!("{rejected} calls with the dead token, all rejected", rejected));
    match fetched {
        1 => screen.show("", text!("1 fetch of a token")),
        _ => screen.show("", text!("{fetched} fetches of a token", fetched)),
    }
    screen.check(
        right == CALLERS * CALLS && fetched == 1 && rejected > 0,
        text!("every call succeeded, and all of them together caused one fetch"),
    );
    Ok(())
}

/// How many calls of all callers brought the right user.
async fn all_call(address: &str) -> usize {
    let address: Arc<str> = address.into();
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        callers.spawn(calls(Arc::clone(&address), number));
    }
    let mut right = 0;
    while let Some(ended) = callers.join_next().await {
        right += ended.unwrap_or(0);
    }
    right
}

/// How many of one caller's calls brought the right user.
async fn calls(address: Arc<str>, caller: usize) -> usize {
    let mut right = 0;
    for call in 0..CALLS {
        let openid = format!("user-{caller}-{call}");
        let answer = caller::get(&address, &format!("{USER_INFO}?openid={openid}")).await;
        right += usize::from(answer.is_ok_and(|answer| is_user(&answer, &openid)));
    }
    right
}

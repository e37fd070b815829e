//! A call without any credential.

use super::super::caller::{self, CallError};
use super::super::screen::Screen;
use super::super::stage::Stage;
use super::seen::{USER_INFO, is_user, short, user};

pub(super) async fn show(stage: &Stage, screen: &mut Screen) -> Result<(), CallError> {
    let seen = stage.seen();
    let target = format!("{USER_INFO}?openid=alice");
    let answer = caller::get(&stage.address, &target).await?;
    let arrived = stage.since(seen).into_iter().find(|entry| entry.path == USER_INFO);
    let token = arrived.as_ref().and_then(|entry| entry.access_token.clone()).unwrap_or_default();
    let query = arrived.map(|entry| entry.query).unwrap_or_default();

    screen.say("It uses WeChat's own path. No token, no secret, no SDK.");
    screen.show("service sent", &format!("GET {target}"));
    let shown = if token.is_empty() { query.clone() } else { query.replace(&token, &short(&token)) };
    screen.show("WeChat saw", &format!("GET {USER_INFO}?{shown}"));
    screen.show("service got", &user(&answer));
    let injected = !token.is_empty() && query == format!("openid=alice&access_token={token}");
    let seen_by_service = answer.body.windows(token.len().max(1)).any(|part| part == token.as_bytes());
    screen.check(
        injected && is_user(&answer, "alice") && !seen_by_service,
        "wxgate put the app's token in, and the service never saw it",
    );
    Ok(())
}

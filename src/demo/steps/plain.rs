//! A call without any credential.

use super::super::caller::{self, CallError};
use super::super::screen::Screen;
use super::super::stage::Stage;
use super::seen::{USER_INFO, is_user, short, user};
use crate::texts::text;

pub(super) async fn show(stage: &Stage, screen: &mut Screen) -> Result<(), CallError> {
    let seen = stage.seen();
    let target = format!("{USER_INFO}?openid=alice");
    let answer = caller::get(&stage.address, &target).await?;
    let arrived = stage.since(seen).into_iter().find(|entry| entry.path == USER_INFO);
    let token = arrived.as_ref().and_then(|entry| entry.access_token.clone()).unwrap_or_default();
    let query = arrived.map(|entry| entry.query).unwrap_or_default();

    screen.say(text!("It uses WeChat's own path. No token, no secret, no SDK."));
    screen.show(text!("service sent"), format_args!("GET {target}"));
    let shown = if token.is_empty() { query.clone() } else { query.replace(&token, &short(&token)) };
    screen.show(text!("WeChat saw"), format_args!("GET {USER_INFO}?{shown}"));
    screen.show(text!("service got"), user(&answer));
    let injected = !token.is_empty() && query == format!("openid=alice&access_token={token}");
    let seen_by_service = answer.body.windows(token.len().max(1)).any(|part| part == token.as_bytes());
    screen.check(
        injected && is_user(&answer, "alice") && !seen_by_service,
        text!("wxgate added the app's token, and the service never saw it"),
    );
    Ok(())
}

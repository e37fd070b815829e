//! An SDK that insists on fetching a token.

use super::super::caller::{self, CallError};
use super::super::screen::Screen;
use super::super::stage::{APPID, Stage};
use super::seen::{USER_INFO, is_user, short, show_seen};
use crate::texts::text;

pub(super) async fn show(stage: &Stage, screen: &mut Screen) -> Result<(), CallError> {
    screen.say(text!(
        "Only its base URL was changed, and its secret is a key of wxgate's. wxgate responds to its token call with a placeholder, which is worthless at WeChat."
    ));
    let seen = stage.seen();
    let key = stage.key("orders");
    let fetch = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={key}");
    let answer = caller::get(&stage.address, &fetch).await?;
    let placeholder = answer.text("access_token");
    let target = format!("{USER_INFO}?access_token={placeholder}&openid=carol");
    let user = caller::get(&stage.address, &target).await?;
    let entries = stage.since(seen);

    screen.show(text!("SDK sent"), "GET /cgi-bin/token?grant_type=client_credential&...");
    screen.show(
        text!("SDK got"),
        format_args!("access_token {}, expires_in {}", short(&placeholder), answer.json()["expires_in"]),
    );
    screen.show(
        text!("SDK sent"),
        format_args!("GET {USER_INFO}?access_token={}&openid=carol", short(&placeholder)),
    );
    show_seen(screen, &entries);
    let leaked =
        entries.iter().any(|entry| entry.query.contains("wxgate-") || entry.path == "/cgi-bin/token");
    let took_the_place = entries.iter().all(|entry| entry.query.starts_with("access_token="));
    screen.check(
        placeholder.starts_with("wxgate-") && entries.len() == 1 && !leaked && took_the_place,
        text!("the placeholder never left wxgate: the real token replaced it"),
    );
    screen.check(
        is_user(&user, "carol"),
        text!("the SDK works, and its token call invalidated no other token"),
    );
    Ok(())
}

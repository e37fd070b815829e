//! An SDK that insists on fetching a token.

use super::super::caller::{self, CallError};
use super::super::screen::Screen;
use super::super::stage::{APPID, Stage};
use super::seen::{USER_INFO, is_user, short, show_seen};

pub(super) async fn show(stage: &Stage, screen: &mut Screen) -> Result<(), CallError> {
    screen.say(
        "Only its base URL was changed. wxgate answers its token call with a placeholder, which is worth nothing at \
         WeChat.",
    );
    let seen = stage.seen();
    let fetch = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret=anything");
    let answer = caller::get(&stage.address, &fetch).await?;
    let placeholder = answer.text("access_token");
    let target = format!("{USER_INFO}?access_token={placeholder}&openid=carol");
    let user = caller::get(&stage.address, &target).await?;
    let entries = stage.since(seen);

    screen.show("SDK sent", "GET /cgi-bin/token?grant_type=client_credential&...");
    screen.show(
        "SDK got",
        &format!("access_token {}, expires_in {}", short(&placeholder), answer.json()["expires_in"]),
    );
    screen.show("SDK sent", &format!("GET {USER_INFO}?access_token={}&openid=carol", short(&placeholder)));
    show_seen(screen, &entries);
    let leaked =
        entries.iter().any(|entry| entry.query.contains("wxgate-") || entry.path == "/cgi-bin/token");
    let took_the_place = entries.iter().all(|entry| entry.query.starts_with("access_token="));
    screen.check(
        placeholder.starts_with("wxgate-") && entries.len() == 1 && !leaked && took_the_place,
        "the placeholder never left wxgate: the real token took its place",
    );
    screen.check(is_user(&user, "carol"), "the SDK works, and its token call ended nobody else's token");
    Ok(())
}

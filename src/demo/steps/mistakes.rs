//! Mistakes that cost a newcomer hours, or the account its quota.

use bytes::Bytes;

use super::super::caller::{self, CallError, Reply};
use super::super::screen::Screen;
use super::super::stage::{APPID, Stage};
use crate::texts::text;

pub(super) async fn show(stage: &Stage, screen: &mut Screen) -> Result<(), CallError> {
    let token = caller::get(&stage.address, &format!("/cgi-bin/token?appid={APPID}")).await?;
    let token = token.text("access_token");
    let seen = stage.seen();
    let confused = format!("/sns/userinfo?access_token={token}&openid=dave");
    let confused = caller::get(&stage.address, &confused).await?;
    let clear = Bytes::from(format!("{{\"appid\":\"{APPID}\"}}"));
    let harmful = caller::post(&stage.address, "/cgi-bin/clear_quota", "application/json", clear).await?;

    screen.say(text!("The app's token is sent to an endpoint that requires the user's OAuth token:"));
    refusal(screen, "GET /sns/userinfo?access_token=wxgate-...", &confused);
    screen.say(text!("A loop resets the quota, which the whole account may do ten times a month:"));
    refusal(screen, "POST /cgi-bin/clear_quota", &harmful);
    let named = |answer: &Reply, code: &str| answer.header("x-wxgate-error") == Some(code);
    screen.check(
        named(&confused, "bad_request")
            && named(&harmful, "endpoint_forbidden")
            && stage.since(seen).is_empty(),
        text!("refused with the reason; WeChat saw neither"),
    );
    Ok(())
}

fn refusal(screen: &Screen, sent: &str, answer: &Reply) {
    screen.show(text!("service sent"), sent);
    screen.show(text!("service got"), format_args!("{} {}", answer.status.as_u16(), answer.text("errmsg")));
}

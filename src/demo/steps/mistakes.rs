//! Mistakes that cost a newcomer hours, or the account its quota.

use bytes::Bytes;

use super::super::caller::{self, Answer, CallError};
use super::super::screen::Screen;
use super::super::stage::{APPID, Stage};

pub(super) async fn show(stage: &Stage, screen: &mut Screen) -> Result<(), CallError> {
    let token = caller::get(&stage.address, &format!("/cgi-bin/token?appid={APPID}")).await?;
    let token = token.text("access_token");
    let seen = stage.seen();
    let confused = format!("/sns/userinfo?access_token={token}&openid=dave");
    let confused = caller::get(&stage.address, &confused).await?;
    let clear = Bytes::from(format!("{{\"appid\":\"{APPID}\"}}"));
    let harmful = caller::post(&stage.address, "/cgi-bin/clear_quota", "application/json", clear).await?;

    screen.say("The app's token is sent where WeChat wants the user's OAuth token:");
    refusal(screen, "GET /sns/userinfo?access_token=wxgate-...", &confused);
    screen.say("A loop clears the quota, which the whole account may do ten times a month:");
    refusal(screen, "POST /cgi-bin/clear_quota", &harmful);
    let named = |answer: &Answer, code: &str| answer.header("x-wxgate-error") == Some(code);
    screen.check(
        named(&confused, "bad_request")
            && named(&harmful, "endpoint_forbidden")
            && stage.since(seen).is_empty(),
        "refused with the reason; WeChat saw neither",
    );
    Ok(())
}

fn refusal(screen: &Screen, sent: &str, answer: &Answer) {
    screen.show("service sent", sent);
    screen.show("service got", &format!("{} {}", answer.status.as_u16(), answer.text("errmsg")));
}

//! A quota that runs low: who spends it, and where that is seen.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::super::caller::{self, CallError};
use super::super::screen::Screen;
use super::super::stage::Stage;
use crate::texts::text;

const SEND: &str = "/cgi-bin/message/custom/send";
/// Messages that WeChat lets the account send today.
const LIMIT: u64 = 100;
/// Who sends how many of them.
const SENT: [(&str, u64); 2] = [("orders", 12), ("campaign", 78)];
/// wxgate looks every two seconds whether there is something to ask WeChat.
const LONGEST: Duration = Duration::from_secs(20);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

pub(super) async fn show(stage: &Stage, screen: &mut Screen) -> Result<(), CallError> {
    stage.sandbox.daily_limit(SEND, LIMIT);
    screen.say(text!(
        "WeChat lets the account send {limit} messages a day, and says only that some are used. wxgate knows by whom.",
        limit = LIMIT
    ));
    let mut accepted = 0;
    for (name, messages) in SENT {
        for _ in 0..messages {
            let body = Bytes::from_static(br#"{"touser":"erin","msgtype":"text","text":{"content":"hi"}}"#);
            let answer = caller::post_as(&stage.address, stage.key(name), SEND, body).await?;
            accepted += u64::from(answer.json()["errcode"] == 0);
        }
    }
    let (endpoint, warning) = told(stage).await?;

    for (name, messages) in SENT {
        screen.show(name, text!("sent {messages} messages", messages));
    }
    let number = |name: &str| endpoint[name].as_u64().unwrap_or_default();
    let (used, limit) = (number("used"), number("limit"));
    screen.show(text!("WeChat says"), text!("{used} of {limit} used today", used, limit));
    let calls = |name: &str| {
        let callers = endpoint["callers"].as_array().into_iter().flatten();
        let own = callers.filter(|caller| caller["caller"] == name);
        own.filter_map(|caller| caller["calls"].as_u64()).sum::<u64>()
    };
    let shares: Vec<_> = SENT.iter().rev().map(|(name, _)| format!("{name} {}", calls(name))).collect();
    screen.show(text!("wxgate says"), shares.join(", "));
    let percent = warning["caller_percent"].as_u64().unwrap_or_default();
    let blamed = warning["caller"].as_str().unwrap_or_default();
    screen.show(
        text!("warning"),
        text!(
            "{percent}% of the quota is used, {share}% of that by {caller}",
            percent = 100 * used / limit.max(1),
            share = percent,
            caller = blamed
        ),
    );
    let agree = used == accepted && SENT.iter().all(|(name, messages)| calls(name) == *messages);
    screen.check(
        agree && limit == LIMIT && blamed == "campaign",
        text!("counted by caller, the same as WeChat's own figure, and warned while some was left"),
    );
    match stage.pages() {
        Some([status, _]) => screen.say(text!("To see it live, open the status page: {url}", url = status)),
        None => {
            screen.say(text!("Without --once, wxgate keeps running, and its status page shows this live."))
        }
    }
    Ok(())
}

/// What wxgate tells of the endpoint once it has WeChat's figures, and its latest warning of it.
async fn told(stage: &Stage) -> Result<(Value, Value), CallError> {
    let began = Instant::now();
    loop {
        let quota = caller::get(&stage.admin_address(), "/api/v1/quota?app=shop").await?.json();
        let of = |list: &Value| list.as_array().cloned().unwrap_or_default();
        let is_it = |one: &Value| one["endpoint"] == SEND;
        let endpoint = of(&quota["apps"][0]["endpoints"]).into_iter().find(is_it).unwrap_or_default();
        let warning = of(&quota["warnings"]).into_iter().find(is_it).unwrap_or_default();
        let complete = endpoint["limit"].is_u64() && !warning.is_null();
        if complete || began.elapsed() > LONGEST {
            return Ok((endpoint, warning));
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

//! WeChat's pushes to platforms and suites (消息加解密): an event in XML, encrypted, signed, posted.
//!
//! Written from WeChat's and WeCom's pages, and shares no code with what receives them.

mod post;
mod seal;

use std::io;

pub use self::post::Receipt;
use self::post::post;
use self::seal::{SealedPush, seal};
use super::state::callbacks::Receiver;
use super::state::platform_events::Told;

/// Pushes an event that happened `now`, milliseconds since the Unix epoch.
///
/// # Errors
/// If the receiver can't be reached, or answers no HTTP.
pub(super) async fn push(receiver: &Receiver, told: &Told, now: i64) -> io::Result<Receipt> {
    let seconds = now / 1000;
    let of_suite = is_of_suite(told);
    let SealedPush { query, encrypted } = seal(receiver, &event(receiver, told, seconds), seconds);
    let id = &receiver.appid;
    let envelope = match of_suite {
        true => format!(
            "<xml><ToUserName><![CDATA[{id}]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt>\
             <AgentID></AgentID></xml>"
        ),
        false => {
            format!("<xml><AppId><![CDATA[{id}]]></AppId><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>")
        }
    };
    post(receiver, &query, &envelope).await
}

/// WeCom names some elements otherwise.
fn is_of_suite(told: &Told) -> bool {
    matches!(
        told.info_type,
        "suite_ticket" | "create_auth" | "reset_permanent_code" | "change_auth" | "cancel_auth"
    )
}

fn event(receiver: &Receiver, told: &Told, seconds: i64) -> String {
    let (owner, time) = match is_of_suite(told) {
        true => ("SuiteId", "TimeStamp"),
        false => ("AppId", "CreateTime"),
    };
    let fields: String =
        told.fields.iter().map(|(name, value)| format!("<{name}><![CDATA[{value}]]></{name}>")).collect();
    format!(
        "<xml><{owner}><![CDATA[{}]]></{owner}><InfoType><![CDATA[{}]]></InfoType>\
         <{time}>{seconds}</{time}>{fields}</xml>",
        receiver.appid, told.info_type
    )
}

//! Whom an openid stands for: `invalid..` for nobody, `unsubscribed..` for a user who doesn't
//! follow the account, and any other for a follower.

use serde_json::Value;

use crate::sandbox::answer::Answer;

/// A user whom WeChat knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// Follows the account, or agreed to its messages.
    Follower,
    /// Left, or refused.
    Stranger,
}

/// Who it is; `Err` is 40003.
pub(super) fn user(openid: Option<&str>) -> Result<User, Answer> {
    match openid {
        None | Some("") => Err(Answer::error(40003)),
        Some(openid) if openid.starts_with("invalid") => Err(Answer::error(40003)),
        Some(openid) if openid.starts_with("unsubscribed") => Ok(User::Stranger),
        Some(_) => Ok(User::Follower),
    }
}

/// A list of 1 to `most` openids, all of users whom WeChat knows.
pub(super) fn list(openids: Option<&Value>, most: usize) -> Result<Vec<String>, Answer> {
    let sent = openids.and_then(Value::as_array).filter(|list| (1..=most).contains(&list.len()));
    let sent = sent.ok_or_else(|| Answer::error_with(40032, "invalid openid list size"))?;
    let each = sent.iter().map(|one| one.as_str().or_else(|| one.get("openid")?.as_str()));
    each.map(|openid| user(openid).map(|_| openid.unwrap_or_default().to_owned())).collect()
}

//! Which trouble of WeChat's a request met.

use std::time::Duration;

use crate::trouble::Kind;
use crate::wechat::errcode;

/// WeChat responds within a fraction of a second; a caller that gave up after so long waited for
/// nothing. SDKs have the patience of 5 s and more, and wxgate has more than they.
const PATIENCE: Duration = Duration::from_secs(3);
const BUSY: i64 = -1;

/// How a request to WeChat ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ended {
    /// What its failure shows.
    pub(super) failed: Option<Kind>,
    /// WeChat's.
    pub(super) status: u16,
    /// WeChat's.
    pub(super) errcode: Option<i64>,
    /// A token was rejected that wasn't found to be dead.
    pub(super) disputed: bool,
    /// The caller hung up after waiting so long for WeChat.
    pub(super) given_up: Option<Duration>,
    /// WeChat may be slow here.
    pub(super) slow: bool,
}

/// What was wrong with WeChat, if anything was.
pub(super) fn kind_of(ended: &Ended) -> Option<Kind> {
    let Ended { failed, status, errcode, disputed, given_up, slow } = *ended;
    match errcode {
        _ if failed.is_some() => failed,
        _ if status >= 500 => Some(Kind::ServerError),
        Some(BUSY) => Some(Kind::Busy),
        Some(code) if errcode::refuses_address(code) => Some(Kind::NotWhitelisted),
        _ if disputed => Some(Kind::TokenLag),
        _ => (!slow && given_up.is_some_and(|waited| waited >= PATIENCE)).then_some(Kind::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Ended, kind_of};
    use crate::trouble::Kind;

    #[test]
    fn what_a_call_itself_is_wrong_about_is_no_trouble_of_wechats() {
        let answered = |status, errcode| Ended { status, errcode, ..Ended::default() };
        let gave_up =
            |seconds, slow| Ended { given_up: Some(Duration::from_secs(seconds)), slow, ..Ended::default() };
        for (ended, expected) in [
            (answered(200, None), None),
            (answered(200, Some(0)), None),
            (answered(200, Some(40003)), None),
            (answered(200, Some(45009)), None),
            (answered(200, Some(48001)), None),
            (answered(404, None), None),
            (answered(200, Some(-1)), Some(Kind::Busy)),
            (answered(502, None), Some(Kind::ServerError)),
            (answered(200, Some(40164)), Some(Kind::NotWhitelisted)),
            (answered(200, Some(60020)), Some(Kind::NotWhitelisted)),
            // A token that was dead was replaced, and the call went well.
            (answered(200, Some(40001)), None),
            (Ended { disputed: true, ..answered(200, Some(0)) }, Some(Kind::TokenLag)),
            (Ended { disputed: true, ..answered(200, Some(40001)) }, Some(Kind::TokenLag)),
            (Ended { disputed: true, ..answered(200, Some(-1)) }, Some(Kind::Busy)),
            (Ended { failed: Some(Kind::Timeout), ..Ended::default() }, Some(Kind::Timeout)),
            (gave_up(2, false), None),
            (gave_up(3, false), Some(Kind::Timeout)),
            (gave_up(60, true), None),
        ] {
            assert_eq!(kind_of(&ended), expected, "{ended:?}");
        }
    }
}

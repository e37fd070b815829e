//! Whether WeChat or wxgate is to blame, in one sentence.

use super::finding::{Others, Trouble, percent};
use super::kind::Kind;
use super::sentences::begun;
use crate::texts::{Words, text, words};

/// Whose trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// There is none.
    Nobody,
    /// WeChat's.
    Wechat,
    /// The network to WeChat's hosts, or WeChat.
    Path,
    /// What is set in WeChat's console.
    Settings,
}

impl Blame {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Wechat => "wechat",
            Self::Path => "path",
            Self::Settings => "settings",
        }
    }

    /// A response with trouble is WeChat's. A missing one is WeChat's too, as long as nearly all
    /// other calls are answered.
    fn of(worst: &Trouble, other_apps: Others) -> Self {
        let answers = |others| others == Others::Well;
        match worst.kind {
            Kind::Busy | Kind::ServerError | Kind::TokenLag => Self::Wechat,
            Kind::Timeout if answers(worst.others) || answers(other_apps) => Self::Wechat,
            Kind::Timeout | Kind::Unreachable => Self::Path,
            Kind::NotWhitelisted => Self::Settings,
        }
    }
}

/// What all endpoints together had in the last five minutes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Total {
    pub(super) calls: u64,
    pub(super) troubled: u64,
}

/// The verdict, with the figures it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whose trouble it is.
    pub blame: Blame,
    /// In a sentence.
    pub words: Words,
    /// Requests that went to WeChat in the last five minutes and have ended.
    pub calls: u64,
    /// Those of them with trouble.
    pub troubled: u64,
}

impl Verdict {
    /// By what goes on, the worst first, and how other apps than that one's do.
    pub(super) fn of(going_on: &[Trouble], other_apps: Others, total: Total) -> Self {
        let Total { calls, troubled } = total;
        let Some((worst, more)) = going_on.split_first() else {
            let share = percent(troubled, calls);
            let words = match calls {
                0 => words!("no calls to WeChat in the last 5 minutes"),
                _ => words!(
                    "WeChat is fine: {share}% of {calls} calls in the last 5 minutes failed because of WeChat",
                    share,
                    calls
                ),
            };
            return Self { blame: Blame::Nobody, words, calls, troubled };
        };
        let blame = Blame::of(worst, other_apps);
        let words = Words::of(|| sentence(blame, worst, other_apps, more.len()));
        Self { blame, words, calls, troubled }
    }
}

/// What is said of the worst trouble, where there are `more` others.
fn sentence(blame: Blame, worst: &Trouble, other_apps: Others, more: usize) -> String {
    let (app, said) = (&worst.app, begun(std::slice::from_ref(worst)));
    let said = match blame {
        Blame::Nobody => said.to_string(),
        Blame::Wechat => text!("it is WeChat, not wxgate: {app}: {said}", app, said).to_string(),
        Blame::Path => text!("it is the network to WeChat, or WeChat: {app}: {said}", app, said).to_string(),
        Blame::Settings => {
            text!("it is the IP whitelist in WeChat's console: {app}: {said}", app, said).to_string()
        }
    };
    let said = match other_apps {
        Others::Silent => said,
        Others::Well => text!("{said}; other apps are fine", said).to_string(),
        Others::Too(share) => text!("{said}; other apps too, {share}%", said, share).to_string(),
    };
    if more == 0 { said } else { text!("{said} (and {more} more)", said, more).to_string() }
}

//! Is it WeChat or us? One sentence.

use super::finding::{Others, Trouble, percent};
use super::kind::Kind;
use super::words::{self, Words};

/// Whose trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// There is none.
    Nobody,
    /// WeChat's.
    Wechat,
    /// The way to WeChat's hosts, or WeChat.
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

    /// What is answered comes from WeChat; what isn't is WeChat's as long as nearly all else is.
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

/// The answer, with what it rests on.
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
            let words = match calls {
                0 => Words {
                    english: "no calls to WeChat in the last 5 minutes".to_owned(),
                    chinese: "近 5 分钟没有调用微信".to_owned(),
                },
                _ => {
                    let share = percent(troubled, calls);
                    Words {
                        english: format!(
                            "WeChat is well: of {calls} calls in the last 5 minutes {share} % met trouble of its own"
                        ),
                        chinese: format!("微信正常：近 5 分钟 {calls} 次调用，{share}% 遇到微信自身的问题"),
                    }
                }
            };
            return Self { blame: Blame::Nobody, words, calls, troubled };
        };
        let blame = Blame::of(worst, other_apps);
        let (lead, lead_chinese) = match blame {
            Blame::Nobody => ("", ""),
            Blame::Wechat => ("it is WeChat, not wxgate", "是微信的问题，不是 wxgate"),
            Blame::Path => ("it is the way to WeChat, or WeChat", "是到微信的网络或微信的问题"),
            Blame::Settings => ("it is the IP whitelist in WeChat's console", "是微信后台 IP 白名单的问题"),
        };
        let said = words::begun(std::slice::from_ref(worst));
        let (apps, apps_chinese) = match other_apps {
            Others::Silent => (String::new(), String::new()),
            Others::Well => ("; other apps are well".to_owned(), "；其他应用正常".to_owned()),
            Others::Too(share) => {
                (format!("; other apps too, {share} %"), format!("；其他应用也有 {share}% 的调用如此"))
            }
        };
        let (rest, rest_chinese) = match more.len() {
            0 => (String::new(), String::new()),
            more => (format!(" (and {more} more)"), format!("（另有 {more} 处）")),
        };
        let app = &worst.app;
        let words = Words {
            english: format!("{lead}: {app}: {}{apps}{rest}", said.english),
            chinese: format!("{lead_chinese}：{app}：{}{apps_chinese}{rest_chinese}", said.chinese),
        };
        Self { blame, words, calls, troubled }
    }
}

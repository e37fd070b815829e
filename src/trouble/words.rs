//! The sentences, in both languages.

use super::finding::{Others, Trouble, percent};
use super::kind::Kind;

/// Endpoints that are named; of more there is a number.
const MOST_NAMED: usize = 3;

/// The same in two languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// In English.
    pub english: String,
    /// In Chinese.
    pub chinese: String,
}

/// What is said of troubles of one kind that have begun at endpoints of one app, the worst first.
pub fn begun(troubles: &[Trouble]) -> Words {
    let Some(worst) = troubles.first() else { return Words::nothing() };
    let Words { english: at, chinese: at_chinese } = places(troubles);
    let (calls, troubled) = sums(troubles);
    let share = percent(troubled, calls);
    let since = troubles.iter().map(|trouble| trouble.since).min().unwrap_or(worst.since).beijing_time();
    let (others, others_chinese) = match worst.others {
        _ if troubles.len() > 1 => (String::new(), String::new()),
        Others::Silent => ("; no other endpoint was called".to_owned(), "；没有调用其他接口".to_owned()),
        Others::Well => ("; other endpoints are well".to_owned(), "；其他接口正常".to_owned()),
        Others::Too(share) => {
            (format!("; other endpoints too, {share} %"), format!("；其他接口也有 {share}% 的调用如此"))
        }
    };
    let (english, chinese) = match worst.kind {
        Kind::Busy => (
            format!("WeChat answers -1 to {share} % of {at} since {since}"),
            format!("{since} 起，微信对 {at_chinese} 的 {share}% 调用返回 -1（系统繁忙）"),
        ),
        Kind::ServerError => (
            format!("WeChat answers HTTP 5xx to {share} % of {at} since {since}"),
            format!("{since} 起，微信对 {at_chinese} 的 {share}% 调用返回 HTTP 5xx"),
        ),
        Kind::Timeout => (
            format!("WeChat doesn't answer {share} % of {at} in time since {since}"),
            format!("{since} 起，微信对 {at_chinese} 的 {share}% 调用没有及时响应（超时）"),
        ),
        Kind::Unreachable => (
            format!("WeChat can't be reached, or breaks off, for {share} % of {at} since {since}"),
            format!("{since} 起，{at_chinese} 的 {share}% 调用连不上微信，或连接中断"),
        ),
        Kind::TokenLag => (
            format!("WeChat rejects a token that lives (40001) at {share} % of {at} since {since}"),
            format!("{since} 起，微信对 {at_chinese} 的 {share}% 调用拒绝仍然有效的 token（40001）"),
        ),
        Kind::NotWhitelisted => {
            let Words { english: address, chinese: address_chinese } = addresses(troubles);
            return Words {
                english: format!(
                    "WeChat refuses {address} (40164; WeCom: 60020) at {at} since {since}: add it to the IP whitelist \
                     in WeChat's console (IP 白名单; WeCom: 企业可信 IP), which works after about 5 minutes"
                ),
                chinese: format!(
                    "{since} 起，微信以 40164（企业微信为 60020）拒绝{address_chinese}调用 {at_chinese}：请在微信后台把它加入 IP \
                     白名单（企业微信为企业可信 IP），约 5 分钟后生效"
                ),
            };
        }
    };
    Words { english: format!("{english}{others}"), chinese: format!("{chinese}{others_chinese}") }
}

/// What is said of troubles of one kind at endpoints of one app that are over; all of them because
/// calls go well again, or all because nobody has called.
pub fn over(troubles: &[Trouble]) -> Words {
    let Some(first) = troubles.first() else { return Words::nothing() };
    let Words { english: at, chinese: at_chinese } = places(troubles);
    let (calls, troubled) = sums(troubles);
    let begun = troubles.iter().map(|trouble| trouble.since).min().unwrap_or(first.since).beijing_time();
    let ended = troubles.iter().filter_map(|trouble| trouble.ended).max();
    let ended = ended.unwrap_or(first.since).beijing_time();
    let (what, what_chinese) = match first.kind {
        Kind::Busy => ("WeChat answered -1 to", "次微信返回 -1"),
        Kind::ServerError => ("WeChat answered HTTP 5xx to", "次微信返回 HTTP 5xx"),
        Kind::Timeout => ("WeChat did not answer in time", "次微信没有及时响应"),
        Kind::Unreachable => ("WeChat could not be reached, or broke off, for", "次连不上微信或连接中断"),
        Kind::TokenLag => ("WeChat rejected a token that lives at", "次微信拒绝了仍然有效的 token"),
        Kind::NotWhitelisted => ("WeChat refused this machine's address at", "次微信因 IP 不在白名单而拒绝"),
    };
    let (lead, lead_chinese) = match (first.silent, first.kind.is_settings()) {
        (false, _) if troubles.len() > 1 => {
            (format!("{at} are well again: "), format!("{at_chinese} 已恢复正常："))
        }
        (false, _) => (format!("{at} is well again: "), format!("{at_chinese} 已恢复正常：")),
        (true, false) => silence(&at, &at_chinese, "5 minutes", " 5 分钟"),
        (true, true) => silence(&at, &at_chinese, "a day", "一天"),
    };
    Words {
        english: format!("{lead}{what} {troubled} of {calls} calls from {begun} to {ended}"),
        chinese: format!(
            "{lead_chinese}{begun} 至 {ended} 的 {calls} 次调用中，有 {troubled} {what_chinese}"
        ),
    }
}

/// It isn't known whether endpoints are well that nobody has called for so long.
fn silence(at: &str, at_chinese: &str, lasted: &str, lasted_chinese: &str) -> (String, String) {
    (
        format!("nobody has called {at} for {lasted}; until then "),
        format!("已有{lasted_chinese}没有调用 {at_chinese}，是否恢复尚不清楚；此前 "),
    )
}

/// What is said of a trouble wherever it stands.
pub fn shown(trouble: &Trouble) -> Words {
    let one = std::slice::from_ref(trouble);
    if trouble.ended.is_some() { over(one) } else { begun(one) }
}

impl Words {
    fn nothing() -> Self {
        Self { english: String::new(), chinese: String::new() }
    }
}

fn sums(troubles: &[Trouble]) -> (u64, u64) {
    let sum = |of: fn(&Trouble) -> u64| troubles.iter().map(of).sum();
    (sum(|trouble| trouble.calls), sum(|trouble| trouble.troubled))
}

/// The endpoints.
fn places(troubles: &[Trouble]) -> Words {
    let other = |path: &'static str, other| if path == "other" { other } else { path };
    let named = |unlisted| -> Vec<&str> {
        troubles.iter().take(MOST_NAMED).map(|trouble| other(trouble.endpoint, unlisted)).collect()
    };
    let (english, chinese) = (named("unlisted endpoints").join(", "), named("未收录的接口").join("、"));
    match troubles.len().saturating_sub(MOST_NAMED) {
        0 => Words { english, chinese },
        more => Words {
            english: format!("{english} and {more} more"),
            chinese: format!("{chinese} 等 {} 个接口", troubles.len()),
        },
    }
}

/// The addresses that were refused.
fn addresses(troubles: &[Trouble]) -> Words {
    let mut known = Vec::new();
    for address in troubles.iter().flat_map(|trouble| &trouble.addresses) {
        if !known.contains(address) {
            known.push(*address);
        }
    }
    let known: Vec<_> = known.iter().map(ToString::to_string).collect();
    match known.len() {
        0 => Words { english: "this machine's address".to_owned(), chinese: "本机 IP ".to_owned() },
        1 => Words {
            english: format!("this machine's address {}", known.join("")),
            chinese: format!("本机 IP {} ", known.join("")),
        },
        _ => Words {
            english: format!("this machine's addresses {}", known.join(", ")),
            chinese: format!("本机 IP {} ", known.join("、")),
        },
    }
}

//! The tables of codes in the FAQ, which are what the code says of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wxgate::wechat::Family;
use wxgate::wechat::errcode::{Meaning, TokenCodes, explain, opens_circuit, plain, throttles};

use super::chinese::{self, chinese};

const BEGIN: &str = "<!-- made by `./x pages`, don't edit -->\n";
const END: &str = "<!-- until here -->\n";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    English,
    Chinese,
}

fn page(language: Language) -> PathBuf {
    let name = match language {
        Language::English => "en",
        Language::Chinese => "zh",
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/{name}/faq.md"))
}

#[test]
fn the_faq_says_of_codes_what_the_code_does() {
    for language in [Language::English, Language::Chinese] {
        let file = page(language);
        let shown = std::fs::read_to_string(&file).expect("the page");
        let (before, rest) = shown.split_once(BEGIN).expect("where the tables begin");
        let (_, after) = rest.split_once(END).expect("where they end");
        let page = format!("{before}{BEGIN}\n{}\n{END}{after}", tables(language));
        if std::env::var_os("REGENERATE").is_some() {
            std::fs::write(&file, &page).expect("the page written");
        } else {
            assert!(shown == page, "{} is not what the code says: ./x pages", file.display());
        }
    }
}

#[test]
fn no_chinese_text_is_of_a_code_that_is_gone() {
    let said: BTreeSet<&str> = codes()
        .into_iter()
        .flat_map(|code| [explain(Family::Api, code), explain(Family::Work, code)])
        .flatten()
        .flat_map(|meaning| [meaning.meaning, meaning.remedy])
        .collect();
    for (english, _) in chinese::TABLE {
        assert!(said.contains(english), "nothing says: {english}");
    }
}

/// All that something is known of.
fn codes() -> Vec<i64> {
    let told = |code: &i64| plain(*code).is_some() || explain(Family::Api, *code).is_some();
    // The administrator's word on an address has a hundred codes, four of them with words of their
    // own.
    let common = explain(Family::Api, 89500);
    let own = |code: &i64| !(89501..89600).contains(code) || explain(Family::Api, *code) != common;
    (-1000..1_000_000).filter(told).filter(own).collect()
}

/// The first of the administrator's codes stands for all that have no words of their own.
fn label(code: i64) -> String {
    if code == 89500 { "89500–89599".to_owned() } else { code.to_string() }
}

fn tables(language: Language) -> String {
    let zh = language == Language::Chinese;
    let mut out = String::new();
    let _ = writeln!(out, "## {}\n", if zh { "所有错误码" } else { "All codes" });
    let _ = writeln!(out, "{}", if zh { ALL_ZH } else { ALL_EN });
    let _ = writeln!(
        out,
        "\n| {} |\n| --- | --- | --- |",
        if zh { "errcode | 含义 | wxgate 怎么做" } else { "errcode | meaning | wxgate" }
    );
    for code in codes() {
        let _ = writeln!(out, "| {} | {} | {} |", label(code), meaning(code, language), done(code, language));
    }
    let _ = writeln!(out, "\n## {}\n", if zh { "取 token 被拒绝时" } else { "When no token can be had" });
    let _ = writeln!(out, "{}", if zh { TOKENS_ZH } else { TOKENS_EN });
    let _ = writeln!(
        out,
        "\n| {} |\n| --- | --- | --- | --- |",
        if zh {
            "errcode | 账号 | 怎么办 | 自动重试"
        } else {
            "errcode | account | what helps | tried again"
        }
    );
    for code in codes() {
        for (family, explained) in families(code) {
            let remedy = in_language(explained.remedy, language);
            let account = match (family, zh) {
                (None, _) => "",
                (Some(Family::Work), false) => "WeCom",
                (Some(Family::Work), true) => "企业微信",
                (Some(_), false) => "others",
                (Some(_), true) => "其他",
            };
            let again = match (code, opens_circuit(code), zh) {
                // A refresh token that WeChat never takes again isn't shown to it again.
                (61023, _, false) => "once the account has authorised again",
                (61023, _, true) => "账号重新授权之后",
                (_, true, false) => "every 5 minutes",
                (_, true, true) => "每 5 分钟一次",
                (_, false, false) => "after 1 second to 5 minutes",
                (_, false, true) => "间隔 1 秒到 5 分钟",
            };
            let _ = writeln!(out, "| {} | {account} | {remedy} | {again} |", label(code));
        }
    }
    out
}

const ALL_EN: &str = "What WeChat means by it. All of these reach the caller as WeChat sent them, unless the last column says otherwise.";
const ALL_ZH: &str = "微信返回的错误码的含义。除最后一列另有说明的以外，都原样交给调用方。";
const TOKENS_EN: &str = "These come from WeChat's token endpoints. Callers get `token_unavailable` with the code once the old token is no\n\
     longer good; status page, `wxgate status` and the log say what helps.";
const TOKENS_ZH: &str = "这些是微信取 token 的接口返回的。旧 token 不能再用之后，调用方会得到带有该错误码的 `token_unavailable`；怎么办会显示在状态页、`wxgate status` 和日志里。";

/// What an operator is told of a code: once, or once each where WeCom's words are others.
fn families(code: i64) -> Vec<(Option<Family>, Meaning)> {
    let [api, work] = [Family::Api, Family::Work].map(|family| explain(family, code));
    match (api, work) {
        (Some(api), Some(work)) if api == work => vec![(None, api)],
        (Some(api), Some(work)) => vec![(Some(Family::Api), api), (Some(Family::Work), work)],
        _ => Vec::new(),
    }
}

fn meaning(code: i64, language: Language) -> &'static str {
    let known = plain(code).map(|plain| match language {
        Language::English => plain.english,
        Language::Chinese => plain.chinese,
    });
    known.unwrap_or_else(|| {
        in_language(explain(Family::Api, code).expect("one of both knows it").meaning, language)
    })
}

fn in_language(english: &'static str, language: Language) -> &'static str {
    match language {
        Language::English => english,
        Language::Chinese => chinese(english).unwrap_or_else(|| panic!("no Chinese for: {english}")),
    }
}

/// What becomes of a call that WeChat answers so.
fn done(code: i64, language: Language) -> &'static str {
    let dead = [TokenCodes::API, TokenCodes::WORK, TokenCodes::WORK_PROVIDER]
        .map(|codes| codes.dead.contains(&code));
    let (english, chinese) = match dead {
        [true, true, _] => ("replaces the token, sends the request again", "换新 token，重试请求"),
        [true, false, _] => (
            "replaces the token, sends the request again; not for WeCom, where it is about the secret",
            "换新 token，重试请求；企业微信除外，那里指的是 secret",
        ),
        [_, _, true] => (
            "replaces the suite's or provider's token, sends the request again",
            "换新套件或服务商的 token，重试请求",
        ),
        _ if throttles(code) => {
            ("lets single requests through at growing intervals", "拉长间隔，只放行单个请求")
        }
        _ => ("", ""),
    };
    if language == Language::Chinese { chinese } else { english }
}

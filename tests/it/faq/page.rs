//! The tables of codes in the FAQ, which are what the code says of them.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use wxgate::texts::Language;
use wxgate::wechat::Family;
use wxgate::wechat::errcode::{Meaning, TokenCodes, explain, opens_circuit, plain, throttles};

const BEGIN: &str = "<!-- made by `./x pages`, don't edit -->\n";
const END: &str = "<!-- until here -->\n";

fn page(language: Language) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/{}/faq.md", language.tag()))
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
            "errcode | account | what helps | wxgate retries"
        }
    );
    for code in codes().into_iter().filter(|code| !SIGNING.contains(code)) {
        for (family, explained) in families(code) {
            let remedy = explained.remedy.to(language);
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
    let _ =
        writeln!(out, "\n## {}\n", if zh { "签名被拒绝时" } else { "When WeChat refuses a signed request" });
    let _ = writeln!(out, "{}", if zh { SIGNING_ZH } else { SIGNING_EN });
    let _ = writeln!(
        out,
        "\n| {} |\n| --- | --- |",
        if zh { "errcode | 怎么办" } else { "errcode | what helps" }
    );
    for code in SIGNING {
        let explained = explain(Family::Api, code).expect("a remedy");
        let _ = writeln!(out, "| {code} | {} |", explained.remedy.to(language));
    }
    out
}

/// Codes of API signing.
const SIGNING: RangeInclusive<i64> = 40230..=40240;

const ALL_EN: &str = "What WeChat means by it. All of these reach the caller as WeChat sent them, unless the last column says otherwise.";
const ALL_ZH: &str = "微信返回的错误码的含义。除最后一列另有说明的以外，都原样交给调用方。";
const SIGNING_EN: &str =
    "For apps with `[app.signing]`, see [API signing](signing.md). The caller gets WeChat's response.";
const SIGNING_ZH: &str =
    "适用于配置了 `[app.signing]` 的应用，见 [API 安全签名](signing.md)。调用方得到的是微信的响应。";
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

fn meaning(code: i64, language: Language) -> String {
    let said = plain(code).or_else(|| Some(explain(Family::Api, code)?.meaning));
    said.expect("one of both knows it").to(language).to_owned()
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

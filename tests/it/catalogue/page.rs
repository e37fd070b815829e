//! The documentation's pages that list the catalogue, one in each language.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use wxgate::wechat::Family;
use wxgate::wechat::catalogue::{CredentialClass, Endpoint, Window, all};

#[derive(Clone, Copy)]
enum Language {
    English,
    Chinese,
}

impl Language {
    fn of(self, english: &'static str, chinese: &'static str) -> &'static str {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}

#[test]
fn the_pages_show_the_catalogue_as_it_is() {
    for language in [Language::English, Language::Chinese] {
        let name = language.of("docs/en/endpoints.md", "docs/zh/endpoints.md");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let page = page(language);
        if std::env::var_os("REGENERATE").is_some() {
            std::fs::write(&file, &page).expect("the page written");
        }
        let shown = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(shown == page, "{name} is not what the catalogue says: ./x pages");
    }
}

fn page(language: Language) -> String {
    let mut out = format!(
        "# {}\n\n<!-- made by `./x pages`, don't edit -->\n\n{}\n\n## {}\n\n| {} |\n| --- | --- | --- | --- |\n",
        language.of("WeChat's endpoints", "微信接口目录"),
        language.of(
            "What wxgate knows of WeChat's server API. Only what hands out credentials, and what lies below a guarded \
             path, is\nalso recognised by its name. The same list as JSON: `GET /api/v1/endpoints?q=...` on the admin \
             address. One endpoint:\n`wxgate explain METHOD PATH`.\n\nA path that isn't listed gets the app's token as \
             `access_token`, unless the request says otherwise:\n\n- A placeholder for a suite's, a provider's or \
             a platform's token gets that token, in the parameter in which it stands.\n- So does anything else in \
             `suite_access_token`, `provider_access_token` or `component_access_token`.\n- With \
             `device_access_token` or `model_access_token`, and below `/sns/`, the caller's own token stays.",
            "wxgate 已知的微信服务端接口。只有发放凭证的接口和受保护路径的下级，还会按名称识别。\
             同一份列表的 JSON：管理地址的 `GET /api/v1/endpoints?q=...`。单个接口：`wxgate explain METHOD PATH`。\n\n\
             没有列出的路径会得到应用的 token，写入 `access_token`，除非请求另有说明：\n\n\
             - 套件、服务商或第三方平台的占位 token，会在它所在的参数里换成对应的 token。\n\
             - `suite_access_token`、`provider_access_token`、`component_access_token` 里不论写了什么，也会换成对应的 token。\n\
             - 带 `device_access_token` 或 `model_access_token` 的请求，以及 `/sns/` 以下的路径，保留调用方自带的 token。"
        ),
        language.of("What they want", "所需凭证"),
        language.of(
            "credential | endpoints | written into the query | meaning",
            "凭证 | 接口数 | 写入的参数 | 含义"
        ),
    );
    let mut classes: BTreeMap<CredentialClass, Vec<&Endpoint>> = BTreeMap::new();
    for endpoint in &all()[1..] {
        classes.entry(endpoint.class).or_default().push(endpoint);
    }
    for (class, endpoints) in &classes {
        let parameters: BTreeSet<_> = endpoints.iter().filter_map(|endpoint| endpoint.parameter()).collect();
        let parameters: Vec<_> = parameters.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            class.as_str(),
            endpoints.len(),
            parameters.join(language.of(", ", "、")),
            meaning(*class, language)
        );
    }
    let _ = write!(
        out,
        "\n## {}\n\n| {} |\n| --- | --- |\n",
        language.of("Remarks", "备注"),
        language.of("remark | meaning", "备注 | 含义")
    );
    for (remark, meaning) in REMARKS {
        let _ =
            writeln!(out, "| {} | {} |", language.of(remark.0, remark.1), language.of(meaning.0, meaning.1));
    }
    for (family, title) in [
        (
            Family::Api,
            language
                .of("Official accounts, mini programs, third-party platforms", "公众号、小程序、第三方平台"),
        ),
        (Family::Mp, language.of("For browsers, and images", "浏览器页面与图片")),
        (Family::Open, language.of("For browsers", "浏览器页面")),
        (Family::Work, language.of("WeCom", "企业微信")),
    ] {
        let _ = write!(out, "\n## {title}{}{}\n", language.of(": ", "："), family.host());
        let mut groups: BTreeMap<String, Vec<&Endpoint>> = BTreeMap::new();
        for endpoint in all()[1..].iter().filter(|endpoint| endpoint.family == family) {
            groups.entry(group(endpoint.path)).or_default().push(endpoint);
        }
        for (group, endpoints) in groups {
            let _ = write!(
                out,
                "\n### {group}\n\n| {} |\n| --- | --- | --- | --- |\n",
                language.of("path | method | credential | remarks", "路径 | 方法 | 凭证 | 备注")
            );
            for endpoint in endpoints {
                let _ = writeln!(
                    out,
                    "| `{}` | {} | `{}` | {} |",
                    endpoint.path,
                    endpoint.method.unwrap_or_default(),
                    endpoint.class.as_str(),
                    remarks(endpoint, language)
                );
            }
        }
    }
    out
}

/// The first segment; under `/cgi-bin`, where most are, the first two.
fn group(path: &str) -> String {
    let mut segments = path.split('/').skip(1);
    match (segments.next(), segments.next(), segments.next()) {
        (Some("cgi-bin"), Some(second), Some(_)) => format!("/cgi-bin/{second}"),
        (first, ..) => format!("/{}", first.unwrap_or_default()),
    }
}

/// A word in English and Chinese, and what it means.
type Remark = ((&'static str, &'static str), (&'static str, &'static str));

const GUARDED: Remark = (
    ("guarded", "受保护"),
    (
        "can harm the account or move its money: only for callers whose `allow` names it exactly",
        "可能损害账号或动用资金：只有 `allow` 里写明该路径的调用方可用",
    ),
);
const MONEY: Remark = (("money", "资金"), ("is guarded since it moves money", "因动用资金而受保护"));
const SIGNED: Remark =
    (("signed", "签名"), ("WeChat takes signed and encrypted calls of it", "支持 API 安全（签名与加密）"));
const MINUTE: Remark = (
    ("minute", "分钟"),
    (
        "45009 may be a minute's limit, elsewhere on api.weixin.qq.com it is the day's",
        "45009 可能是分钟级限制；api.weixin.qq.com 的其他接口是每日限额",
    ),
);
const FILE: Remark = (("file", "文件"), ("may answer with a file", "可能返回文件"));
const CODE: Remark = (
    ("code", "一次性"),
    (
        "takes a code that is good once: never repeated where WeChat may have seen it",
        "所带的 code 只能用一次：微信可能已收到时绝不重试",
    ),
);
const SLOW: Remark = (
    ("slow", "耗时"),
    (
        "WeChat may take long to answer: `upstream.slow_response_timeout` holds",
        "微信可能很久才响应：适用 `upstream.slow_response_timeout`",
    ),
);
const GRANTS: Remark = (
    ("grants", "授权"),
    (
        "refresh tokens in the answer are kept, and go on as placeholders",
        "响应中的 refresh token 由 wxgate 留存，换成占位 token 后再交给调用方",
    ),
);
const REMARKS: [Remark; 8] = [GUARDED, MONEY, FILE, CODE, SLOW, GRANTS, SIGNED, MINUTE];

fn remarks(endpoint: &Endpoint, language: Language) -> String {
    let Endpoint { guarded, money, binary, one_time_code, slow, grants, signed, .. } = *endpoint;
    let minute = endpoint.window == Some(Window::Minute);
    let held = [guarded, money, binary, one_time_code, slow, grants, signed, minute];
    let held = held.into_iter().zip(REMARKS).filter(|(holds, _)| *holds);
    let words: Vec<_> = held.map(|(_, (word, _))| language.of(word.0, word.1)).collect();
    words.join(language.of(", ", "、"))
}

fn meaning(class: CredentialClass, language: Language) -> &'static str {
    let (english, chinese) = match class {
        CredentialClass::AppToken => ("the app's token", "应用的 token"),
        CredentialClass::AppOrComponentToken => (
            "the token of the app, be it an account or a third-party platform",
            "应用的 token，账号或第三方平台均可",
        ),
        CredentialClass::ComponentToken | CredentialClass::ComponentTokenAsAccessToken => {
            ("a third-party platform's token", "第三方平台的 token")
        }
        CredentialClass::UserOauth => {
            ("the user's OAuth token, which the caller sends", "用户的 OAuth token，由调用方自带")
        }
        CredentialClass::AppSecret => ("the app's appid and secret", "应用的 appid 与 secret"),
        CredentialClass::ComponentSecret => {
            ("a third-party platform's appid and secret", "第三方平台的 appid 与 secret")
        }
        CredentialClass::TokenEndpoint => {
            ("wxgate answers itself, with a placeholder", "由 wxgate 自己响应，返回占位 token")
        }
        CredentialClass::IssuesCredential => (
            "hands out credentials: answered with a placeholder for a [platform](platforms.md), \
             [suite or provider](wecom.md), else refused",
            "发放凭证：[平台](platforms.md)、[套件、服务商](wecom.md)的取 token 接口返回占位 token，其余拒绝",
        ),
        CredentialClass::SuiteToken | CredentialClass::SuiteTokenAsAccessToken => {
            ("a WeCom suite's token", "企业微信第三方应用（套件）的 token")
        }
        CredentialClass::ProviderToken | CredentialClass::ProviderTokenAsAccessToken => {
            ("a WeCom provider's token", "企业微信服务商的 token")
        }
        CredentialClass::HardwareToken => (
            "a device's or its model's token, of which wxgate keeps none: the caller's own goes on",
            "设备或设备型号的 token：wxgate 不保管，调用方自带的原样转发",
        ),
        CredentialClass::None => ("none", "不需要凭证"),
    };
    language.of(english, chinese)
}

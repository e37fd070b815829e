//! The documentation's page that lists the catalogue.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use wxgate::wechat::Family;
use wxgate::wechat::catalogue::{CredentialClass, Endpoint, all};

const PAGE: &str = "deploy/guides/endpoints.md";
const REGENERATE: &str = "REGENERATE=1 cargo test --test it catalogue::page";

#[test]
fn the_page_shows_the_catalogue_as_it_is() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = page();
    if std::env::var_os("REGENERATE").is_some() {
        std::fs::write(&file, &page).expect("the page written");
    }
    let shown = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(shown == page, "{PAGE} is not what the catalogue says: {REGENERATE}");
}

fn page() -> String {
    let mut out = format!(
        "# WeChat's endpoints | 微信接口目录\n\n\
         <!-- Made by `{REGENERATE}`; don't edit. -->\n\n\
         What wxgate knows of WeChat's server API. A path that isn't listed gets the app's token all the same; only what\n\
         hands out credentials, and what can harm an account, is also recognised by its name. The same list as JSON:\n\
         `GET /api/v1/endpoints?q=...` on the admin address. One endpoint: `wxgate explain METHOD PATH`.\n\n\
         wxgate 已知的微信服务端接口。没有列出的路径同样会得到应用的 token；只有发放凭证或会损害账号的接口，还会按名称识别。\
         同一份列表的 JSON：管理地址的 `GET /api/v1/endpoints?q=...`。单个接口：`wxgate explain METHOD PATH`。\n\n\
         ## What they want | 所需凭证\n\n\
         | credential 凭证 | endpoints 接口数 | written into the query 写入参数 | |\n| --- | --- | --- | --- |\n"
    );
    let mut classes: BTreeMap<CredentialClass, Vec<&Endpoint>> = BTreeMap::new();
    for endpoint in &all()[1..] {
        classes.entry(endpoint.class).or_default().push(endpoint);
    }
    for (class, endpoints) in &classes {
        let parameters: BTreeSet<_> = endpoints.iter().filter_map(|endpoint| endpoint.parameter()).collect();
        let parameters = parameters.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            out,
            "| `{}` | {} | {parameters} | {} |",
            class.as_str(),
            endpoints.len(),
            meaning(*class)
        );
    }
    out.push_str(
        "\n## Remarks | 备注\n\n\
         | remark 备注 | |\n| --- | --- |\n\
         | guarded 受保护 | can harm the account: only for callers whose `allow` names it exactly. 可能损害账号：只有 `allow` 里\
         写明该路径的调用方可用 |\n\
         | file 文件 | may answer with a file. 可能返回文件 |\n\
         | code 一次性 | takes a code that is good once: never repeated where WeChat may have seen it. 所带的 code 只能用一次：\
         微信可能已收到时绝不重发 |\n\
         | slow 耗时 | WeChat may take long to answer: `upstream.slow_response_timeout` holds. 微信可能很久才响应：\
         适用 `upstream.slow_response_timeout` |\n\
         | grants 授权 | refresh tokens in the answer are kept, and go on as placeholders. 应答中的 refresh token 由 wxgate 留存，\
         换成占位 token 后再交给调用方 |\n",
    );
    for (family, title) in [
        (Family::Api, "Official accounts, mini programs, third-party platforms | 公众号、小程序、第三方平台"),
        (Family::Mp, "For browsers, and images | 浏览器页面与图片"),
        (Family::Open, "For browsers | 浏览器页面"),
        (Family::Work, "WeCom | 企业微信"),
    ] {
        let _ = write!(out, "\n## {title}: {}\n", family.host());
        let mut groups: BTreeMap<String, Vec<&Endpoint>> = BTreeMap::new();
        for endpoint in all()[1..].iter().filter(|endpoint| endpoint.family == family) {
            groups.entry(group(endpoint.path)).or_default().push(endpoint);
        }
        for (group, endpoints) in groups {
            let _ = write!(
                out,
                "\n### {group}\n\n| path 路径 | method 方法 | credential 凭证 | remarks 备注 |\n\
                 | --- | --- | --- | --- |\n"
            );
            for endpoint in endpoints {
                let _ = writeln!(
                    out,
                    "| `{}` | {} | `{}` | {} |",
                    endpoint.path,
                    endpoint.method.unwrap_or_default(),
                    endpoint.class.as_str(),
                    remarks(endpoint)
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

fn remarks(endpoint: &Endpoint) -> String {
    let mut remarks = Vec::new();
    remarks.extend(endpoint.guarded.then_some("guarded 受保护"));
    remarks.extend(endpoint.binary.then_some("file 文件"));
    remarks.extend(endpoint.one_time_code.then_some("code 一次性"));
    remarks.extend(endpoint.slow.then_some("slow 耗时"));
    remarks.extend(endpoint.grants.then_some("grants 授权"));
    remarks.join(", ")
}

fn meaning(class: CredentialClass) -> &'static str {
    match class {
        CredentialClass::AppToken => "the app's token 应用的 token",
        CredentialClass::AppOrComponentToken => {
            "the token of the app, be it an account or a third-party platform 应用的 token，账号或第三方平台均可"
        }
        CredentialClass::ComponentToken | CredentialClass::ComponentTokenAsAccessToken => {
            "a third-party platform's token 第三方平台的 token"
        }
        CredentialClass::UserOauth => {
            "the user's OAuth token, which the caller sends 用户的 OAuth token，由调用方自带"
        }
        CredentialClass::AppSecret => "the app's appid and secret 应用的 appid 与 secret",
        CredentialClass::ComponentSecret => {
            "a third-party platform's appid and secret 第三方平台的 appid 与 secret"
        }
        CredentialClass::TokenEndpoint => {
            "wxgate answers itself, with a placeholder 由 wxgate 自己应答，返回占位 token"
        }
        CredentialClass::IssuesCredential => {
            "hands out credentials: answered with a placeholder for a platform, suite or provider (README), \
             else refused 发放凭证：平台、套件、服务商的取 token 接口返回占位 token（见 README），其余拒绝"
        }
        CredentialClass::SuiteToken => "a WeCom suite's token 企业微信第三方应用（套件）的 token",
        CredentialClass::ProviderToken | CredentialClass::ProviderTokenAsAccessToken => {
            "a WeCom provider's token 企业微信服务商的 token"
        }
        CredentialClass::HardwareToken => {
            "a device's or its model's token, which the caller sends 设备或设备型号的 token，由调用方自带"
        }
        CredentialClass::None => "none 不需要凭证",
    }
}

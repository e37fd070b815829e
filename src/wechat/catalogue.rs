//! The endpoint catalogue: what each of WeChat's paths demands, and which ones need care.
//!
//! The table is `catalogue.tsv`, made by `tests/catalogue_regenerate.py` from what WeChat's public SDKs call. Rules
//! that are ours and not WeChat's (what is guarded, what hands out credentials) are the constants below.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

/// Which credential a path demands, or hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialClass {
    /// The app's token as `access_token`; also what is assumed of unknown paths.
    AppToken,
    /// A third-party platform's token as `component_access_token`.
    ComponentToken,
    /// A third-party platform's token as `access_token`.
    ComponentTokenAsAccessToken,
    /// The user's OAuth token or refresh token, which the caller brings itself.
    UserOauth,
    /// The appid and the app's secret in the query.
    AppSecret,
    /// A third-party platform's appid and secret in the query.
    ComponentSecret,
    /// `/cgi-bin/token` and `/cgi-bin/stable_token`.
    TokenEndpoint,
    /// Hands out credentials of another kind than the app's token.
    IssuesCredential,
    /// A WeCom suite's token as `suite_access_token`.
    SuiteToken,
    /// A WeCom provider's token as `provider_access_token`.
    ProviderToken,
    /// No credential in the query: browser pages, the QR image that a ticket names.
    None,
}

/// What is known of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// As catalogued; `other` for every path that isn't.
    pub path: &'static str,
    /// Position in [`all`]; 0 is `other`.
    pub id: u16,
    /// What it demands.
    pub class: CredentialClass,
    /// `GET` or `POST`, as the SDKs call it; none where they don't show it.
    pub method: Option<&'static str>,
    /// May answer with a file, so that a body with an `errcode` need not be an error.
    pub binary: bool,
    /// Only for callers whose rules name it exactly.
    pub guarded: bool,
    /// Takes a code that WeChat accepts once: never sent twice.
    pub one_time_code: bool,
    /// Known to demand the app's token, so that a success proves the token alive.
    pub evidence: bool,
}

/// Spends what the account has little of, shows other callers' requests, or changes who controls the account.
const GUARDED: &[&str] = &[
    // Ten, or fifty, clearings a month for the whole account. Every path with a `clear_quota` segment is guarded too.
    "/cgi-bin/clear_quota",
    "/cgi-bin/openapi/quota/clear",
    // Shows URL, body and answer of anybody's request in the last seven days.
    "/cgi-bin/openapi/rid/get",
    // Demands the platform's secret, and sets its verify tickets flowing anew.
    "/cgi-bin/component/api_start_push_ticket",
    // Ties the account to an open-platform account, or off it: unionids change for all users.
    "/cgi-bin/open/bind",
    "/cgi-bin/open/create",
    "/cgi-bin/open/unbind",
    // Hands the account, or a new one, to another administrator.
    "/cgi-bin/account/componentrebindadmin",
    "/cgi-bin/account/fastregister",
    // Takes the mini program offline, or its last release back.
    "/wxa/change_visitstatus",
    "/wxa/revertcoderelease",
    // Hands out temporary keys of the account's Tencent Cloud.
    "/tcb/getqcloudtoken",
];

/// Catalogued as demanding some token, yet what they answer holds refresh tokens or tokens of other accounts.
const ISSUING: &[&str] = &[
    "/cgi-bin/component/api_authorizer_token",
    "/cgi-bin/component/api_get_authorizer_info",
    "/cgi-bin/component/api_get_authorizer_list",
    "/cgi-bin/component/api_query_auth",
    "/cgi-bin/service/get_corp_token",
    "/cgi-bin/service/get_permanent_code",
    // WeCom's; the main host has no such path.
    "/cgi-bin/corpgroup/corp/gettoken",
];

const fn other(class: CredentialClass, guarded: bool) -> Endpoint {
    Endpoint {
        path: "other",
        id: 0,
        class,
        method: None,
        binary: false,
        guarded,
        one_time_code: false,
        evidence: false,
    }
}

static OTHER: Endpoint = other(CredentialClass::AppToken, false);
static OTHER_GUARDED: Endpoint = other(CredentialClass::AppToken, true);
static OTHER_ISSUING: Endpoint = other(CredentialClass::IssuesCredential, false);
/// A code may be behind any OAuth path, known or not.
static OTHER_OAUTH: Endpoint = Endpoint { one_time_code: true, ..other(CredentialClass::UserOauth, false) };

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(include_str!("catalogue.tsv")));

/// The form in which paths are compared: lower case, no trailing `/`.
///
/// WeChat's servers take some paths in any case and with a trailing `/`; a guard must see through both.
pub fn normalise(path: &str) -> Cow<'_, str> {
    let path = path.trim_end_matches('/');
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(path.to_ascii_lowercase())
    } else {
        Cow::Borrowed(path)
    }
}

/// What is known of `path`, which is taken as it is first, then without case and trailing `/`.
pub fn find(path: &str) -> &'static Endpoint {
    let catalogue = &*CATALOGUE;
    if let Some(endpoint) = catalogue.get(path) {
        return endpoint;
    }
    let path = normalise(path);
    catalogue.get(&path).unwrap_or_else(|| unknown(&path))
}

/// The same for a path of WeCom's.
pub fn find_work(path: &str) -> &'static Endpoint {
    find(path)
}

impl Endpoint {
    /// Whether a user's OAuth token is in what it is sent or what it answers.
    pub fn is_of_users(&self) -> bool {
        self.one_time_code || self.class == CredentialClass::UserOauth
    }

    /// Whether it hands out a credential.
    pub fn issues(&self) -> bool {
        matches!(self.class, CredentialClass::TokenEndpoint | CredentialClass::IssuesCredential)
    }
}

/// Every endpoint that [`find`] can name, by [`Endpoint::id`]; the first is `other`.
pub fn all() -> &'static [Endpoint] {
    &CATALOGUE.endpoints
}

/// What is assumed of a path, in normal form, that the catalogue doesn't list.
fn unknown(path: &str) -> &'static Endpoint {
    let below = |parent: &&str| path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'));
    if path.split('/').any(|segment| segment == "clear_quota") || GUARDED.iter().any(below) {
        &OTHER_GUARDED
    } else if path.starts_with("/sns/") {
        // The user's side of the API: the app's token has no business there, and nothing there speaks of it.
        &OTHER_OAUTH
    } else if path.split('/').any(issues_by_name) || ISSUING.iter().any(below) {
        &OTHER_ISSUING
    } else {
        &OTHER
    }
}

/// Whether a segment is named as WeChat names what hands out tokens.
fn issues_by_name(segment: &str) -> bool {
    matches!(segment, "token" | "gettoken" | "stable_token" | "api_query_auth" | "get_permanent_code")
        || segment.strip_suffix("_token").is_some_and(|rest| {
            rest.starts_with("get_")
                || rest.starts_with("api_")
                || ["access", "authorizer", "component", "corp", "provider", "suite"]
                    .iter()
                    .any(|kind| rest.ends_with(kind))
        })
}

struct Catalogue {
    endpoints: Vec<Endpoint>,
    /// By path as catalogued and in normal form.
    by_path: HashMap<Cow<'static, str>, u16, BuildHasherDefault<PathHasher>>,
}

impl Catalogue {
    fn parse(table: &'static str) -> Self {
        let rows = table.lines().filter_map(endpoint);
        let endpoints: Vec<Endpoint> = std::iter::once(OTHER.clone())
            .chain(rows)
            .zip(0..)
            .map(|(endpoint, id)| Endpoint { id, ..endpoint })
            .collect();
        let mut by_path = HashMap::default();
        let listed = endpoints.iter().skip(1);
        for endpoint in listed.clone() {
            by_path.insert(Cow::Borrowed(endpoint.path), endpoint.id);
        }
        for endpoint in listed {
            by_path.entry(normalise(endpoint.path)).or_insert(endpoint.id);
        }
        Self { endpoints, by_path }
    }

    fn get(&self, path: &str) -> Option<&Endpoint> {
        self.by_path.get(path).and_then(|id| self.endpoints.get(usize::from(*id)))
    }
}

/// One row of the table, without its id; none if it isn't well-formed, which a test rules out.
fn endpoint(row: &'static str) -> Option<Endpoint> {
    let mut columns = row.split('\t');
    let (path, wants, answer, method) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let method = (method != "-").then_some(method);
    let path_in_normal_form = normalise(path);
    let path_in_normal_form = path_in_normal_form.as_ref();
    let class = if ISSUING.contains(&path_in_normal_form) {
        CredentialClass::IssuesCredential
    } else {
        class(wants)?
    };
    let guarded = GUARDED.contains(&path_in_normal_form) || path_in_normal_form.contains("/clear_quota");
    Some(Endpoint {
        path,
        id: 0,
        class,
        method,
        binary: matches!(answer, "either" | "binary"),
        guarded,
        one_time_code: path_in_normal_form.starts_with("/sns/oauth2/")
            || path_in_normal_form.ends_with("/jscode2session"),
        // A guess (`app?`), or a path that no SDK was seen to call, proves nothing.
        evidence: wants == "app" && class == CredentialClass::AppToken && method.is_some() && !guarded,
    })
}

fn class(wants: &str) -> Option<CredentialClass> {
    Some(match wants {
        // An authorizer's token is the app's own, seen from the third-party platform.
        "app" | "app?" | "authorizer" => CredentialClass::AppToken,
        "component" => CredentialClass::ComponentToken,
        "component_as_access_token" => CredentialClass::ComponentTokenAsAccessToken,
        "user" => CredentialClass::UserOauth,
        "secret" => CredentialClass::AppSecret,
        "component_secret" => CredentialClass::ComponentSecret,
        "token" => CredentialClass::TokenEndpoint,
        "issues" => CredentialClass::IssuesCredential,
        "suite" => CredentialClass::SuiteToken,
        "provider" => CredentialClass::ProviderToken,
        "none" => CredentialClass::None,
        _ => return None,
    })
}

/// Multiply-and-rotate over words. Callers choose what is looked up, never what the table holds, so they can't make
/// its entries collide.
#[derive(Default)]
struct PathHasher(u64);

impl PathHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for PathHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.add(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        // The table takes its index from the low bits, which a multiplication alone mixes least.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::{CredentialClass, GUARDED, ISSUING, all, find, normalise};
    #[test]
    fn ids_are_positions() {
        for (index, endpoint) in all().iter().enumerate() {
            assert_eq!(usize::from(endpoint.id), index, "{}", endpoint.path);
        }
        assert_eq!(all()[0].path, "other");
    }

    #[test]
    fn every_row_is_read_and_found() {
        assert_eq!(all().len(), include_str!("catalogue.tsv").lines().count() + 1);
        for endpoint in &all()[1..] {
            assert_eq!(find(endpoint.path), endpoint);
        }
    }

    #[test]
    fn the_lists_name_catalogued_paths() {
        for path in GUARDED {
            assert!(find(path).guarded && find(path).id != 0, "{path}");
        }
        for path in ISSUING {
            assert_eq!(find(path).class, CredentialClass::IssuesCredential, "{path}");
        }
    }

    #[test]
    fn paths_that_differ_in_case_only_are_alike() {
        for endpoint in &all()[1..] {
            let lower = find(&endpoint.path.to_ascii_lowercase());
            let upper = find(&format!("{}/", endpoint.path.to_ascii_uppercase()));
            assert_eq!((lower.class, lower.guarded), (endpoint.class, endpoint.guarded), "{}", endpoint.path);
            assert_eq!((upper.class, upper.guarded), (endpoint.class, endpoint.guarded), "{}", endpoint.path);
        }
    }

    #[test]
    fn paths_are_compared_without_case_and_trailing_slash() {
        assert_eq!(normalise("/CGI-BIN/Clear_Quota/"), "/cgi-bin/clear_quota");
        assert_eq!(normalise("/cgi-bin/token"), "/cgi-bin/token");
        assert_eq!(normalise("/"), "");
    }

    #[test]
    fn a_normal_path_is_not_copied() {
        assert!(matches!(normalise("/cgi-bin/token/"), std::borrow::Cow::Borrowed("/cgi-bin/token")));
    }
}

//! Step 1: who calls, which app, which endpoint.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, HeaderName, PROXY_AUTHORIZATION};
use http::request::Parts;
use http::{HeaderMap, Method, Uri, Version};
use memchr::memmem::Finder;

use super::access;
use super::account::{Account, Authorizer};
use super::directory::{App, Caller, Directory, Known, host_name};
use super::error::Error;
use crate::message::{path, query};
use crate::observe::clock::Clock;
use crate::upstream::Site;
use crate::wechat::catalogue::{self, CredentialClass, Endpoint};
use crate::wechat::placeholder;
use crate::wechat::{AppKind, Family};

pub(super) const APP_HEADER: HeaderName = HeaderName::from_static("x-wxgate-app");
const KEY_HEADER: HeaderName = HeaderName::from_static("x-wxgate-key");
/// The parameter by which callers on WeChat Cloud Run name the account that they act for, by its appid. WeChat's gateway
/// there keeps it to itself, and no endpoint of the API has a parameter of this name.
pub(super) const CLOUD_RUN_APP: &str = "from_appid";
static CLOUD_RUN_APP_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(CLOUD_RUN_APP));

/// Where a request goes, before anybody asked whether it may.
#[derive(Clone, Copy)]
pub(super) struct Target<'r> {
    /// App named by the path's prefix.
    pub(super) prefix: Option<&'r str>,
    /// WeChat's path.
    pub(super) path: &'r str,
    /// WeChat's query.
    pub(super) query: Option<&'r str>,
    /// App named by [`CLOUD_RUN_APP`].
    pub(super) from_appid: Option<&'r str>,
    /// Whom the request is for: `Host`, or what stands in the target of a request to a proxy.
    pub(super) host: Option<&'r str>,
    /// It came as to a proxy, with `http://HOST` before the path.
    pub(super) proxied: bool,
    pub(super) endpoint: &'static Endpoint,
}

/// A query without what is meant for wxgate.
pub(super) struct Query<'r> {
    rest: Option<Cow<'r, str>>,
    from_appid: Option<Cow<'r, str>>,
}

/// Takes the app's name out of the query.
pub(super) fn query(uri: &Uri) -> Result<Query<'_>, Error> {
    let Some((names, rest)) = uri.query().and_then(|query| query::take(query, &CLOUD_RUN_APP_FINDER)) else {
        return Ok(Query { rest: uri.query().map(Cow::from), from_appid: None });
    };
    if names.iter().any(|name| Some(name) != names.first()) {
        return Err(Error::BadRequest("the query has several from_appid that differ".into()));
    }
    let rest = Some(rest).filter(|rest| !rest.is_empty()).map(Cow::from);
    Ok(Query { rest, from_appid: names.into_iter().next() })
}

/// Reads the request line.
pub(super) fn target<'r>(parts: &'r Parts, query: &'r Query<'_>) -> Result<Target<'r>, Error> {
    let uri = &parts.uri;
    if parts.method == Method::CONNECT {
        return Err(Error::BadRequest(
            "no tunnels: wxgate must see a request to add the token, so use http:// in place of https://"
                .into(),
        ));
    }
    // RFC 9112, 3.2.2: a host in the target counts, and not the Host beside it.
    let host = match (uri.scheme_str(), uri.authority()) {
        (None, None) => parts.headers.get(HOST).map(|host| host.to_str().unwrap_or_default()),
        (Some("http"), Some(authority)) => Some(authority.host()),
        _ => None,
    };
    let proxied = uri.scheme().is_some() && host.is_some();
    if uri.authority().is_some() != proxied || !uri.path().starts_with('/') {
        return Err(Error::BadRequest("the request target must be a path such as /cgi-bin/user/info".into()));
    }
    if parts.method == Method::TRACE {
        // TRACE would echo the token.
        return Err(Error::BadRequest("this method is not for WeChat's API".into()));
    }
    check_host(&parts.headers, parts.version)?;
    let (prefix, path) = split_prefix(uri.path());
    path::check(path).map_err(|fault| Error::BadRequest(fault.to_string().into()))?;
    Ok(Target {
        prefix,
        path,
        query: query.rest.as_deref(),
        from_appid: query.from_appid.as_deref(),
        host,
        proxied,
        endpoint: catalogue::find(path),
    })
}

impl Target<'_> {
    /// The endpoint as the hosts of this account know it: WeCom's have paths of the same names.
    pub(super) fn at(self, account: &Account<'_>) -> Self {
        match account.app.kind.family() {
            Family::Work => Self { endpoint: catalogue::find_work(self.path), ..self },
            Family::Api | Family::Mp | Family::Open => self,
        }
    }
}

/// As a proxy it is one for WeChat's API alone.
pub(super) fn check_proxied(directory: &Directory, target: &Target<'_>) -> Result<(), Error> {
    let Some(host) = target.host.filter(|_| target.proxied) else { return Ok(()) };
    let host = host_name(host).to_ascii_lowercase();
    let wechat =
        matches!(&*host, "api.weixin.qq.com" | "api2.weixin.qq.com") || host.ends_with(".api.weixin.qq.com");
    if wechat || directory.claims_host(&host) || access::is_local_name(&host) {
        return Ok(());
    }
    Err(Error::BadRequest("as an HTTP proxy wxgate is for http://api.weixin.qq.com alone".into()))
}

/// RFC 9112, 3.2: exactly one `Host` in HTTP/1.1, or intermediaries may disagree on whom the request is for.
fn check_host(headers: &HeaderMap, version: Version) -> Result<(), Error> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version >= Version::HTTP_11 => Err(Error::BadRequest("a Host header is missing".into())),
        (_, Some(_)) => Err(Error::BadRequest("there are several Host headers".into())),
        _ => Ok(()),
    }
}

/// `/@NAME/rest` names an app; the rest is WeChat's path.
fn split_prefix(path: &str) -> (Option<&str>, &str) {
    match path.strip_prefix("/@") {
        None => (None, path),
        Some(rest) => match rest.find('/') {
            Some(end) => rest.split_at_checked(end).map_or((None, path), |(name, path)| (Some(name), path)),
            None => (Some(rest), "/"),
        },
    }
}

/// What the headers say about the app.
fn app_header(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut names = headers.get_all(APP_HEADER).iter();
    let name = names.next().map(|value| value.to_str().unwrap_or_default());
    if names.next().is_some() {
        return Err(Error::BadRequest("there are several X-Wxgate-App headers".into()));
    }
    Ok(name)
}

/// The caller that the request's key names. Where callers are configured, a wrong key is refused whatever else the
/// request says.
pub(super) fn caller_by_key<'d>(
    directory: &'d Directory,
    headers: &HeaderMap,
) -> Result<Option<Known<'d>>, Error> {
    if directory.callers.is_empty() {
        return Ok(None);
    }
    let mut shown: Option<Known<'_>> = None;
    for key in keys(headers) {
        let known = directory
            .caller_with_key(&key)
            .ok_or(Error::CallerUnknown("this API key is no caller's; see [[caller]] key_sha256".into()))?;
        if shown.is_some_and(|other| !std::ptr::eq(other.caller, known.caller)) {
            return Err(Error::BadRequest("the request has the API keys of two callers".into()));
        }
        shown = Some(known);
    }
    Ok(shown)
}

/// The caller by its key, which an SDK that logs users in may know as the AppSecret and send in its place. Any other secret
/// says nothing about the caller.
pub(super) fn caller_by_secret<'d>(
    directory: &'d Directory,
    by_key: Option<Known<'d>>,
    secret: Option<&str>,
) -> Result<Option<Known<'d>>, Error> {
    let by_secret = secret.and_then(|secret| directory.caller_with_key(secret.as_bytes()));
    match (by_key, by_secret) {
        (Some(known), Some(other)) if !std::ptr::eq(known.caller, other.caller) => {
            Err(Error::BadRequest("the API key and the secret are keys of different callers".into()))
        }
        (known, other) => Ok(known.or(other)),
    }
}

/// All API keys of a request: `Authorization: Bearer KEY`, Basic with the key as password, the same in
/// `Proxy-Authorization` for those whose proxy this is, `X-Wxgate-Key`. What has the
/// place of a key but can't be one counts as a wrong key, never as none: its sender means to be known.
fn keys(headers: &HeaderMap) -> impl Iterator<Item = Vec<u8>> {
    let shown = headers.get_all(AUTHORIZATION).iter().chain(headers.get_all(PROXY_AUTHORIZATION));
    let authorization = shown.filter_map(|value| {
        let value = value.as_bytes().trim_ascii();
        let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
        let (scheme, rest) = value.split_at(end);
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return Some(rest.trim_ascii().to_vec());
        }
        if scheme.eq_ignore_ascii_case(b"basic") {
            let plain = STANDARD.decode(rest.trim_ascii()).unwrap_or_default();
            let colon = plain.iter().position(|byte| *byte == b':').unwrap_or(plain.len());
            return Some(plain.get(colon + 1..).unwrap_or_default().to_vec());
        }
        None
    });
    let own = headers.get_all(KEY_HEADER).iter().map(|value| value.as_bytes().trim_ascii().to_vec());
    authorization.chain(own)
}

/// What the placeholder token in a query says, if there is one.
pub(super) enum Placeholder<'d> {
    Absent,
    Holds {
        app: &'d App,
        known: Option<Known<'d>>,
        /// The account that a third-party platform is to act for.
        authorizer: Option<String>,
    },
    /// Names nothing, for this reason.
    Void(&'static str),
}

/// Reads the placeholder among the query's credentials.
pub(super) fn placeholder<'d>(
    directory: &'d Directory,
    query: Option<&str>,
    clock: &Clock,
) -> Placeholder<'d> {
    let mut found = query
        .into_iter()
        .flat_map(query::credentials)
        .filter_map(|(_, value)| placeholder::looks_like(&value).then_some(value));
    let Some(text) = found.next() else { return Placeholder::Absent };
    if found.any(|other| other != text) {
        return Placeholder::Void("the request has two of them");
    }
    let Some(unverified) = placeholder::parse(&text) else { return Placeholder::Void("it is damaged") };
    let claims = unverified.claims();
    let (authorizer, identity) = match claims.appid.split_once('@') {
        Some((_, platform)) => (Some(claims.appid.clone()), platform),
        None => (None, claims.appid.as_str()),
    };
    let Some(app) = directory.app(identity).filter(|app| *app.identity == *identity) else {
        return Placeholder::Void("its app is not configured here");
    };
    let now = clock.now();
    let former = app.previous.as_ref().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
    if !unverified.verify(&app.secret) && !former.is_some_and(|secret| unverified.verify(secret)) {
        return Placeholder::Void("its signature does not hold");
    }
    let age = now.0 / 1000 - claims.issued_at;
    if !(-CLOCK_SKEW_SECONDS..=placeholder::VALID_FOR_SECONDS).contains(&age) {
        return Placeholder::Void("it is too old");
    }
    if claims.caller.is_empty() {
        return if directory.admits_anonymous() {
            Placeholder::Holds { app, known: None, authorizer }
        } else {
            Placeholder::Void("it names no caller")
        };
    }
    let caller = directory.caller(&claims.caller).filter(|caller| caller.may_use(app));
    match caller.and_then(|caller| Some(Known { caller, key: caller.key(claims.key_digest)? })) {
        Some(known) => Placeholder::Holds { app, known: Some(known), authorizer },
        None => Placeholder::Void("its caller no longer has that key or app"),
    }
}

/// Replicas' clocks may differ by this much.
const CLOCK_SKEW_SECONDS: i64 = 300;

/// Everything that may name the app, in the contract's order.
pub(super) struct Named<'d, 'r> {
    pub(super) prefix: Option<&'r str>,
    pub(super) header: Option<&'r str>,
    pub(super) from_appid: Option<&'r str>,
    pub(super) placeholder: Placeholder<'d>,
    /// What a token call, or one that wants the AppSecret, says whose token or secret that is.
    pub(super) appid: Option<&'r str>,
    pub(super) host: Option<&'r str>,
}

impl<'d, 'r> Named<'d, 'r> {
    /// What the request itself names; calls that carry an `appid` add that.
    pub(super) fn new(
        target: &Target<'r>,
        headers: &'r HeaderMap,
        placeholder: Placeholder<'d>,
    ) -> Result<Self, Error> {
        let header = app_header(headers)?;
        let Target { prefix, from_appid, host, .. } = *target;
        Ok(Self { prefix, header, from_appid, placeholder, appid: None, host })
    }

    /// What names an app, or an account that a platform acts for, by name or appid.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        [self.prefix, self.header, self.from_appid, self.appid].into_iter().flatten()
    }
}

/// Settles the caller, by key or placeholder.
pub(super) fn settle_caller<'d>(
    directory: &'d Directory,
    by_key: Option<Known<'d>>,
    placeholder: &Placeholder<'d>,
) -> Result<Option<&'d Caller>, Error> {
    match (by_key.map(|known| known.caller), placeholder) {
        (Some(caller), Placeholder::Holds { known: Some(other), .. })
            if !std::ptr::eq(caller, other.caller) =>
        {
            Err(Error::BadRequest("the API key and the placeholder token name different callers".into()))
        }
        (Some(caller), _) | (None, &Placeholder::Holds { known: Some(Known { caller, .. }), .. }) => {
            Ok(Some(caller))
        }
        (None, Placeholder::Void(reason)) if !directory.callers.is_empty() => {
            Err(Error::PlaceholderExpired(reason))
        }
        (None, _) if directory.admits_anonymous() => Ok(None),
        (None, _) => Err(Error::CallerUnknown(
            "an API key is needed: Authorization: Bearer KEY, or X-Wxgate-Key, or as the password in the base URL".into(),
        )),
    }
}

/// Settles the account; `authorizer` is the one among the names that is no app of its own.
pub(super) fn settle_account<'d>(
    directory: &'d Directory,
    caller: Option<&'d Caller>,
    named: &Named<'d, '_>,
    authorizer: Option<Rc<Authorizer>>,
) -> Result<Account<'d>, Error> {
    let mut known: Option<&App> = None;
    for name in named.names() {
        let of_platform = || authorizer.as_ref().filter(|a| a.is_named(name))?.platform(directory);
        let app = directory.app(name).or_else(of_platform).ok_or_else(|| unknown_app(directory, name))?;
        if known.is_some_and(|other| !std::ptr::eq(other, app)) {
            return Err(Error::BadRequest("the request names two different apps".into()));
        }
        known = Some(app);
    }
    let app = match (known, &named.placeholder) {
        (Some(app), Placeholder::Holds { app: other, .. }) if !std::ptr::eq(app, *other) => {
            return Err(Error::BadRequest(
                "the placeholder token is of another app than the request names".into(),
            ));
        }
        (Some(app), _) | (None, &Placeholder::Holds { app, .. }) => app,
        // It was meant for an app that can't be told any more: a guess could send it to the wrong account.
        (None, Placeholder::Void(reason)) => return Err(Error::PlaceholderExpired(reason)),
        (None, Placeholder::Absent) => named
            .host
            .and_then(|host| directory.app_of_host(host))
            .or_else(|| caller.and_then(|caller| caller.only_app(directory)))
            .or_else(|| directory.default_app())
            .ok_or(Error::AppUnknown(
                "name an app by path prefix /@NAME/ or header X-Wxgate-App, or set `default = true` on one"
                    .into(),
            ))?,
    };
    if let Placeholder::Holds { authorizer: Some(claimed), .. } = &named.placeholder
        && !authorizer.as_ref().is_some_and(|authorizer| authorizer.is_named(claimed))
    {
        return Err(Error::BadRequest(
            "the placeholder token is of another account than the request names".into(),
        ));
    }
    match caller {
        Some(caller) if !caller.may_use(app) => Err(forbidden_app()),
        _ => Ok(Account { app, authorizer }),
    }
}

/// Where callers are configured, strangers don't learn which apps exist.
fn unknown_app(directory: &Directory, name: &str) -> Error {
    if !directory.callers.is_empty() {
        return forbidden_app();
    }
    // Who mixes up the settings of an SDK sends a secret where the appid belongs; those have 32 characters.
    if name.len() < 32 && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        Error::AppUnknown(format!("no app is named {name}").into())
    } else {
        Error::AppUnknown("no app has the name that the request gives".into())
    }
}

/// In the same words whether or not the app exists.
fn forbidden_app() -> Error {
    Error::CallerForbidden("this caller may not use this app".into())
}

/// Which of WeChat's hosts has `endpoint` for apps of this kind.
pub(super) fn site(kind: AppKind, endpoint: &Endpoint) -> Site {
    match (kind.family(), endpoint.family) {
        (Family::Work, _) => Site::Work,
        (_, Family::Mp) => Site::Mp,
        (_, Family::Api | Family::Open | Family::Work) => Site::Api,
    }
}

/// The confusion of two kinds of access_token that brings most newcomers an `invalid access_token`.
pub(super) fn check_confusion(target: &Target<'_>, placeholder: &Placeholder<'_>) -> Result<(), Error> {
    if target.endpoint.class == CredentialClass::UserOauth && !matches!(placeholder, Placeholder::Absent) {
        return Err(Error::BadRequest(
            "this endpoint wants the user's OAuth access_token (from /sns/oauth2/access_token), \
             but got the app's, which is what /cgi-bin/token returns"
                .into(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::split_prefix;

    #[test]
    fn a_prefix_names_the_app_and_is_no_part_of_the_path() {
        assert_eq!(split_prefix("/@shop/cgi-bin/user/info"), (Some("shop"), "/cgi-bin/user/info"));
        assert_eq!(split_prefix("/@shop"), (Some("shop"), "/"));
        assert_eq!(split_prefix("/@/x"), (Some(""), "/x"));
        assert_eq!(split_prefix("/cgi-bin/@x/y"), (None, "/cgi-bin/@x/y"));
    }
}

//! The apps and callers of the present configuration, indexed for look-up.

use std::collections::HashMap;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use super::limit::Concerns;
use super::{Options, OwnCredential};
use crate::observe::clock::Timestamp;
use crate::observe::names::Names;
use crate::quota::limit::Limit;
use crate::secret::Secret;
use crate::token::Handle;
use crate::wechat::pattern::Pattern;
use crate::wechat::{AppKind, Issuer};

/// What a request is routed by. Never changes; a reload makes a new one.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) apps: Vec<App>,
    pub(super) callers: Vec<Caller>,
    pub(super) options: Options,
    /// Of callers without a name.
    limits: Concerns,
    by_name: HashMap<String, usize>,
    by_host: HashMap<String, usize>,
    default: Option<usize>,
    platforms: bool,
}

/// An app as requests see it.
#[derive(Debug)]
pub(super) struct App {
    pub(super) index: usize,
    pub(super) name: Arc<str>,
    pub(super) appid: Arc<str>,
    /// The appid, and the agent's number where a corporation has several apps.
    pub(super) identity: Arc<str>,
    pub(super) secret: Arc<Secret>,
    /// The secret before the last change, which placeholders may still be signed with until then.
    pub(super) previous: Option<(Arc<Secret>, Timestamp)>,
    pub(super) kind: AppKind,
    /// Of `token`.
    pub(super) issuer: Issuer,
    pub(super) token: Handle,
    /// What it has beside.
    further: Vec<(Issuer, Handle)>,
    suite: Option<Arc<str>>,
    pub(super) own_credential: OwnCredential,
    /// Hosts of the web pages that are signed for it, in lower case.
    pub(super) jssdk_hosts: Vec<String>,
    /// Whether it heeds WeChat's own limits.
    pub(super) slow_down: bool,
    /// Which of the upstreams it is reached by.
    pub(super) upstream: usize,
    /// Its label in metrics.
    pub(super) label: u16,
}

/// A configured caller.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) index: usize,
    pub(super) name: Arc<str>,
    keys: Vec<[u8; 32]>,
    apps: Vec<usize>,
    pub(super) allow: Vec<Pattern>,
    pub(super) lease_token: bool,
    limits: Concerns,
    /// Its label in metrics.
    pub(super) label: u16,
}

/// A caller, and which of its keys it showed.
#[derive(Clone, Copy)]
pub(super) struct Known<'d> {
    pub(super) caller: &'d Caller,
    /// The key's SHA-256.
    pub(super) key: &'d [u8; 32],
}

/// How long placeholders under an app's former secret still hold, as long as SDKs keep them.
const FORMER_SECRET_SECONDS: i64 = 7200;

impl Directory {
    /// Indexes `options`, with their `limits` at work. `former` is what was in force until now; `credentials` has the
    /// handles of an app's, the token first, and apps of which it knows nothing are left out.
    pub(super) fn new(
        options: Options,
        limits: &[Arc<Limit>],
        credentials: impl Fn(&str) -> Option<Vec<(Issuer, Handle)>>,
        names: &Names,
        former: Option<&Self>,
        now: Timestamp,
    ) -> Self {
        let kept = options.apps.iter().filter_map(|app| {
            let mut further = credentials(&app.token.name)?;
            if further.is_empty() {
                return None;
            }
            Some((app, further.remove(0), further))
        });
        let apps: Vec<App> = kept
            .enumerate()
            .map(|(index, (app, (issuer, token), further))| App {
                index,
                kind: app.token.kind,
                identity: app.token.identity(),
                issuer,
                further,
                suite: app.token.suite.as_ref().map(|suite| Arc::clone(&suite.id)),
                name: Arc::clone(&app.token.name),
                appid: Arc::clone(&app.token.appid),
                secret: Arc::clone(&app.token.secret),
                previous: former_secret(&app.token.appid, &app.token.secret, former, now),
                token,
                own_credential: app.own_credential,
                jssdk_hosts: app.jssdk_hosts.clone(),
                slow_down: app.slow_down,
                upstream: app.upstream,
                label: names.label(&app.token.name),
            })
            .collect();
        let position = |name: &str| apps.iter().position(|app| &*app.name == name);
        let mut by_name = HashMap::new();
        for app in &apps {
            by_name.insert(app.identity.to_string(), app.index);
            // A corporation with several apps is none of them.
            if apps.iter().filter(|other| other.appid == app.appid).count() == 1 {
                by_name.insert(app.appid.to_string(), app.index);
            }
        }
        for app in &options.apps {
            if let (Some(suite), Some(index)) = (&app.token.suite, position(&app.token.name)) {
                by_name.insert(suite.id.to_string(), index);
            }
        }
        // A name comes last: it wins over another app's appid.
        for app in &apps {
            by_name.insert(app.name.to_string(), app.index);
        }
        let mut by_host = HashMap::new();
        for app in &options.apps {
            if let Some(index) = position(&app.token.name) {
                by_host.extend(app.hosts.iter().map(|host| (host.clone(), index)));
            }
        }
        let default = options.apps.iter().find(|app| app.default).and_then(|app| position(&app.token.name));
        let callers = options
            .callers
            .iter()
            .enumerate()
            .map(|(index, caller)| Caller {
                index,
                name: Arc::clone(&caller.name),
                keys: caller.keys.clone(),
                apps: caller.apps.iter().filter_map(|name| position(name)).collect(),
                allow: caller.allow.clone(),
                lease_token: caller.lease_token,
                limits: Concerns::new(limits, Some(&caller.name), position),
                label: names.label(&caller.name),
            })
            .collect();
        let platforms = apps.iter().any(|app| app.kind.is_platform());
        let limits = Concerns::new(limits, None, position);
        Self { apps, callers, limits, by_name, by_host, default, platforms, options }
    }

    /// The app with this name or appid.
    pub(super) fn app(&self, name: &str) -> Option<&App> {
        self.by_name.get(name).and_then(|index| self.apps.get(*index))
    }

    /// Whether any app is a third-party platform.
    pub(super) fn has_platforms(&self) -> bool {
        self.platforms
    }

    /// The third-party platforms.
    pub(super) fn platforms(&self) -> impl Iterator<Item = &App> {
        self.apps.iter().filter(|app| app.kind.is_platform())
    }

    /// Whether an app has this appid: the one that it names, or several of a corporation.
    pub(super) fn has_appid(&self, appid: &str) -> bool {
        self.apps.iter().any(|app| *app.appid == *appid)
    }

    /// The app that claims this `Host` header.
    pub(super) fn app_of_host(&self, host: &str) -> Option<&App> {
        if self.by_host.is_empty() {
            return None;
        }
        self.by_host.get(&host_name(host).to_ascii_lowercase()).and_then(|index| self.apps.get(*index))
    }

    /// Whether an app claims this host name, given in lower case without port.
    pub(super) fn claims_host(&self, host: &str) -> bool {
        self.by_host.contains_key(host)
    }

    /// The app of a request that names none.
    pub(super) fn default_app(&self) -> Option<&App> {
        self.default.and_then(|index| self.apps.get(index))
    }

    /// The caller with this API key. Digests are compared in constant time.
    pub(super) fn caller_with_key(&self, key: &[u8]) -> Option<Known<'_>> {
        let digest = digest(&SHA256, key);
        let mut known = self.callers.iter().filter_map(|caller| {
            let key = caller.keys.iter().find(|key| key.ct_eq(digest.as_ref()).into())?;
            Some(Known { caller, key })
        });
        known.next()
    }

    /// The caller of this name.
    pub(super) fn caller(&self, name: &str) -> Option<&Caller> {
        self.callers.iter().find(|caller| &*caller.name == name)
    }

    /// The limits that concern a caller.
    pub(super) fn limits<'d>(&'d self, caller: Option<&'d Caller>) -> &'d Concerns {
        caller.map_or(&self.limits, |caller| &caller.limits)
    }

    /// Whether requests without a key are let in.
    pub(super) fn admits_anonymous(&self) -> bool {
        self.callers.is_empty() || self.options.anonymous
    }
}

impl App {
    /// Its handle to another credential than the token.
    pub(super) fn further(&self, issuer: Issuer) -> Option<&Handle> {
        self.further.iter().find(|(other, _)| *other == issuer).map(|(_, handle)| handle)
    }

    /// Whether a token call for `id` can be for it.
    pub(super) fn is_meant_by(&self, id: &str) -> bool {
        *self.appid == *id || self.suite.as_deref() == Some(id)
    }

    /// Whether `name` is its name or appid.
    pub(super) fn is_named(&self, name: &str) -> bool {
        *self.name == *name || *self.appid == *name
    }
}

impl Caller {
    /// Whether this caller may use `app`.
    pub(super) fn may_use(&self, app: &App) -> bool {
        self.apps.contains(&app.index)
    }

    /// Its only app, if it has just one.
    pub(super) fn only_app<'d>(&self, directory: &'d Directory) -> Option<&'d App> {
        match self.apps[..] {
            [index] => directory.apps.get(index),
            _ => None,
        }
    }

    /// The key of it that begins with `digest`.
    pub(super) fn key(&self, digest: [u8; 8]) -> Option<&[u8; 32]> {
        self.keys.iter().find(|key| key.iter().zip(digest).all(|(own, other)| *own == other))
    }
}

/// A `Host` header's name, without port and brackets.
pub(super) fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match host.rsplit_once(':') {
        Some((name, _)) if !name.contains(':') => name,
        _ => host,
    }
}

fn former_secret(
    appid: &str,
    secret: &Secret,
    former: Option<&Directory>,
    now: Timestamp,
) -> Option<(Arc<Secret>, Timestamp)> {
    let app = former?.apps.iter().find(|app| &*app.appid == appid)?;
    if app.secret.matches(secret) {
        return app.previous.clone().filter(|(_, until)| *until > now);
    }
    Some((Arc::clone(&app.secret), Timestamp(now.0 + FORMER_SECRET_SECONDS * 1000)))
}

#[cfg(test)]
mod tests {
    use super::host_name;

    #[test]
    fn a_host_header_is_stripped_of_port_and_brackets() {
        for (host, name) in [
            ("localhost", "localhost"),
            ("localhost:8080", "localhost"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:8080", "::1"),
            ("[::1]", "::1"),
            ("::1", "::1"),
        ] {
            assert_eq!(host_name(host), name, "{host}");
        }
    }
}

//! The apps and callers of the present configuration, indexed for look-up.

use std::collections::HashMap;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use super::caller_limits::CallerLimits;
use super::inflight::ExactPlaces;
use super::options::{CallerOptions, Options, OwnCredential};
use crate::message::host;
use crate::observe::clock::{Clock, Timestamp};
use crate::observe::names::Names;
use crate::quota::limit::Limit;
use crate::secret::Secret;
use crate::token::Handle;
use crate::wechat::pattern::Pattern;
use crate::wechat::{AppKind, Issuer};

/// What a request is routed by. Never changes; a reload makes a new one.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) apps: Vec<App>,
    pub(crate) callers: Vec<Caller>,
    /// What those without a key may do, if that is said.
    anonymous: Option<Caller>,
    pub(crate) options: Options,
    /// Of callers without a name.
    limits: CallerLimits,
    by_name: HashMap<String, usize>,
    by_host: HashMap<String, usize>,
    default: Option<usize>,
    platforms: bool,
}

/// An app as requests see it.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) index: usize,
    pub(crate) name: Arc<str>,
    pub(crate) appid: Arc<str>,
    /// The appid, and the agent's number where a corporation has several apps.
    pub(crate) identity: Arc<str>,
    pub(crate) secret: Arc<Secret>,
    /// The secret before the last change, which placeholders may still be signed with until then.
    pub(crate) previous: Option<(Arc<Secret>, Timestamp)>,
    pub(crate) kind: AppKind,
    /// Of `token`.
    pub(crate) issuer: Issuer,
    pub(crate) token: Handle,
    /// What it has beside.
    further: Vec<(Issuer, Handle)>,
    suite: Option<Arc<str>>,
    pub(crate) own_credential: OwnCredential,
    /// Hosts of the web pages that are signed for it, in lower case.
    pub(crate) jssdk_hosts: Vec<String>,
    /// Whether it heeds WeChat's own limits.
    pub(crate) slow_down: bool,
    /// For requests at work, if they are limited.
    pub(crate) places: Option<ExactPlaces>,
    /// Which of the upstreams it is reached by.
    pub(crate) upstream: usize,
    /// Its label in metrics.
    pub(crate) label: u16,
}

/// A configured caller.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Position among those with keys; the one for requests without a key comes after them.
    pub(crate) index: usize,
    pub(crate) name: Arc<str>,
    keys: Vec<[u8; 32]>,
    apps: Vec<usize>,
    pub(crate) allow: Vec<Pattern>,
    pub(crate) lease_token: bool,
    expires: Option<Timestamp>,
    limits: CallerLimits,
    /// Its label in metrics.
    pub(crate) label: u16,
}

/// A caller, and which of its keys it showed.
#[derive(Clone, Copy)]
pub(crate) struct Authenticated<'d> {
    pub(crate) who: &'d Caller,
    /// The key's SHA-256.
    pub(crate) key: &'d [u8; 32],
}

/// How long placeholders under an app's former secret still hold, as long as SDKs keep them.
const FORMER_SECRET_SECONDS: i64 = 7200;

impl Directory {
    /// Indexes `options`, with their `limits` at work. `former` is what was in force until now;
    /// `credentials` has the handles of an app's, the token first, and apps of which it knows
    /// nothing are left out.
    pub(crate) fn new(
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
                places: ExactPlaces::new(app.max_inflight, former_places(&app.token.name, former)),
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
        let default = options.default_app().and_then(|app| position(&app.token.name));
        let caller = |(index, caller): (usize, &CallerOptions)| Caller {
            index,
            name: Arc::clone(&caller.name),
            keys: caller.keys.clone(),
            apps: caller.apps.iter().filter_map(|name| position(name)).collect(),
            allow: caller.allow.clone(),
            lease_token: caller.lease_token,
            expires: caller.expires,
            limits: CallerLimits::new(limits, Some(&caller.name), position),
            label: names.label(&caller.name),
        };
        let callers: Vec<_> = options.callers.iter().enumerate().map(caller).collect();
        let anonymous = options.anonymous_caller.as_ref().map(|rules| caller((callers.len(), rules)));
        let platforms = apps.iter().any(|app| app.kind.is_platform());
        let limits = CallerLimits::new(limits, None, position);
        Self { apps, callers, anonymous, limits, by_name, by_host, default, platforms, options }
    }

    /// The app with this name or appid.
    pub(crate) fn app(&self, name: &str) -> Option<&App> {
        self.by_name.get(name).and_then(|index| self.apps.get(*index))
    }

    /// Whether any app is a third-party platform.
    pub(crate) fn has_platforms(&self) -> bool {
        self.platforms
    }

    /// The third-party platforms; only the one of this name, if one is given.
    pub(crate) fn platforms(&self, name: Option<&str>) -> impl Iterator<Item = &App> {
        let meant = move |app: &&App| name.is_none_or(|name| app.is_named(name));
        self.apps.iter().filter(|app| app.kind.is_platform()).filter(meant)
    }

    /// Whether an app has this appid: the one that it names, or several of a corporation.
    pub(crate) fn has_appid(&self, appid: &str) -> bool {
        self.apps.iter().any(|app| *app.appid == *appid)
    }

    /// The app that claims this `Host` header.
    pub(crate) fn app_of_host(&self, host: &str) -> Option<&App> {
        if self.by_host.is_empty() {
            return None;
        }
        self.by_host.get(&host::name(host).to_ascii_lowercase()).and_then(|index| self.apps.get(*index))
    }

    /// Whether the configuration has this host name, given in lower case without port, for ours.
    pub(crate) fn knows_host(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.by_host.contains_key(host) || self.options.hosts.iter().any(|own| own == host)
    }

    /// The app of a request that names none.
    pub(crate) fn default_app(&self) -> Option<&App> {
        self.default.and_then(|index| self.apps.get(index))
    }

    /// The caller with this API key. Digests are compared in constant time.
    pub(crate) fn caller_with_key(&self, key: &[u8]) -> Option<Authenticated<'_>> {
        let digest = digest(&SHA256, key);
        let mut found = self.callers.iter().filter_map(|caller| {
            let key = caller.keys.iter().find(|key| key.ct_eq(digest.as_ref()).into())?;
            Some(Authenticated { who: caller, key })
        });
        found.next()
    }

    /// The caller of this name.
    pub(crate) fn caller(&self, name: &str) -> Option<&Caller> {
        self.callers.iter().find(|caller| &*caller.name == name)
    }

    /// The limits that apply to a caller.
    pub(crate) fn limits<'d>(&'d self, caller: Option<&'d Caller>) -> &'d CallerLimits {
        caller.map_or(&self.limits, |caller| &caller.limits)
    }

    /// What says which apps and endpoints a caller may use; for one without a key none if nothing
    /// is said.
    pub(crate) fn rules<'d>(&'d self, caller: Option<Authenticated<'d>>) -> Option<&'d Caller> {
        caller.map_or(self.anonymous.as_ref(), |caller| Some(caller.who))
    }

    /// Whether anybody is told apart, so that strangers are to learn nothing.
    pub(crate) fn has_callers(&self) -> bool {
        !self.callers.is_empty() || self.anonymous.is_some()
    }

    /// Whether requests without a key are let in.
    pub(crate) fn admits_anonymous(&self) -> bool {
        self.callers.is_empty() || self.options.anonymous
    }
}

impl App {
    /// Its handle to another credential than the token.
    pub(crate) fn further(&self, issuer: Issuer) -> Option<&Handle> {
        self.further.iter().find(|(other, _)| *other == issuer).map(|(_, handle)| handle)
    }

    /// Whether a token call for `id` can be for it.
    pub(crate) fn is_meant_by(&self, id: &str) -> bool {
        *self.appid == *id || self.suite.as_deref() == Some(id)
    }

    /// Whether `name` is its name or appid.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        *self.name == *name || *self.appid == *name
    }
}

impl Caller {
    /// Whether this caller may use `app`.
    pub(crate) fn may_use(&self, app: &App) -> bool {
        self.apps.contains(&app.index)
    }

    /// Whether its keys have ended.
    pub(crate) fn has_expired(&self, clock: &Clock) -> bool {
        self.expires.is_some_and(|expires| expires <= clock.now())
    }

    /// Its only app, if it has just one.
    pub(crate) fn only_app<'d>(&self, directory: &'d Directory) -> Option<&'d App> {
        match self.apps[..] {
            [index] => directory.apps.get(index),
            _ => None,
        }
    }

    /// This caller, as if it had shown a key of its own.
    pub(crate) fn authenticated(&self) -> Option<Authenticated<'_>> {
        self.keys.first().map(|key| Authenticated { who: self, key })
    }

    /// The key of it that begins with `digest`.
    pub(crate) fn key(&self, digest: [u8; 8]) -> Option<&[u8; 32]> {
        self.keys.iter().find(|key| key.iter().zip(digest).all(|(own, other)| *own == other))
    }
}

fn former_places<'d>(name: &str, former: Option<&'d Directory>) -> Option<&'d ExactPlaces> {
    former?.apps.iter().find(|app| &*app.name == name)?.places.as_ref()
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

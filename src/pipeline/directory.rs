//! The apps and callers of the present configuration, indexed for look-up.

use std::collections::HashMap;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use super::caller_limits::{CallerLimits, LimitsByCaller};
use super::inflight::ExactPlaces;
use super::options::{AppOptions, CallerOptions, Options, OwnCredential, SigningOptions};
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
    by_name: HashMap<Arc<str>, usize>,
    /// How many apps have an appid.
    by_appid: HashMap<Arc<str>, usize>,
    by_host: HashMap<String, usize>,
    by_key: HashMap<[u8; 32], Keyholder>,
    by_caller_name: HashMap<Arc<str>, usize>,
    default: Option<usize>,
    /// The third-party platforms, and the apps with a suite.
    platforms: Vec<usize>,
    kinds: Vec<AppKind>,
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
    /// What else it has.
    further: Vec<(Issuer, Handle)>,
    suite: Option<Arc<str>>,
    pub(crate) own_credential: OwnCredential,
    /// Hosts of the web pages that are signed for it, in lower case.
    pub(crate) jssdk_hosts: Vec<String>,
    /// Whether it heeds WeChat's own limits.
    pub(crate) slow_down: bool,
    /// For requests in flight, if they are limited.
    pub(crate) places: Option<ExactPlaces>,
    /// Which of the upstreams it is reached by.
    pub(crate) upstream: usize,
    pub(crate) signing: Option<SigningOptions>,
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
    /// Positions, in ascending order.
    apps: Box<[usize]>,
    pub(crate) allow: Vec<Pattern>,
    pub(crate) lease_token: bool,
    expires: Option<Timestamp>,
    limits: CallerLimits,
    /// Its label in metrics.
    pub(crate) label: u16,
}

/// Whose key it is: a caller's position, and its key's among that caller's.
#[derive(Clone, Copy, Debug)]
struct Keyholder {
    caller: usize,
    key: usize,
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
    /// Indexes `options`, with their `limits` in force. `former` is what was in force until now;
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
        let former = former.map(Former::new);
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
                previous: former.as_ref().and_then(|former| former.secret(app, now)),
                token,
                own_credential: app.own_credential,
                jssdk_hosts: app.jssdk_hosts.clone(),
                slow_down: app.slow_down,
                places: ExactPlaces::new(
                    app.max_inflight,
                    former.as_ref().and_then(|former| former.places(&app.token.name)),
                ),
                upstream: app.upstream,
                signing: app.signing.clone(),
                label: names.label(&app.token.name),
            })
            .collect();
        let positions: HashMap<&str, usize> = apps.iter().map(|app| (&*app.name, app.index)).collect();
        let position = |name: &str| positions.get(name).copied();
        let mut by_appid: HashMap<Arc<str>, usize> = HashMap::new();
        for app in &apps {
            *by_appid.entry(Arc::clone(&app.appid)).or_default() += 1;
        }
        let mut by_name = HashMap::new();
        for app in &apps {
            by_name.insert(Arc::clone(&app.identity), app.index);
            // A corporation with several apps is none of them.
            if by_appid.get(&app.appid) == Some(&1) {
                by_name.insert(Arc::clone(&app.appid), app.index);
            }
        }
        let mut by_host = HashMap::new();
        for app in &options.apps {
            let Some(index) = position(&app.token.name) else { continue };
            if let Some(suite) = &app.token.suite {
                by_name.insert(Arc::clone(&suite.id), index);
            }
            by_host.extend(app.hosts.iter().map(|host| (host.clone(), index)));
        }
        // A name comes last: it wins over another app's appid.
        for app in &apps {
            by_name.insert(Arc::clone(&app.name), app.index);
        }
        let default = options.default_app().and_then(|app| position(&app.token.name));
        let by_caller = LimitsByCaller::new(limits);
        let caller = |(index, caller): (usize, &CallerOptions)| {
            let mut apps: Box<[usize]> = caller.apps.iter().filter_map(|name| position(name)).collect();
            apps.sort_unstable();
            Caller {
                index,
                name: Arc::clone(&caller.name),
                keys: caller.keys.clone(),
                apps,
                allow: caller.allow.clone(),
                lease_token: caller.lease_token,
                expires: caller.expires,
                limits: CallerLimits::new(&by_caller, Some(&caller.name), position),
                label: names.label(&caller.name),
            }
        };
        let callers: Vec<_> = options.callers.iter().enumerate().map(caller).collect();
        let anonymous = options.anonymous_caller.as_ref().map(|rules| caller((callers.len(), rules)));
        let limits = CallerLimits::new(&by_caller, None, position);
        let mut by_key = HashMap::new();
        for caller in &callers {
            for (key, digest) in caller.keys.iter().enumerate() {
                by_key.insert(*digest, Keyholder { caller: caller.index, key });
            }
        }
        let by_caller_name = callers.iter().map(|caller| (Arc::clone(&caller.name), caller.index)).collect();
        let platforms = apps.iter().filter(|app| app.acts_for_others()).map(|app| app.index).collect();
        let mut kinds = Vec::new();
        for app in &apps {
            if !kinds.contains(&app.kind) {
                kinds.push(app.kind);
            }
        }
        Self {
            apps,
            callers,
            anonymous,
            limits,
            by_name,
            by_appid,
            by_host,
            by_key,
            by_caller_name,
            default,
            platforms,
            kinds,
            options,
        }
    }

    /// The app with this name or appid.
    pub(crate) fn app(&self, name: &str) -> Option<&App> {
        self.by_name.get(name).and_then(|index| self.apps.get(*index))
    }

    /// Whether any app is a third-party platform or has a suite.
    pub(crate) fn has_platforms(&self) -> bool {
        !self.platforms.is_empty()
    }

    /// Whether any app is of such a kind.
    pub(crate) fn has_kind(&self, is_such: impl Fn(AppKind) -> bool) -> bool {
        self.kinds.iter().any(|kind| is_such(*kind))
    }

    /// The third-party platforms and the apps with a suite; only the one of this name, if one is
    /// given.
    pub(crate) fn platforms(&self, name: Option<&str>) -> impl Iterator<Item = &App> {
        let meant = move |app: &&App| name.is_none_or(|name| app.is_named(name));
        self.platforms.iter().filter_map(|index| self.apps.get(*index)).filter(meant)
    }

    /// Whether an app has this appid: the one that it names, or several of a corporation.
    pub(crate) fn has_appid(&self, appid: &str) -> bool {
        self.by_appid.contains_key(appid)
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

    /// The caller with this API key.
    ///
    /// A look-up takes no more time with thousands of callers than with one. What its time tells of
    /// the digests is of no use: an attacker can't choose what their SHA-256 begins with, and could
    /// make no key of a digest that he knew. The one that is found is compared in constant time all
    /// the same, so that nothing hangs on how the table compares.
    pub(crate) fn caller_with_key(&self, key: &[u8]) -> Option<Authenticated<'_>> {
        let digest = digest(&SHA256, key);
        let holder = self.by_key.get(digest.as_ref())?;
        let who = self.callers.get(holder.caller)?;
        let key = who.keys.get(holder.key)?;
        bool::from(key.ct_eq(digest.as_ref())).then_some(Authenticated { who, key })
    }

    /// The caller of this name.
    pub(crate) fn caller(&self, name: &str) -> Option<&Caller> {
        self.by_caller_name.get(name).and_then(|index| self.callers.get(*index))
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

    /// Whether `name` is its name, one of WeChat's names for it, or its suite's.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        *self.name == *name || *self.identity == *name || self.is_meant_by(name)
    }

    /// Whether it is a third-party platform, or has a suite.
    pub(crate) fn acts_for_others(&self) -> bool {
        self.kind.is_platform() || self.suite.is_some()
    }

    /// Whose token it acts for others with.
    pub(crate) fn acts_by(&self) -> Issuer {
        if self.kind.is_platform() { Issuer::Authorizer } else { Issuer::Corporation }
    }
}

impl Caller {
    /// Whether this caller may use `app`.
    pub(crate) fn may_use(&self, app: &App) -> bool {
        self.apps.binary_search(&app.index).is_ok()
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

/// What was in force until now.
struct Former<'d> {
    by_name: HashMap<&'d str, &'d App>,
    by_identity: HashMap<&'d str, &'d App>,
}

impl<'d> Former<'d> {
    fn new(directory: &'d Directory) -> Self {
        let apps = || directory.apps.iter();
        Self {
            by_name: apps().map(|app| (&*app.name, app)).collect(),
            by_identity: apps().map(|app| (&*app.identity, app)).collect(),
        }
    }

    fn places(&self, name: &str) -> Option<&'d ExactPlaces> {
        self.by_name.get(name)?.places.as_ref()
    }

    /// The secret that placeholders of `app` may still be signed with.
    fn secret(&self, app: &AppOptions, now: Timestamp) -> Option<(Arc<Secret>, Timestamp)> {
        let former = self.by_identity.get(&*app.token.identity())?;
        if former.secret.matches(&app.token.secret) {
            return former.previous.clone().filter(|(_, until)| *until > now);
        }
        Some((Arc::clone(&former.secret), Timestamp(now.0 + FORMER_SECRET_SECONDS * 1000)))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use ring::digest::{SHA256, digest};

    use super::Directory;
    use crate::config::Config;
    use crate::observe::clock::{Clock, Timestamp};
    use crate::observe::hex::hex;
    use crate::observe::names::Names;
    use crate::token::Handle;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const CORPORATION: &str = "
        [[app]]
        name = 'sales'
        appid = 'ww0000000000000002'
        kind = 'wecom'
        agent_id = '1'
        secret = { env = 'SALES' }
        [[app]]
        name = 'support'
        appid = 'ww0000000000000002'
        kind = 'wecom'
        agent_id = '2'
        secret = { env = 'SUPPORT' }
        ";

    fn directory(text: &str, former: Option<&Directory>, secret_of: impl Fn(&str) -> String) -> Directory {
        let env = |name: &str| Some(secret_of(name));
        let config = Config::parse(text, "test.toml", &env).expect("a configuration");
        let clock = Clock::default();
        let credentials = |name: &str| {
            let app = config.pipeline.apps.iter().find(|app| &*app.token.name == name)?;
            Some(Handle::without_task(&app.token, &config.token, &clock))
        };
        Directory::new(config.pipeline.clone(), &[], credentials, &Names::default(), former, NOW)
    }

    #[test]
    fn each_of_many_callers_is_known_by_each_of_its_keys_and_by_no_other() {
        const CALLERS: usize = 300;
        let mut text =
            "[[app]]\nname = 'shop'\nappid = 'wx0000000000000001'\nsecret = { env = 'S' }\n".to_owned();
        let digest = |key: &str| hex(digest(&SHA256, key.as_bytes()));
        for number in 0..CALLERS {
            let (old, new) = (digest(&format!("old-{number}")), digest(&format!("new-{number}")));
            let _ = writeln!(
                text,
                "[[caller]]\nname = 'c{number}'\nkey_sha256 = ['{old}', '{new}']\napps = ['shop']"
            );
        }
        let directory = directory(&text, None, |_| "s3cret-of-every-account-000001".to_owned());
        for number in 0..CALLERS {
            for key in ["old", "new"] {
                let key = format!("{key}-{number}");
                let found = directory.caller_with_key(key.as_bytes()).expect("a caller's key");
                assert_eq!(*found.who.name, *format!("c{number}"));
                assert_eq!(hex(found.key), digest(&key));
            }
            assert_eq!(directory.caller(&format!("c{number}")).map(|caller| caller.index), Some(number));
        }
        for wrong in ["", "old", "old-300", "OLD-1"] {
            assert!(directory.caller_with_key(wrong.as_bytes()).is_none(), "{wrong}");
        }
        // A digest is not a key.
        assert!(directory.caller_with_key(digest("old-1").as_bytes()).is_none());
        assert!(directory.caller("c300").is_none());
    }

    #[test]
    fn placeholders_of_an_app_hold_under_its_own_former_secret_alone() {
        let secret = |of: &str, number: u32| format!("secret-of-{of:-<10}-{number}-000000000000000000000");
        let first = directory(CORPORATION, None, |of| secret(of, 1));
        let same = directory(CORPORATION, Some(&first), |of| secret(of, 1));
        assert!(same.apps.iter().all(|app| app.previous.is_none()));
        let changed =
            directory(CORPORATION, Some(&same), |of| secret(of, if of == "SUPPORT" { 2 } else { 1 }));
        let previous = |name: &str| {
            let app = changed.app(name).expect("configured");
            app.previous.as_ref().map(|(secret, _)| secret.expose().to_owned())
        };
        assert_eq!(previous("sales"), None);
        assert_eq!(previous("support"), Some(secret("SUPPORT", 1)));
    }
}

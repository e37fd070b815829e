//! What the configuration decides for requests.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::observe::clock::{ENDS_SOON, Timestamp};
use crate::quota::limit::LimitOptions;
use crate::server::TrustedProxies;
use crate::texts::{Words, words};
use crate::token;
use crate::wechat::catalogue::{self, Endpoint};
use crate::wechat::pattern::Pattern;
use crate::wechat::signing::Keys;

/// What a request's way depends on; replaced whole when the configuration is reloaded.
#[derive(Clone, Debug)]
pub struct Options {
    /// In the order of the configuration.
    pub apps: Vec<AppOptions>,
    /// Those with keys. Empty: everybody is anonymous.
    pub callers: Vec<CallerOptions>,
    /// What those without a key may do; none: whatever isn't guarded.
    pub anonymous_caller: Option<CallerOptions>,
    /// Rates and budgets, those of callers among them.
    pub limits: Vec<LimitOptions>,
    /// Callers without a key are let in although callers are configured or a listener isn't local.
    pub anonymous: bool,
    /// Names by which callers without a key reach the proxy, besides those of apps; lower case,
    /// without port.
    pub hosts: Vec<String>,
    /// Whose word on where a request comes from is believed.
    pub trusted_proxies: TrustedProxies,
    /// A longer request body is refused.
    pub max_body: u64,
    /// Requests in flight at once, of all workers together; what comes beyond is refused. 0 stands
    /// for [`PLACES`](Options::PLACES) for each worker.
    pub max_inflight: u64,
    /// Once so much was spent waiting for tokens and responses, a request is not sent again.
    pub request_timeout: Duration,
    /// Statuses of the proxy's own responses.
    pub error_status: ErrorStatus,
    /// Replay buffers.
    pub replay: ReplayOptions,
}

impl Options {
    /// Of each worker, where nothing else is said.
    pub const PLACES: u64 = 2048;

    /// Requests that may be in flight at once.
    pub fn places(&self, workers: usize) -> u64 {
        match self.max_inflight {
            0 => Self::PLACES * workers as u64,
            places => places,
        }
    }

    /// The app of a request that names none.
    pub fn default_app(&self) -> Option<&AppOptions> {
        self.apps.iter().find(|app| app.default == Some(true))
    }

    /// Whether a caller has this name; those without a key have
    /// [`LimitOptions::ANONYMOUS`].
    pub fn knows_caller(&self, name: &str) -> bool {
        name == LimitOptions::ANONYMOUS || self.callers.iter().any(|caller| *caller.name == *name)
    }
}

/// Which of the proxy's own responses come with the status of what happened. The others come with
/// 200, as WeChat's do, since most SDKs drop the body of any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorStatus {
    /// Refusals for a limit.
    pub limits: bool,
    /// All others.
    pub others: bool,
}

impl ErrorStatus {
    /// All have status 200.
    pub const WECHAT: Self = Self { limits: false, others: false };
    /// Each has its own.
    pub const HTTP: Self = Self { limits: true, others: true };
}

/// How much is kept for a replay, and where.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// A longer request body streams on and is not replayed.
    pub max_body: u64,
    /// For all replay buffers of the process together, and what is read before its caller is
    /// known.
    pub memory: u64,
    /// For all bodies together that lie in `spool_dir`.
    pub spool: u64,
    /// Where long bodies without a length are collected.
    pub spool_dir: PathBuf,
}

impl ReplayOptions {
    /// The part of `memory` for what is read before its caller is known. Neither can take the
    /// other's part: uploads don't keep anybody from a token call, nor strangers from an upload.
    pub fn of_strangers(&self) -> u64 {
        self.memory / 8
    }

    /// The part of `memory` for known callers' bodies.
    pub fn of_known(&self) -> u64 {
        self.memory - self.of_strangers()
    }
}

/// An app as requests see it.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// Identity and credential.
    pub token: token::AppOptions,
    /// Whether it is the app of a request that names none; none if nothing is said of it.
    pub default: Option<bool>,
    /// Requests with this `Host` are for this app; lower case, without port.
    pub hosts: Vec<String>,
    /// What becomes of a caller's own access_token.
    pub own_credential: OwnCredential,
    /// Hosts of the web pages that may get a signature for the JS-SDK; lower case, without port.
    pub jssdk_hosts: Vec<String>,
    /// Where WeChat refuses an endpoint for its limits, it is called at a slow pace until that
    /// window ends.
    pub slow_down: bool,
    /// Its requests in flight at once, of all workers together; 0 is no limit of its own.
    pub max_inflight: u64,
    /// Which of the upstreams that the [`Gate`](super::Gate) was given it is reached by.
    pub upstream: usize,
    /// Requests that are signed and encrypted for it.
    pub signing: Option<SigningOptions>,
}

/// Which requests of an app are signed and encrypted (API 安全), and by what.
#[derive(Clone, Debug)]
pub struct SigningOptions {
    /// Of those that are sent by POST.
    pub endpoints: SignedEndpoints,
    /// None where the configuration was read without its secrets.
    pub keys: Option<Arc<Keys>>,
}

impl SigningOptions {
    /// Whether a POST to `path`, which is `endpoint`'s, is signed.
    pub(crate) fn signs(&self, path: &str, endpoint: &Endpoint) -> bool {
        match &self.endpoints {
            SignedEndpoints::Supported => endpoint.signed,
            SignedEndpoints::All => true,
            SignedEndpoints::Listed(patterns) => {
                let path = catalogue::normalise(path);
                patterns.iter().any(|pattern| pattern.matches(&Method::POST, &path))
            }
        }
    }
}

/// The endpoints that an app's requests are signed for.
#[derive(Clone, Debug)]
pub enum SignedEndpoints {
    /// Those that WeChat is known to take signed requests on.
    Supported,
    /// All that take the app's token.
    All,
    /// Those that are listed.
    Listed(Vec<Pattern>),
}

/// What becomes of a caller's own access_token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnCredential {
    /// The app's token takes its place.
    Replace,
    /// `bad_request`.
    Reject,
}

/// A configured caller.
#[derive(Clone, Debug)]
pub struct CallerOptions {
    /// The label in metrics and logs.
    pub name: Arc<str>,
    /// SHA-256 of each of its API keys.
    pub keys: Vec<[u8; 32]>,
    /// Names of the apps that it may use.
    pub apps: Vec<Arc<str>>,
    /// What it may call.
    pub allow: Vec<Pattern>,
    /// It may have the real token.
    pub lease_token: bool,
    /// When its keys end, at a midnight in Beijing.
    pub expires: Option<Timestamp>,
}

impl CallerOptions {
    /// What is to be said of keys that end at `expires`, once that is near.
    pub fn expiry_warning(expires: Timestamp, now: Timestamp) -> Option<Words> {
        let last = expires.last_beijing_date();
        if expires <= now {
            return Some(words!("has passed: the key is refused since the end of {last} (Beijing)", last));
        }
        let days = expires.beijing_day() - now.beijing_day() - 1;
        (expires.since(now) <= ENDS_SOON).then(|| match days {
            0 => words!("is today: the key is refused after {last} (Beijing)", last),
            1 => words!("is tomorrow: the key is refused after {last} (Beijing)", last),
            _ => words!("is in {days} days: the key is refused after {last} (Beijing)", days, last),
        })
    }
}

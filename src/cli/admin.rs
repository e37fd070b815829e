//! The client of a running proxy's admin address.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::{HeaderValue, Method, StatusCode, header};
use serde::de::DeserializeOwned;
use wxgate::api::{Cleared, ErrorResponse, QuotaReset, RefreshOutcome, Refreshed};
use wxgate::secret::file::{self, Links};
use wxgate::texts::{Language, Text, text};
use wxgate::upstream::tls;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::terminal::printable;

/// A refresh may wait for a token request, its retry and the store.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A health check that waits longer has failed. The process exits at most a second later
/// (`LAST_WRITES`), which makes 3 s in all.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// The status of a thousand apps takes about 500 KiB.
const LONGEST_RESPONSE: usize = 16 << 20;
/// `/healthz` is a word, `/readyz` a line for each app; what is longer is not read.
const LONGEST_HEALTH: usize = 64 << 10;
/// A longer file does not hold a token.
const LONGEST_TOKEN: u64 = 4096;

/// Where the running proxy is.
#[derive(Debug, Args)]
pub(super) struct Endpoint {
    /// Admin address: http://HOST:PORT or unix:/path
    #[arg(long = "admin", value_name = "URL", env = "WXGATE_ADMIN", default_value = "http://127.0.0.1:9090")]
    url: String,
    /// File with the admin token; default: the environment variable WXGATE_ADMIN_TOKEN
    #[arg(long = "admin-token-file", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The client of one admin address.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<HeaderValue>,
}

impl Client {
    /// A client for `endpoint`, with its token if there is one.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, Failure> {
        let token = token(endpoint.token_file.as_deref())?;
        Ok(Self { token, ..Self::without_token(endpoint, TIMEOUT)? })
    }

    fn without_token(endpoint: &Endpoint, timeout: Duration) -> Result<Self, Failure> {
        let tls = tls::client_config(None).map_err(Failure::run)?;
        // No redirects and no proxy: the token is for this address alone.
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout);
        let base = if let Some(path) = endpoint.url.strip_prefix("unix:") {
            builder = builder.unix_socket(Path::new(path));
            "http://localhost".to_owned()
        } else if endpoint.url.contains('@') {
            let problem = text!("--admin must not have a user name or password: use --admin-token-file");
            return Err(Failure::usage(problem.to_string()));
        } else if endpoint.url.starts_with("http://") || endpoint.url.starts_with("https://") {
            endpoint.url.trim_end_matches('/').to_owned()
        } else {
            return Err(Failure::usage(
                text!("--admin: expected http://HOST:PORT or unix:/path").to_string(),
            ));
        };
        let http = builder.build().map_err(Failure::run)?;
        Ok(Self { http, base, token: None })
    }

    /// The status as JSON text.
    pub(super) async fn status(&self) -> Result<String, Failure> {
        self.call(Method::GET, "/api/v1/status").await
    }

    /// What is at a path of the API, as JSON text.
    pub(super) async fn get(&self, path: &str) -> Result<String, Failure> {
        self.call(Method::GET, path).await
    }

    /// Today's quotas of an app, or of all apps, as JSON text.
    pub(super) async fn quota(&self, app: Option<&str>) -> Result<String, Failure> {
        let only = app.map(|app| {
            form_urlencoded::Serializer::for_suffix(String::from("?"), 1).append_pair("app", app).finish()
        });
        self.call(Method::GET, &format!("/api/v1/quota{}", only.unwrap_or_default())).await
    }

    /// Resets WeChat's counters of an app, or the one of `endpoint`. Returns the result in words.
    pub(super) async fn clear_quota(&self, app: &str, endpoint: Option<&str>) -> Result<String, Failure> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("confirm", app);
        if let Some(endpoint) = endpoint {
            query.append_pair("endpoint", endpoint);
        }
        let path = format!("/api/v1/apps/{}/clear-quota?{}", segment(app), query.finish());
        let cleared: Cleared = self.post(&path).await?;
        let text = text!(
            "{result}; this month by wxgate: {spent} of {allowed}",
            result = printable(&cleared.message),
            spent = cleared.spent_this_month,
            allowed = cleared.allowed_a_month
        );
        let text = text.to_string();
        if cleared.cleared { Ok(format!("{text}\n")) } else { Err(Failure::run(text)) }
    }

    /// Resets wxgate's own counters and budgets of an app. Returns the result in words.
    pub(super) async fn reset_quota(&self, app: &str) -> Result<String, Failure> {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("confirm", app).finish();
        let path = format!("/api/v1/apps/{}/quota/reset?{query}", segment(app));
        let reset: QuotaReset = self.post(&path).await?;
        let text = printable(&reset.message);
        if reset.reset { Ok(format!("{text}\n")) } else { Err(Failure::run(text)) }
    }

    /// Fetches an app's token. Returns the result in words.
    pub(super) async fn refresh(&self, app: &str, force: bool) -> Result<String, Failure> {
        let app = segment(app);
        let query = if force { "?force=true" } else { "" };
        let refreshed: Refreshed = self.post(&format!("/api/v1/apps/{app}/refresh{query}")).await?;
        let (outcome, left) = (refreshed.outcome.as_str(), refreshed.forces_left_today);
        let mut text = match refreshed.generation {
            Some(generation) => text!(
                "{outcome}, generation {generation}, forced refreshes left today: {left}",
                outcome,
                generation,
                left
            )
            .to_string(),
            None => text!("{outcome}, forced refreshes left today: {left}", outcome, left).to_string(),
        };
        if !refreshed.message.is_empty() {
            text += &format!("\n{}", printable(&refreshed.message));
        }
        if refreshed.outcome == RefreshOutcome::Failed {
            return Err(Failure::run(text));
        }
        text.push('\n');
        Ok(text)
    }

    async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let body = self.call(Method::POST, path).await?;
        serde_json::from_str(&body).map_err(|_| unexpected())
    }

    async fn call(&self, method: Method, path: &str) -> Result<String, Failure> {
        let (status, body) = self.exchange(method, path, LONGEST_RESPONSE).await?;
        let too_long = || Failure::run(text!("the response of the admin address is too long").to_string());
        let body = body.ok_or_else(too_long)?;
        if status == StatusCode::OK { Ok(body) } else { Err(self.refused(status, &body)) }
    }

    /// The status, and the body unless it is longer than `longest`.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        longest: usize,
    ) -> Result<(StatusCode, Option<String>), Failure> {
        let failed = |error: reqwest::Error| {
            let reason = if error.is_connect() {
                text!("is a proxy running there? --admin or WXGATE_ADMIN sets its admin address")
            } else if error.is_timeout() {
                text!("it does not respond")
            } else {
                text!("the request failed")
            };
            Failure::run(Unreachable { base: self.base.clone(), reason, source: error.without_url() })
        };
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        request = request.header(header::ACCEPT_LANGUAGE, Language::current().tag());
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token.clone());
        }
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > longest {
                return Ok((status, None));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, Some(String::from_utf8_lossy(&body).into_owned())))
    }

    fn refused(&self, status: StatusCode, body: &str) -> Failure {
        let reason = serde_json::from_str::<ErrorResponse>(body).map(|refused| printable(&refused.error));
        let base = &self.base;
        let mut text = match reason {
            Ok(reason) => responded(base, status, &reason),
            Err(_) => text!("{base} responded with {status}, is it wxgate's admin address?", base, status)
                .to_string(),
        };
        if status == StatusCode::UNAUTHORIZED {
            text +=
                &format!("\n{}", text!("Set the admin token by WXGATE_ADMIN_TOKEN or --admin-token-file."));
        }
        Failure::run(text)
    }
}

fn responded(url: &str, status: StatusCode, body: &str) -> String {
    text!("{url} responded with {status}: {body}", url, status = status.as_u16(), body).to_string()
}

/// The failure of a response that isn't one of the API's.
pub(super) fn unexpected() -> Failure {
    Failure::run(text!("unexpected response from the admin address").to_string())
}

/// What `/healthz` or `/readyz` says, which need no token; a failure unless the status is 200.
pub(super) async fn health(endpoint: &Endpoint, path: &str) -> Result<String, Failure> {
    let client = Client::without_token(endpoint, HEALTH_TIMEOUT)?;
    let (status, body) = client.exchange(Method::GET, path, LONGEST_HEALTH).await?;
    // The status decides: with thousands of apps the body is long even if all is well.
    let body = body.unwrap_or_else(|| text!("(more than {bytes} bytes)", bytes = LONGEST_HEALTH).to_string());
    let body = body.trim_end().lines().map(printable).collect::<Vec<_>>().join("\n");
    if status == StatusCode::OK {
        return Ok(format!("{body}\n"));
    }
    Err(Failure::run(responded(&format!("{}{path}", client.base), status, &body)))
}

/// A name as a segment of a path.
fn segment(name: &str) -> String {
    // A form's `+` is a blank only in queries.
    form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The admin address cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("{}", text!("could not reach {base}: {reason}", base = .base, reason = .reason))]
struct Unreachable {
    base: String,
    reason: Text<'static>,
    #[source]
    source: reqwest::Error,
}

/// The `Authorization` header, marked so that no debug output shows it.
#[expect(
    clippy::disallowed_methods,
    reason = "clap could read the variable only for an option that takes the token"
)]
fn token(file: Option<&Path>) -> Result<Option<HeaderValue>, Failure> {
    let (plain, origin) = match file {
        Some(path) => {
            let unusable = |reason: &dyn Display| Failure::usage(format!("{}: {reason}", path.display()));
            let bytes = file::read(path, LONGEST_TOKEN, Links::Followed).map_err(|error| unusable(&error))?;
            let text = std::str::from_utf8(&bytes).map_err(|error| unusable(&error))?;
            (Zeroizing::new(text.to_owned()), path.display().to_string())
        }
        None => match std::env::var("WXGATE_ADMIN_TOKEN") {
            Ok(text) => (Zeroizing::new(text), "WXGATE_ADMIN_TOKEN".to_owned()),
            Err(_) => return Ok(None),
        },
    };
    let plain = plain.strip_suffix('\n').unwrap_or(&plain);
    let plain = plain.strip_suffix('\r').unwrap_or(plain);
    if plain.is_empty() || !plain.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::usage(
            text!("{origin}: expected a token, one word of ASCII", origin).to_string(),
        ));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {plain}"))
        .map_err(|error| Failure::usage(format!("{origin}: {error}")))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

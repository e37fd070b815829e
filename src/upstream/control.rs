//! Calls of the control plane: token fetches and probes.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::Options;

/// Makes the proxy's own calls to WeChat, off the hot path. Clones share one connection pool.
#[derive(Clone, Debug)]
pub struct Control {
    client: reqwest::Client,
    base: String,
    #[cfg(test)]
    script: Option<Scripts>,
}

/// A call: what to ask for, with credentials in the query or the body.
#[expect(missing_debug_implementations, reason = "it would print credentials")]
#[derive(Clone, Copy)]
pub enum Call<'a> {
    /// `GET path?query`
    Get {
        /// Begins with `/`.
        path: &'a str,
        /// Raw, already encoded.
        query: &'a str,
    },
    /// `POST path` with a JSON body.
    Post {
        /// Begins with `/`.
        path: &'a str,
        /// The JSON text.
        body: &'a str,
    },
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// At most 64 KiB.
    pub body: Bytes,
}

/// Why a call brought no answer. Carries no URL: ours hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nothing answered in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// Could not connect, or the exchange broke off.
    #[error("the exchange failed")]
    Exchange(#[source] reqwest::Error),
    /// The answer is longer than any token answer.
    #[error("the answer is longer than 64 KiB")]
    TooLong,
}

/// The control client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the control client")]
pub struct SetupError(#[from] reqwest::Error);

const LONGEST_ANSWER: usize = 64 * 1024;

impl CallError {
    /// What ends it, as far as the error shows.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Timeout(_) => Some(
                "See that this machine may reach the host (firewall, routes), and that token.fetch_timeout leaves time enough.",
            ),
            Self::TooLong => Some("See that upstream.base_urls leads to WeChat and not to a web page."),
            Self::Exchange(error) => remedy_of(error),
        }
    }
}

fn remedy_of(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        // An `io::Error` hands on the source of what it wraps, and so hides the wrapped error itself.
        let wrapped = io.and_then(io::Error::get_ref).map(|wrapped| wrapped as &(dyn StdError + 'static));
        if let Some(tls) = [Some(error), wrapped].into_iter().flatten().find_map(|e| e.downcast_ref()) {
            return Some(remedy_of_tls(tls));
        }
        if error.to_string() == "dns error" {
            return Some(
                "See that the host in upstream.base_urls is spelled right and that this machine's DNS knows it; \
                 upstream.resolve sets addresses without DNS.",
            );
        }
        if let Some(remedy) = io.and_then(|error| remedy_of_io(error.kind())) {
            return Some(remedy);
        }
        cause = wrapped.or_else(|| error.source());
    }
    None
}

fn remedy_of_tls(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(_) => {
            "The server's certificate isn't trusted: check the machine's clock, and set upstream.ca_file if a proxy of \
             your own stands between."
        }
        _ => {
            "The server doesn't speak TLS as expected: see that upstream.base_urls has the right scheme and port."
        }
    }
}

fn remedy_of_io(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::ConnectionRefused => {
            Some("Nothing listens there: check host and port in upstream.base_urls, and the firewall.")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some("This machine has no route there: check its network and firewall.")
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => Some(
            "Something between here and WeChat ended the connection: check firewall and upstream.base_urls.",
        ),
        _ => None,
    }
}

impl Control {
    /// A client for `options.origin`.
    pub fn new(options: &Options, tls: rustls::ClientConfig) -> Result<Self, SetupError> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(options.pool_idle);
        for (host, addresses) in &options.resolve {
            let addresses: Vec<_> =
                addresses.iter().map(|ip| std::net::SocketAddr::new(*ip, options.origin.port)).collect();
            builder = builder.resolve_to_addrs(host, &addresses);
        }
        Ok(Self {
            client: builder.build()?,
            base: options.origin.url(),
            #[cfg(test)]
            script: None,
        })
    }

    /// Makes one call; `timeout` bounds it from connecting to the answer's last byte.
    pub async fn call(&self, call: Call<'_>, timeout: Duration) -> Result<Answer, CallError> {
        #[cfg(test)]
        if let Some(Scripts(script)) = &self.script {
            let answer = tokio::time::timeout(timeout, script(call.into())).await;
            return answer.unwrap_or(Err(CallError::Timeout(timeout)));
        }
        let request = match call {
            Call::Get { path, query } => self.client.get(format!("{}{path}?{query}", self.base)),
            Call::Post { path, body } => self
                .client
                .post(format!("{}{path}", self.base))
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(body.to_owned()),
        };
        let exchange = async {
            let mut response = request.send().await?;
            let status = response.status();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                if body.len() + chunk.len() > LONGEST_ANSWER {
                    return Err(CallError::TooLong);
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Answer { status, body: body.into() })
        };
        tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(CallError::Timeout(timeout)))
    }
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        Self::Exchange(error.without_url())
    }
}

#[cfg(test)]
impl Control {
    /// For tests in which nothing may be called: no call arrives anywhere.
    pub(crate) fn nowhere() -> Self {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build();
        Self { client: client.expect("a client"), base: "http://127.0.0.1:0".into(), script: None }
    }

    /// With answers of a test's own, and no network.
    pub(crate) fn scripted(script: std::sync::Arc<Script>) -> Self {
        Self { script: Some(Scripts(script)), ..Self::nowhere() }
    }
}

/// Answers a call.
#[cfg(test)]
pub(crate) type Script = dyn Fn(Scripted) -> std::pin::Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send>>
    + Send
    + Sync;

#[cfg(test)]
#[derive(Clone)]
struct Scripts(std::sync::Arc<Script>);

#[cfg(test)]
impl std::fmt::Debug for Scripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripts")
    }
}

/// A call as a script sees it.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Scripted {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: String,
}

#[cfg(test)]
impl From<Call<'_>> for Scripted {
    fn from(call: Call<'_>) -> Self {
        match call {
            Call::Get { path, query } => {
                Self { path: path.to_owned(), query: query.to_owned(), ..Self::default() }
            }
            Call::Post { path, body } => {
                Self { path: path.to_owned(), body: body.to_owned(), ..Self::default() }
            }
        }
    }
}

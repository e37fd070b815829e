//! Which Redis, by the URL and the other keys of its table.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use redis::ConnectionAddr;

use crate::secret::{Secret, userinfo};
use crate::texts::{Words, words};

/// What keys begin with unless the configuration says otherwise.
const PREFIX: &str = "wxgate";

/// How to reach a Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub(super) shape: Shape,
    pub(super) tls: bool,
    /// Of the server, the sentinels, or some nodes of the cluster; at least one.
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) db: i64,
    pub(super) username: Option<String>,
    pub(super) password: Option<Password>,
    /// Trusted instead of the built-in roots.
    pub(super) ca_file: Option<PathBuf>,
    pub(super) prefix: String,
}

/// What runs at the hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Single,
    /// Sentinels, which know the current master of this name.
    Sentinel(String),
    Cluster,
}

/// A password that can be compared.
#[derive(Clone, Debug)]
pub(super) struct Password(pub(super) Arc<Secret>);

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0.matches(&other.0)
    }
}

impl Eq for Password {}

impl Target {
    /// Reads `redis://`, `redis-sentinel://` and `redis-cluster://`, each also with `rediss` for
    /// TLS.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence; it never repeats a password.
    pub fn parse(url: &str) -> Result<Self, Words> {
        let (scheme, rest) = url.split_once("://").ok_or_else(expected)?;
        let (kind, tls) = match scheme.strip_prefix("rediss") {
            Some(kind) => (kind, true),
            None => (scheme.strip_prefix("redis").ok_or_else(expected)?, false),
        };
        if rest.contains(['?', '#']) {
            return Err(words!("has a query, expected the keys username, password and ca_file instead"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) =
            authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
        let (shape, db, port) = match kind {
            "" => (Shape::Single, database(path)?, 6379),
            "-sentinel" => {
                let (master, db) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err(words!("has no master name, expected redis-sentinel://HOST:26379/MASTER"));
                }
                (Shape::Sentinel(master.to_owned()), database(db)?, 26379)
            }
            "-cluster" if path.is_empty() => (Shape::Cluster, 0, 6379),
            "-cluster" => return Err(words!("has a database number, which a cluster does not support")),
            _ => return Err(expected()),
        };
        let hosts = hosts.split(',').map(|text| host(text, port)).collect::<Result<Vec<_>, _>>()?;
        if hosts.len() > 1 && shape == Shape::Single {
            return Err(words!("has several hosts, expected redis-sentinel:// or redis-cluster:// for them"));
        }
        let (username, password) = user.map_or((None, None), credentials);
        Ok(Self { shape, tls, hosts, db, username, password, ca_file: None, prefix: PREFIX.to_owned() })
    }

    /// Whether a password is known.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Whether the connection uses TLS.
    pub fn has_tls(&self) -> bool {
        self.tls
    }

    /// The hosts, without ports.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|(host, _)| host.as_str())
    }

    /// Whether keys are spread over several nodes.
    pub fn is_cluster(&self) -> bool {
        self.shape == Shape::Cluster
    }

    /// With the keys next to the URL, which take precedence over its own.
    #[must_use]
    pub fn authenticated(mut self, username: Option<String>, password: Option<Arc<Secret>>) -> Self {
        self.username = username.or(self.username);
        self.password = password.map(Password).or(self.password);
        self
    }

    /// Trusting the certificates of this PEM file instead of the built-in roots.
    #[must_use]
    pub fn trusting(self, ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, ..self }
    }

    /// With keys that begin so, for several installations on one Redis.
    #[must_use]
    pub fn prefixed(self, prefix: Option<String>) -> Self {
        Self { prefix: prefix.unwrap_or(self.prefix), ..self }
    }

    /// The keys of `[store]` that say otherwise in `other`.
    pub(in crate::store) fn changed(&self, other: &Self) -> Vec<&'static str> {
        let Self { shape, tls, hosts, db, username, password, ca_file, prefix } = self;
        let there = (&other.shape, &other.tls, &other.hosts, &other.db);
        let differences = [
            ("url", (shape, tls, hosts, db) != there),
            ("username", *username != other.username),
            ("password", *password != other.password),
            ("ca_file", *ca_file != other.ca_file),
            ("prefix", *prefix != other.prefix),
        ];
        differences.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = ConnectionAddr> + '_ {
        self.hosts.iter().map(|(host, port)| match self.tls {
            true => {
                ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
            }
            false => ConnectionAddr::Tcp(host.clone(), *port),
        })
    }
}

/// The URL without secrets.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss" } else { "redis" })?;
        f.write_str(match self.shape {
            Shape::Single => "://",
            Shape::Sentinel(_) => "-sentinel://",
            Shape::Cluster => "-cluster://",
        })?;
        for (index, (host, port)) in self.hosts.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match host.contains(':') {
                true => write!(f, "{comma}[{host}]:{port}")?,
                false => write!(f, "{comma}{host}:{port}")?,
            }
        }
        match &self.shape {
            Shape::Single => write!(f, "/{}", self.db),
            Shape::Sentinel(master) => write!(f, "/{master}/{}", self.db),
            Shape::Cluster => Ok(()),
        }
    }
}

fn expected() -> Words {
    words!(
        "is not a Redis URL, expected \"redis://HOST:6379/0\", \"redis-sentinel://HOST:26379/MASTER/0\" or \
         \"redis-cluster://HOST:6379\", with rediss for TLS"
    )
}

fn database(text: &str) -> Result<i64, Words> {
    match text {
        "" => Ok(0),
        _ => text
            .parse::<u16>()
            .map(i64::from)
            .map_err(|_| words!("has a database that is not a number, expected one like /0")),
    }
}

fn host(text: &str, default_port: u16) -> Result<(String, u16), Words> {
    let wrong =
        || words!("has no host, expected one like \"redis://HOST:6379/0\"; write an @ in a password as %40");
    let (host, port) = match text.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']').ok_or_else(wrong)?;
            (host, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("")).ok_or_else(wrong)?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@') {
        return Err(wrong());
    }
    let port = match port {
        "" => Ok(default_port),
        _ => port
            .parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| words!("has a port that is not a number from 1 to 65535")),
    };
    Ok((host.to_owned(), port?))
}

/// `user:password`, `:password` or `user`, percent-encoded.
fn credentials(text: &str) -> (Option<String>, Option<Password>) {
    let (user, password) = userinfo(text);
    (user, password.map(|password| Password(Arc::new(password))))
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_url_is_shown_in_full_and_without_its_password() {
        for (url, shown) in [
            ("redis://r", "redis://r:6379/0"),
            ("redis://r:7000/3", "redis://r:7000/3"),
            ("rediss://u:p@r/1", "rediss://r:6379/1"),
            ("redis://:s%40cret@[::1]:7000", "redis://[::1]:7000/0"),
            ("redis-sentinel://a,b:1/main", "redis-sentinel://a:26379,b:1/main/0"),
            ("rediss-sentinel://x:p@a/main/2", "rediss-sentinel://a:26379/main/2"),
            ("redis-cluster://a:1,b", "redis-cluster://a:1,b:6379"),
        ] {
            let target = Target::parse(url).unwrap_or_else(|wrong| panic!("{url}: {wrong}"));
            assert_eq!(target.to_string(), shown);
            assert_eq!(target.has_password(), url.contains('@'), "{url}");
        }
    }

    #[test]
    fn a_password_is_decoded_and_not_printed() {
        let target = Target::parse("redis://us%3Aer:s%40c+ret@r").expect("a URL");
        assert_eq!(target.username.as_deref(), Some("us:er"));
        assert_eq!(target.password.as_ref().map(|password| password.0.expose()), Some("s@c+ret"));
        assert!(!format!("{target:?}").contains("c+ret"));
    }

    #[test]
    fn what_is_no_redis_is_refused_without_repeating_it() {
        for url in [
            "redis:",
            "redis://",
            "redis:/r",
            "redis://:hunter2@",
            "redis://r/x",
            "redis://r:0",
            "redis://r:99999",
            "redis://a,b",
            "redis-sentinel://r",
            "redis-cluster://r/1",
            "redis-else://r",
            "redis://r?db=1",
            "redis://a b",
            "redisx://r",
            "redis://:hunter2@x@@r y",
            "redis://[::1",
            "redis://[::1]x",
        ] {
            let wrong = Target::parse(url).expect_err(url);
            assert!(!wrong.as_str().contains("hunter2"), "{wrong}");
        }
    }
}

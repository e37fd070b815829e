//! A connection to whichever server holds the data.

use std::io;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, Pipeline, RedisConnectionInfo, RedisError, RedisFuture,
    RedisResult, TlsCertificates, TlsMode, Value,
};
use tokio::time::timeout;

use super::dial::{Connection, dial, pem};
use super::target::{Shape, Target};

/// From the first packet to a server that takes commands, of each server on the way.
const CONNECT: Duration = Duration::from_secs(1);

/// Commands go this way; clones share it.
#[derive(Clone)]
pub enum Link {
    /// The server itself, or the present master.
    One(MultiplexedConnection),
    /// All nodes of a cluster.
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link")
    }
}

impl Link {
    /// Connects; sentinels are asked for the master of the moment.
    pub async fn connect(target: &Target) -> RedisResult<Self> {
        match &target.shape {
            Shape::Single => Self::to(target, &first(target)?).await,
            Shape::Sentinel(master) => Self::to(target, &present_master(target, master).await?).await,
            Shape::Cluster => {
                let mut builder =
                    ClusterClientBuilder::new(target.addresses()).connection_timeout(CONNECT).retries(1);
                if let Some(username) = &target.username {
                    builder = builder.username(username);
                }
                if let Some(password) = &target.password {
                    builder = builder.password(password.0.expose());
                }
                if target.tls {
                    builder = builder.tls(TlsMode::Secure);
                }
                if let Some(ca_file) = &target.ca_file {
                    let root_cert = Some(std::mem::take(&mut *pem(ca_file).await?));
                    builder = builder.certs(TlsCertificates { client_tls: None, root_cert });
                }
                Ok(Self::Cluster(builder.build()?.get_async_connection().await?))
            }
        }
    }

    async fn to(target: &Target, address: &ConnectionAddr) -> RedisResult<Self> {
        // The store bounds what it waits for, and makes a new link after a failure.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let login = login(target);
        let connected = timeout(CONNECT, async {
            let stream = dial(target, address).await?;
            MultiplexedConnection::new_with_config(&login, stream, config).await
        });
        let (link, driver) = connected.await.unwrap_or_else(|_| Err(late()))?;
        #[expect(clippy::disallowed_methods, reason = "ends with the last clone of the link")]
        drop(tokio::spawn(driver));
        Ok(Self::One(link))
    }
}

/// A connection on which messages come in. In a cluster any node has those of all.
pub(super) async fn subscribe(target: &Target, channel: &str) -> RedisResult<PubSub> {
    let stream = match &target.shape {
        Shape::Single => dial(target, &first(target)?).await?,
        Shape::Sentinel(master) => dial(target, &present_master(target, master).await?).await?,
        Shape::Cluster => dial_any(target).await?,
    };
    let mut pubsub = PubSub::new(&login(target), stream).await?;
    pubsub.subscribe(channel).await?;
    Ok(pubsub)
}

async fn dial_any(target: &Target) -> io::Result<Connection> {
    let mut failed = None;
    for address in target.addresses() {
        match dial(target, &address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| io::ErrorKind::NotConnected.into()))
}

/// As the sentinels say. The client connects to them itself, so their responses aren't bounded.
async fn present_master(target: &Target, master: &str) -> RedisResult<ConnectionAddr> {
    let client = sentinel(target, master).await?.async_get_client().await?;
    Ok(client.get_connection_info().addr().clone())
}

fn first(target: &Target) -> RedisResult<ConnectionAddr> {
    target.addresses().next().ok_or_else(no_host)
}

fn no_host() -> RedisError {
    io::Error::from(io::ErrorKind::NotConnected).into()
}

fn late() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

fn login(target: &Target) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_db(target.db);
    if let Some(username) = &target.username {
        login = login.set_username(username);
    }
    if let Some(password) = &target.password {
        login = login.set_password(password.0.expose());
    }
    login
}

async fn sentinel(target: &Target, master: &str) -> RedisResult<SentinelClient> {
    let mut builder = SentinelClientBuilder::new(target.addresses(), master, SentinelServerType::Master)?
        .set_client_to_redis_db(target.db);
    if let Some(username) = &target.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &target.password {
        builder = builder.set_client_to_redis_password(password.0.expose());
    }
    if target.tls {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        builder = builder.set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(ca_file) = &target.ca_file {
        let root_cert = Some(std::mem::take(&mut *pem(ca_file).await?));
        let certificates = TlsCertificates { client_tls: None, root_cert };
        builder = builder.set_client_to_redis_certificates(certificates.clone());
        builder = builder.set_client_to_sentinel_certificates(certificates);
    }
    builder.build()
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(link) => link.req_packed_command(command),
            Self::Cluster(link) => link.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(link) => link.req_packed_commands(pipeline, offset, count),
            Self::Cluster(link) => link.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(link) => link.get_db(),
            Self::Cluster(link) => link.get_db(),
        }
    }
}

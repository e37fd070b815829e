//! A connection to whichever server holds the data.

use std::io;
use std::path::Path;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo as _, Pipeline, RedisError,
    RedisFuture, RedisResult, TlsCertificates, TlsMode, Value,
};

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
        // The store bounds what it waits for, and makes a new link after a failure.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(None);
        match &target.shape {
            Shape::Single => {
                let client = client(target, first(target)?)?;
                Ok(Self::One(client.get_multiplexed_async_connection_with_config(&config).await?))
            }
            Shape::Sentinel(master) => {
                let mut sentinel = sentinel(target, master)?;
                Ok(Self::One(sentinel.get_async_connection_with_config(&config).await?))
            }
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
                    builder = builder.certs(certificates(ca_file)?);
                }
                Ok(Self::Cluster(builder.build()?.get_async_connection().await?))
            }
        }
    }
}

/// A connection on which messages come in. In a cluster any node has those of all.
pub(super) async fn subscribe(target: &Target, channel: &str) -> RedisResult<PubSub> {
    let mut pubsub = match &target.shape {
        Shape::Single => client(target, first(target)?)?.get_async_pubsub().await?,
        Shape::Sentinel(master) => {
            sentinel(target, master)?.async_get_client().await?.get_async_pubsub().await?
        }
        Shape::Cluster => {
            let mut failed = None;
            let mut found = None;
            for address in target.addresses() {
                match client(target, address)?.get_async_pubsub().await {
                    Ok(pubsub) => {
                        found = Some(pubsub);
                        break;
                    }
                    Err(error) => failed = Some(error),
                }
            }
            found.ok_or_else(|| failed.unwrap_or_else(no_host))?
        }
    };
    pubsub.subscribe(channel).await?;
    Ok(pubsub)
}

fn first(target: &Target) -> RedisResult<ConnectionAddr> {
    target.addresses().next().ok_or_else(no_host)
}

fn no_host() -> RedisError {
    io::Error::from(io::ErrorKind::NotConnected).into()
}

fn client(target: &Target, address: ConnectionAddr) -> RedisResult<Client> {
    let info = address.into_connection_info()?;
    let mut settings = info.redis_settings().clone().set_db(target.db);
    if let Some(username) = &target.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &target.password {
        settings = settings.set_password(password.0.expose());
    }
    let info = info.set_redis_settings(settings);
    match &target.ca_file {
        Some(ca_file) => Client::build_with_tls(info, certificates(ca_file)?),
        None => Client::open(info),
    }
}

fn sentinel(target: &Target, master: &str) -> RedisResult<SentinelClient> {
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
        builder = builder.set_client_to_redis_certificates(certificates(ca_file)?);
        builder = builder.set_client_to_sentinel_certificates(certificates(ca_file)?);
    }
    builder.build()
}

fn certificates(ca_file: &Path) -> RedisResult<TlsCertificates> {
    let pem = std::fs::read(ca_file).map_err(|error| io::Error::other(format!("store.ca_file: {error}")))?;
    Ok(TlsCertificates { client_tls: None, root_cert: Some(pem) })
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

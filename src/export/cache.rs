//! Writing to a Redis that SDKs use as their cache.

use std::time::Duration;

use redis::RedisError;
use tokio::time::timeout;

use super::entries::Format;
use super::outcome::{Found, Put};
use crate::observe::clock::Timestamp;
use crate::store::redis::{Link, Target};
use crate::texts::text;
use crate::token::Token;
use crate::wechat::placeholder;

/// For one write.
const PATIENCE: Duration = Duration::from_millis(500);
/// To be connected, by way of sentinels if need be.
const CONNECT: Duration = Duration::from_secs(3);
/// What wxgate remembers next to the keys; in a cluster on the same node, by its hash tag.
const MARK: &str = "wxgate:export:";

/// Compares with what was written last, by whichever replica, and writes.
///
/// KEYS: the mark, then the entries. ARGV: generation, time of the fetch, milliseconds to live,
/// what placeholders begin with, whether to write where the same token is, then the values. A
/// token is older if neither its generation nor its time is higher: generations restart where a
/// store is lost, and clocks of replicas differ.
const PUT: &str = "
local mark = redis.call('HMGET', KEYS[1], 'generation', 'fetched_at', 'sum')
local present, missing, placeholder = {}, false, false
for index = 2, #KEYS do
    local value = redis.call('GET', KEYS[index])
    missing = missing or not value
    present[index - 1] = value or ''
    placeholder = placeholder or string.find(value or '', ARGV[4], 1, true)
end
local foreign = mark[3] and not missing and mark[3] ~= redis.sha1hex(table.concat(present, ' '))
local generation, fetched_at = tonumber(ARGV[1]), tonumber(ARGV[2])
if mark[3] and not missing and not foreign then
    local written, at = tonumber(mark[1]), tonumber(mark[2])
    local same = generation == written and fetched_at == at
    if same and ARGV[5] == '0' then return 'unchanged' end
    if not same and generation <= written and fetched_at <= at then return 'newer' end
end
local values = {}
for index = 2, #KEYS do
    values[index - 1] = ARGV[index + 4]
    redis.call('SET', KEYS[index], ARGV[index + 4], 'PX', ARGV[3])
end
local sum = redis.sha1hex(table.concat(values, ' '))
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'fetched_at', ARGV[2], 'sum', sum)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if placeholder then return 'placeholder' end
if foreign then return 'foreign' end
return 'written'";

/// Keys of a Redis; it reconnects after a failure.
pub(super) struct Cache {
    target: Target,
    format: Format,
    key: String,
    link: Option<Link>,
}

/// Why it could not be written to.
#[derive(Debug, thiserror::Error)]
pub(super) enum CacheError {
    #[error("{}", text!("no response from Redis within {time}", time = format_args!("{:?}", .0)))]
    Timeout(Duration),
    #[error("{}", text!("Redis failed"))]
    Redis(#[from] RedisError),
}

impl Cache {
    pub(super) fn new(target: &Target, format: Format, key: &str) -> Self {
        Self { target: target.clone(), format, key: key.to_owned(), link: None }
    }

    /// Writes `token` unless it is there or a newer one is; with `rewrite` also where it is there.
    pub(super) async fn put(
        &mut self,
        token: &Token,
        rewrite: bool,
        now: Timestamp,
    ) -> Result<Put, CacheError> {
        // Taken out, so that a failure leaves none behind.
        let mut link = match self.link.take() {
            Some(link) => link,
            None => timeout(CONNECT, Link::connect(&self.target))
                .await
                .map_err(|_| CacheError::Timeout(CONNECT))??,
        };
        let entries = self.format.entries(&self.key, token, now);
        // Until it expires and no sooner: an SDK that finds no token fetches its own.
        let lasts = token.expires_at.since(now).as_millis().max(1);
        let mut command = redis::cmd("EVAL");
        command.arg(PUT).arg(entries.len() + 1).arg(format!("{MARK}{{{}}}", self.key));
        for entry in &entries {
            command.arg(&entry.key);
        }
        command.arg(token.generation).arg(token.fetched_at.0).arg(lasts.to_string()).arg(placeholder::PREFIX);
        command.arg(u8::from(rewrite));
        for entry in &entries {
            command.arg(&entry.value);
        }
        let answer: String = timeout(PATIENCE, command.query_async(&mut link))
            .await
            .map_err(|_| CacheError::Timeout(PATIENCE))??;
        self.link = Some(link);
        Ok(match answer.as_str() {
            "unchanged" => Put::Unchanged,
            "newer" => Put::Newer,
            "placeholder" => Put::Written(Some(Found::Placeholder)),
            "foreign" => Put::Written(Some(Found::Other)),
            _ => Put::Written(None),
        })
    }
}

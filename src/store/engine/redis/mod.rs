//! The engine of a cluster: a Redis server, sentinels, or a Redis cluster.
//!
//! Each operation is one command or one script, so that no other client comes between. All keys
//! have the same hash tag, so that a cluster keeps them on one node and takes commands about
//! several.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream as _;
use parking_lot::Mutex;
use redis::aio::PubSubStream;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

mod link;
mod target;

pub use link::Link;
pub use target::Target;

use super::command::{Addition, Batch, Claim, Entry, Reserved, Swap, returned_of};
use crate::store::StoreError;
use crate::store::changes::{Announcer, Change};

/// How often everything is looked at, in case an announcement was lost.
const POLL: Duration = Duration::from_secs(1);
/// Between two tries to listen.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// To be subscribed.
const SUBSCRIBE: Duration = Duration::from_secs(3);
/// What a probe writes; no entry.
const PROBE: &str = "probe";
/// Keys in one answer of a scan.
const SCANNED: usize = 500;

/// A key of another type counts as absent, as it does for MGET. Who may write but not publish is
/// heard by the polls.
const SWAP: &str = "
local present = redis.pcall('GET', KEYS[1])
if type(present) == 'table' then
    if not string.find(present.err, 'WRONGTYPE', 1, true) then return present end
    present = false
end
if ARGV[1] == '1' then
    if present ~= ARGV[2] then return 0 end
elseif present then
    return 0
end
if ARGV[3] == '0' then
    redis.call('DEL', KEYS[1])
elseif ARGV[5] == '0' then
    redis.call('SET', KEYS[1], ARGV[4])
else
    redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
if ARGV[6] ~= '' then redis.pcall('PUBLISH', ARGV[6], ARGV[7]) end
return 1";

/// A batch that was added before adds nothing; a counter that is lower than what is known was lost,
/// and goes on from there.
const ADD: &str = "
local added = false
if ARGV[2] ~= '' then
    local last = redis.call('HGET', KEYS[1], ARGV[2])
    added = last and tonumber(last) >= tonumber(ARGV[3])
    if not added then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
end
local totals = {}
for index = 4, #ARGV, 3 do
    local known = ARGV[index + 2]
    if known ~= '0' and tonumber(redis.call('HGET', KEYS[1], ARGV[index]) or '0') < tonumber(known) then
        redis.call('HSET', KEYS[1], ARGV[index], known)
    end
    totals[#totals + 1] = redis.call('HINCRBY', KEYS[1], ARGV[index], added and 0 or ARGV[index + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return totals";

/// Where less is granted than is known, it was lost, and all goes on from there.
const RESERVE: &str = "
local used = tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or '0')
local returned = tonumber(redis.call('HGET', KEYS[1], ARGV[5]) or '0')
local lost = math.max(tonumber(ARGV[6]) - returned - used, 0)
local left = math.max(tonumber(ARGV[4]) - used - lost, 0)
local granted = math.min(tonumber(ARGV[3]), left)
if lost + granted > 0 then
    used = redis.call('HINCRBY', KEYS[1], ARGV[2], lost + granted)
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return {granted, left - granted, used + returned}";

const GIVE_BACK: &str = "
local used = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local returned = math.min(tonumber(ARGV[2]), used)
if returned > 0 then
    redis.call('HINCRBY', KEYS[1], ARGV[1], -returned)
    redis.call('HINCRBY', KEYS[1], ARGV[3], returned)
end
return 1";

/// In a script, as all that is written.
const TRY: &str = "return redis.call('SET', KEYS[1], '', 'PX', 1000)";
/// In a script, since a cluster's client would ask just any node.
const SCAN: &str = "return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3], 'TYPE', 'string')";
const ENTRY: &str = "return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}";

/// A Redis; the connection is made anew after a failure.
pub(in crate::store) struct Redis {
    target: Target,
    announcer: Announcer,
    /// Locked for a look-up, never over an await.
    link: Mutex<Option<Link>>,
    relinked: Notify,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Redis {
    /// Connects when first probed.
    pub(in crate::store) fn new(target: &Target, announcer: Announcer) -> Self {
        Self { target: target.clone(), announcer, link: Mutex::default(), relinked: Notify::new() }
    }

    pub(super) async fn get(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(self.key(key));
        }
        Ok(command.query_async(&mut self.link()?).await?)
    }

    pub(super) async fn swap(&self, swap: Swap<'_>) -> Result<bool, StoreError> {
        let channel = if swap.announced { self.channel() } else { String::new() };
        let lasts = swap.lasts.map_or(0, |lasts| lasts.as_millis().max(1));
        let mut command = self.script(SWAP, swap.key);
        command.arg(u8::from(swap.expected.is_some())).arg(swap.expected.unwrap_or_default());
        command.arg(u8::from(swap.value.is_some())).arg(swap.value.unwrap_or_default());
        command.arg(lasts.to_string()).arg(channel).arg(swap.key);
        Ok(command.query_async(&mut self.link()?).await?)
    }

    pub(super) async fn add(
        &self,
        key: &str,
        counts: &[Addition<'_>],
        batch: Option<Batch<'_>>,
        lasts: Duration,
    ) -> Result<Vec<u64>, StoreError> {
        let mut command = self.script(ADD, key);
        command.arg(lasts.as_millis().to_string());
        command.arg(batch.map(|batch| batch.mark()).unwrap_or_default());
        command.arg(batch.map_or(0, |batch| batch.number));
        for Addition { name, by, known } in counts {
            command.arg(name).arg(by).arg(known);
        }
        Ok(command.query_async(&mut self.link()?).await?)
    }

    pub(super) async fn reserve(&self, key: &str, claim: Claim<'_>) -> Result<Reserved, StoreError> {
        let mut command = self.script(RESERVE, key);
        command.arg(claim.lasts.as_millis().to_string()).arg(claim.name).arg(claim.want).arg(claim.limit);
        command.arg(returned_of(claim.name)).arg(claim.known);
        let (granted, left, total) = command.query_async(&mut self.link()?).await?;
        Ok(Reserved { granted, left, total })
    }

    pub(super) async fn give_back(&self, key: &str, name: &str, amount: u64) -> Result<(), StoreError> {
        let mut command = self.script(GIVE_BACK, key);
        Ok(command.arg(name).arg(amount).arg(returned_of(name)).query_async(&mut self.link()?).await?)
    }

    pub(super) async fn counts(&self, key: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let mut counts: Vec<(String, u64)> =
            redis::cmd("HGETALL").arg(self.key(key)).query_async(&mut self.link()?).await?;
        counts.sort();
        Ok(counts)
    }

    pub(super) async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let mut link = self.link()?;
        let pattern = self.key("*");
        let mut keys = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut command = self.script(SCAN, "");
            command.arg(&cursor).arg(&pattern).arg(SCANNED);
            let (next, found): (String, Vec<String>) = command.query_async(&mut link).await?;
            let own = found.iter().filter_map(|key| key.strip_prefix(&self.key("")));
            keys.extend(own.filter(|key| *key != PROBE).map(str::to_owned));
            if next == "0" {
                break;
            }
            cursor = next;
        }
        // A scan may show a key twice.
        keys.sort();
        keys.dedup();
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            let (value, left): (Option<Vec<u8>>, i64) =
                self.script(ENTRY, &key).query_async(&mut link).await?;
            let lasts = u64::try_from(left).ok().map(Duration::from_millis);
            entries.extend(value.map(|value| Entry { key, value: Ok(value), lasts }));
        }
        Ok(entries)
    }

    /// By a write as all others: a replica, a full server and one that still loads answer reads,
    /// and a user may be denied scripts.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        *self.link.lock() = None;
        let mut link = Link::connect(&self.target).await?;
        let command = self.script(TRY, PROBE);
        command.query_async::<()>(&mut link).await?;
        *self.link.lock() = Some(link);
        self.relinked.notify_waiters();
        Ok(())
    }

    /// Announces what others write, for as long as it is polled.
    pub(super) async fn watch(&self) {
        tokio::join!(self.poll(), self.listen());
    }

    async fn poll(&self) {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.announcer.announce(Change::Any);
        }
    }

    async fn listen(&self) {
        loop {
            if let Ok(Ok(subscription)) =
                timeout(SUBSCRIBE, link::subscribe(&self.target, &self.channel())).await
            {
                // What was written until now was announced to nobody here.
                self.announcer.announce(Change::Any);
                tokio::select! {
                    () = self.hear(subscription.into_on_message()) => {}
                    // After a failover the old master's subscription may be silent for ever.
                    () = self.relinked.notified() => continue,
                }
            }
            sleep(LISTEN_AGAIN).await;
        }
    }

    /// Announces messages until the connection ends.
    async fn hear(&self, mut messages: PubSubStream) {
        while let Some(message) = poll_fn(|context| Pin::new(&mut messages).poll_next(context)).await {
            let change = match message.get_payload::<String>() {
                Ok(key) => Change::Key(key.into()),
                Err(_) => Change::Any,
            };
            self.announcer.announce(change);
        }
    }

    fn script(&self, text: &str, key: &str) -> redis::Cmd {
        // The text itself and not its digest, which a server forgets when it restarts.
        let mut command = redis::cmd("EVAL");
        command.arg(text).arg(1).arg(self.key(key));
        command
    }

    fn key(&self, key: &str) -> String {
        format!("{{{}}}:{key}", self.target.prefix)
    }

    fn channel(&self) -> String {
        self.key("changes")
    }

    fn link(&self) -> Result<Link, StoreError> {
        self.link.lock().clone().ok_or(StoreError::Down)
    }
}

//! The engine of a cluster: a Redis server, sentinels, or a Redis cluster.
//!
//! Each operation is one command or one script, so that no other client comes between. All keys
//! have the same hash tag, so that a cluster keeps them on one node and takes commands about
//! several.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream as _;
use parking_lot::Mutex;
use redis::aio::PubSubStream;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

mod bounds;
mod dial;
mod link;
mod target;

pub use link::Link;
pub use target::Target;

use self::bounds::{LONGEST_STRING, MOST_KEYS};
use super::command::{
    Addition, Batch, Claim, Entry, Reserved, Swap, Total, highest_of, resets_of, returned_of, total_of,
};
use crate::store::StoreError;
use crate::store::changes::{Announcer, Change};
use crate::store::times::STEP;

/// How often everything is looked at, in case an announcement was lost.
const POLL: Duration = Duration::from_secs(1);
/// Between two tries to listen.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// To be subscribed.
const SUBSCRIBE: Duration = Duration::from_secs(3);
/// What a probe writes; no entry.
const PROBE: &str = "probe";
/// Keys, or counters, in one response of a scan; a hint.
const SCANNED: usize = 500;
/// Of a day: twice what one replica counts apart, and the fields next to them.
const MOST_COUNTERS: usize = 250_000;
/// Of a counter.
const LONGEST_NAME: usize = 1_024;
/// That a store holds.
const MOST_ENTRIES: usize = 1_000_000;

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

/// What a counter says, if it can be ([`total_of`]): whoever can write to the server can write
/// anything. A key of another type makes room. Begins the scripts that count.
const COUNT: &str = "
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local function is_reset(name)
    return string.sub(name, 1, 7) == '#reset '
end
local function count(name)
    local value = redis.call('HGET', KEYS[1], name)
    if not value then return 0 end
    if not string.find(value, '^%d+$') or #value > (is_reset(name) and 6 or 16) then return nil end
    if #value == 16 and value > '9007199254740992' then return nil end
    return tonumber(value)
end
local function put(name, value)
    redis.call('HSET', KEYS[1], name, string.format('%.0f', value))
end";

/// A batch that was added before adds nothing; a counter that is lower than what is known was lost,
/// and goes on from there. -1 stands for one that can't be; a number of resets counts
/// as never then.
const ADD: &str = "
local added = false
if ARGV[2] ~= '' then
    local last = count(ARGV[2])
    added = last and last >= tonumber(ARGV[3])
    if not added then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
end
local totals = {}
for index = 4, #ARGV, 3 do
    local stored = count(ARGV[index]) or is_reset(ARGV[index]) and 0
    local total = -1
    if stored then
        total = math.max(stored, tonumber(ARGV[index + 2])) + (added and 0 or tonumber(ARGV[index + 1]))
        put(ARGV[index], total)
    end
    totals[#totals + 1] = total
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return totals";

/// Where less is granted than is known, it was lost, and all goes on from there, unless the store
/// remembers as much ([`highest_of`]). What was known before a reset is ignored; -1 means an
/// impossible value.
const RESERVE: &str = "
local resets, own, known = count(ARGV[7]) or 0, tonumber(ARGV[8]), tonumber(ARGV[6])
if own > resets then
    resets = own
    put(ARGV[7], own)
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
elseif own < resets then
    known = 0
end
local since = resets > 0 and string.format(' #%.0f', resets) or ''
local used, returned = count(ARGV[2] .. since), count(ARGV[5] .. since)
if not used or not returned then return {0, 0, 0, -1, resets} end
local highest = count(ARGV[9] .. since) or 0
local lost = known > highest and math.max(known - returned - used, 0) or 0
local left = math.max(tonumber(ARGV[4]) - used - lost, 0)
local granted = math.min(tonumber(ARGV[3]), left)
if lost + granted > 0 then
    used = used + lost + granted
    put(ARGV[2] .. since, used)
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
if used + returned > highest then put(ARGV[9] .. since, used + returned) end
return {granted, left - granted, used + returned, used, resets}";

const GIVE_BACK: &str = "
local used = count(ARGV[1])
local returned = used and math.min(tonumber(ARGV[2]), used) or 0
if returned > 0 then
    put(ARGV[1], used - returned)
    put(ARGV[3], (count(ARGV[3]) or 0) + returned)
end
return 1";

/// Of a hash: its name and what it holds, which may be no text.
type Field = (Vec<u8>, Vec<u8>);

/// In a script, as all that is written.
const TRY: &str = "return redis.call('SET', KEYS[1], '', 'PX', 1000)";
/// In a script, since a cluster's client would ask just any node.
const SCAN: &str = "return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3], 'TYPE', 'string')";
const ENTRY: &str = "return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}";

/// A Redis; it reconnects after a failure.
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
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MOST_KEYS) {
            let mut command = redis::cmd("MGET");
            for key in keys {
                command.arg(self.key(key));
            }
            let values: Vec<Option<Vec<u8>>> = command.query_async(&mut self.link()?).await?;
            if values.len() != keys.len() {
                return Err(StoreError::Amount { asked: keys.len(), answered: values.len() });
            }
            found.extend(values);
        }
        Ok(found)
    }

    pub(super) async fn swap(&self, swap: Swap<'_>) -> Result<bool, StoreError> {
        if swap.value.is_some_and(|value| value.len() > LONGEST_STRING) {
            return Err(StoreError::TooLong { key: swap.key.to_owned(), limit: LONGEST_STRING });
        }
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
    ) -> Result<Vec<Total>, StoreError> {
        let mut command = self.script(&format!("{COUNT}{ADD}"), key);
        command.arg(lasts.as_millis().to_string());
        command.arg(batch.map(|batch| batch.mark()).unwrap_or_default());
        command.arg(batch.map_or(0, |batch| batch.number));
        for Addition { name, by, known } in counts {
            command.arg(name).arg(by).arg(known);
        }
        let totals: Vec<i64> = command.query_async(&mut self.link()?).await?;
        if totals.len() != counts.len() {
            return Err(StoreError::Amount { asked: counts.len(), answered: totals.len() });
        }
        Ok(totals.into_iter().map(|total| u64::try_from(total).ok()).collect())
    }

    pub(super) async fn reserve(&self, key: &str, claim: Claim<'_>) -> Result<Reserved, StoreError> {
        let mut command = self.script(&format!("{COUNT}{RESERVE}"), key);
        command.arg(claim.lasts.as_millis().to_string()).arg(claim.name).arg(claim.want).arg(claim.limit);
        command.arg(returned_of(claim.name)).arg(claim.known);
        command.arg(resets_of(claim.name)).arg(claim.resets).arg(highest_of(claim.name));
        let answer: (u64, u64, u64, i64, u64) = command.query_async(&mut self.link()?).await?;
        let (granted, left, total, used, resets) = answer;
        // More than was requested must not be spent.
        let granted = granted.min(claim.want);
        Ok(Reserved { granted, left, total, used: u64::try_from(used).ok(), resets })
    }

    pub(super) async fn give_back(&self, key: &str, name: &str, amount: u64) -> Result<(), StoreError> {
        let mut command = self.script(&format!("{COUNT}{GIVE_BACK}"), key);
        Ok(command.arg(name).arg(amount).arg(returned_of(name)).query_async(&mut self.link()?).await?)
    }

    pub(super) async fn counts(&self, key: &str) -> Result<Vec<(String, Total)>, StoreError> {
        let mut link = self.link()?;
        // A scan may show a counter twice.
        let mut counts = BTreeMap::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut command = redis::cmd("HSCAN");
            command.arg(self.key(key)).arg(&cursor).arg("COUNT").arg(SCANNED);
            let (next, found): (String, Vec<Field>) = match step(&command, &mut link).await {
                // As for the scripts: it is absent.
                Err(StoreError::Redis(error)) if error.code() == Some("WRONGTYPE") => return Ok(Vec::new()),
                answer => answer?,
            };
            for (name, value) in found {
                let name = String::from_utf8_lossy(&name).into_owned();
                if counts.len() == MOST_COUNTERS || name.len() > LONGEST_NAME {
                    return Err(StoreError::Damaged { key: key.to_owned() });
                }
                let count = std::str::from_utf8(&value).ok().and_then(|value| value.parse().ok());
                let total = count.and_then(|count| total_of(&name, count));
                counts.insert(name, total);
            }
            if next == "0" {
                return Ok(counts.into_iter().collect());
            }
            cursor = next;
        }
    }

    pub(super) async fn entries(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let mut link = self.link()?;
        let pattern = self.key(&format!("{prefix}*"));
        let mut keys = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut command = self.script(SCAN, "");
            command.arg(&cursor).arg(&pattern).arg(SCANNED);
            let (next, found): (String, Vec<String>) = step(&command, &mut link).await?;
            let own = found.iter().filter_map(|key| key.strip_prefix(&self.key("")));
            keys.extend(own.filter(|key| *key != PROBE).map(str::to_owned));
            if keys.len() > MOST_ENTRIES {
                return Err(StoreError::Damaged { key: pattern });
            }
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
            let (value, left): (Option<Vec<u8>>, i64) = step(&self.script(ENTRY, &key), &mut link).await?;
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
                // What was written until now was not announced here.
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

/// One of many commands, in the time that it has.
async fn step<T: redis::FromRedisValue>(command: &redis::Cmd, link: &mut Link) -> Result<T, StoreError> {
    match timeout(STEP, command.query_async(link)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::Timeout(STEP)),
    }
}

//! `wxgate store`: looking into a store, and moving to another.

use std::path::PathBuf;
use std::time::Duration;

use super::layout::Sheet;
use super::store_owner::{Foreign, refuse_foreign};
use crate::observe::clock::{Clock, Timestamp};
use crate::secret::Secret;
use crate::store::{
    Content, Copied, CopyError, Listed, Location, Options, Protection, Seal, Store, StoreError,
};
use crate::token::import_refresh_token;

/// The column of the keys.
const KEY: usize = 18;
/// Days whose counters are moved: today's and, until all clocks agree on it, yesterday's.
const DAYS: i64 = 2;

/// Why a store can't be looked into.
#[derive(Debug, thiserror::Error)]
pub enum StoreToolError {
    /// It lives in the process that uses it.
    #[error("a memory: store is seen by its own process alone, see `wxgate status`")]
    Memory,
    /// There is no such folder; none is created for looking.
    #[error("{} is no folder", .0.display())]
    NoFolder(PathBuf),
    /// It is another user's.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// It doesn't answer.
    #[error("{location} does not answer: {problem}")]
    Down {
        /// Which.
        location: Location,
        /// Why.
        problem: String,
    },
    /// One of the two failed on the way.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// It failed on the way.
    #[error("{location}")]
    Store {
        /// Which.
        location: Location,
        /// Why.
        source: StoreError,
    },
    /// A line of what is to be imported isn't as it should be; nothing was written.
    #[error("line {0} is not an appid and a refresh token with a space between")]
    Line(usize),
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Verified {
    /// For people, lines of at most 80 columns.
    pub text: String,
    /// Entries that can't be used.
    pub bad: usize,
}

/// Every entry of a store, without secrets.
pub async fn show(options: &Options) -> Result<String, StoreToolError> {
    let store = open(options).await?;
    let listed = list(&store).await?;
    let now = Clock::default().now();
    let mut sheet = Sheet::new(0, KEY);
    sheet.row("store", &store.location().to_string());
    sheet.row("seal key", store.seal().and_then(Seal::key_id).unwrap_or("none"));
    if let Some(former) = store.seal().and_then(Seal::former_key_id) {
        sheet.row("former seal key", former);
    }
    for entry in &listed {
        sheet.row(&entry.key, &describe(&entry.content, now));
    }
    if listed.is_empty() {
        sheet.row("(empty)", "");
    }
    let counters = count(&store, now).await?;
    if counters > 0 {
        sheet.row("counters", &format!("{counters} of today"));
    }
    Ok(sheet.finish())
}

/// Opens every entry with the keys at hand, and names those that can't be used.
pub async fn verify(options: &Options) -> Result<Verified, StoreToolError> {
    let store = open(options).await?;
    let listed = list(&store).await?;
    let mut sheet = Sheet::new(0, KEY);
    let (mut bad, mut stale) = (0, 0);
    for Listed { key, content } in &listed {
        match content {
            Content::Unreadable(error) | Content::Token { problem: Some(error), .. } => {
                bad += 1;
                sheet.row(key, &format!("BAD: {}", error.chain()));
            }
            Content::Token { protection, .. } if *protection != present(&store) => stale += 1,
            Content::Token { .. } | Content::Lease { .. } | Content::Forces(_) => {}
        }
    }
    let entries = if listed.len() == 1 { "entry" } else { "entries" };
    sheet.row("checked", &format!("{} {entries} of {}, {bad} bad", listed.len(), store.location()));
    if stale > 0 {
        let text =
            format!("{stale} not sealed with the present key; each is written anew when it is read next");
        sheet.row("stale", &text);
    }
    Ok(Verified { text: sheet.finish(), bad })
}

/// Moves what `from` holds to `to`, where that has nothing newer.
pub async fn copy(from: &Options, to: &Options) -> Result<String, StoreToolError> {
    let (from, to) = (open(from).await?, open_or_create(to).await?);
    let today = Clock::default().now().beijing_day();
    let days: Vec<_> = (0..DAYS).map(|ago| today - ago).collect();
    let Copied { written, kept, unreadable } = from.copy(&to, &days).await?;
    let mut text = format!("{written} copied, {kept} left as they were in {}", to.location());
    if unreadable > 0 {
        text += &format!("; {unreadable} could not be read, see `wxgate store verify`");
    }
    text.push('\n');
    Ok(text)
}

/// Keeps the refresh tokens of accounts that authorised the platform `component`, one a line behind
/// the account's appid.
pub async fn import(options: &Options, component: &str, lines: &str) -> Result<String, StoreToolError> {
    let mut accounts = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next(), words.next()) {
            (None, ..) => {}
            (Some(comment), ..) if comment.starts_with('#') => {}
            (Some(appid), Some(token), None) if appid.starts_with("wx") => accounts.push((appid, token)),
            _ => return Err(StoreToolError::Line(number + 1)),
        }
    }
    let (store, now) = (open_or_create(options).await?, Clock::default().now());
    let mut written = 0;
    for (appid, token) in &accounts {
        let kept = import_refresh_token(&store, component, appid, Secret::new(*token), now).await;
        let location = || store.location().clone();
        let kept = kept.map_err(|source| StoreToolError::Store { location: location(), source })?;
        written += usize::from(kept);
    }
    let accounts = accounts.len();
    Ok(format!("{written} refresh tokens of {accounts} accounts written to {}\n", store.location()))
}

async fn open(options: &Options) -> Result<Store, StoreToolError> {
    match &options.location {
        Location::File(folder) if !folder.is_dir() => Err(StoreToolError::NoFolder(folder.clone())),
        _ => open_or_create(options).await,
    }
}

async fn open_or_create(options: &Options) -> Result<Store, StoreToolError> {
    if options.location == Location::Memory {
        return Err(StoreToolError::Memory);
    }
    refuse_foreign(&options.location)?;
    let location = || options.location.clone();
    let store = Store::open(options).await;
    let store = store.map_err(|source| StoreToolError::Store { location: location(), source })?;
    match store.problem() {
        Some(problem) => Err(StoreToolError::Down { location: location(), problem: problem.to_string() }),
        None => Ok(store),
    }
}

async fn list(store: &Store) -> Result<Vec<Listed>, StoreToolError> {
    let listed = store.list().await;
    listed.map_err(|source| StoreToolError::Store { location: store.location().clone(), source })
}

async fn count(store: &Store, now: Timestamp) -> Result<usize, StoreToolError> {
    let counted = store.count_counters(now.beijing_day()).await;
    counted.map_err(|source| StoreToolError::Store { location: store.location().clone(), source })
}

fn present(store: &Store) -> Protection {
    let key = store.seal().and_then(Seal::key_id);
    key.map_or(Protection::Clear, |key| Protection::Sealed(key.to_owned()))
}

fn describe(content: &Content, now: Timestamp) -> String {
    match content {
        Content::Token { generation, expires_at, protection, problem, .. } => {
            let left = expires_at.since(now);
            let end = match left {
                _ if *expires_at == Timestamp::NEVER => "without an end".to_owned(),
                left if left.is_zero() => "expired".to_owned(),
                left => format!("good for {}", short(left)),
            };
            let protection = match protection {
                Protection::Clear => "in clear".to_owned(),
                Protection::Sealed(key) => format!("sealed with {key}"),
            };
            let problem =
                problem.as_ref().map(|error| format!("; BAD: {}", error.chain())).unwrap_or_default();
            format!("generation {generation}, {end}, {protection}{problem}")
        }
        Content::Lease { owner, lasts } => {
            let left = lasts.map(|lasts| format!(" for {} ms", lasts.as_millis())).unwrap_or_default();
            format!("held by {owner}{left}")
        }
        Content::Forces(budget) => format!("{} forced refreshes left today", budget.left(now)),
        Content::Unreadable(error) => format!("BAD: {}", error.chain()),
    }
}

fn short(left: Duration) -> String {
    humantime::format_duration(Duration::from_secs(left.as_secs())).to_string()
}

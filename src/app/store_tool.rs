//! `wxgate store`: inspects a store, or copies it to another.

use std::path::PathBuf;
use std::time::Duration;

use super::layout::Sheet;
use super::store_owner::{Foreign, refuse_foreign};
use crate::observe::clock::{Clock, Timestamp};
use crate::secret::Secret;
use crate::store::{
    Content, Copied, CopyError, Listed, Location, Options, Protection, Seal, Store, StoreError,
};
use crate::texts::text;
use crate::token::{forget_lost_authorizations, import_permanent_code, import_refresh_token};

/// The column of the keys.
const KEY: usize = 18;
/// Days whose counters are copied: today's and, until all clocks agree on it, yesterday's.
const DAYS: i64 = 2;

/// Why a store can't be inspected.
#[derive(Debug, thiserror::Error)]
pub enum StoreToolError {
    /// It exists only in the process that uses it.
    #[error("{}", text!("a memory: store exists only inside its process; use `wxgate status`"))]
    Memory,
    /// There is no such folder; none is created for inspecting.
    #[error("{}", text!("{folder} is not a directory", folder = .0.display()))]
    NoFolder(PathBuf),
    /// It is another user's.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// It doesn't respond.
    #[error("{}", text!("{location} does not respond: {problem}", location = .location, problem = .problem))]
    Down {
        /// Which.
        location: Location,
        /// Why.
        problem: String,
    },
    /// One of the two failed.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// It failed.
    #[error("{location}")]
    Store {
        /// Which.
        location: Location,
        /// Why.
        source: StoreError,
    },
    /// A line of the import is malformed; nothing was written.
    #[error("{}", text!("line {line}: expected an appid and a refresh token, separated by a space", line = .0))]
    Line(usize),
    /// The same for a suite's.
    #[error("{}", text!("line {line}: expected a corpid and a permanent code, separated by a space", line = .0))]
    SuiteLine(usize),
}

/// By whom the accounts of an import are acted for.
#[derive(Clone, Copy, Debug)]
pub enum ImportFor<'a> {
    /// A third-party platform with this appid: refresh tokens.
    Platform(&'a str),
    /// A suite with this id: permanent codes.
    Suite(&'a str),
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
    let counters = count(&store, now).await?;
    sheet.row(text!("store"), store.location());
    match store.seal().and_then(Seal::key_id) {
        Some(key) => sheet.row(text!("seal key"), key),
        None => sheet.row(text!("seal key"), text!("none")),
    }
    if let Some(former) = store.seal().and_then(Seal::former_key_id) {
        sheet.row(text!("former seal key"), former);
    }
    for entry in &listed {
        sheet.row(&entry.key, describe(&entry.content, now));
    }
    if listed.is_empty() {
        sheet.row(text!("(empty)"), "");
    }
    if counters > 0 {
        sheet.row(text!("counters"), text!("{counters} today", counters));
    }
    Ok(sheet.finish())
}

/// Opens every entry with the given keys, and lists those that can't be used.
pub async fn verify(options: &Options) -> Result<Verified, StoreToolError> {
    let store = open(options).await?;
    let listed = list(&store).await?;
    let mut sheet = Sheet::new(0, KEY);
    let (mut bad, mut stale) = (0, 0);
    for Listed { key, content } in &listed {
        match content {
            Content::Unreadable(error) | Content::Token { problem: Some(error), .. } => {
                bad += 1;
                sheet.row(key, text!("BAD: {error}", error = error.chain()));
            }
            Content::Token { protection, .. } if *protection != present(&store) => stale += 1,
            Content::Token { .. } | Content::Lease { .. } | Content::Forces(_) => {}
        }
    }
    let location = store.location();
    match listed.len() {
        1 => sheet.row(text!("checked"), text!("1 entry of {location}, {bad} bad", location, bad)),
        count => {
            sheet.row(
                text!("checked"),
                text!("{count} entries of {location}, {bad} bad", count, location, bad),
            );
        }
    }
    if stale > 0 {
        let text =
            text!("{stale} not sealed with the current key; each is resealed when it is next read", stale);
        sheet.row(text!("stale"), text);
    }
    Ok(Verified { text: sheet.finish(), bad })
}

/// Copies the entries of `from` to `to`, unless that has newer ones.
pub async fn copy(from: &Options, to: &Options) -> Result<String, StoreToolError> {
    let (from, to) = (open(from).await?, open_or_create(to).await?);
    let today = Clock::default().now().beijing_day();
    let days: Vec<_> = (0..DAYS).map(|ago| today - ago).collect();
    let Copied { written, kept, unreadable } = from.copy(&to, &days).await?;
    let location = to.location();
    Ok(if unreadable > 0 {
        let text = text!(
            "{written} copied, {kept} left unchanged in {location}; {unreadable} could not be read, see `wxgate store verify`",
            written,
            kept,
            location,
            unreadable
        );
        format!("{text}\n")
    } else {
        let text = text!("{written} copied, {kept} left unchanged in {location}", written, kept, location);
        format!("{text}\n")
    })
}

/// Stores the refresh tokens of accounts that authorised a platform, or the permanent codes of
/// companies that authorised a suite, one a line behind the account's appid or corpid.
pub async fn import(options: &Options, of: ImportFor<'_>, lines: &str) -> Result<String, StoreToolError> {
    let mut accounts = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next(), words.next()) {
            (None, ..) => {}
            (Some(comment), ..) if comment.starts_with('#') => {}
            (Some(appid), Some(token), None) if of.may_have(appid) => accounts.push((appid, token)),
            _ => {
                return Err(match of {
                    ImportFor::Platform(_) => StoreToolError::Line(number + 1),
                    ImportFor::Suite(_) => StoreToolError::SuiteLine(number + 1),
                });
            }
        }
    }
    let (store, now) = (open_or_create(options).await?, Clock::default().now());
    let mut written = 0;
    for (appid, token) in &accounts {
        let value = Secret::new(*token);
        let kept = match of {
            ImportFor::Platform(component) => {
                import_refresh_token(&store, component, appid, value, now).await
            }
            ImportFor::Suite(suite) => import_permanent_code(&store, suite, appid, value, now).await,
        };
        let location = || store.location().clone();
        let kept = kept.map_err(|source| StoreToolError::Store { location: location(), source })?;
        written += usize::from(kept);
    }
    let accounts = accounts.len();
    let location = store.location();
    Ok(match of {
        ImportFor::Platform(_) => {
            let text = text!(
                "{written} refresh tokens of {accounts} accounts written to {location}",
                written,
                accounts,
                location
            );
            format!("{text}\n")
        }
        ImportFor::Suite(_) => {
            let text = text!(
                "{written} permanent codes of {accounts} companies written to {location}",
                written,
                accounts,
                location
            );
            format!("{text}\n")
        }
    })
}

/// Forgets which authorisations of `suite` were lost.
pub async fn forget_lost(options: &Options, suite: &str) -> Result<String, StoreToolError> {
    let store = open(options).await?;
    let forgotten = forget_lost_authorizations(&store, suite).await;
    let location = store.location();
    let count = forgotten.map_err(|source| StoreToolError::Store { location: location.clone(), source })?;
    Ok(format!("{}\n", text!("lost authorisations removed from {location}: {count}", location, count)))
}

impl ImportFor<'_> {
    /// Whether this may be the name of such an account.
    fn may_have(self, account: &str) -> bool {
        match self {
            Self::Platform(_) => account.starts_with("wx"),
            Self::Suite(_) => ["ww", "wx", "wp"].iter().any(|begin| account.starts_with(begin)),
        }
    }
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
            let end = match expires_at.since(now) {
                _ if *expires_at == Timestamp::NEVER => text!("does not expire").to_string(),
                left if left.is_zero() => text!("expired").to_string(),
                left => text!("valid for {left}", left = short(left)).to_string(),
            };
            let protection = match protection {
                Protection::Clear => text!("not sealed").to_string(),
                Protection::Sealed(key) => text!("sealed with {key}", key).to_string(),
            };
            let token = text!("generation {generation}, {end}, {protection}", generation, end, protection);
            match problem {
                Some(error) => text!("{token}; BAD: {error}", token, error = error.chain()).to_string(),
                None => token.to_string(),
            }
        }
        Content::Lease { owner, lasts: None } => text!("held by {owner}", owner).to_string(),
        Content::Lease { owner, lasts: Some(lasts) } => {
            text!("held by {owner} for {ms} ms", owner, ms = lasts.as_millis()).to_string()
        }
        Content::Forces(budget) => {
            text!("{count} forced refreshes left today", count = budget.left(now)).to_string()
        }
        Content::Unreadable(error) => text!("BAD: {error}", error = error.chain()).to_string(),
    }
}

fn short(left: Duration) -> String {
    humantime::format_duration(Duration::from_secs(left.as_secs())).to_string()
}

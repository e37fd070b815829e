//! `wxgate check --online`: does WeChat give each app a token, and if not, what helps?

use std::time::Duration;

use tokio::task::JoinSet;

use super::layout::Sheet;
use super::links::asking;
use super::store_owner::refuse_foreign;
use crate::config::Config;
use crate::observe::clock::Clock;
use crate::store::{Location, Options, Store, StoreError};
use crate::texts::{Text, text};
use crate::token::{AppOptions, Failure, Stored, probe_stored, trial};
use crate::upstream::control::Control;
use crate::upstream::{Resolver, Trusted, Upstreams, tls};
use crate::wechat::errcode;

/// Token calls at once.
const AT_ONCE: usize = 20;

/// The column of the apps' names.
const NAME: usize = 20;

/// The results.
#[derive(Clone, Debug)]
pub struct Online {
    /// For people, lines of at most 80 columns.
    pub text: String,
    /// How many apps got no token.
    pub failed: usize,
    /// Of how many others that sign, the signed call failed.
    pub unsigned: usize,
}

/// Why WeChat can't be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum OnlineError {
    /// TLS towards WeChat can't be set up.
    #[error("upstream.ca_file")]
    Tls(#[from] tls::TlsError),
    /// The store's folder can't be used.
    #[error("store.url")]
    Store(#[from] StoreError),
}

/// Fetches a token for each app and forgets it; never by force, and in classic mode, where a fetch
/// replaces the live token, only with `rotate`: else the token in the store is probed, if there is
/// one. So is a third-party platform's, which takes a ticket that only a running proxy gets.
///
/// # Errors
/// If no call can be made at all; WeChat's refusals are among the results.
pub async fn online(config: &Config, rotate: bool) -> Result<Online, OnlineError> {
    let upstreams = Upstreams::new(Resolver::default(), Vec::new());
    let upstreams = upstreams.configure(&config.upstreams, Trusted::read(&config.upstreams)?)?;
    let timeout = config.token.fetch_timeout;
    let (apps, controls): (Vec<_>, Vec<_>) = super::apps::token_apps(config, &upstreams).into_iter().unzip();
    let asked =
        |app: &AppOptions| !app.kind.is_platform() && (rotate || !app.kind.issuer(app.mode).rotates());
    let kept = if apps.iter().all(asked) { Kept::Nowhere } else { Kept::open(&config.store).await? };

    let mut outcomes: Vec<Option<Result<_, Failure>>> = apps.iter().map(|_| None).collect();
    for chunk in (0..apps.len()).collect::<Vec<_>>().chunks(AT_ONCE) {
        let mut calls = JoinSet::new();
        for &index in chunk.iter().filter(|index| asked(&apps[**index])) {
            let (control, app) = (controls[index].clone(), apps[index].clone());
            let signing = config.pipeline.apps[index].signing.clone();
            calls.spawn(async move {
                let outcome = match trial(&control, &app, timeout).await {
                    Ok((token, left)) => {
                        let client = asking::Client::new(app, control, signing);
                        Ok((left, client.try_signing(&token, &Clock::default()).await))
                    }
                    Err(failure) => Err(failure),
                };
                (index, outcome)
            });
        }
        while let Some(called) = calls.join_next().await {
            if let Ok((index, outcome)) = called {
                outcomes[index] = Some(outcome);
            }
        }
    }

    let mut sheet = Sheet::new(0, NAME);
    let (mut failed, mut unsigned) = (0, 0);
    for ((app, control), outcome) in apps.iter().zip(&controls).zip(outcomes) {
        match outcome {
            Some(Ok((left, signed))) => {
                let left = humantime::format_duration(left);
                sheet.row(&app.name, text!("ok, WeChat returned a token, valid for {left}", left));
                match signed {
                    None => {}
                    Some(Ok(())) => {
                        sheet.row("", text!("ok, WeChat accepts signed calls and its responses verify"));
                    }
                    Some(Err(why)) => {
                        unsigned += 1;
                        sheet.row("", text!("FAILED: signed call: {why}", why));
                    }
                }
            }
            Some(Err(failure)) => {
                failed += 1;
                explain(&mut sheet, app, &failure);
            }
            None if asked(app) => {
                failed += 1;
                sheet.row(&app.name, text!("FAILED: the call was aborted"));
            }
            None => {
                let stored = kept.probe(control, app, timeout).await;
                let (text, bad) = unasked(app, &stored);
                failed += usize::from(bad);
                sheet.row(&app.name, text);
            }
        }
    }
    Ok(Online { text: sheet.finish(), failed, unsigned })
}

/// Where the tokens are of apps for which none is fetched.
enum Kept {
    Nowhere,
    /// It exists, and can't be opened for this reason.
    Closed(String),
    Open(Store),
}

impl Kept {
    /// A check leaves nothing behind: no folder is created.
    async fn open(options: &Options) -> Result<Self, StoreError> {
        match &options.location {
            Location::Memory => return Ok(Self::Nowhere),
            Location::File(folder) if !folder.is_dir() => return Ok(Self::Nowhere),
            Location::File(_) | Location::Redis(_) => {}
        }
        match refuse_foreign(&options.location) {
            Err(foreign) => Ok(Self::Closed(foreign.to_string())),
            Ok(()) => Ok(Self::Open(Store::open(options).await?)),
        }
    }

    /// The state of the app's token there, or why it is unknown.
    async fn probe(&self, control: &Control, app: &AppOptions, timeout: Duration) -> Result<Stored, String> {
        match self {
            Self::Nowhere => Ok(Stored::Missing),
            Self::Closed(reason) => Err(reason.clone()),
            Self::Open(store) => probe_stored(store, control, app, Clock::default().now(), timeout)
                .await
                .map_err(|error| text!("the store failed: {error}", error = error.chain()).to_string()),
        }
    }
}

/// What is known of an app without a fetch, and whether that is a failure; `stored` is the state of
/// its token in the store, or why it is unknown.
fn unasked(app: &AppOptions, stored: &Result<Stored, String>) -> (String, bool) {
    let why: Text<'_> = if app.kind.is_platform() {
        text!(
            "not tested: a platform's token requires the ticket that WeChat pushes to the callback of a running wxgate"
        )
    } else {
        text!(
            "not tested: in classic mode, fetching a token invalidates the one in use; use --rotate to fetch one anyway"
        )
    };
    match stored {
        Ok(Stored::Alive) => (text!("ok, WeChat accepts the token in the store").to_string(), false),
        Ok(Stored::Dead) => {
            let text = text!(
                "FAILED: WeChat rejects the token in the store; a running wxgate replaces it on the next request"
            );
            (text.to_string(), true)
        }
        Ok(Stored::Undecided) => {
            (text!("{why}; the token in the store could not be probed", why).to_string(), false)
        }
        Ok(Stored::Missing) => (why.to_string(), false),
        Err(reason) => (text!("{why}; {reason}", why, reason).to_string(), false),
    }
}

fn explain(sheet: &mut Sheet, app: &AppOptions, failure: &Failure) {
    let meaning = failure.errcode.and_then(|code| errcode::explain(app.kind.family(), code));
    let reason = match (failure.errcode, &meaning) {
        (Some(code), Some(meaning)) => {
            text!("{code}, {meaning}", code, meaning = meaning.meaning).to_string()
        }
        (Some(code), None) => text!("WeChat returned {code}", code).to_string(),
        (None, _) => failure.message.to_string(),
    };
    sheet.row(&app.name, text!("FAILED: {reason}", reason));
    if failure.errcode.is_some() && !failure.message.is_empty() {
        sheet.row("", text!("WeChat's errmsg: {message}", message = failure.message));
    }
    if let Some(remedy) = failure.remedy.as_deref().or_else(|| meaning.map(|meaning| meaning.remedy)) {
        sheet.row("", text!("remedy: {remedy}", remedy));
    }
}

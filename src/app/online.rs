//! `wxgate check --online`: does WeChat give each app a token, and if not, what helps?

use std::time::Duration;

use tokio::task::JoinSet;

use super::layout::Sheet;
use super::links::asking;
use super::store_owner::refuse_foreign;
use crate::config::Config;
use crate::observe::clock::Clock;
use crate::store::{Location, Options, Store, StoreError};
use crate::token::{AppOptions, Failure, Stored, probe_stored, trial};
use crate::upstream::control::Control;
use crate::upstream::{Resolver, Trusted, Upstreams, tls};
use crate::wechat::errcode;

/// Token calls at once.
const AT_ONCE: usize = 20;

/// The column of the apps' names.
const NAME: usize = 20;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Online {
    /// For people, lines of at most 80 columns.
    pub text: String,
    /// How many apps got no token.
    pub failed: usize,
    /// How many of the others that sign made a signed call in vain.
    pub unsigned: usize,
}

/// Why WeChat can't even be asked.
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
/// If no call can be made at all; what WeChat refuses is in the answer.
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
                sheet.row(&app.name, &format!("ok, WeChat gives a token, good for {left}"));
                match signed {
                    None => {}
                    Some(Ok(())) => sheet.row("", "ok, WeChat takes signed calls and its answers verify"),
                    Some(Err(why)) => {
                        unsigned += 1;
                        sheet.row("", &format!("FAILED: a signed call: {why}"));
                    }
                }
            }
            Some(Err(failure)) => {
                failed += 1;
                explain(&mut sheet, app, &failure);
            }
            None if asked(app) => {
                failed += 1;
                sheet.row(&app.name, "FAILED: the call was broken off");
            }
            None => {
                let stored = kept.probe(control, app, timeout).await;
                let (text, bad) = unasked(app, &stored);
                failed += usize::from(bad);
                sheet.row(&app.name, &text);
            }
        }
    }
    Ok(Online { text: sheet.finish(), failed, unsigned })
}

/// Where the tokens of apps are that aren't fetched for.
enum Kept {
    Nowhere,
    /// It is there, and stays closed for this reason.
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

    /// What comes of the app's token there, or why that can't be told.
    async fn probe(&self, control: &Control, app: &AppOptions, timeout: Duration) -> Result<Stored, String> {
        match self {
            Self::Nowhere => Ok(Stored::Missing),
            Self::Closed(reason) => Err(reason.clone()),
            Self::Open(store) => probe_stored(store, control, app, Clock::default().now(), timeout)
                .await
                .map_err(|error| format!("the store has no answer: {}", error.chain())),
        }
    }
}

/// What is known of an app without a fetch, and whether that is a failure; `stored` is what came of
/// its token in the store, or why none was looked for.
fn unasked(app: &AppOptions, stored: &Result<Stored, String>) -> (String, bool) {
    let why = if app.kind.is_platform() {
        "not asked: a platform's token takes the ticket that WeChat pushes to the callback of a running wxgate, so \
         whether WeChat would give one can't be known"
    } else {
        "not asked: in classic mode a fetch ends the token that is in use, so whether WeChat would give one can't be \
         known; --rotate asks all the same"
    };
    match stored {
        Ok(Stored::Alive) => ("ok, WeChat takes the token in the store".to_owned(), false),
        Ok(Stored::Dead) => (
            "FAILED: WeChat rejects the token in the store; a running wxgate replaces it with the next request"
                .to_owned(),
            true,
        ),
        Ok(Stored::Undecided) => (format!("{why}, and the token in the store could not be probed"), false),
        Ok(Stored::Missing) => (why.to_owned(), false),
        Err(reason) => (format!("{why}; {reason}"), false),
    }
}

fn explain(sheet: &mut Sheet, app: &AppOptions, failure: &Failure) {
    let meaning = failure.errcode.and_then(|code| errcode::explain(app.kind.family(), code));
    let what = match (failure.errcode, &meaning) {
        (Some(code), Some(meaning)) => format!("{code}, {}", meaning.meaning),
        (Some(code), None) => format!("WeChat answered {code}"),
        (None, _) => failure.message.to_string(),
    };
    sheet.row(&app.name, &format!("FAILED: {what}"));
    if failure.errcode.is_some() && !failure.message.as_str().is_empty() {
        sheet.row("", &format!("WeChat says: {}", failure.message));
    }
    if let Some(remedy) = failure.remedy.clone().or_else(|| meaning.map(|meaning| meaning.remedy)) {
        sheet.row("", &format!("remedy: {remedy}"));
    }
}

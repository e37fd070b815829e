//! Step 2 still: what the limits that concern a request leave of it. Rates are checked before the body is collected,
//! budgets after, so that a body that is too long spends nothing; a replay spends nothing either.

use std::borrow::Cow;
use std::sync::Arc;

use http::Method;

use super::account::Account;
use super::error::Error;
use super::report::Report;
use super::route::Target;
use crate::quota::limit::{Budget, Limit, LimitOptions, Mode, Refusal, Slow, Subject, Wait};
use crate::wechat::{catalogue, errcode};

/// The limits that concern a caller, sorted out when the configuration is put in force.
#[derive(Debug, Default)]
pub(super) struct Concerns {
    rates: Box<[Concern]>,
    budgets: Box<[Concern]>,
}

/// A limit that concerns a caller.
#[derive(Clone, Debug)]
struct Concern {
    limit: Arc<Limit>,
    /// Position of the only app that it is for.
    app: Option<usize>,
    /// The part of its budget that is this caller's alone.
    own: Option<Arc<Budget>>,
}

impl Concerns {
    /// Those of `limits` that concern the caller of this name; none is one without a key. `app` gives the position of an
    /// app.
    pub(super) fn new(
        limits: &[Arc<Limit>],
        caller: Option<&str>,
        app: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let concern = |limit: &Arc<Limit>| {
            let options = limit.options();
            let name = caller.unwrap_or(LimitOptions::ANONYMOUS);
            let app = match &options.app {
                None => None,
                // An app that isn't there has no requests.
                Some(only) => Some(app(only)?),
            };
            let own = limit.reserved_for(name);
            options.concerns_caller(caller).then(|| Concern { limit: Arc::clone(limit), app, own })
        };
        let concerns: Vec<_> = limits.iter().filter_map(concern).collect();
        let those = |has: fn(&Limit) -> bool| {
            concerns.iter().filter(|concern| has(&concern.limit)).cloned().collect()
        };
        Self {
            rates: those(|limit| limit.options().rate.is_some()),
            budgets: those(|limit| limit.options().daily.is_some()),
        }
    }

    /// Refuses what is faster than a rate.
    pub(super) fn check_rates(
        &self,
        account: &Account<'_>,
        method: &Method,
        target: &Target<'_>,
        report: &mut Report,
    ) -> Result<(), Error> {
        for concern in concerned(&self.rates, account, method, target) {
            if let Err(refusal) = concern.limit.check_rate() {
                settle(&concern.limit, refusal, report)?;
            }
        }
        Ok(())
    }

    /// Spends one request of each budget, or of none.
    pub(super) async fn spend(
        &self,
        account: &Account<'_>,
        method: &Method,
        target: &Target<'_>,
        report: &mut Report,
    ) -> Result<(), Error> {
        if self.budgets.is_empty() {
            return Ok(());
        }
        let (mut wait, mut spent) = (Wait::default(), Vec::new());
        for concern in concerned(&self.budgets, account, method, target) {
            match concern.limit.take(concern.own.as_ref(), &mut wait).await {
                Ok(taken) => spent.extend(taken),
                Err(refusal) => {
                    if let Err(refused) = settle(&concern.limit, refusal, report) {
                        spent.into_iter().for_each(|taken| taken.put_back());
                        return Err(refused);
                    }
                }
            }
        }
        Ok(())
    }
}

fn concerned<'c>(
    concerns: &'c [Concern],
    account: &Account<'_>,
    method: &Method,
    target: &Target<'_>,
) -> impl Iterator<Item = &'c Concern> {
    let app = account.app.index;
    let path = if concerns.is_empty() { "".into() } else { catalogue::normalise(target.path) };
    concerns.iter().filter(move |concern| {
        concern.app.is_none_or(|only| only == app) && concern.limit.options().concerns_endpoint(method, &path)
    })
}

fn settle(limit: &Limit, refusal: Refusal, report: &mut Report) -> Result<(), Error> {
    let refused = Error::Limited(refusal);
    match (limit.options().mode, refused.face().code) {
        (Mode::Observe, Some(code)) => {
            report.would_refuse(code);
            Ok(())
        }
        _ => Err(refused),
    }
}

/// Spares an endpoint that WeChat itself refuses for its limits.
pub(super) fn spare(slow: &Slow, account: &Account<'_>, target: &Target<'_>) -> Result<(), Error> {
    if !slow.is_any() || !account.app.slow_down {
        return Ok(());
    }
    slow.check(subject(account, &path(target))).map_err(Error::Limited)
}

/// Notes whether WeChat took a call (`taken`), or refused it for its limits.
pub(super) fn heed(
    slow: &Slow,
    account: &Account<'_>,
    target: &Target<'_>,
    taken: bool,
    errcode: Option<i64>,
) {
    match errcode {
        // At a user's login 45011 is about that user: a hundred times a minute.
        Some(45011) if target.endpoint.is_of_users() => {}
        Some(code) if account.app.slow_down && errcode::throttles(code) => {
            slow.learn(subject(account, &path(target)), code);
        }
        None | Some(0) if taken && slow.is_any() => {
            slow.end(subject(account, &path(target)));
            if clears_quota(target) {
                slow.forget(&account.app.name, None);
            }
        }
        _ => {}
    }
}

fn clears_quota(target: &Target<'_>) -> bool {
    let path = target.endpoint.path;
    ["/clear_quota", "/clear_quota/v2", "/quota/clear"].iter().any(|end| path.ends_with(end))
}

/// Endpoints that aren't catalogued are told apart by their paths.
fn path<'t>(target: &Target<'t>) -> Cow<'t, str> {
    match target.endpoint.id {
        0 => catalogue::normalise(target.path),
        _ => target.endpoint.path.into(),
    }
}

fn subject<'a>(account: &'a Account<'_>, path: &'a str) -> Subject<'a> {
    let app = account.app;
    let account = account.authorizer.as_ref().map_or(&app.identity, |authorizer| &authorizer.appid);
    Subject { app: &app.name, account, path, family: app.kind.family() }
}

//! Whether limits let a planned request through: its caller's rates and day budgets, and WeChat's
//! own, which are learnt from responses.
//!
//! Rates are checked before the body is collected, budgets after it, so that a body that is too
//! long spends nothing; a replay spends nothing either.

use std::borrow::Cow;

use super::act::Exchanged;
use super::code::Code;
use super::error::Error;
use super::plan::{Account, Plan, RequestTarget};
use crate::message::query;
use crate::quota::limit::{Limit, Mode, Refusal, Slow, Subject, Wait};
use crate::wechat::errcode;

/// The codes with which limits that are only observed would have refused a request. What refuses
/// twice for the same reason is one refusal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Observed([Option<Code>; 2]);

impl Observed {
    /// What was observed.
    pub(crate) fn codes(self) -> impl Iterator<Item = Code> {
        self.0.into_iter().flatten()
    }

    fn note(&mut self, code: Code) {
        let place = self.0.iter_mut().find(|seen| seen.is_none_or(|seen| seen == code));
        if let Some(place) = place {
            *place = Some(code);
        }
    }
}

/// Before the body is collected: refuses what is faster than a rate, and what WeChat itself refuses
/// for its limits.
pub(crate) fn admit(plan: &Plan<'_>, slow: &Slow, observed: &mut Observed) -> Result<(), Error> {
    for one in plan.limits.rates(plan.account.app.index, &plan.head.parts.method, plan.target.path) {
        if let Err(refusal) = one.limit.check_rate() {
            settle(&one.limit, refusal, observed)?;
        }
    }
    spare(slow, plan.account, &plan.target)
}

/// After the body is collected: spends one request of each budget, or of none.
pub(crate) async fn spend(plan: &Plan<'_>, observed: &mut Observed) -> Result<(), Error> {
    let (mut wait, mut spent) = (Wait::default(), Vec::new());
    for one in plan.limits.budgets(plan.account.app.index, &plan.head.parts.method, plan.target.path) {
        match one.limit.take(one.own.as_ref(), &mut wait).await {
            Ok(taken) => spent.extend(taken),
            Err(refusal) => {
                if let Err(refused) = settle(&one.limit, refusal, observed) {
                    spent.into_iter().for_each(|taken| taken.put_back());
                    return Err(refused);
                }
            }
        }
    }
    Ok(())
}

fn settle(limit: &Limit, refusal: Refusal, observed: &mut Observed) -> Result<(), Error> {
    match limit.options().mode {
        Mode::Enforce => Err(Error::Limited(refusal)),
        Mode::Observe => {
            observed.note(Code::of_limit(refusal.kind));
            Ok(())
        }
    }
}

/// Spares an endpoint that WeChat itself refuses for its limits.
fn spare(slow: &Slow, account: &Account<'_>, target: &RequestTarget<'_>) -> Result<(), Error> {
    if !slow.is_any() || !account.app.slow_down {
        return Ok(());
    }
    slow.check(&subject(account, target, &target.known_path())).map_err(Error::Limited)
}

/// Learns from WeChat's response whether it took a request, or refused it for its limits.
pub(crate) fn learn(slow: &Slow, plan: &Plan<'_>, exchanged: &Exchanged) {
    let Plan { account, ref target, .. } = *plan;
    let Exchanged { finding, sent_at, .. } = exchanged;
    match finding.errcode {
        // At a user's login 45011 is about that user: a hundred times a minute.
        Some(45011) if target.endpoint.is_of_users() => {}
        Some(code) if account.app.slow_down && errcode::throttles(code) => {
            let words = words(finding.words.as_deref(), target);
            slow.learn(&subject(account, target, &target.known_path()), code, words.as_deref(), *sent_at);
        }
        code if exchanged.is_ok() && slow.is_any() && errcode::is_past_limits(code) => {
            slow.end(&subject(account, target, &target.known_path()), *sent_at);
            if matches!(code, None | Some(0)) && clears_quota(target) {
                slow.forget(&account.app.name, None);
            }
        }
        _ => {}
    }
}

fn clears_quota(target: &RequestTarget<'_>) -> bool {
    let path = target.endpoint.path;
    ["/clear_quota", "/clear_quota/v2", "/quota/clear"].iter().any(|end| path.ends_with(end))
}

fn subject<'a>(account: &'a Account<'_>, target: &RequestTarget<'_>, path: &'a str) -> Subject<'a> {
    let app = account.app;
    let account = account.authorizer.as_ref().map_or(&app.identity, |authorizer| &authorizer.appid);
    let subject = Subject::new(&app.name, account, path);
    match robots_key(target) {
        Some(key) => subject.robot(&key),
        None => subject,
    }
}

/// The key of the WeCom robot that is called, which is a credential of its own.
fn robots_key<'r>(target: &RequestTarget<'r>) -> Option<Cow<'r, str>> {
    let of_robots = target.endpoint.path.starts_with("/cgi-bin/webhook/");
    target.query.filter(|_| of_robots).and_then(|query| query::get(query, "key"))
}

/// WeChat's words, without a robot's key, should they hold it.
fn words<'f>(words: Option<&'f str>, target: &RequestTarget<'_>) -> Option<Cow<'f, str>> {
    let words = words?;
    Some(match robots_key(target).filter(|key| !key.is_empty()) {
        Some(key) => words.replace(&*key, "***").into(),
        None => words.into(),
    })
}

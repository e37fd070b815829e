//! What the admin address shows of quotas and of what happened.

use std::sync::Arc;

use crate::admin::view::quota::{
    Activity, AppQuota, CallerActivity, CallerCount, Cleared, EndpointQuota, ErrorCount, Event, RateLimit,
    Remembered, Reset, Traffic, Warning,
};
use crate::admin::view::{quota as view, time};
use crate::admin::{self, Range};
use crate::observe::clock::Timestamp;
use crate::pipeline::Gate;
use crate::quota::limit::Limits;
use crate::quota::{self, AppReport, EndpointReport, Quota, WarningReport};
use crate::token::{self, Happened, Manager};
use crate::wechat::{Family, errcode};

/// What was spent today, as it is when asked.
pub(in crate::app) fn quota(quota: Quota, limits: Limits) -> admin::Quota {
    Arc::new(move || {
        let report = quota.report();
        let slowed = limits.slowed();
        view::Quota {
            day: report.at.beijing_date(),
            day_ends_in_seconds: report.at.beijing_midnight().since(report.at).as_secs(),
            apps: report.apps.iter().map(|app| app_quota(app, &slowed)).collect(),
            warnings: report.warnings.into_iter().map(warning).collect(),
        }
    })
}

fn app_quota(app: &AppReport, slowed: &[(Arc<str>, Arc<str>, Timestamp)]) -> AppQuota {
    let until = |path: &str| {
        let of = slowed.iter().filter(|(name, slow, _)| *name == app.app && **slow == *path);
        of.map(|(_, _, until)| *until).max()
    };
    AppQuota {
        app: app.app.to_string(),
        endpoints: app
            .endpoints
            .iter()
            .map(|endpoint| endpoint_quota(endpoint, until(endpoint.path)))
            .collect(),
        problem: app.problem.as_ref().map(ToString::to_string),
        clears_this_month: app.clears.0,
        single_clears_this_month: app.clears.1,
    }
}

fn endpoint_quota(endpoint: &EndpointReport, slowed_until: Option<Timestamp>) -> EndpointQuota {
    EndpointQuota {
        endpoint: endpoint.path.to_owned(),
        calls_today: endpoint.calls,
        // 0 stands for none.
        limit: endpoint.limit.filter(|limit| *limit > 0),
        used: endpoint.used,
        remaining: endpoint.remaining(),
        asked_at: endpoint.asked_at.map(time),
        around: endpoint.around,
        rate_limit: endpoint.rate.map(|(calls, seconds)| RateLimit { calls, seconds }),
        pace_per_minute: endpoint.pace,
        exhausted_at: endpoint.ends.map(time),
        slowed_until: slowed_until.map(time),
        callers: endpoint
            .callers
            .iter()
            .map(|(caller, calls)| CallerCount { caller: caller.to_string(), calls: *calls })
            .collect(),
        errors: endpoint.errors.iter().map(|(errcode, count)| error(i64::from(*errcode), *count)).collect(),
    }
}

fn error(code: i64, count: u64) -> ErrorCount {
    let plain = errcode::plain(code);
    ErrorCount {
        errcode: code,
        count,
        meaning: plain.map(|plain| plain.english.to_owned()),
        meaning_zh: plain.map(|plain| plain.chinese.to_owned()),
        document: errcode::known(code).then(|| errcode::document(Family::Api).to_owned()),
    }
}

fn warning(warning: WarningReport) -> Warning {
    let (caller, caller_percent) = warning.blame.caller.unzip();
    Warning {
        at: time(warning.at),
        app: warning.app.to_string(),
        endpoint: warning.path,
        kind: warning.kind.as_str().to_owned(),
        message: warning.message.to_string(),
        caller,
        caller_percent,
        around: Some(warning.blame.around).filter(|around| *around > 0),
    }
}

/// The curves, as they are when asked.
pub(in crate::app) fn traffic(quota: Quota) -> admin::Traffic {
    Arc::new(move |app, range| {
        let range = match range {
            Range::Day => quota::Range::Day,
            Range::Month => quota::Range::Month,
        };
        let curves = quota.curves(app, range)?;
        Some(Traffic {
            step_seconds: u32::try_from(curves.step).unwrap_or_default(),
            start: curves.start,
            calls: curves.calls,
            wechat_errors: curves.wechat_errors,
            refused: curves.refused,
            failed: curves.failed,
            replayed: curves.replayed,
            own_ms: curves.own_ms,
            wechat_ms: curves.upstream_ms,
        })
    })
}

/// What happened, as it is when asked.
pub(in crate::app) fn activity(manager: Manager, quota: Quota, gate: Arc<Gate>) -> admin::Activity {
    Arc::new(move || Activity {
        events: manager.events().into_iter().map(|happened| event(happened, &quota)).collect(),
        callers: gate
            .callers()
            .into_iter()
            .map(|of| CallerActivity {
                caller: of.caller.to_string(),
                app: of.app.to_string(),
                ok: of.ok,
                wechat_error: of.wechat_error,
                refused: of.refused,
                failed: of.failed,
            })
            .collect(),
    })
}

fn event(event: token::Event, quota: &Quota) -> Event {
    let told = Event {
        at: time(event.at),
        app: event.app.to_string(),
        reason: String::new(),
        outcome: String::new(),
        endpoint: None,
        took_ms: None,
        replayed: 0,
        generation: None,
        message: None,
    };
    match event.what {
        Happened::Refreshed { reason, outcome, endpoint, took, generation, failure } => Event {
            reason: reason.as_str().to_owned(),
            outcome: outcome.as_str().to_owned(),
            endpoint: endpoint.map(str::to_owned),
            took_ms: u64::try_from(took.as_millis()).ok(),
            replayed: generation.map_or(0, |generation| quota.replayed(&event.app, generation)),
            generation,
            message: failure.map(|failure| failure.to_string()),
            ..told
        },
        Happened::Interference { generation } => Event {
            reason: "interference".to_owned(),
            generation: Some(generation),
            message: Some("somebody else fetches tokens with this app's secret".to_owned()),
            ..told
        },
    }
}

/// Clears counters at WeChat.
pub(in crate::app) fn clear(quota: Quota, limits: Limits) -> admin::Clear {
    Arc::new(move |app, path| {
        quota.knows(app).then(|| {
            let (quota, app, path) = (quota.clone(), app.to_owned(), path.map(str::to_owned));
            let limits = limits.clone();
            Box::pin(async move {
                let cleared = quota.clear(&app, path.as_deref()).await;
                if cleared.as_ref().is_some_and(|cleared| cleared.errcode == Some(0)) {
                    limits.forget(&app, path.as_deref());
                }
                cleared.map_or_else(gone_while_clearing, |cleared| Cleared {
                    cleared: cleared.errcode == Some(0),
                    errcode: cleared.errcode.filter(|errcode| *errcode != 0),
                    spent_this_month: cleared.spent,
                    allowed_a_month: cleared.allowed,
                    message: cleared.message.to_string(),
                })
            }) as _
        })
    })
}

fn gone_while_clearing() -> Cleared {
    let message = "the app is not configured any more".to_owned();
    Cleared { cleared: false, errcode: None, spent_this_month: 0, allowed_a_month: 0, message }
}

/// Has wxgate's own counters and budgets begin anew.
pub(in crate::app) fn reset(quota: Quota, limits: Limits, gate: Arc<Gate>) -> admin::Reset {
    Arc::new(move |app| {
        quota.knows(app).then(|| {
            let (quota, limits, app) = (quota.clone(), limits.clone(), app.to_owned());
            let callers = gate.callers_of(&app);
            Box::pin(async move {
                match quota.reset(&app, &limits, &callers).await {
                    Some(Ok(done)) => told(&app, done),
                    Some(Err(error)) => {
                        not_reset(format!("the store failed, do it again: {}", error.chain()))
                    }
                    None => not_reset("the app is not configured any more".to_owned()),
                }
            }) as _
        })
    })
}

fn told(app: &str, done: quota::Reset) -> Reset {
    let mut message = format!("the counters of {app} begin anew, {} calls were counted today", done.counted);
    if !done.budgets.is_empty() {
        message += &format!("; so do the budgets {}", done.budgets.join(", "));
    }
    Reset { reset: true, calls_counted: done.counted, budgets: done.budgets, message }
}

fn not_reset(message: String) -> Reset {
    Reset { reset: false, calls_counted: 0, budgets: Vec::new(), message }
}

/// Asks WeChat what it remembers.
pub(in crate::app) fn look_up(quota: Quota) -> admin::LookUp {
    Arc::new(move |app, rid| {
        quota.knows(app).then(|| {
            let (quota, app, rid) = (quota.clone(), app.to_owned(), rid.to_owned());
            Box::pin(async move {
                let message = "the app is not configured any more".to_owned();
                let gone = || Remembered { request: None, errcode: None, message };
                quota.look_up(&app, &rid).await.map_or_else(gone, |remembered| Remembered {
                    request: remembered.request,
                    errcode: remembered.errcode.filter(|errcode| *errcode != 0),
                    message: remembered.message.to_string(),
                })
            }) as _
        })
    })
}

//! What the admin address shows, out of what the modules say.

use std::sync::Arc;

use crate::admin::view::{
    self, App, AppState, Caller, LastFailure, LastRefresh, RefreshOutcome, Refreshed, Token, Work, time,
};
use crate::admin::{self, Apps, Refresh};
use crate::export::{self, Exporter};
use crate::observe::clock::{Clock, Timestamp};
use crate::pipeline::{self, Gate};
use crate::server::Tls;
use crate::store::{Refused, Store, is_irreplaceable};
use crate::token::{Failure, Further, Manager, RefreshReport, RefreshResult, State, Status};
use crate::upstream::{HostStatus, Upstreams};
use crate::wechat::catalogue::{self, Endpoint};

/// The store as it is when asked.
pub(in crate::app) fn store(store: Store) -> admin::Store {
    Arc::new(move || {
        let problem = store.problem().map(|problem| problem.to_string());
        let refused = store.refused().into_iter().map(refused).collect();
        view::Store { url: store.location().to_string(), up: problem.is_none(), problem, refused }
    })
}

fn refused(refused: Refused) -> view::RefusedRecord {
    let Refused { key, reason, since } = refused;
    let (reason, kept) = (reason.as_str().to_owned(), is_irreplaceable(&key));
    view::RefusedRecord { key, reason, since: time(since), kept }
}

/// WeChat's hosts as they are when asked.
pub(in crate::app) fn upstreams(upstreams: Arc<Upstreams>) -> admin::Upstreams {
    Arc::new(move || upstreams.statuses().into_iter().map(host).collect())
}

fn host(host: HostStatus) -> view::Upstream {
    let HostStatus { origin, egress, in_use, problem } = host;
    view::Upstream { origin, egress, in_use, healthy: problem.is_none(), problem }
}

/// What ends within 14 days, as it is when asked.
pub(in crate::app) fn ending(gate: Arc<Gate>, tls: Option<Tls>, clock: Clock) -> admin::Ending {
    Arc::new(move || {
        let now = clock.now();
        let certificate = tls.as_ref().and_then(Tls::ends);
        let certificate =
            certificate.and_then(|end| view::Ending::soon("certificate", "server.tls", end, now));
        let keys = gate.key_ends().into_iter();
        let keys = keys.filter_map(|(caller, end)| view::Ending::soon("caller_key", &caller, end, now));
        certificate.into_iter().chain(keys).collect()
    })
}

/// All apps as they are when asked.
pub(in crate::app) fn apps(manager: Manager, exporter: Exporter, clock: Clock) -> Apps {
    Arc::new(move || {
        let now = clock.now();
        let mut exports = exporter.statuses();
        let mut exports_of = |name| exports.remove(name).unwrap_or_default();
        manager.statuses().iter().map(|status| app(status, exports_of(&status.name), now)).collect()
    })
}

fn app(status: &Status, exports: Vec<export::Status>, now: Timestamp) -> App {
    let token = match (status.generation, status.fetched_at, status.expires_at) {
        (Some(generation), Some(fetched_at), Some(expires_at)) => Some(Token {
            generation,
            age_seconds: now.since(fetched_at).as_secs(),
            expires_in_seconds: expires_at.since(now).as_secs(),
        }),
        _ => None,
    };
    App {
        name: status.name.to_string(),
        appid: status.appid.to_string(),
        kind: status.kind.as_str().to_owned(),
        token_mode: status.kind.has_token_modes().then(|| status.mode.as_str().to_owned()),
        state: app_state(status.state),
        token,
        next_refresh_in_seconds: status.next_refresh_at.map(|at| at.since(now).as_secs()),
        last_refresh: status.last_refresh.as_ref().map(|refresh| LastRefresh {
            at: time(refresh.at),
            reason: refresh.reason.as_str().to_owned(),
            outcome: refresh.outcome.as_str().to_owned(),
        }),
        last_failure: status.last_failure.as_ref().map(last_failure),
        forces_left_today: status.forces_left_today,
        interference: status.interference,
        exports: exports.into_iter().map(exported).collect(),
        credentials: status.further.iter().map(|further| credential(further, now)).collect(),
        authorizers: status.authorizers.map(|authorizers| view::Authorizers {
            in_use: authorizers.in_use,
            failing: authorizers.failing,
        }),
    }
}

fn app_state(state: State) -> AppState {
    match state {
        State::Ready => AppState::Ready,
        State::Starting => AppState::Starting,
        State::Failing | State::CircuitOpen | State::Rejected | State::Expired => AppState::Unavailable,
    }
}

fn last_failure((at, failure): &(Timestamp, Failure)) -> LastFailure {
    LastFailure {
        at: time(*at),
        errcode: failure.errcode,
        message: failure.message.clone(),
        remedy: failure.remedy.clone(),
        permanent: failure.permanent,
    }
}

fn credential(further: &Further, now: Timestamp) -> view::Credential {
    view::Credential {
        kind: further.credential.to_owned(),
        state: app_state(further.state),
        generation: further.generation,
        expires_in_seconds: further.expires_at.map(|at| at.since(now).as_secs()),
        last_failure: further.last_failure.as_ref().map(last_failure),
    }
}

fn exported(export: export::Status) -> view::Export {
    view::Export {
        to: export.to,
        generation: export.generation,
        checked_at: export.checked_at.map(time),
        problem: export.problem.map(|problem| problem.to_string()),
        overwritten: export.overwritten,
    }
}

/// The whole catalogue.
pub(in crate::app) fn endpoints() -> Vec<view::Endpoint> {
    let endpoint = |endpoint: &Endpoint| view::Endpoint {
        path: endpoint.path.to_owned(),
        host: endpoint.family.host().to_owned(),
        method: endpoint.method.map(str::to_owned),
        class: endpoint.class.as_str().to_owned(),
        injects: endpoint.parameter().map(str::to_owned),
        binary: endpoint.binary,
        guarded: endpoint.guarded,
        money: endpoint.money,
        one_time_code: endpoint.one_time_code,
        slow: endpoint.slow,
        evidence: endpoint.evidence,
        signed: endpoint.signed,
        window: endpoint.window.map(|window| window.as_str().to_owned()),
        replay: endpoint.class.token_parameter().is_some(),
    };
    catalogue::all().iter().filter(|listed| listed.id != 0).map(endpoint).collect()
}

/// The admin API's refresh.
pub(in crate::app) fn refresh(manager: Manager) -> Refresh {
    Arc::new(move |name, force| {
        let handle = manager.handle(name)?;
        Some(Box::pin(async move { refreshed(&handle.refresh(force).await) }))
    })
}

fn refreshed(report: &RefreshReport) -> Refreshed {
    let (outcome, message) = match &report.result {
        RefreshResult::Replaced => (RefreshOutcome::Replaced, "a new token is held".to_owned()),
        RefreshResult::Same => (
            RefreshOutcome::Same,
            "WeChat still gives the token that was held: it is the current one".to_owned(),
        ),
        RefreshResult::Failed(failure) => (RefreshOutcome::Failed, failure.to_string()),
        RefreshResult::Refused { next_at } => (
            RefreshOutcome::Failed,
            format!("WeChat allows 20 forced refreshes a day, 30 s apart: not before {}", time(*next_at)),
        ),
    };
    Refreshed { outcome, generation: report.generation, forces_left_today: report.forces_left, message }
}

/// How many requests are at work.
pub(in crate::app) fn work(gate: Arc<Gate>) -> admin::Work {
    Arc::new(move || {
        let work = gate.work();
        Work { at_work: work.at_work, most: work.most, waiting: work.waiting, refused: work.refused }
    })
}

/// The configured callers.
pub(in crate::app) fn callers(options: &pipeline::Options) -> Vec<Caller> {
    let caller = |caller: &pipeline::CallerOptions| Caller {
        name: caller.name.to_string(),
        apps: caller.apps.iter().map(ToString::to_string).collect(),
        expires: caller.expires.map(Timestamp::last_beijing_date),
    };
    options.callers.iter().chain(&options.anonymous_caller).map(caller).collect()
}

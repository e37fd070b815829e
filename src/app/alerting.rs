//! Which of what happens is worth a notice, and that of several replicas one gives it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::AbortHandle;

use crate::alert::{Alerts, Notice, Topic};
use crate::observe::clock::{Clock, Timestamp};
use crate::quota::{Quota, Warning, WarningKind};
use crate::store::Store;
use crate::token::{Event, Failure, Happened, Manager, Outcome, State};

/// The same trouble of an app is told once in this time.
const QUIET: Duration = Duration::from_secs(3600);

/// Watches tokens and quotas, and tells people.
pub(super) struct Watch {
    pub(super) alerts: Alerts,
    pub(super) manager: Manager,
    pub(super) store: Store,
    pub(super) clock: Clock,
}

impl Watch {
    /// Runs until it is aborted.
    #[expect(clippy::disallowed_methods, reason = "the handle ends it at the drain")]
    pub(super) fn start(self, quota: &Quota) -> AbortHandle {
        let (mut events, mut warnings) = (self.manager.listen(), quota.warnings());
        let mut failing = HashSet::new();
        tokio::spawn(async move {
            // Keepers began before; an event that is met twice is told once.
            for event in self.manager.events().into_iter().rev() {
                self.of_token(event, &mut failing).await;
            }
            loop {
                tokio::select! {
                    event = next(&mut events) => match event {
                        Some(event) => self.of_token(event, &mut failing).await,
                        None => return,
                    },
                    warning = next(&mut warnings) => match warning {
                        Some(warning) => self.alerts.tell(of_quota(warning)),
                        None => return,
                    },
                }
            }
        })
        .abort_handle()
    }

    async fn of_token(&self, event: Event, failing: &mut HashSet<Arc<str>>) {
        let Event { at, app, what, .. } = event;
        match what {
            Happened::Refreshed { outcome: Outcome::Failed, failure: Some(failure), .. } => {
                let state = self.manager.handle(&app).map(|handle| handle.status().state);
                let grave = failure.permanent || !matches!(state, Some(State::Ready | State::Starting));
                if grave && self.first(&app, "token").await {
                    failing.insert(Arc::clone(&app));
                    self.alerts.tell(unavailable(at, app, &failure, state == Some(State::Ready)));
                }
            }
            Happened::Refreshed { outcome: Outcome::Replaced, .. } if failing.remove(&app) => {
                self.alerts.tell(Notice {
                    at,
                    app,
                    topic: Topic::Token,
                    kind: "token_recovered",
                    english: "the token is there again".to_owned(),
                    chinese: "令牌已恢复正常".to_owned(),
                });
            }
            Happened::Refreshed { .. } => {}
            Happened::Interference { .. } => {
                if self.first(&app, "interference").await {
                    self.alerts.tell(Notice {
                        at,
                        app,
                        topic: Topic::Interference,
                        kind: "interference",
                        english: "somebody else fetches tokens with this app's secret, which ends wxgate's: find them by \
                                  the secret, or reset it"
                            .to_owned(),
                        chinese: "有其他程序正在用该应用的 AppSecret 获取令牌，导致 wxgate 的令牌失效：请找到该程序，或重置 \
                                  AppSecret"
                            .to_owned(),
                    });
                }
            }
        }
    }

    /// Whether no replica has told this in the last hour. A store that is down doesn't keep people from being told.
    async fn first(&self, app: &Arc<str>, what: &str) -> bool {
        let hour = self.clock.now().0 / i64::try_from(QUIET.as_millis()).unwrap_or(i64::MAX);
        let key = format!("alert:{app}:{what}:{hour}");
        self.store.replace_note(&key, None, b"told", QUIET).await.unwrap_or(true)
    }
}

async fn next<T: Clone>(from: &mut Receiver<T>) -> Option<T> {
    loop {
        match from.recv().await {
            Ok(value) => return Some(value),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

fn unavailable(at: Timestamp, app: Arc<str>, failure: &Failure, usable: bool) -> Notice {
    let (kind, english, chinese) = if usable {
        (
            "token_not_renewed",
            "the token can't be renewed, the present one still holds",
            "令牌无法续期，当前令牌仍可用",
        )
    } else {
        ("token_unavailable", "there is no usable token", "没有可用的令牌")
    };
    Notice {
        at,
        app,
        topic: Topic::Token,
        kind,
        english: format!("{english}: {failure}"),
        chinese: format!("{chinese}：{failure}"),
    }
}

fn of_quota(warning: Warning) -> Notice {
    let Warning { at, app, path, kind, message, caller } = warning;
    let most = caller.as_ref().map(|caller| format!("; most calls are of {caller}")).unwrap_or_default();
    let chinese = match kind {
        WarningKind::Used70 => format!("{path} 今日配额已使用 70% 以上"),
        WarningKind::Used90 => format!("{path} 今日配额已使用 90% 以上"),
        WarningKind::Exhausted => format!("{path} 今日配额已用完"),
        WarningKind::Forecast => format!("按当前速度，{path} 今日配额将提前用完"),
        WarningKind::Around => format!("有未经过 wxgate 的 {path} 调用：其他程序正在使用该应用的凭证"),
    };
    let most_chinese = caller.map(|caller| format!("；调用最多的是 {caller}")).unwrap_or_default();
    Notice {
        at,
        app,
        topic: if kind == WarningKind::Around { Topic::Interference } else { Topic::Quota },
        kind: kind.as_str(),
        english: format!("{message}{most}"),
        chinese: format!("{chinese}（{message}）{most_chinese}"),
    }
}

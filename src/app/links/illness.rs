//! Has the detector look at what the pipeline counted, and tells people when WeChat falls ill and
//! when it is well again.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::alerting::{TOLD, is_first, note};
use crate::admin;
use crate::admin::view::{self, time};
use crate::alert::{Alerts, Notice, Topic};
use crate::observe::clock::Clock;
use crate::pipeline::Gate;
use crate::store::Store;
use crate::trouble::{self, Detector, Kind, Trouble};

const LOOK: Duration = Duration::from_secs(2);
/// What another replica told of and is still going on is told of again once that one's note is
/// gone; this is looked at every so many looks.
const OFFER_EVERY: u64 = 15;
/// Endpoints for which a notice asks the store whether another replica told of them.
const MOST_NOTED: usize = 5;
/// What began again so soon after its end is told by the replica that told the end, if it lasts.
const AFTERWARDS: Duration = Duration::from_secs(60);
/// Troubles that go on in the status at most.
const MOST_SHOWN: usize = 50;

/// An app, and the trouble that it has or had.
type Group = (Arc<str>, Kind, bool);
/// A trouble that people were told of.
type Known = (Arc<str>, &'static str, Kind);

/// Watches WeChat.
pub(in crate::app) struct Watch {
    pub(in crate::app) gate: Arc<Gate>,
    pub(in crate::app) detector: Arc<Mutex<Detector>>,
    pub(in crate::app) alerts: Alerts,
    pub(in crate::app) store: Store,
    pub(in crate::app) clock: Clock,
}

impl Watch {
    /// Runs until it is aborted.
    #[expect(clippy::disallowed_methods, reason = "the handle ends it at the drain")]
    pub(in crate::app) fn start(self) -> AbortHandle {
        let mut told = BTreeSet::new();
        tokio::spawn(async move {
            for look in 1_u64.. {
                self.clock.sleep(LOOK).await;
                self.look(look, &mut told).await;
            }
        })
        .abort_handle()
    }

    async fn look(&self, look: u64, told: &mut BTreeSet<Known>) {
        let counted = self.gate.endpoints();
        let turned = self.detector.lock().observe(self.clock.now(), counted);
        for (group, troubles) in grouped(turned) {
            log(&group, &troubles);
            match group {
                (_, _, true) => self.tell_end(&group, &troubles, told).await,
                (_, _, false) => self.tell(&group, &troubles, told).await,
            }
        }
        if look.is_multiple_of(OFFER_EVERY) {
            let mut left = self.detector.lock().going_on();
            told.retain(|known| left.iter().any(|trouble| known_as(trouble) == *known));
            left.retain(|trouble| !told.contains(&known_as(trouble)));
            for (group, troubles) in grouped(left) {
                self.tell(&group, &troubles, told).await;
            }
        }
    }

    /// Tells of what has begun, unless another replica did.
    async fn tell(&self, group: &Group, troubles: &[Trouble], told: &mut BTreeSet<Known>) {
        let mut first = false;
        for trouble in troubles.iter().take(MOST_NOTED) {
            first |= is_first(&self.store, &note_of(trouble)).await;
        }
        if first {
            told.extend(troubles.iter().map(known_as));
            self.notify(group, group.1.as_str(), trouble::begun(troubles));
        }
    }

    /// Tells of what is over, if its beginning was told of here.
    async fn tell_end(&self, group: &Group, troubles: &[Trouble], told: &mut BTreeSet<Known>) {
        let mut known = false;
        for trouble in troubles {
            known |= told.remove(&known_as(trouble));
        }
        if !known {
            return;
        }
        self.notify(group, group.1.over(), trouble::over(troubles));
        // Of an address that comes and goes people hear once an hour.
        for trouble in troubles.iter().take(MOST_NOTED).filter(|trouble| trouble.kind != Kind::NotWhitelisted)
        {
            // A store that is down has no note.
            let _ = self.store.replace_note(&note_of(trouble), Some(TOLD), TOLD, AFTERWARDS).await;
        }
    }

    fn notify(&self, (app, _, _): &Group, kind: &'static str, words: trouble::Words) {
        let trouble::Words { english, chinese } = words;
        self.alerts.tell(Notice {
            at: self.clock.now(),
            app: Some(Arc::clone(app)),
            topic: Topic::Upstream,
            kind,
            caller: None,
            english,
            chinese,
        });
    }
}

/// By app and kind, begun or over, the worst first; so that an outage of everything is told in one
/// line for each app.
fn grouped(troubles: Vec<Trouble>) -> BTreeMap<Group, Vec<Trouble>> {
    let mut groups = BTreeMap::<Group, Vec<Trouble>>::new();
    for trouble in troubles {
        let group = (Arc::clone(&trouble.app), trouble.kind, trouble.ended.is_some());
        groups.entry(group).or_default().push(trouble);
    }
    for troubles in groups.values_mut() {
        troubles.sort_by_key(|trouble| std::cmp::Reverse(trouble.troubled));
    }
    groups
}

fn known_as(trouble: &Trouble) -> Known {
    (Arc::clone(&trouble.app), trouble.endpoint, trouble.kind)
}

/// An address is refused at all endpoints of an app alike.
fn note_of(trouble: &Trouble) -> String {
    let mut which = DefaultHasher::new();
    match trouble.kind {
        Kind::NotWhitelisted => trouble.addresses.first().hash(&mut which),
        _ => trouble.endpoint.hash(&mut which),
    }
    note(&trouble.app, trouble.kind.as_str(), which.finish())
}

fn log((app, kind, over): &Group, troubles: &[Trouble]) {
    let Some(worst) = troubles.first() else { return };
    let (calls, troubled) =
        troubles.iter().fold((0, 0), |(calls, troubled), one| (calls + one.calls, troubled + one.troubled));
    let (app, endpoint, trouble, endpoints) = (&**app, worst.endpoint, kind.as_str(), troubles.len());
    let address = worst.addresses.first().map(ToString::to_string);
    if *over {
        let message = trouble::over(troubles).english;
        tracing::info!(app, endpoint, endpoints, trouble, calls, troubled, "{message}");
    } else {
        let message = trouble::begun(troubles).english;
        tracing::warn!(app, endpoint, endpoints, trouble, calls, troubled, address, "{message}");
    }
}

/// WeChat as it is when asked.
pub(in crate::app) fn view(detector: Arc<Mutex<Detector>>) -> admin::Wechat {
    Arc::new(move || {
        let detector = detector.lock();
        let going_on = detector.going_on();
        let verdict = detector.verdict(&going_on);
        let troubles = going_on.iter().take(MOST_SHOWN).chain(detector.past()).map(shown).collect();
        view::wechat::Wechat {
            blame: verdict.blame.as_str().to_owned(),
            verdict: verdict.words.english,
            verdict_zh: verdict.words.chinese,
            calls: verdict.calls,
            troubled: verdict.troubled,
            troubles,
        }
    })
}

fn shown(trouble: &Trouble) -> view::wechat::Trouble {
    let trouble::Words { english, chinese } = trouble::shown(trouble);
    view::wechat::Trouble {
        app: trouble.app.to_string(),
        endpoint: trouble.endpoint.to_owned(),
        kind: trouble.kind.as_str().to_owned(),
        since: time(trouble.since),
        ended_at: trouble.ended.map(time),
        calls: trouble.calls,
        troubled: trouble.troubled,
        addresses: trouble.addresses.iter().map(ToString::to_string).collect(),
        message: english,
        message_zh: chinese,
    }
}

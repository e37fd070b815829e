//! Asks WeChat what was used, at a bounded pace, and warns in time.
//!
//! Replicas share what they learn by an app's notes in the store. Each change of them is a
//! compare-and-swap, so that no question is asked beyond the pace of all together, and no warning
//! is given twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::counts::ledger::Key;
use super::shared::Shared;
use super::usage::figures::{Answer, Called, Figures, Known, Notes, judge};
use super::usage::pace::Pace;
use super::usage::standing::Standing;
use super::usage::warning::{Blame, Noted};
use super::watched::Watched;
use super::{App, Question, Warning, WarningKind};
use crate::observe::clock::Timestamp;
use crate::texts::{Language, Words};
use crate::wechat::catalogue::{self, CredentialClass};
use crate::wechat::{AppKind, Family, Issuer};

const LOOK: Duration = Duration::from_secs(2);
/// Every so many looks the notes are read although there is nothing to ask.
const READ_EVERY: u64 = 5;
/// And those of clearings, of all apps.
const LEARN_EVERY: u64 = 15;
/// Apps whose notes are read in one operation of the store, which must not keep others from it for
/// long.
const READ_AT_ONCE: usize = 1_000;
/// Apps that WeChat is asked about at the same time.
const AT_ONCE: usize = 20;
/// Questions at once about one app; one of the six a minute is left for what comes.
const MOST_AT_ONCE: usize = 5;
/// Tries to change notes that another replica changes as well.
const TRIES: usize = 5;
const NOTES_LAST: Duration = Duration::from_secs(3 * 86_400);
/// By then every replica has flushed what it counted before.
const FLUSHED: Duration = Duration::from_millis(1_200);
/// After a question that brought nothing.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// WeChat's errcode once a day's quota is used up.
const USED_UP: i32 = 45_009;

/// What was called of an app's endpoints today.
type Calls = HashMap<&'static str, Called>;

pub(super) async fn run(quota: Arc<Shared>) {
    for look in 0_u64.. {
        let now = quota.clock.now();
        if look.is_multiple_of(LEARN_EVERY) {
            let apps: Vec<_> = quota.watched.lock().iter().map(|watched| watched.app.clone()).collect();
            quota.learn_clears_of(&apps).await;
        }
        let calls = quota.calls_by_app(now);
        let (due, others): (Vec<_>, Vec<_>) =
            calls.into_iter().partition(|(app, calls)| quota.is_due(app, calls, now));
        if look.is_multiple_of(READ_EVERY) {
            let apps: Vec<_> = others.iter().map(|(app, _)| app.clone()).collect();
            quota.learn_notes(&apps).await;
            for (app, calls) in &others {
                quota.warn_in_time(app, calls).await;
            }
        }
        let mut asking = JoinSet::new();
        for (app, calls) in due {
            let quota = Arc::clone(&quota);
            asking.spawn(async move { quota.look_after(&app, &calls).await });
            while asking.len() >= AT_ONCE {
                asking.join_next().await;
            }
        }
        while asking.join_next().await.is_some() {}
        let took = quota.clock.now().since(now);
        quota.clock.sleep(LOOK.saturating_sub(took)).await;
    }
}

/// Whether WeChat can be asked about an endpoint with the token of the app itself. The quota of an
/// account that a platform acts for is that account's own.
fn is_asked_about(kind: AppKind, path: &str) -> bool {
    let endpoint = catalogue::find(path);
    let of_the_app = match endpoint.class {
        CredentialClass::AppToken => !kind.is_platform(),
        CredentialClass::AppOrComponentToken => true,
        class => class.issuer() == Some(Issuer::Component) && kind.is_platform(),
    };
    // WeCom has no such question.
    kind.family() != Family::Work
        && of_the_app
        && endpoint.id != 0
        && endpoint.family == Family::Api
        && !path.starts_with("/sns/")
        && !path.starts_with("/cgi-bin/openapi/")
}

fn notes_key(app: &App) -> String {
    format!("quota:{}", app.identity)
}

fn read_notes(text: Option<&[u8]>) -> Notes {
    text.and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default()
}

impl Shared {
    /// What was called of each app, as far as WeChat can be asked about it.
    fn calls_by_app(&self, now: Timestamp) -> Vec<(App, Calls)> {
        let mut sums: BTreeMap<u16, HashMap<&'static str, u64>> = BTreeMap::new();
        let mut refusals: HashMap<(u16, &'static str), u64> = HashMap::new();
        {
            let ledger = self.ledger.lock();
            for (key, count) in ledger.calls() {
                let sum = sums.entry(key.app).or_default().entry(key.path).or_default();
                *sum = sum.saturating_add(count);
            }
            let used_up = ledger.errors().filter(|(_, _, errcode, _)| *errcode == USED_UP);
            refusals.extend(used_up.map(|(app, path, _, count)| ((app, path), count)));
        }
        let day = now.beijing_day();
        let mut watched = self.watched.lock();
        let of = |watched: &mut Watched| {
            watched.notes.turn(day);
            if watched.day != day {
                watched.day = day;
                watched.since.clear();
                watched.refused.clear();
                watched.paces.clear();
            }
            let Watched { app, label, since, refused, .. } = watched;
            let mut called = |path, ours| {
                let refused = refusals.get(&(*label, path)).map(|count| {
                    let known = refused.entry(path).or_insert((*count, now));
                    if known.0 != *count {
                        *known = (*count, now);
                    }
                    known.1
                });
                Called { ours, since: *since.entry(path).or_insert(now), refused }
            };
            let calls: Calls = sums
                .remove(label)?
                .into_iter()
                .filter(|(path, _)| is_asked_about(app.kind, path))
                .map(|(path, ours)| (path, called(path, ours)))
                .collect();
            (!calls.is_empty()).then(|| (watched.app.clone(), calls))
        };
        watched.iter_mut().filter_map(of).collect()
    }

    fn is_due(&self, app: &App, calls: &Calls, now: Timestamp) -> bool {
        let is_due = |watched: &mut Watched| {
            watched.notes.allowance(now) > 0 && !watched.notes.due(calls, now).is_empty()
        };
        self.of(app, is_due).unwrap_or(false)
    }

    /// Learns what replicas have noted of these apps' quotas and clearings.
    async fn learn_notes(&self, apps: &[App]) {
        let day = self.clock.now().beijing_day();
        let learn = |watched: &mut Watched, text: Option<&[u8]>| {
            watched.notes = read_notes(text);
            watched.notes.turn(day);
        };
        self.read_notes_of(apps, notes_key, learn).await;
        self.learn_clears_of(apps).await;
    }

    /// Reads what is noted of each app under its `key`. There may be thousands: an operation of the
    /// store for each would be more than all else that it is asked.
    pub(super) async fn read_notes_of(
        &self,
        apps: &[App],
        key: fn(&App) -> String,
        learn: impl Fn(&mut Watched, Option<&[u8]>),
    ) {
        for apps in apps.chunks(READ_AT_ONCE) {
            let keys: Vec<_> = apps.iter().map(key).collect();
            let Ok(notes) = self.store.notes(&keys).await else { return };
            for (app, note) in apps.iter().zip(&notes) {
                if let Ok(note) = note {
                    self.of(app, |watched| learn(watched, note.as_deref()));
                }
            }
        }
    }

    /// Asks what is due, and warns of what holds.
    async fn look_after(&self, app: &App, calls: &Calls) {
        let chosen = self.change(app, |notes, now| {
            let chosen: Vec<_> =
                notes.due(calls, now).into_iter().take(notes.allowance(now).min(MOST_AT_ONCE)).collect();
            chosen.iter().for_each(|_| notes.ask(now));
            chosen
        });
        self.ask_about(app, chosen.await.unwrap_or_default()).await;
        self.warn_in_time(app, calls).await;
    }

    async fn ask_about(&self, app: &App, paths: Vec<&'static str>) {
        let day = self.clock.now().beijing_day();
        // Otherwise what other replicas flushed since the last look would seem to be later than the
        // question.
        if self.store.location().shared() && !paths.is_empty() {
            self.look().await;
        }
        let mut answers = Vec::with_capacity(paths.len());
        for path in paths {
            let before = self.ours(app, path);
            let answer = (self.ask)(&app.name, Question::Quota { path }).await;
            let answer = answer.map_or_else(Answer::Failed, |body| judge(&body));
            let silent = matches!(answer, Answer::Silent(_) | Answer::Refused(_));
            answers.push((path, before, answer));
            if silent {
                break;
            }
        }
        // What WeChat has counted was counted before it was sent, here or by a replica that flushes
        // within a second.
        if self.store.location().shared() && !answers.is_empty() {
            sleep(FLUSHED).await;
            self.flush().await;
            self.look().await;
        }
        for (path, before, answer) in answers {
            self.learn(app, path, day, before, &answer).await;
        }
    }

    async fn learn(&self, app: &App, path: &'static str, day: i64, before: u64, answer: &Answer) {
        let ours = self.ours(app, path);
        let slack = ours.saturating_sub(before);
        let learned = self.change(app, |notes, now| {
            // Figures of a day that is over meanwhile say nothing of the new one.
            if notes.day != day {
                return None;
            }
            (notes.problem, notes.problem_chinese) = (None, None);
            match answer {
                Answer::Figures { limit, used, rate } => {
                    let (limit, used, rate) = (*limit, *used, *rate);
                    let asked = Figures { limit, used, at: now, ours, slack, base: 0, base_slack: 0, rate };
                    let former = notes.figures(path).copied();
                    let figures = asked.after(notes.endpoints.get(path));
                    notes.endpoints.insert(path.to_owned(), Known::Figures(figures));
                    Some((figures, former))
                }
                Answer::Nothing => {
                    notes.endpoints.insert(path.to_owned(), Known::Nothing { since: now });
                    None
                }
                Answer::Silent(problem) | Answer::Refused(problem) => {
                    notes.fail(problem);
                    notes.not_before = Some(now.beijing_midnight());
                    None
                }
                Answer::Failed(problem) => {
                    notes.fail(problem);
                    notes.not_before = notes.not_before.max(Some(now.plus(AFTER_FAILURE)));
                    None
                }
            }
        });
        if let Some(Some((figures, former))) = learned.await {
            let used = figures.used_now(ours);
            let standing = Standing { figures: &figures, former: former.as_ref(), used, ends: None };
            for kind in standing.warnings().into_iter().filter(|kind| *kind == WarningKind::Around) {
                self.warn(app, path, kind, figures.around(), standing.message(kind, path)).await;
            }
        }
    }

    /// Looks at how fast quotas are spent.
    async fn warn_in_time(&self, app: &App, calls: &Calls) {
        let now = self.clock.now();
        let mut holding = Vec::new();
        self.of(app, |watched| {
            for (path, Called { ours, .. }) in calls {
                let Some(figures) = watched.notes.figures(path).copied() else { continue };
                let used = figures.used_now(*ours);
                let pace = watched.paces.entry(path).or_insert_with(|| Pace::new(*ours, now));
                pace.observe(*ours, now);
                let ends = pace.ends(figures.limit.saturating_sub(used), now);
                let ends = ends.filter(|ends| *ends < now.beijing_midnight());
                let standing = Standing { figures: &figures, former: None, used, ends };
                let warnings = standing.warnings().into_iter();
                let around = figures.around();
                holding.extend(warnings.map(|kind| (*path, kind, around, standing.message(kind, path))));
            }
        });
        for (path, kind, around, message) in holding {
            self.warn(app, path, kind, around, message).await;
        }
    }

    /// Warns unless a replica did so today.
    async fn warn(&self, app: &App, path: &'static str, kind: WarningKind, around: u64, message: Words) {
        let is_known =
            |notes: &Notes| notes.warnings.iter().any(|noted| noted.path == path && noted.kind == kind);
        if self.of(app, |watched| is_known(&watched.notes)) == Some(true) {
            return;
        }
        let blame = self.blame(app, path, kind, around);
        let first = self.change(app, |notes, now| {
            let first = !is_known(notes);
            if first {
                let of = |language| message.to(language).to_owned();
                notes.warnings.push(Noted {
                    at: now,
                    path: path.to_owned(),
                    kind,
                    message: of(Language::English),
                    chinese: Some(of(Language::Chinese)),
                    blame: blame.clone(),
                });
            }
            first
        });
        if first.await != Some(true) {
            return;
        }
        *self.warned.lock().entry((Arc::clone(&app.name), kind)).or_default() += 1;
        tracing::warn!(
            app = &*app.name,
            endpoint = path,
            kind = kind.as_str(),
            caller = blame.caller.as_ref().map(|(name, _)| name.as_str()),
            caller_percent = blame.caller.as_ref().map(|(_, percent)| percent),
            around = (around > 0).then_some(around),
            "{message}"
        );
        let (app, path, at) = (Arc::clone(&app.name), path.to_owned(), self.clock.now());
        // There may be no receiver.
        let _ = self.warnings.send(Warning { at, app, path, kind, message, blame });
    }

    /// What has gone through wxgate today.
    fn ours(&self, app: &App, path: &str) -> u64 {
        self.take();
        let label = self.names.label(&app.name);
        let of = |(key, count): (Key, u64)| if key.app == label && key.path == path { count } else { 0 };
        self.ledger.lock().calls().map(of).fold(0, u64::saturating_add)
    }

    /// Who is behind the calls of an endpoint, of which `around` did not come through wxgate.
    fn blame(&self, app: &App, path: &str, kind: WarningKind, around: u64) -> Blame {
        // Callers have nothing to do with what goes around wxgate.
        let caller = if kind == WarningKind::Around { None } else { self.spends_most(app, path, around) };
        Blame { caller, around }
    }

    /// The caller with most calls of an endpoint, and its part in percent; none if more went around
    /// wxgate.
    fn spends_most(&self, app: &App, path: &str, around: u64) -> Option<(String, u64)> {
        let label = self.names.label(&app.name);
        let mut of: BTreeMap<u16, u64> = BTreeMap::new();
        for (key, count) in self.ledger.lock().calls().filter(|(key, _)| key.app == label && key.path == path)
        {
            let sum = of.entry(key.caller).or_default();
            *sum = sum.saturating_add(count);
        }
        let all: u128 = of.values().copied().map(u128::from).sum();
        let (caller, most) =
            of.into_iter().max_by_key(|(_, count)| *count).filter(|(_, most)| *most > around)?;
        let names = self.names.all();
        let name = names.get(usize::from(caller))?;
        let percent = u128::from(most) * 100 / (all + u128::from(around)).max(1);
        Some((name.to_string(), u64::try_from(percent).unwrap_or(100)))
    }

    /// Changes an app's notes for all replicas, and gives what `change` gave for the version that
    /// was written. None if the store is down or others were always faster: then nothing was
    /// changed.
    pub(super) async fn change<R>(
        &self,
        app: &App,
        change: impl Fn(&mut Notes, Timestamp) -> R,
    ) -> Option<R> {
        let key = notes_key(app);
        for _ in 0..TRIES {
            let present = self.store.note(&key).await.ok()?;
            let former = read_notes(present.as_deref());
            let now = self.clock.now();
            let mut notes = former.clone();
            notes.turn(now.beijing_day());
            let result = change(&mut notes, now);
            if notes != former {
                let text = serde_json::to_vec(&notes).ok()?;
                if !self.store.replace_note(&key, present.as_deref(), &text, NOTES_LAST).await.ok()? {
                    continue;
                }
            }
            self.of(app, |watched| watched.notes = notes);
            return Some(result);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::sleep;

    use super::{LEARN_EVERY, LOOK};
    use crate::observe::clock::Clock;
    use crate::observe::exposition::{Dialect, Exposition};
    use crate::quota::{App, Ask, Quota};
    use crate::store::Store;
    use crate::wechat::AppKind;
    use crate::wechat::catalogue;

    /// How often a store was read while `apps` were called and looked after for two minutes.
    async fn reads(apps: usize) -> f64 {
        let app = |number: usize| App {
            name: format!("app{number}").into(),
            identity: format!("wx{number}").into(),
            appid: format!("wx{number}").into(),
            kind: AppKind::MiniProgram,
        };
        // After one question of the day WeChat's response is that no more may be asked.
        let ask: Ask = Arc::new(|_, _| Box::pin(async { Ok(br#"{"errcode":45009}"#.to_vec()) }));
        let store = Store::memory();
        let apps: Vec<_> = (0..apps).map(app).collect();
        let quota = Quota::start(1, apps.clone(), ask, store.clone(), Clock::simulated());
        for app in &apps {
            let endpoint = catalogue::find("/cgi-bin/user/info").id;
            quota.begin(0, quota.names().label(&app.name), 1, endpoint);
        }
        // All are asked about.
        sleep(Duration::from_secs(60)).await;
        let before = loads(&store);
        sleep(LOOK * u32::try_from(4 * LEARN_EVERY).expect("few")).await;
        let after = loads(&store);
        quota.stop().await;
        after - before
    }

    fn loads(store: &Store) -> f64 {
        let mut out = Exposition::new(Dialect::of_accept(None));
        store.expose(&mut out);
        let text = out.finish();
        let loads = text.lines().filter(|line| line.contains(r#"operation="load",outcome="ok""#));
        loads.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_apps_are_read_of_as_often_as_one() {
        let one = reads(1).await;
        assert!(one > 0.0);
        assert_eq!(reads(100).await, one);
    }
}

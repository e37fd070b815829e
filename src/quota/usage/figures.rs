//! What WeChat itself says of an app's quotas, as replicas note it for each other; and what to ask
//! next.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::warning::{Noted, noted};
use crate::observe::clock::Timestamp;
use crate::texts::{Language, Words, words};

/// Questions in any minute about one app, by all replicas together.
const MOST_A_MINUTE: usize = 6;
const MINUTE: Duration = Duration::from_secs(60);
/// Figures this old are asked for again if there were calls since.
const OLD: Duration = Duration::from_secs(600);
/// An endpoint is asked about when it has been known for so long: until then the busiest aren't
/// known either.
const SETTLES: Duration = Duration::from_secs(3);

/// What was called of an endpoint today.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    /// Calls that went through wxgate.
    pub(crate) ours: u64,
    /// Since when.
    pub(crate) since: Timestamp,
    /// When WeChat last responded that its quota is used up.
    pub(crate) refused: Option<Timestamp>,
}

/// What WeChat said of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) limit: u64,
    pub(crate) used: u64,
    /// When it was asked.
    pub(crate) at: Timestamp,
    /// What had gone through wxgate today once all that WeChat counted was surely counted here.
    pub(crate) ours: u64,
    /// How much of that came after WeChat was asked.
    pub(crate) slack: u64,
    /// What wxgate had counted more than WeChat when both were first compared, or when WeChat's
    /// counter was cleared: earlier differences prove nothing, as counters in memory don't survive
    /// a restart.
    pub(crate) base: i64,
    pub(crate) base_slack: u64,
    /// Calls in so many seconds.
    pub(crate) rate: Option<(u64, u64)>,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Known {
    Figures(Figures),
    /// WeChat has no figures of this path.
    Nothing {
        since: Timestamp,
    },
}

/// What replicas note for each other of an app; of one day in Beijing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notes {
    pub(crate) day: i64,
    /// When WeChat was asked in the last minute.
    pub(crate) asked: Vec<Timestamp>,
    /// Nothing is asked before.
    pub(crate) not_before: Option<Timestamp>,
    /// Why the last question brought nothing.
    pub(crate) problem: Option<String>,
    /// The same in Chinese.
    #[serde(default)]
    pub(crate) problem_chinese: Option<String>,
    pub(crate) endpoints: BTreeMap<String, Known>,
    pub(crate) warnings: Vec<Noted>,
}

impl Figures {
    /// What has been used by now, when `ours` have gone through wxgate today.
    pub(crate) fn used_now(&self, ours: u64) -> u64 {
        // Counted from the question, not the comparison: WeChat's response doesn't include calls
        // that came between the two.
        self.used.saturating_add(ours.saturating_sub(self.ours.saturating_sub(self.slack)))
    }

    /// WeChat's counter was reset, so the figures must be asked for again.
    pub(crate) fn doubt(&mut self) {
        self.at = Timestamp::default();
    }

    /// Calls since the first comparison that WeChat counted and that did not come through wxgate.
    pub(crate) fn around(&self) -> u64 {
        let more = self.base.saturating_sub(self.ahead());
        let unsure = self.slack.saturating_add(self.base_slack);
        u64::try_from(more).ok().filter(|more| *more > unsure).unwrap_or(0)
    }

    /// What wxgate counted more than WeChat.
    fn ahead(&self) -> i64 {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        number(self.ours) - number(self.used)
    }

    /// Whether to ask again, when so much of the quota was `spent` since.
    fn are_old(&self, called: &Called, spent: f64, now: Timestamp) -> bool {
        let age = now.since(self.at);
        let doubtful = self.at == Timestamp::default();
        // WeChat knows better than the counters what is left, if others spend it too.
        let surprising = called.refused.is_some_and(|refused| refused > self.at);
        let used_up = self.used < self.limit && self.used_now(called.ours) >= self.limit;
        doubtful || surprising || used_up || age >= OLD && spent > 0.0 || age >= MINUTE && spent >= 0.01
    }

    /// The figures that follow `former` of the same day.
    pub(crate) fn after(mut self, former: Option<&Known>) -> Self {
        (self.base, self.base_slack) = match former {
            // A counter that went down was cleared, here or in WeChat's console.
            Some(Known::Figures(former)) if self.used >= former.used => (former.base, former.base_slack),
            _ => (self.ahead(), self.slack),
        };
        self
    }
}

impl Notes {
    /// Begins another day.
    pub(crate) fn turn(&mut self, day: i64) {
        if self.day != day {
            let asked = std::mem::take(&mut self.asked);
            *self = Self { day, asked, ..Self::default() };
        }
    }

    /// Notes why the last question brought nothing.
    pub(crate) fn fail(&mut self, problem: &Words) {
        self.problem = Some(problem.to(Language::English).to_owned());
        self.problem_chinese = Some(problem.to(Language::Chinese).to_owned());
    }

    /// Why the last question brought nothing.
    pub(crate) fn problem(&self) -> Option<Words> {
        Some(noted(self.problem.as_deref()?, self.problem_chinese.as_ref()))
    }

    /// How many questions may be asked now.
    pub(crate) fn allowance(&self, now: Timestamp) -> usize {
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return 0;
        }
        MOST_A_MINUTE.saturating_sub(self.asked.iter().filter(|at| is_recent(**at, now)).count())
    }

    /// A question is asked.
    pub(crate) fn ask(&mut self, now: Timestamp) {
        self.asked.retain(|at| is_recent(*at, now));
        self.asked.push(now);
    }

    pub(crate) fn figures(&self, path: &str) -> Option<&Figures> {
        match self.endpoints.get(path)? {
            Known::Figures(figures) => Some(figures),
            Known::Nothing { .. } => None,
        }
    }

    /// What to ask about, the most pressing first: what was never asked about, by its calls; then
    /// what has spent most of its quota since.
    pub(crate) fn due(&self, calls: &HashMap<&'static str, Called>, now: Timestamp) -> Vec<&'static str> {
        let mut due: Vec<(bool, f64, &'static str)> = calls
            .iter()
            .filter_map(|(path, called)| match self.endpoints.get(*path) {
                None if now.since(called.since) >= SETTLES => Some((true, called.ours as f64, *path)),
                None | Some(Known::Nothing { .. }) => None,
                Some(Known::Figures(figures)) => {
                    let spent = called.ours.saturating_sub(figures.ours) as f64 / figures.limit.max(1) as f64;
                    (figures.are_old(called, spent, now)).then_some((false, spent, *path))
                }
            })
            .collect();
        due.sort_by(|one, other| {
            (other.0, other.1).partial_cmp(&(one.0, one.1)).unwrap_or(std::cmp::Ordering::Equal)
        });
        due.into_iter().map(|(_, _, path)| path).collect()
    }
}

/// Also a time in the near future counts: another replica's clock may be ahead.
fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.since(at) < MINUTE && at.since(now) < MINUTE
}

/// What WeChat's response means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Figures {
        limit: u64,
        used: u64,
        rate: Option<(u64, u64)>,
    },
    /// It has no figures of this path.
    Nothing,
    /// It says no more today.
    Silent(Words),
    /// It tells this account nothing.
    Refused(Words),
    /// Something went wrong.
    Failed(Words),
}

/// Judges the body of a response to `openapi/quota/get`.
pub(crate) fn judge(body: &[u8]) -> Answer {
    #[derive(Deserialize)]
    struct QuotaResponse {
        errcode: Option<i64>,
        errmsg: Option<String>,
        quota: Option<DailyQuota>,
        rate_limit: Option<RateLimit>,
    }
    #[derive(Deserialize)]
    struct DailyQuota {
        daily_limit: i64,
        used: i64,
    }
    #[derive(Deserialize)]
    struct RateLimit {
        call_count: i64,
        refresh_second: i64,
    }
    let Ok(body) = serde_json::from_slice::<QuotaResponse>(body) else {
        return Answer::Failed(words!("WeChat's response is not JSON with a quota"));
    };
    let told = || {
        let code = body.errcode.unwrap_or_default();
        words!("WeChat returned {code}: {errmsg}", code, errmsg = body.errmsg.as_deref().unwrap_or_default())
    };
    match (body.errcode.unwrap_or(0), &body.quota) {
        (0, Some(quota)) => {
            let number = |value: i64| u64::try_from(value).unwrap_or(0);
            let rate = body.rate_limit.as_ref().filter(|rate| rate.call_count > 0 && rate.refresh_second > 0);
            let rate = rate.map(|rate| (number(rate.call_count), number(rate.refresh_second)));
            Answer::Figures { limit: number(quota.daily_limit), used: number(quota.used), rate }
        }
        // 76003 a malformed path, 76021 an unknown one, 76022 one below /sns/.
        (0, None) | (76_003 | 76_021 | 76_022, _) => Answer::Nothing,
        // Its own quota is used up.
        (45_009, _) => Answer::Silent(told()),
        // This account may not ask, or the platform not for it.
        (48_001 | 48_004 | 61_003 | 61_007, _) => Answer::Refused(told()),
        _ => Answer::Failed(told()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use super::{Answer, Called, Figures, Known, Notes, judge};
    use crate::observe::clock::Timestamp;
    use crate::texts::words;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn later(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn figures(limit: u64, used: u64, ours: u64) -> Figures {
        Figures { limit, used, at: NOW, ours, slack: 0, base: 0, base_slack: 0, rate: None }
    }

    #[test]
    fn no_more_than_six_questions_are_asked_in_any_minute() {
        let mut notes = Notes::default();
        let mut asked = Vec::new();
        for second in 0..600 {
            while notes.allowance(later(second)) > 0 {
                notes.ask(later(second));
                asked.push(second);
            }
        }
        assert!(
            (0..600).all(|start| asked.iter().filter(|at| (start..start + 60).contains(*at)).count() <= 6)
        );
        assert_eq!(asked.len(), 60);
        notes.not_before = Some(later(2_000));
        assert_eq!((notes.allowance(later(1_999)), notes.allowance(later(2_000))), (0, 6));
    }

    #[test]
    fn the_busiest_that_were_never_asked_about_come_first() {
        let mut notes = Notes::default();
        notes.endpoints.insert("/nothing".into(), Known::Nothing { since: NOW });
        notes.endpoints.insert("/fresh".into(), Known::Figures(figures(1_000, 0, 0)));
        notes.endpoints.insert("/idle".into(), Known::Figures(figures(1_000, 0, 7)));
        notes.endpoints.insert("/spent".into(), Known::Figures(figures(100, 0, 0)));
        let calls: HashMap<_, _> = [
            ("/nothing", 900, NOW),
            ("/fresh", 9, NOW),
            ("/idle", 7, NOW),
            ("/spent", 60, NOW),
            ("/quiet", 1, NOW),
            ("/busy", 50, NOW),
            ("/new", 500, later(98)),
        ]
        .map(|(path, ours, since)| (path, Called { ours, since, refused: None }))
        .into();
        assert_eq!(notes.due(&calls, later(100)), ["/busy", "/quiet", "/spent"]);
        assert_eq!(notes.due(&calls, later(700)), ["/new", "/busy", "/quiet", "/spent", "/fresh"]);
        let used_up = Called { ours: 1_007, since: NOW, refused: None };
        assert_eq!(notes.due(&[("/idle", used_up)].into(), later(2)), ["/idle"]);
        let refused = Called { ours: 7, since: NOW, refused: Some(later(1)) };
        assert_eq!(notes.due(&[("/idle", refused)].into(), later(2)), ["/idle"]);
    }

    #[test]
    fn calls_around_wxgate_are_what_wechat_counted_beside_ours_since_the_first_look() {
        // Without counts from before a restart no other program is blamed.
        let first = figures(1_000, 300, 200).after(None);
        assert_eq!((first.base, first.around(), first.used_now(250)), (-100, 0, 350));
        let second = figures(1_000, 340, 210).after(Some(&Known::Figures(first)));
        assert_eq!(second.around(), 30);
        // Cleared: WeChat counts from 0, wxgate goes on.
        let third = figures(1_000, 10, 260).after(Some(&Known::Figures(second)));
        assert_eq!((third.base, third.around()), (250, 0));
        let fourth = figures(1_000, 60, 290).after(Some(&Known::Figures(third)));
        assert_eq!(fourth.around(), 20);
        // Calls between question and comparison count as used, but not as calls around wxgate.
        assert_eq!(Figures { slack: 40, ..first }.used_now(250), 390);
        // Calls that were under way may be either's.
        assert_eq!(Figures { slack: 20, ..fourth }.around(), 0);
        assert_eq!(Figures { slack: 9, base_slack: 10, ..fourth }.around(), 20);
    }

    #[test]
    fn an_answer_is_figures_or_says_why_there_are_none() {
        let body = r#"{"errcode":0,"errmsg":"ok","quota":{"daily_limit":5000,"used":7,"remain":4993},
            "rate_limit":{"call_count":10,"refresh_second":60}}"#;
        assert_eq!(judge(body.as_bytes()), Answer::Figures { limit: 5_000, used: 7, rate: Some((10, 60)) });
        let body = r#"{"errcode":0,"quota":{"daily_limit":-1,"used":7},"rate_limit":{"call_count":0,"refresh_second":0}}"#;
        assert_eq!(judge(body.as_bytes()), Answer::Figures { limit: 0, used: 7, rate: None });
        assert_eq!(judge(br#"{"errcode":76021,"errmsg":"cgi_path not found"}"#), Answer::Nothing);
        assert_eq!(
            judge(br#"{"errcode":45009,"errmsg":"reach max"}"#),
            Answer::Silent(words!("WeChat returned {code}: {errmsg}", code = 45009, errmsg = "reach max"))
        );
        for refused in [&br#"{"errcode":48001}"#[..], br#"{"errcode":61007}"#] {
            assert!(matches!(judge(refused), Answer::Refused(_)));
        }
        assert!(matches!(judge(b"<html>"), Answer::Failed(_)));
        assert!(matches!(judge(br#"{"errcode":40001}"#), Answer::Failed(_)));
    }

    #[test]
    fn notes_of_yesterday_are_forgotten_but_for_the_pace() {
        let mut notes = Notes { day: 1, problem: Some("x".into()), ..Notes::default() };
        notes.ask(NOW);
        notes.endpoints.insert("/x".into(), Known::Nothing { since: NOW });
        notes.turn(2);
        assert_eq!(notes, Notes { day: 2, asked: vec![NOW], ..Notes::default() });
        let text = serde_json::to_vec(&notes).expect("JSON");
        assert_eq!(serde_json::from_slice::<Notes>(&text).expect("the same"), notes);
    }
}

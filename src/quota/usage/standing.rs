//! What is to be said of an endpoint whose figures are known.

use super::figures::Figures;
use super::warning::WarningKind;
use crate::observe::clock::Timestamp;
use crate::texts::{Words, words};

/// Growth of the calls around wxgate between two looks that is worth a word: WeChat counts a call
/// that is in progress, and a replay as another one.
const LEAST_AROUND: u64 = 20;

/// An endpoint's figures, and what is made of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) figures: &'a Figures,
    /// The figures before, of the same day.
    pub(crate) former: Option<&'a Figures>,
    /// Used by now.
    pub(crate) used: u64,
    /// When the quota ends at the present pace, if before the day does.
    pub(crate) ends: Option<Timestamp>,
}

impl Standing<'_> {
    /// The kinds of warning that hold, the gravest threshold alone of those that were crossed at
    /// once.
    pub(crate) fn warnings(&self) -> Vec<WarningKind> {
        let limit = self.figures.limit;
        if limit == 0 {
            return Vec::new();
        }
        let part =
            |used: u64, percent: u64| u128::from(used) * 100 >= u128::from(limit) * u128::from(percent);
        // That all is used up WeChat must have said: wxgate counts calls too that WeChat refused
        // for a minute's limit, and doesn't count.
        let thresholds = [
            (100, self.figures.used, WarningKind::Exhausted),
            (90, self.used, WarningKind::Used90),
            (70, self.used, WarningKind::Used70),
        ];
        let threshold =
            thresholds.into_iter().find_map(|(percent, used, kind)| part(used, percent).then_some(kind));
        let forecast = (self.ends.is_some() && self.used < limit).then_some(WarningKind::Forecast);
        let grown = |former: &Figures| self.figures.around().saturating_sub(former.around());
        let around =
            self.former.is_some_and(|former| grown(former) >= LEAST_AROUND.max(self.figures.used / 20));
        threshold.into_iter().chain(forecast).chain(around.then_some(WarningKind::Around)).collect()
    }

    /// The warning as a sentence.
    pub(crate) fn message(&self, kind: WarningKind, path: &str) -> Words {
        let (used, limit) = (self.used, self.figures.limit);
        let percent = u128::from(used) * 100 / u128::from(limit.max(1));
        match kind {
            WarningKind::Used70 | WarningKind::Used90 => words!(
                "{percent}% of today's quota for {path} is used: {used} of {limit}",
                percent,
                path,
                used,
                limit
            ),
            WarningKind::Exhausted => {
                words!("today's quota for {path} is used up: {used} of {limit}", path, used, limit)
            }
            WarningKind::Forecast => words!(
                "at the current rate, today's quota for {path} will be used up at {at} (Beijing): {used} of \
                 {limit} used",
                path,
                at = self.ends.map(Timestamp::beijing_time).unwrap_or_default(),
                used,
                limit
            ),
            WarningKind::Around => words!(
                "WeChat counted {calls} calls of {path} today that did not come through wxgate: another program \
                 uses this app's credentials",
                calls = self.figures.around(),
                path
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Standing, WarningKind};
    use crate::observe::clock::Timestamp;
    use crate::quota::usage::figures::Figures;

    fn figures(limit: u64, used: u64, ours: u64) -> Figures {
        Figures { limit, used, at: Timestamp(0), ours, slack: 0, base: 0, base_slack: 0, rate: None }
    }

    #[test]
    fn each_threshold_and_the_forecast_are_warned_of() {
        let figures = figures(1_000, 0, 0);
        let warnings = |used, ends| Standing { figures: &figures, former: None, used, ends }.warnings();
        let soon = Some(Timestamp(1));
        assert_eq!(warnings(699, None), []);
        assert_eq!(warnings(700, None), [WarningKind::Used70]);
        assert_eq!(warnings(100, soon), [WarningKind::Forecast]);
        assert_eq!(warnings(900, soon), [WarningKind::Used90, WarningKind::Forecast]);
        assert_eq!(warnings(1_000, soon), [WarningKind::Used90], "WeChat hasn't said so");
        let spent = Figures { used: 1_000, ..figures };
        let spent = Standing { figures: &spent, former: None, used: 1_000, ends: soon };
        assert_eq!(spent.warnings(), [WarningKind::Exhausted]);
        let unlimited = Figures { limit: 0, ..figures };
        assert_eq!(Standing { figures: &unlimited, former: None, used: 5, ends: soon }.warnings(), []);
    }

    #[test]
    fn calls_around_wxgate_are_told_when_they_grow_and_not_when_they_were_there_before() {
        let warned = |former: Figures, now: Figures| {
            let standing = Standing { figures: &now, former: Some(&former), used: now.used, ends: None };
            standing.warnings().contains(&WarningKind::Around)
        };
        assert!(!warned(figures(9_000, 300, 0), figures(9_000, 310, 10)));
        assert!(!warned(figures(9_000, 0, 0), figures(9_000, 29, 10)), "calls in progress");
        assert!(warned(figures(9_000, 0, 0), figures(9_000, 30, 10)));
        assert!(!warned(figures(90_000, 0, 0), figures(90_000, 5_000, 4_800)), "4 %");
    }
}

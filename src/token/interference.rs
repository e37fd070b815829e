//! Somebody else fetches tokens with this app's secret: seen in what happens to ours.

use std::time::Duration;

use super::events::Happened;
use super::keeper::Keeper;
use super::schedule::Moment;
use crate::wechat::{Issuer, TokenMode};

/// In its last five minutes a token may be replaced without anybody's doing.
const OWN_RENEWAL: Duration = Duration::from_secs(300);

impl Keeper {
    /// A plain fetch brought another token long before WeChat renews by itself: unless a force did it that we
    /// know of, somebody else has the secret.
    pub(super) fn suspect_interference_in_stable_mode(&mut self, now: Moment) {
        let Some(held) = &self.held else { return };
        let ours = self.forces.last_at.is_some_and(|last| last >= held.token.fetched_at);
        if self.issuer.forces() && held.remaining(now) > OWN_RENEWAL && !ours {
            self.report_interference("WeChat replaced a stable token long before its end");
        }
    }

    /// A classic token died long before its end: unless a fetch of ours did it whose answer was lost, somebody
    /// else fetched.
    pub(super) fn suspect_interference_in_classic_mode(&mut self) {
        let Some(held) = &self.held else { return };
        // An authorizer's token also dies where the account takes its authorisation back.
        let ours_alone = matches!(self.issuer, Issuer::App(TokenMode::Classic) | Issuer::Component);
        if ours_alone && held.remaining(self.now()) > OWN_RENEWAL && !self.answer_lost {
            self.report_interference("a classic token died long before its end");
        }
    }

    /// Once for each generation.
    fn report_interference(&mut self, what: &str) {
        let generation = self.held.as_ref().map_or(0, |held| held.token.generation);
        if self.interfered == generation {
            return;
        }
        self.interfered = generation;
        // Without the store another replica of ours may have been the one.
        if self.tools.store.problem().is_some() {
            return;
        }
        self.shared.journal().interference += 1;
        self.happened(self.now().wall, Happened::Interference { generation });
        tracing::warn!(
            app = %self.settings().app.name,
            generation,
            "{what}: somebody else fetches tokens with this app's secret"
        );
    }
}

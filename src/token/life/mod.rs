//! What is known of one credential, and what follows from it: pure, with time as an argument.
//!
//! | file | holds |
//! | --- | --- |
//! | `token` | the token |
//! | `aged_token`, `schedule` | how it ages; at which age it is fetched again |
//! | `view` | what requests see of it |
//! | `verdicts` | whether it is valid, as far as rejections showed; quarantined endpoints |
//! | `failure` | why none could be fetched |
//! | `backoff` | pauses after failures, the open circuit |
//! | `ceilings` | the most token requests |
//! | `refresh` | why a token is fetched, and the outcome |
//! | `moment` | time by both clocks |

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::aged_token::AgedToken;
use self::backoff::{Backoff, StorelessBackoff};
use self::ceilings::{Ceilings, Need};
use self::moment::Pause;
use self::verdicts::Verdicts;
use crate::store::{ForceBudget, Record};
use crate::texts::{Words, text, words};
use crate::wechat::{Issuer, TokenMode};

mod aged_token;
mod backoff;
mod ceilings;
mod failure;
mod moment;
mod refresh;
mod schedule;
#[cfg(test)]
mod tests;
mod token;
mod verdicts;
mod view;

pub use failure::{Failure, Unavailable};
pub(crate) use moment::Moment;
pub use refresh::{Outcome, Reason, Refresh};
pub use token::Token;
pub(crate) use verdicts::CachedVerdict;
pub use verdicts::Rejection;
pub(crate) use view::View;

/// How much longer a credential is used that WeChat still hands out after its expiry, where
/// WeChat's expires_in can't be believed.
const OVERDUE: Duration = Duration::from_secs(300);
/// In its last five minutes WeChat may replace a token by itself.
const OWN_RENEWAL: Duration = Duration::from_secs(300);

/// All that is known of one credential.
pub(crate) struct Life {
    issuer: Issuer,
    held: Option<AgedToken>,
    /// About the token held.
    verdicts: Verdicts,
    /// The highest generation seen.
    newest: u64,
    backoff: Backoff,
    ceilings: Ceilings,
    /// Between fetches in classic mode without the store.
    storeless: StorelessBackoff,
    forces: ForceBudget,
    /// When the budget allows the force that a dead token needs.
    force_due: Option<Pause>,
    /// The token held came out of a compare-and-set race in classic mode, where the loser may hold
    /// the only valid one.
    suspect: bool,
    /// A classic fetch whose response was lost may have rotated the token held.
    answer_lost: bool,
    /// The last generation for which interference was reported.
    interfered: u64,
    /// Spreads what replicas do.
    random: fastrand::Rng,
}

/// What is due by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The first fetch, or another attempt once fetches are no longer blocked.
    Retry,
    /// A force that the budget didn't allow before.
    Force,
    /// A fetch ahead of the token's expiry.
    Ahead,
    /// A probe whether the token held is valid.
    ProbeSuspect,
}

/// What is held.
impl Life {
    pub(crate) fn new(issuer: Issuer, random: fastrand::Rng) -> Self {
        Self {
            issuer,
            held: None,
            verdicts: Verdicts::default(),
            newest: 0,
            backoff: Backoff::default(),
            ceilings: Ceilings::of(issuer),
            storeless: StorelessBackoff::default(),
            forces: ForceBudget::default(),
            force_due: None,
            suspect: false,
            answer_lost: false,
            interfered: 0,
            random,
        }
    }

    /// The token held, whatever is known of it.
    pub(crate) fn token(&self) -> Option<&Arc<Token>> {
        self.held.as_ref().map(|held| &held.token)
    }

    /// The token held, if it is neither expired nor proven dead.
    pub(crate) fn usable(&self, now: Moment) -> Option<Arc<Token>> {
        let held = self.held.as_ref()?;
        (!self.is_dead() && !held.remaining(now).is_zero()).then(|| Arc::clone(&held.token))
    }

    /// Whether the token held is proven dead.
    pub(crate) fn is_dead(&self) -> bool {
        self.verdicts.dead()
    }

    /// Whether `generation` is held, in its last minutes, and WeChat wasn't asked for another one
    /// just now.
    pub(crate) fn is_renewable(&self, generation: u64, now: Moment) -> bool {
        self.held.as_ref().is_some_and(|held| held.token.generation == generation && held.renewable(now))
    }

    pub(crate) fn view(&self, now: Moment) -> View {
        self.held.as_ref().map(|held| held.view(now, self.is_dead())).unwrap_or_default()
    }

    /// What is due next, and how long until then.
    pub(crate) fn due(&self, now: Moment) -> (Due, Duration) {
        let fetch = match (self.backoff.left(now), &self.held) {
            (Some(left), _) => (Due::Retry, left),
            (None, Some(held)) if !self.is_dead() => (Due::Ahead, held.until_ahead(now)),
            (None, _) => (Due::Retry, Duration::ZERO),
        };
        let force = self.force_due.map(|pause| (Due::Force, pause.left(now)));
        let suspect = self.suspect.then_some((Due::ProbeSuspect, Duration::ZERO));
        [force, suspect]
            .into_iter()
            .flatten()
            .fold(fetch, |soonest, other| if other.1 < soonest.1 { other } else { soonest })
    }

    /// What was due is being done now.
    pub(crate) fn begin(&mut self, due: Due) {
        match due {
            Due::Force => self.force_due = None,
            Due::ProbeSuspect => self.suspect = false,
            Due::Retry | Due::Ahead => {}
        }
    }

    /// Why a token would be fetched now.
    pub(crate) fn reason(&self) -> Reason {
        match &self.held {
            None => Reason::Startup,
            Some(_) if self.is_dead() => Reason::Rejected,
            Some(_) => Reason::Ahead,
        }
    }
}

/// Another token.
impl Life {
    /// The highest generation seen.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// Others have counted up to here.
    pub(crate) fn seen(&mut self, generation: u64) {
        self.newest = self.newest.max(generation);
    }

    /// Holds this token from now on; what was known of the previous one is void. It is `suspect` if
    /// it won a race in which the loser may be the valid one.
    pub(crate) fn hold(&mut self, token: Token, suspect: bool, now: Moment) {
        self.seen(token.generation);
        self.held = Some(self.aging(token, now));
        self.verdicts = Verdicts::default();
        self.force_due = None;
        self.suspect = suspect;
        self.answer_lost = false;
        self.backoff.clear();
    }

    /// Adopts what the store holds, if that is newer and hasn't expired. Returns whether another
    /// token is held now.
    pub(crate) fn adopt(&mut self, record: Record, now: Moment) -> bool {
        self.seen(record.generation);
        let token = Token::from(record);
        let mut suspect = false;
        if let Some(held) = &mut self.held {
            if !Record::from(&token).supersedes(&Record::from(&*held.token)) {
                return false;
            }
            if held.token.value.matches(&token.value) {
                // The sides of a split may have numbered it differently; what is known of it stays.
                held.token = Arc::new(Token { generation: token.generation, ..Token::clone(&held.token) });
                return false;
            }
            // Where fetches rotate, the later one invalidated the other token, whatever the
            // generations say after a split.
            suspect = self.issuer.rotates() && held.token.fetched_at > token.fetched_at;
        }
        if token.has_expired(now.wall) {
            return false;
        }
        self.hold(token, suspect, now);
        true
    }

    /// WeChat handed out the token that is held already. Returns whether its expiry changed.
    pub(crate) fn came_again(&mut self, lifetime: Duration, now: Moment) -> bool {
        let Some(held) = &mut self.held else { return false };
        let overstated = self.issuer.overstates_lifetime();
        let over = held.remaining(now).is_zero();
        let other_end = over || !overstated && held.contradicts(lifetime, now);
        if other_end {
            let lifetime = if overstated { OVERDUE.min(lifetime) } else { lifetime };
            let (fetched_at, expires_at) = (now.wall, now.wall.plus(lifetime));
            let token = Token { fetched_at, expires_at, ..Token::clone(&held.token) };
            self.held = Some(self.aging(token, now));
        } else {
            held.not_yet(now);
        }
        if !self.is_dead() {
            self.backoff.clear();
        }
        other_end
    }

    fn aging(&mut self, token: Token, now: Moment) -> AgedToken {
        AgedToken::new(token, now, self.issuer, self.random.f64())
    }
}

/// Whether the token held is valid.
impl Life {
    /// What is known of a rejection of the token held.
    pub(crate) fn cached_verdict(&mut self, rejection: &Rejection, now: Moment) -> CachedVerdict {
        self.verdicts.recall(rejection, now)
    }

    /// A request sent at `asked` showed that it is valid.
    pub(crate) fn found_alive(&mut self, asked: Instant, now: Moment) {
        self.verdicts.found_alive(asked, now);
    }

    pub(crate) fn found_undecided(&mut self, now: Moment) {
        self.verdicts.undecided(now);
    }

    pub(crate) fn found_dead(&mut self) {
        self.verdicts.found_dead();
    }

    /// Whether the next rejection is more likely an endpoint's fault than the token's: one rejects
    /// it although it is valid, or recent fetches brought nothing new.
    pub(crate) fn suspects_endpoints(&self, now: Moment) -> bool {
        self.verdicts.quarantines_any(now) || self.ceilings.half_spent(now)
    }

    /// The endpoint rejects a valid token.
    pub(crate) fn quarantine(&mut self, endpoint: u64, now: Moment) {
        self.verdicts.quarantine(endpoint, now);
    }

    /// A quarantined endpoint's rejection had the token probed, and it isn't known to be dead.
    pub(crate) fn quarantine_probed(&mut self, now: Moment) {
        self.verdicts.quarantine_probed(now);
    }

    /// The response to a fetch was lost that may have rotated it.
    pub(crate) fn answer_lost(&mut self) {
        self.answer_lost = true;
    }
}

/// What blocks fetches.
impl Life {
    /// A fetch failed, or brought nothing useful. Returns how long fetches are blocked.
    pub(crate) fn fail(&mut self, failure: Failure, now: Moment) -> Duration {
        if failure.permanent {
            self.force_due = None;
        }
        self.backoff.fail(failure, now, self.random.f64())
    }

    /// That failure may be due to the credential that the fetch was made with: of this generation,
    /// 0 if there was none.
    pub(crate) fn blame(&mut self, generation: u64) {
        self.backoff.blame(generation);
    }

    /// Whether another credential to fetch with would unblock fetches.
    pub(crate) fn blames(&self) -> bool {
        self.backoff.blamed().is_some()
    }

    /// Fetches would be made with this generation now: a failure that may be due to another one no
    /// longer blocks them.
    pub(crate) fn fetched_with(&mut self, generation: u64) {
        if self.backoff.blamed().is_some_and(|blamed| blamed != generation) {
            self.unblock();
        }
    }

    /// Fetches are no longer blocked.
    pub(crate) fn unblock(&mut self) {
        self.backoff.clear();
    }

    /// Whether a backoff, the circuit or a ceiling blocks fetches.
    pub(crate) fn is_blocked(&self, now: Moment) -> bool {
        self.backoff.blocks(now)
    }

    /// The failure that no success has followed.
    pub(crate) fn standing_failure(&self) -> Option<&Failure> {
        self.backoff.failure()
    }

    /// Why there is no usable token.
    pub(crate) fn failure(&self) -> Failure {
        match (self.backoff.failure(), &self.held) {
            (Some(failure), _) => failure.clone(),
            (None, Some(_)) => Failure::transient(words!("the token has expired")),
            (None, None) => Failure::transient(words!("there is no token yet")),
        }
    }

    /// The same for a caller.
    pub(crate) fn unavailable(&self, now: Moment) -> Unavailable {
        let failure = self.failure();
        let seconds = self.backoff.left(now).unwrap_or_default().as_secs().max(1);
        let cause = || {
            let failure = failure.to_string();
            // A remedy is a sentence of its own.
            let failure = failure.trim_end_matches(['.', '。']);
            text!("{failure}; next attempt in {seconds} s", failure, seconds).to_string()
        };
        Unavailable { cause: Words::of(cause), errcode: failure.errcode }
    }

    /// Whether too many token requests were made lately; if so, blocks fetches until that has
    /// passed.
    pub(crate) fn meets_ceiling(&mut self, now: Moment) -> bool {
        let why =
            words!("too many token requests brought no new token; wxgate pauses to save WeChat's quota");
        let need = self.need(now);
        let wait = self.ceilings.wait(need, now);
        match (need, &mut self.held) {
            // Fruitless requests while the token was valid must block nothing once it is dead.
            (Need::Spare, Some(held)) if !wait.is_zero() => {
                held.not_yet(now);
                true
            }
            _ => self.block_for(wait, why, now),
        }
    }

    /// A token request was made at `asked`; `fruitless` if it failed or brought the token held.
    pub(crate) fn called(&mut self, asked: Moment, fruitless: bool) {
        self.ceilings.count(self.need(asked), fruitless, asked);
    }

    fn need(&self, now: Moment) -> Need {
        if self.usable(now).is_some() { Need::Spare } else { Need::Urgent }
    }

    /// Whether a fetch without the store comes too soon after another one; if so, none is made
    /// until that has passed.
    pub(crate) fn must_wait_for_store(&mut self, now: Moment) -> bool {
        let why =
            words!("the store is down, and replicas that fetch without it invalidate each other's token");
        self.block_for(self.storeless.left(now), why, now)
    }

    pub(crate) fn fetched_without_store(&mut self, now: Moment) {
        self.storeless.fetched(now, self.random.f64());
    }

    /// The store is back. Whether there had been fetches without it.
    pub(crate) fn store_is_back(&mut self) -> bool {
        self.storeless.end()
    }

    fn block_for(&mut self, wait: Duration, why: Words, now: Moment) -> bool {
        if !wait.is_zero() {
            self.backoff.block(Failure::transient(why), now, wait);
        }
        !wait.is_zero()
    }
}

/// Forced refreshes.
impl Life {
    pub(crate) fn forces(&self) -> ForceBudget {
        self.forces
    }

    pub(crate) fn set_forces(&mut self, forces: ForceBudget) {
        self.forces = forces;
    }

    /// The dead token is to be replaced by force as soon as the budget allows.
    pub(crate) fn force_after(&mut self, wait: Duration, now: Moment) {
        self.force_due = Some(Pause::new(now, wait));
    }
}

/// Whether another party fetches tokens with this app's secret: seen in what happens to ours.
impl Life {
    /// A plain fetch brought another token long before WeChat renews by itself: unless one of our
    /// forced refreshes did it, another party has the secret. Returns the generation that was
    /// invalidated, once for each.
    pub(crate) fn replaced_by_others(&mut self, now: Moment) -> Option<u64> {
        let held = self.held.as_ref()?;
        let ours = self.forces.last_at.is_some_and(|last| last >= held.token.fetched_at);
        let early = held.remaining(now) > OWN_RENEWAL;
        (self.issuer.forces() && early && !ours).then(|| self.interference()).flatten()
    }

    /// A classic token is dead long before its expiry: unless a fetch of ours did it whose response
    /// was lost, another party fetched. Returns the generation that was invalidated, once for each.
    pub(crate) fn ended_by_others(&mut self, now: Moment) -> Option<u64> {
        let held = self.held.as_ref().filter(|_| self.is_dead())?;
        // An authorizer's token also dies when the account revokes its authorisation.
        let ours_alone = matches!(self.issuer, Issuer::App(TokenMode::Classic) | Issuer::Component);
        let early = held.remaining(now) > OWN_RENEWAL;
        (ours_alone && early && !self.answer_lost).then(|| self.interference()).flatten()
    }

    fn interference(&mut self) -> Option<u64> {
        let generation = self.token()?.generation;
        let before = std::mem::replace(&mut self.interfered, generation);
        (before != generation).then_some(generation)
    }
}

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::moment::Moment;
use super::{CachedVerdict, Due, Failure, Life, Rejection, Token};
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{ForceBudget, Record};
use crate::texts::Words;
use crate::wechat::{Issuer, TokenMode};

const STABLE: Issuer = Issuer::App(TokenMode::Stable);
const CLASSIC: Issuer = Issuer::App(TokenMode::Classic);
const LIFETIME: Duration = Duration::from_secs(7200);

struct Times(Instant);

impl Times {
    fn at(&self, seconds: u64) -> Moment {
        Moment {
            wall: Timestamp(1_000_000_000).plus(Duration::from_secs(seconds)),
            steady: self.0 + Duration::from_secs(seconds),
        }
    }

    fn token(&self, value: &str, generation: u64, fetched: u64) -> Token {
        let fetched_at = self.at(fetched).wall;
        let value = Arc::new(Secret::new(value));
        Token { value, generation, fetched_at, expires_at: fetched_at.plus(LIFETIME) }
    }

    fn record(&self, value: &str, generation: u64, fetched: u64) -> Record {
        Record::from(&self.token(value, generation, fetched))
    }

    /// A life with the token "a", generation 1, fetched at 100.
    fn life(&self, issuer: Issuer) -> Life {
        let mut life = Life::new(issuer, fastrand::Rng::with_seed(1));
        life.hold(self.token("a", 1, 100), false, self.at(100));
        life
    }
}

fn words(text: &'static str) -> Words {
    Words::untranslated(text)
}

fn times() -> Times {
    Times(Instant::now())
}

fn value(life: &Life) -> &str {
    life.token().map_or("", |token| token.value.expose())
}

#[test]
fn only_a_newer_token_that_lives_is_adopted() {
    let times = times();
    let mut life = times.life(STABLE);
    assert!(!life.adopt(times.record("old", 1, 50), times.at(200)));
    assert!(life.adopt(times.record("b", 2, 150), times.at(200)));
    assert_eq!(value(&life), "b");
    assert!(!life.adopt(times.record("expired", 7, 0), times.at(7_200)));
    assert_eq!((value(&life), life.newest()), ("b", 7), "its number is taken all the same");
}

#[test]
fn another_credential_to_fetch_with_ends_a_pause_that_the_one_before_is_blamed_for() {
    let times = times();
    let now = times.at(200);
    let mut life = times.life(Issuer::Authorizer);
    life.fail(Failure::transient(words("busy")), now);
    life.fetched_with(8);
    assert!(life.is_blocked(now), "nobody is to blame");
    life.fail(Failure::transient(words("its token is dead")), now);
    life.blame(7);
    life.fetched_with(7);
    assert!(life.blames() && life.is_blocked(now), "it is the same one");
    life.fetched_with(8);
    assert!(!life.blames() && !life.is_blocked(now));
}

#[test]
fn a_token_that_others_numbered_higher_is_renumbered_and_what_is_known_of_it_stays() {
    let times = times();
    let mut life = times.life(STABLE);
    life.found_dead();
    assert!(!life.adopt(times.record("a", 5, 100), times.at(200)));
    assert_eq!(life.token().map(|token| token.generation), Some(5));
    assert!(life.is_dead() && life.usable(times.at(200)).is_none());
}

#[test]
fn a_classic_token_fetched_before_ours_is_probed_at_once() {
    let times = times();
    for (issuer, due) in [(CLASSIC, Due::ProbeSuspect), (STABLE, Due::Ahead)] {
        let mut life = times.life(issuer);
        assert!(life.adopt(times.record("b", 2, 50), times.at(200)));
        assert_eq!(life.due(times.at(200)).0, due);
        life.begin(due);
        assert_eq!(life.due(times.at(200)).0, Due::Ahead);
    }
}

#[test]
fn another_token_voids_what_was_known_of_the_one_before_it() {
    let times = times();
    let mut life = times.life(STABLE);
    let rejection = |generation| Rejection {
        generation,
        endpoint: 1,
        endpoint_path: "/cgi-bin/test",
        errcode: 40001,
        sent_at: times.at(200).steady,
        received_at: times.at(200).steady,
        replayed_alive: false,
    };
    life.found_alive(times.at(200).steady, times.at(200));
    life.quarantine(1, times.at(200));
    assert_eq!(life.cached_verdict(&rejection(1), times.at(210)), CachedVerdict::PassOn);
    life.found_dead();
    life.fail(Failure::transient(words("busy")), times.at(210));
    life.hold(times.token("b", 2, 220), false, times.at(220));
    assert!(!life.is_dead() && life.standing_failure().is_none());
    assert_eq!(life.cached_verdict(&rejection(2), times.at(220)), CachedVerdict::Unknown);
}

#[test]
fn what_is_due_first_comes_first() {
    let times = times();
    let mut life = Life::new(STABLE, fastrand::Rng::with_seed(1));
    assert_eq!(life.due(times.at(0)), (Due::Retry, Duration::ZERO));
    life.hold(times.token("a", 1, 100), false, times.at(100));
    let (due, left) = life.due(times.at(100));
    assert!(due == Due::Ahead && left >= Duration::from_secs(6_900));
    life.found_dead();
    assert_eq!(life.due(times.at(100)), (Due::Retry, Duration::ZERO));
    for _ in 0..9 {
        life.fail(Failure::transient(words("busy")), times.at(100));
    }
    life.force_after(Duration::from_secs(30), times.at(100));
    assert_eq!(life.due(times.at(110)), (Due::Force, Duration::from_secs(20)));
    life.fail(Failure::looped(), times.at(110));
    assert_eq!(life.due(times.at(110)).0, Due::Retry, "no force while the circuit is open");
}

#[test]
fn a_token_that_came_again_ends_when_wechat_says_so_now() {
    let times = times();
    let mut life = times.life(STABLE);
    let now = times.at(6_100);
    assert!(!life.came_again(Duration::from_secs(1_200), now), "as was known");
    assert!(life.due(now).1 >= Duration::from_secs(30), "not asked for again at once");
    assert!(life.came_again(LIFETIME, now), "a clock was moved");
    assert_eq!(life.token().map(|token| token.expires_at), Some(now.wall.plus(LIFETIME)));
}

#[test]
fn a_ceiling_that_is_met_bars_fetches_and_says_why() {
    let times = times();
    let mut life = times.life(STABLE);
    life.found_dead();
    for _ in 0..10 {
        assert!(!life.meets_ceiling(times.at(200)));
        life.called(times.at(200), true);
    }
    assert!(!life.is_blocked(times.at(200)));
    assert!(life.meets_ceiling(times.at(210)) && life.is_blocked(times.at(210)));
    let cause = life.unavailable(times.at(210)).cause;
    let cause = cause.as_str();
    assert!(cause.ends_with("; next attempt in 50 s") && !cause.contains(".;"), "{cause}");
    assert!(!life.is_blocked(times.at(260)));
}

#[test]
fn a_remedy_that_ends_a_sentence_is_followed_by_the_next_attempt_and_no_second_stop() {
    let times = times();
    let mut life = times.life(STABLE);
    let failure = Failure {
        remedy: Some(words("Compare the secret.")),
        ..Failure::transient(words("the secret is wrong"))
    };
    life.fail(failure, times.at(200));
    let cause = life.unavailable(times.at(200)).cause;
    let cause = cause.as_str();
    assert!(cause.contains("; remedy: Compare the secret; next attempt in "), "{cause}");
}

#[test]
fn a_ceiling_that_is_met_while_the_token_lives_bars_nothing_once_it_is_dead() {
    let times = times();
    let mut life = times.life(STABLE);
    for _ in 0..7 {
        assert!(!life.meets_ceiling(times.at(200)));
        life.called(times.at(200), true);
    }
    assert!(life.suspects_endpoints(times.at(200)) && life.meets_ceiling(times.at(200)));
    assert!(life.due(times.at(200)).1 >= Duration::from_secs(30), "a fetch ahead of time waits");
    life.found_dead();
    for _ in 0..3 {
        assert!(!life.is_blocked(times.at(200)) && !life.meets_ceiling(times.at(200)));
        life.called(times.at(200), true);
    }
    assert!(life.meets_ceiling(times.at(200)));
}

#[test]
fn interference_is_told_once_for_each_generation_and_never_of_our_own_doing() {
    let times = times();
    let mut life = times.life(STABLE);
    assert_eq!(life.replaced_by_others(times.at(7_000)), None, "WeChat's own renewal");
    assert_eq!(life.replaced_by_others(times.at(200)), Some(1));
    assert_eq!(life.replaced_by_others(times.at(200)), None, "told already");
    let mut forced = times.life(STABLE);
    forced.set_forces(ForceBudget { last_at: Some(times.at(150).wall), ..ForceBudget::default() });
    assert_eq!(forced.replaced_by_others(times.at(200)), None);

    let mut life = times.life(CLASSIC);
    assert_eq!(life.ended_by_others(times.at(200)), None, "it lives");
    life.found_dead();
    assert_eq!(life.ended_by_others(times.at(200)), Some(1));
    let mut lost = times.life(CLASSIC);
    lost.found_dead();
    lost.answer_lost();
    assert_eq!(lost.ended_by_others(times.at(200)), None, "a fetch of ours may have done it");
}

//! The code of a company that authorised a suite, from its push until the permanent code that it
//! was exchanged for is in the store.
//!
//! WeCom takes the code once. So the store learns of each step before the next one is taken: of the
//! code before WeCom's push is answered, of the exchange before WeCom is asked, and of WeCom's
//! answer before anything uses it. What a killed process leaves behind can then be taken up where
//! it stopped, with one exception: if the answer didn't reach the store, the permanent code is
//! lost.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{Record, SUITE_AUTH_CODE, Store, StoreError, next_generation};
use crate::texts::{Words, words};

/// WeCom takes a code for ten minutes; clocks differ.
const LASTS: Duration = Duration::from_secs(10 * 60);
/// So long after its push nothing can come of a code any more.
const GIVEN_UP: Duration = Duration::from_secs(15 * 60);
/// How long it is remembered that a code was lost.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);
/// Bytes of WeCom's answer that are kept for SDKs; the rest of a longer one is dropped, so that the
/// permanent code fits into a record whatever comes with it.
const LONGEST_INFO: usize = 24 * 1024;

/// What is known of a code.
#[derive(Serialize, Deserialize)]
pub(super) struct AuthCode {
    /// The code itself; empty once it is of no more use.
    code: String,
    /// When WeCom made it, in milliseconds since the epoch.
    pushed_at: i64,
    /// It came from WeCom's push, and not from an SDK that may have sent anything.
    pushed: bool,
    pub progress: Progress,
}

/// How far its exchange has come.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Progress {
    /// WeCom wasn't asked, or refused for a reason that passes.
    Waiting,
    /// WeCom is being asked since that time, or was when the process was killed.
    Begun(i64),
    /// WeCom's answer.
    Answered(CorporationGrant),
    /// No permanent code will come of it.
    Lost(Loss),
}

/// What WeCom gave for the code.
#[derive(Serialize, Deserialize)]
pub(super) struct CorporationGrant {
    pub corporation: String,
    pub permanent_code: String,
    /// What else WeCom returned; it holds no credential.
    pub info: serde_json::Value,
}

/// A code that no permanent code will come of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Loss {
    at: i64,
    exchanged_at: Option<i64>,
    corporation: Option<String>,
    cause: Cause,
}

/// Why a code was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cause {
    /// WeCom had taken it, and its answer got lost.
    Unanswered,
    /// WeCom's answer held no permanent code.
    Malformed,
    /// WeCom refused it, although wxgate had not shown it before.
    Refused,
    /// It expired before it could be exchanged.
    Expired,
}

/// An authorisation that has to be repeated: its permanent code was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostAuthorization {
    /// The name of the suite's app.
    pub app: Arc<str>,
    /// WeCom's identifier of the suite.
    pub suite: Arc<str>,
    /// The company, where WeCom has said which: its push doesn't.
    pub corporation: Option<String>,
    /// When the company authorised the suite.
    pub authorized_at: Timestamp,
    /// When WeCom was asked for the permanent code.
    pub exchanged_at: Option<Timestamp>,
    /// When it was found that it is lost.
    pub lost_at: Timestamp,
    /// Why.
    pub cause: Words,
    /// What has to be done.
    pub remedy: Words,
}

impl Drop for AuthCode {
    fn drop(&mut self) {
        self.code.zeroize();
    }
}

impl Drop for CorporationGrant {
    fn drop(&mut self) {
        self.permanent_code.zeroize();
    }
}

impl AuthCode {
    /// One that was just heard of.
    pub(super) fn new(code: &Secret, made: Timestamp, pushed: bool) -> Self {
        Self { code: code.expose().to_owned(), pushed_at: made.0, pushed, progress: Progress::Waiting }
    }

    pub(super) fn key(suite: &str, digest: &str) -> String {
        format!("{}{digest}", Self::prefix(suite))
    }

    /// How the keys of all codes of a suite begin.
    pub(super) fn prefix(suite: &str) -> String {
        format!("{SUITE_AUTH_CODE}{suite}:")
    }

    pub(super) fn read(record: &Record) -> Option<Self> {
        serde_json::from_str(record.value.expose()).ok()
    }

    /// As the store keeps it, after `before`.
    pub(super) fn record(&self, before: Option<&Record>, now: Timestamp) -> Record {
        let expires_at = match self.progress {
            Progress::Lost(_) => now.plus(REMEMBERED),
            Progress::Waiting | Progress::Begun(_) | Progress::Answered(_) => Timestamp::NEVER,
        };
        let mut text = Vec::with_capacity(2 * LONGEST_INFO);
        // Writing text into memory can't fail.
        let _ = serde_json::to_writer(&mut text, self);
        Record {
            value: Arc::new(Secret::new(String::from_utf8(text).unwrap_or_default())),
            generation: before.map_or(1, |before| next_generation(before.generation)),
            fetched_at: now,
            expires_at,
        }
    }

    pub(super) fn code(&self) -> Secret {
        Secret::new(self.code.as_str())
    }

    pub(super) fn made(&self) -> Timestamp {
        Timestamp(self.pushed_at)
    }

    /// Whether nothing is lost with it: an SDK may send anything, which WeCom never took.
    pub(super) fn is_worth_nothing(&self, cause: Cause) -> bool {
        !self.pushed && cause != Cause::Unanswered
    }

    /// WeCom pushed it, which made it at that time; whether that was not known.
    pub(super) fn confirm(&mut self, made: Timestamp) -> bool {
        if self.pushed || self.is_lost() {
            return false;
        }
        (self.pushed, self.pushed_at) = (true, made.0);
        true
    }

    /// Takes over what another process has saved of it meanwhile; whether the other has come
    /// further.
    pub(super) fn learn(&mut self, other: &mut Self) -> bool {
        if other.pushed {
            (self.pushed, self.pushed_at) = (true, other.pushed_at);
        }
        let further = match (&self.progress, &other.progress) {
            (Progress::Answered(_), _) => false,
            (_, Progress::Answered(_)) => true,
            (Progress::Lost(_), _) => false,
            (_, other) => matches!(other, Progress::Lost(_)),
        };
        if further {
            std::mem::swap(&mut self.progress, &mut other.progress);
        }
        further
    }

    /// Whether the permanent code that WeCom gave for it is the company's whatever time the store
    /// has of another: WeCom took the code just now, and has not told when it was made.
    pub(super) fn is_latest(&self, now: Timestamp) -> bool {
        !self.pushed && now < self.made().plus(GIVEN_UP)
    }

    pub(super) fn is_answered(&self) -> bool {
        matches!(self.progress, Progress::Answered(_))
    }

    pub(super) fn is_being_asked(&self) -> bool {
        matches!(self.progress, Progress::Begun(_))
    }

    pub(super) fn is_lost(&self) -> bool {
        matches!(self.progress, Progress::Lost(_))
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.progress = Progress::Begun(now.0);
    }

    /// WeCom answered and didn't take the code.
    pub(super) fn wait(&mut self) {
        self.progress = Progress::Waiting;
    }

    pub(super) fn answered(&mut self, mut answer: CorporationGrant) {
        if serde_json::to_vec(&answer.info).is_ok_and(|text| text.len() > LONGEST_INFO) {
            answer.info = serde_json::json!({});
        }
        self.progress = Progress::Answered(answer);
    }

    /// Nothing will come of the code, which WeCom answered with `corporation`, if with anything.
    pub(super) fn lose(&mut self, cause: Cause, corporation: Option<String>, now: Timestamp) {
        let exchanged_at = match self.progress {
            Progress::Begun(at) => Some(at),
            _ => None,
        };
        self.code.zeroize();
        self.progress = Progress::Lost(Loss { at: now.0, exchanged_at, corporation, cause });
    }

    /// Why WeCom no longer takes it.
    pub(super) fn why_refused(&self, begun_before: bool, now: Timestamp) -> Cause {
        match begun_before {
            true => Cause::Unanswered,
            false if now >= self.made().plus(LASTS) => Cause::Expired,
            false => Cause::Refused,
        }
    }

    /// Why nothing will come of it, if it is too old.
    pub(super) fn given_up(&self, now: Timestamp) -> Option<Cause> {
        let old = now >= self.made().plus(GIVEN_UP);
        match self.progress {
            Progress::Waiting if old => Some(Cause::Expired),
            Progress::Begun(_) if old => Some(Cause::Unanswered),
            _ => None,
        }
    }

    /// For people, if it was lost; `suite` is in the configuration as `app`.
    pub(super) fn loss(&self, app: &Arc<str>, suite: &Arc<str>) -> Option<LostAuthorization> {
        let Progress::Lost(loss) = &self.progress else { return None };
        let cause = match loss.cause {
            Cause::Unanswered => {
                words!("WeCom had exchanged the code, but its answer was lost before it could be saved")
            }
            Cause::Malformed => words!("WeCom's answer to the exchange of the code held no permanent code"),
            Cause::Refused => {
                words!("WeCom refused the code, which wxgate had not used: another program exchanged it")
            }
            Cause::Expired => {
                words!("the code expired before it could be exchanged, which takes a suite ticket and WeCom")
            }
        };
        Some(LostAuthorization {
            app: Arc::clone(app),
            suite: Arc::clone(suite),
            corporation: loss.corporation.clone(),
            authorized_at: self.made(),
            exchanged_at: loss.exchanged_at.map(Timestamp),
            lost_at: Timestamp(loss.at),
            cause,
            remedy: words!("Ask the company's administrator to authorise the suite again."),
        })
    }
}

/// Forgets the lost codes of a suite, of which people know by now; how many there were. A proxy
/// that runs on the store shows them no longer within half a minute.
///
/// # Errors
/// The store failed.
pub async fn forget_lost_authorizations(store: &Store, suite: &str) -> Result<usize, StoreError> {
    let mut forgotten = 0;
    for key in store.keys(&AuthCode::prefix(suite)).await? {
        let Some(record) = store.load(&key).await? else { continue };
        if AuthCode::read(&record).is_some_and(|code| code.is_lost()) {
            forgotten += usize::from(store.remove(&key, &record).await?);
        }
    }
    Ok(forgotten)
}

#[cfg(test)]
mod tests {
    use super::{AuthCode, Cause, CorporationGrant, Progress};
    use crate::observe::clock::Clock;
    use crate::secret::Secret;
    use crate::store::{SUITE_AUTH_CODE, Saved, Store};

    #[tokio::test]
    async fn each_step_is_read_back_and_supersedes_the_one_before() {
        let (store, now) = (Store::memory(), Clock::default().now());
        let key = AuthCode::key("ww1", "d");
        assert!(key.starts_with(SUITE_AUTH_CODE));
        let mut code = AuthCode::new(&Secret::new("c\"1"), now, true);
        let mut record = code.record(None, now);
        let steps: [fn(&mut AuthCode); 3] = [
            |code| code.begin(code.made()),
            |code| {
                let info = serde_json::json!({ "auth_corp_info": { "corp_name": "\u{6d4b}\"" } });
                let (corporation, permanent_code) = ("ww2".to_owned(), "p".to_owned());
                code.answered(CorporationGrant { corporation, permanent_code, info });
            },
            |code| code.lose(Cause::Refused, None, code.made()),
        ];
        for step in steps {
            assert!(matches!(store.save(&key, &record).await, Ok(Saved::Saved)));
            let loaded = store.load(&key).await.expect("readable").expect("there");
            let read = AuthCode::read(&loaded).expect("JSON");
            assert_eq!((read.code().expose(), read.made()), ("c\"1", now));
            step(&mut code);
            record = code.record(Some(&loaded), now);
        }
        assert!(!record.value.expose().contains("c\\\"1"), "a lost code is of no more use");
    }

    #[test]
    fn an_answer_that_is_too_long_loses_what_nobody_needs() {
        let now = Clock::default().now();
        let mut code = AuthCode::new(&Secret::new("c"), now, true);
        let info = serde_json::json!({ "auth_corp_info": "\"".repeat(60_000) });
        let (corporation, permanent_code) = ("ww2".to_owned(), "p".repeat(512));
        code.answered(CorporationGrant { corporation, permanent_code, info });
        let record = code.record(None, now);
        let read = AuthCode::read(&record).expect("JSON");
        let Progress::Answered(answer) = &read.progress else { panic!("another step") };
        assert_eq!((answer.permanent_code.len(), &answer.info), (512, &serde_json::json!({})));
        assert!(record.value.expose().len() < 64 * 1024);
    }
}

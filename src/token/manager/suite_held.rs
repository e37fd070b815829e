//! A company's code on its way, as the store has it: replicas and WeCom's push may change it at the
//! same time.

use crate::observe::clock::Timestamp;
use crate::store::{Record, Saved, Store, StoreError};
use crate::token::auth_code::AuthCode;

/// A code on its way.
pub(super) struct Held {
    pub(super) key: String,
    pub(super) code: AuthCode,
    /// What the store had last.
    pub(super) record: Record,
}

impl Held {
    /// Saves what is known now, unless another process has come further: then that is what is
    /// known. Not if another has settled the code and removed it, unless WeCom's answer would be
    /// lost.
    pub(super) async fn save(&mut self, store: &Store, now: Timestamp) -> Result<bool, StoreError> {
        let mut before = Some(self.record.clone());
        loop {
            let record = self.code.record(before.as_ref(), now);
            match store.save_after(&self.key, before.as_ref(), &record).await {
                Ok(true) => {
                    self.record = record;
                    return Ok(true);
                }
                Ok(false) => before = store.load(&self.key).await?,
                Err(error) if error.refusal().is_some() => {
                    match store.save_over_refused(&self.key, &record).await? {
                        Saved::Saved => {
                            self.record = record;
                            return Ok(true);
                        }
                        Saved::Superseded(other) => before = Some(other),
                    }
                }
                Err(error) => return Err(error),
            }
            match &before {
                None if self.code.is_answered() => {}
                None => return Ok(false),
                Some(other) => {
                    if AuthCode::read(other).is_some_and(|mut other| self.code.learn(&mut other)) {
                        self.record = other.clone();
                        return Ok(true);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Held;
    use crate::observe::clock::{Clock, Timestamp};
    use crate::secret::Secret;
    use crate::store::Store;
    use crate::token::auth_code::{AuthCode, Cause, CorporationGrant};

    const KEY: &str = "suite_auth_code:ww1:d";

    async fn two_holders(now: Timestamp) -> (Store, Held, Held) {
        let store = Store::memory();
        let mut code = AuthCode::new(&Secret::new("c"), now, false);
        code.begin(now);
        let record = code.record(None, now);
        assert!(store.save_after(KEY, None, &record).await.expect("a store"));
        let held = || Held {
            key: KEY.to_owned(),
            code: AuthCode::read(&record).expect("JSON"),
            record: record.clone(),
        };
        let (one, other) = (held(), held());
        (store, one, other)
    }

    fn answer(held: &mut Held) {
        let (corporation, permanent_code) = ("ww2".to_owned(), "p".to_owned());
        let info = serde_json::json!({});
        held.code.answered(CorporationGrant { corporation, permanent_code, info });
    }

    async fn stored(store: &Store) -> AuthCode {
        let record = store.load(KEY).await.expect("a store").expect("a record");
        AuthCode::read(&record).expect("JSON")
    }

    #[tokio::test]
    async fn a_loss_never_takes_the_place_of_an_answer() {
        let now = Clock::default().now();
        for answered_first in [true, false] {
            let (store, mut one, mut other) = two_holders(now).await;
            answer(&mut one);
            other.code.lose(Cause::Unanswered, None, now);
            let (first, second) =
                if answered_first { (&mut one, &mut other) } else { (&mut other, &mut one) };
            assert!(first.save(&store, now).await.expect("a store"));
            assert!(second.save(&store, now).await.expect("a store"));
            assert!(second.code.is_answered());
            assert!(stored(&store).await.is_answered());
        }
    }

    #[tokio::test]
    async fn what_a_push_told_meanwhile_is_kept() {
        let now = Clock::default().now();
        let (store, mut one, mut pushed) = two_holders(now).await;
        assert!(pushed.code.confirm(Timestamp(now.0 + 5000)));
        assert!(pushed.save(&store, now).await.expect("a store"));
        answer(&mut one);
        assert!(one.save(&store, now).await.expect("a store"));
        let mut stored = stored(&store).await;
        assert!(stored.is_answered());
        assert_eq!(stored.made(), Timestamp(now.0 + 5000));
        assert!(!stored.confirm(now), "it is known as pushed");
    }

    #[tokio::test]
    async fn a_code_that_another_settled_is_not_lost() {
        let now = Clock::default().now();
        let (store, mut one, other) = two_holders(now).await;
        assert!(store.remove(KEY, &other.record).await.expect("a store"));
        one.code.lose(Cause::Unanswered, None, now);
        assert!(!one.save(&store, now).await.expect("a store"));
        assert!(store.load(KEY).await.expect("a store").is_none());
    }
}

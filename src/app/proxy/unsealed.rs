//! Why a proxy with a seal key does not start on a store with unsealed refresh tokens.

use std::fmt;

use crate::app::layout::printable;
use crate::store;
use crate::texts::text;

/// Unsealed records of the store that can't be fetched again: they may be from before there was a
/// key, or from an attacker who does not have it, and only people know which.
#[derive(Debug)]
pub struct Unsealed(pub(super) Vec<store::Unsealed>);

impl fmt::Display for Unsealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(records) = self;
        writeln!(
            f,
            "{}",
            text!(
                "store.seal_key is set, but the store holds {count} unsealed records that only a new authorisation could \
                 replace:",
                count = records.len()
            )
        )?;
        for store::Unsealed { key, fetched_at } in records {
            let key = printable(key);
            let account = key.rsplit(':').next().unwrap_or_default();
            let time = fetched_at.rfc3339_in_beijing();
            writeln!(f, "  {}", text!("{key}: account {account}, stored at {time}", key, account, time))?;
        }
        let remedy = text!(
            "Nothing was changed. Remove store.seal_key to go on without sealing (as store.former_seal_key it still reads \
             sealed records), or set store.accept_unsealed = true to accept and seal all of these."
        );
        remedy.fmt(f)
    }
}

impl std::error::Error for Unsealed {}

#[cfg(test)]
mod tests {
    use super::Unsealed;
    use crate::observe::clock::Timestamp;
    use crate::store;

    #[test]
    fn a_key_that_somebody_made_up_steers_no_terminal() {
        let key = "refresh_token:wxc1:wx1\u{1b}[2J\nNothing is wrong".to_owned();
        let text = Unsealed(vec![store::Unsealed { key, fetched_at: Timestamp(0) }]).to_string();
        assert!(text.contains("account wx1 [2J Nothing") && !text.contains('\u{1b}'), "{text:?}");
        assert_eq!(text.lines().count(), 3);
    }
}

//! Why a proxy with a seal key doesn't start on a store that holds refresh tokens in clear.

use std::fmt;

use crate::app::layout::printable;
use crate::store;

/// What lies in the store in clear and can't be had again: it may be from before there was a key, or
/// from somebody who hasn't it, and which of them only people know.
#[derive(Debug)]
pub struct Unsealed(pub(super) Vec<store::Unsealed>);

impl fmt::Display for Unsealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(records) = self;
        writeln!(
            f,
            "store.seal_key is set, and the store holds in clear what could only be had again by another \
             authorisation ({}):",
            records.len()
        )?;
        for store::Unsealed { key, fetched_at } in records {
            let key = printable(key);
            let account = key.rsplit(':').next().unwrap_or_default();
            writeln!(f, "  {key}: account {account}, of {}", fetched_at.rfc3339_in_beijing())?;
        }
        write!(
            f,
            "Nothing was changed. Remove store.seal_key to go on in clear (as store.former_seal_key it still \
             reads what is sealed), or set store.accept_unsealed = true to take in and seal all of these."
        )
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

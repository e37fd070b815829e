//! Why a proxy with a seal key doesn't start on a store that holds refresh tokens in clear.

use std::fmt;

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

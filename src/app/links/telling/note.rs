//! The note by which replicas agree on who tells.

use std::time::Duration;

use crate::store::Store;

/// What another replica still sees, or begins to see, so soon after the end is not told,
/// unless it lasts.
const AFTERWARDS: Duration = Duration::from_secs(60);
/// How the note of the end begins; the teller follows.
pub(super) const OVER: &str = "over:";

/// What became of the wish to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is for this replica.
    Mine,
    /// It is another's.
    Held,
    /// Another one has just told the end of it.
    Over,
}

/// The note of a trouble, as this replica writes it.
pub(super) struct Note {
    pub(super) store: Store,
    pub(super) key: String,
    /// What it says while the trouble goes on, and for how long that holds.
    pub(super) told: Vec<u8>,
    pub(super) holds: Duration,
    /// What it says once the end was told.
    pub(super) over: Vec<u8>,
}

impl Note {
    /// Takes the note if it is free. A store that is down doesn't keep people from being told.
    pub(super) async fn claim(self) -> Claim {
        if self.store.replace_note(&self.key, None, &self.told, self.holds).await.unwrap_or(true) {
            return Claim::Mine;
        }
        match self.store.note(&self.key).await {
            // Who told the end tells at once that it began again.
            Ok(Some(present)) if present == self.over => {
                let taken = self.store.replace_note(&self.key, Some(&present), &self.told, self.holds).await;
                if taken.unwrap_or(true) { Claim::Mine } else { Claim::Held }
            }
            Ok(Some(present)) if !present.starts_with(OVER.as_bytes()) => Claim::Held,
            // It is tried again at the next look at what goes on.
            Ok(_) | Err(_) => Claim::Over,
        }
    }

    /// Holds on to the note. If it is gone, it is taken again; another replica may have it by now.
    pub(super) async fn renew(self) -> Claim {
        match self.store.replace_note(&self.key, Some(&self.told), &self.told, self.holds).await {
            Ok(true) | Err(_) => Claim::Mine,
            Ok(false) => self.claim().await,
        }
    }

    /// Notes that the end was told. Where another replica holds the note or the store is down,
    /// there is nothing to note.
    pub(super) async fn end(self) {
        let _ = self.store.replace_note(&self.key, Some(&self.told), &self.over, AFTERWARDS).await;
    }

    /// Takes over from a teller that is gone: neither it nor the end has a note.
    pub(super) async fn inherit(self) -> Claim {
        match self.store.note(&self.key).await {
            Ok(None) => match self.store.replace_note(&self.key, None, &self.over, AFTERWARDS).await {
                Ok(true) => Claim::Mine,
                Ok(false) => Claim::Held,
                Err(_) => Claim::Over,
            },
            Ok(Some(present)) if !present.starts_with(OVER.as_bytes()) => Claim::Held,
            Ok(Some(_)) | Err(_) => Claim::Over,
        }
    }
}

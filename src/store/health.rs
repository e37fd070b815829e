//! Whether the store is up, so that operations don't wait for one that is down, nor requests for
//! one that is late.

use tokio::sync::watch;

use super::StoreError;
use crate::texts::{Words, text};

/// How the store is doing; one that is late or down is checked in the background.
#[derive(Debug)]
pub(super) struct Health(watch::Sender<Condition>);

#[derive(Debug)]
enum Condition {
    Up,
    /// An operation has taken longer than a request may wait.
    Late,
    /// And why.
    Down(Words),
}

impl Default for Health {
    fn default() -> Self {
        Self(watch::Sender::new(Condition::Up))
    }
}

impl Health {
    /// Why the store is down, if it is.
    pub(super) fn problem(&self) -> Option<Words> {
        match &*self.0.borrow() {
            Condition::Down(problem) => Some(problem.clone()),
            Condition::Up | Condition::Late => None,
        }
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(*self.0.borrow(), Condition::Down(_))
    }

    pub(super) fn is_late(&self) -> bool {
        matches!(*self.0.borrow(), Condition::Late)
    }

    /// An operation takes too long for a request.
    pub(super) fn late(&self) {
        self.become_if(Condition::Late, |state| matches!(state, Condition::Up));
    }

    /// A late store has responded.
    pub(super) fn answered(&self) {
        self.become_if(Condition::Up, |state| matches!(state, Condition::Late));
    }

    fn become_if(&self, next: Condition, condition: impl FnOnce(&Condition) -> bool) {
        self.0.send_if_modified(|state| {
            let changes = condition(state);
            if changes {
                *state = next;
            }
            changes
        });
    }

    /// An operation failed, or another probe did.
    pub(super) fn fell(&self, error: &StoreError) {
        let problem = Words::of(|| error.chain().to_string());
        let before = self.0.send_replace(Condition::Down(problem.clone()));
        if !matches!(before, Condition::Down(_)) {
            tracing::warn!(
                "{}",
                text!("the store is down; tokens are served from memory: {problem}", problem)
            );
        }
    }

    /// A probe succeeded.
    pub(super) fn rose(&self) {
        if matches!(self.0.send_replace(Condition::Up), Condition::Down(_)) {
            tracing::info!("{}", text!("the store is up again"));
        }
    }

    /// Waits until the store is down.
    pub(super) async fn down(&self) {
        self.until(|state| matches!(state, Condition::Down(_))).await;
    }

    /// Waits until the store is late or down.
    pub(super) async fn troubled(&self) {
        self.until(|state| !matches!(state, Condition::Up)).await;
    }

    async fn until(&self, condition: impl FnMut(&Condition) -> bool) {
        // Whoever waits has the sender.
        let _ = self.0.subscribe().wait_for(condition).await;
    }
}

//! Whether the store is up, so that nobody waits for one that is down, and no request for one that
//! is late.

use tokio::sync::watch;

use super::StoreError;

/// How the store is doing. What becomes of one that is late or down is found out in the background.
#[derive(Debug)]
pub(super) struct Health(watch::Sender<State>);

#[derive(Debug)]
enum State {
    Up,
    /// An operation has taken longer than a request may wait.
    Late,
    /// And why.
    Down(String),
}

impl Default for Health {
    fn default() -> Self {
        Self(watch::Sender::new(State::Up))
    }
}

impl Health {
    /// Why the store is down, if it is.
    pub(super) fn problem(&self) -> Option<String> {
        match &*self.0.borrow() {
            State::Down(problem) => Some(problem.clone()),
            State::Up | State::Late => None,
        }
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(*self.0.borrow(), State::Down(_))
    }

    pub(super) fn is_late(&self) -> bool {
        matches!(*self.0.borrow(), State::Late)
    }

    /// An operation takes too long for a request.
    pub(super) fn late(&self) {
        self.become_if(State::Late, |state| matches!(state, State::Up));
    }

    /// One that is late has answered.
    pub(super) fn answered(&self) {
        self.become_if(State::Up, |state| matches!(state, State::Late));
    }

    fn become_if(&self, next: State, condition: impl FnOnce(&State) -> bool) {
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
        let text = error.chain().to_string();
        let before = self.0.send_replace(State::Down(text.clone()));
        if !matches!(before, State::Down(_)) {
            tracing::warn!("the store is down, tokens are served from memory: {text}");
        }
    }

    /// A probe succeeded.
    pub(super) fn rose(&self) {
        if matches!(self.0.send_replace(State::Up), State::Down(_)) {
            tracing::info!("the store is back");
        }
    }

    /// Waits until the store is down.
    pub(super) async fn down(&self) {
        self.until(|state| matches!(state, State::Down(_))).await;
    }

    /// Waits until the store is late or down.
    pub(super) async fn troubled(&self) {
        self.until(|state| !matches!(state, State::Up)).await;
    }

    async fn until(&self, condition: impl FnMut(&State) -> bool) {
        // Whoever waits has the sender.
        let _ = self.0.subscribe().wait_for(condition).await;
    }
}

//! The loop of a refresh task: messages, and what is due by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::refresh_task::RefreshTask;
use super::renewal::{Limits, Renewal};
use crate::observe::clock::Clock;
use crate::store::Record;
use crate::texts::words;
use crate::token::grant;
use crate::token::handle::{Handle, RefreshReport, RefreshResult, TaskMessage};
use crate::token::life::{Due, Failure, Reason};
use crate::wechat::Issuer;

/// A wall clock that is stepped is noticed within this time.
const LONGEST_NAP: Duration = Duration::from_secs(15);
/// The same for what is kept on demand, of which there may be thousands.
const LONGEST_NAP_ON_DEMAND: Duration = Duration::from_secs(300);
const CLOCK_TICK: Duration = Duration::from_millis(1);

impl RefreshTask {
    /// Runs until it is told to stop. Called again after a panic, it continues with its state.
    pub(crate) async fn run(&mut self) {
        self.shared.evidence.unwatch();
        if self.life.token().is_none() {
            let _turn = self.turn().await;
            self.adopt_newer().await;
            self.started = self.usable().is_some();
            self.learn_forces().await;
            self.learn_ticket().await;
        }
        let longest = if self.shared.on_demand { LONGEST_NAP_ON_DEMAND } else { LONGEST_NAP };
        let mut others = self.credential.by.as_ref().map(Handle::changes);
        loop {
            self.publish();
            let next = self.due(self.now());
            let first = !self.started && matches!(next, Some((Due::Retry, _)));
            let left = next.map_or(Duration::MAX, |(_, left)| left);
            tokio::select! {
                message = self.inbox.recv() => match message {
                    None | Some(TaskMessage::Stop) => {
                        while self.finishing.join_next().await.is_some() {}
                        return;
                    }
                    Some(message) => self.handle_message(message).await,
                },
                Ok(permit) = Arc::clone(&self.deps.starts).acquire_owned(), if first => {
                    self.run_due(Due::Retry).await;
                    drop(permit);
                }
                () = changed(&mut others), if self.life.blames() => self.notice_credential(),
                () = nap(&self.deps.clock, left, longest), if !first => {
                    if let Some((due, Duration::ZERO)) = self.due(self.now()) {
                        self.publish();
                        self.run_due(due).await;
                    }
                }
            }
        }
    }

    async fn handle_message(&mut self, message: TaskMessage) {
        self.idle = false;
        self.notice_credential();
        match message {
            TaskMessage::Obtain(reply) => {
                let answer = self.obtain().await;
                let _ = reply.send(answer);
            }
            // Completed even if the caller has hung up: the next one needs the token.
            TaskMessage::Rejected(rejection, reply) => {
                let verdict = self.handle_rejection(&rejection).await;
                let _ = reply.send(verdict);
            }
            TaskMessage::Freshen { generation, reply } => {
                self.freshen(generation).await;
                let _ = reply.send(());
            }
            TaskMessage::Refresh { force, reply } => {
                let report = self.refresh(force).await;
                let _ = reply.send(report);
            }
            TaskMessage::Stored(record) => self.compare(record).await,
            TaskMessage::SecretChanged => self.life.unblock(),
            TaskMessage::Granted(record) => self.granted(record),
            TaskMessage::GrantRefused => self.restore_grant().await,
            TaskMessage::Control(control) => {
                // What failed over the old connection may succeed over the new one.
                if !control.is_same(&self.control) {
                    self.life.unblock();
                }
                self.control = control;
            }
            TaskMessage::Stop => {}
            #[cfg(test)]
            TaskMessage::Panic => panic!("asked to"),
        }
    }

    /// Another credential to fetch with may succeed where the one before it failed.
    fn notice_credential(&mut self) {
        if let Some(token) = self.credential.by.as_ref().and_then(Handle::current) {
            self.life.fetched_with(token.generation);
        }
    }

    /// Does what is due, unless the credential is unused since this was last done.
    async fn run_due(&mut self, due: Due) {
        self.idle = matches!(due, Due::Retry | Due::Ahead) && !self.shared.was_wanted();
        if self.idle {
            return;
        }
        self.life.begin(due);
        match due {
            Due::Retry => {
                self.recover(self.life.reason()).await;
            }
            Due::Ahead => {
                self.recover(Reason::Ahead).await;
            }
            Due::Force => {
                self.force(Reason::Forced, Limits::Kept).await;
            }
            Due::ProbeSuspect => self.probe_suspect().await,
        }
    }

    /// Before an upload too long to be replayed: a token in its last minutes is renewed.
    async fn freshen(&mut self, generation: u64) {
        let now = self.now();
        if self.life.is_renewable(generation, now) && !self.life.is_blocked(now) {
            self.recover(Reason::Ahead).await;
        }
    }

    /// An admin's refresh.
    async fn refresh(&mut self, force: bool) -> RefreshReport {
        self.life.unblock();
        let renewal = if force && self.credential.issuer.forces() {
            self.force(Reason::Admin, Limits::Passed).await
        } else {
            self.renew(Reason::Admin, Limits::Passed).await
        };
        if renewal == Renewal::Same && self.life.is_dead() {
            self.fail(Failure::transient(words!("WeChat still hands out the token that it rejects")));
        }
        self.publish();
        RefreshReport {
            result: match renewal {
                Renewal::New => RefreshResult::Replaced,
                Renewal::Same => RefreshResult::Same,
                Renewal::Refused { next_at } => RefreshResult::Refused { next_at },
                Renewal::Failed => RefreshResult::Failed(self.life.failure()),
            },
            generation: self.life.token().map(|token| token.generation),
            forces_left: self.life.forces().left(self.now().wall),
        }
    }

    /// Loads the ticket before it is needed: if it is overwritten later, this replica can still
    /// fetch its next token.
    async fn learn_ticket(&mut self) {
        if matches!(self.credential.issuer, Issuer::Component | Issuer::Suite)
            && let Some(key) = grant::key(&self.configured().app, &self.credential)
            && let Ok(Some(ticket)) = self.deps.store.load(&key).await
        {
            self.grant.put(ticket);
        }
    }

    /// The store's ticket or refresh token was overwritten with something else.
    async fn restore_grant(&mut self) {
        let key = grant::key(&self.configured().app, &self.credential);
        if let Some(key) = key {
            // The store logs a failure.
            let _ = self.grant.save(&self.deps.store, &key).await;
        }
    }

    /// WeChat granted another ticket or refresh token, or an account revoked its authorisation.
    fn granted(&mut self, record: Record) {
        let taken_back = record.value.expose().is_empty();
        if !self.grant.put(record) {
            return;
        }
        self.life.unblock();
        if taken_back {
            self.life.found_dead();
            let family = self.credential.issuer.family();
            self.fail(Failure::unauthorized(family, words!("the account revoked its authorisation")));
        }
    }
}

/// Waits for a change of the credential to fetch with, where there is one.
async fn changed(others: &mut Option<watch::Receiver<()>>) {
    if let Some(changes) = others
        && changes.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// Sleeps for `left`, less if the wall clock jumps ahead, and never long.
async fn nap(clock: &Clock, left: Duration, longest: Duration) {
    // The wall clock counts whole milliseconds: for less it would be no sleep at all, and the loop
    // would spin.
    let left = if left.is_zero() { left } else { left.clamp(CLOCK_TICK, longest) };
    let _ = timeout(left, clock.sleep_until(clock.now().plus(left))).await;
}

//! The loop of one export.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;

use super::cache::{Cache, CacheError};
use super::file::{self, FileError, Text};
use super::outcome::{Found, Put};
use super::status::{Counts, Journal};
use super::{CHECK, Destination, Options};
use crate::observe::chain::Chain;
use crate::observe::clock::Clock;
use crate::texts::{Words, text};
use crate::token::{Handle, Token};

/// Between two attempts while the place can't be written to.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// An export that runs.
pub(super) struct Task {
    pub options: Options,
    pub token: Handle,
    pub clock: Clock,
    pub journal: Arc<Mutex<Journal>>,
    pub counts: Arc<Counts>,
}

/// Why a token could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl Task {
    /// Follows the token until it is aborted.
    pub(super) async fn run(self) {
        let mut changes = self.token.changes();
        let mut cache = match &self.options.destination {
            Destination::Redis { target, format, key } => Some(Cache::new(target, *format, key)),
            Destination::File { .. } => None,
        };
        // The configuration may want another form than the one that is there.
        let mut rewrite = true;
        loop {
            changes.mark_unchanged();
            // A token known to be invalid stays until there is another.
            let pause = match self.token.current() {
                Some(token) => match self.export(&mut cache, &token, rewrite).await {
                    true => {
                        rewrite = false;
                        CHECK
                    }
                    false => TRY_AGAIN,
                },
                None => CHECK,
            };
            let due = self.clock.sleep_until(self.clock.now().plus(pause));
            tokio::select! {
                _ = changes.changed() => {}
                _ = timeout(pause, due) => {}
            }
        }
    }

    /// Whether the token, or a newer one, is there now.
    async fn export(&self, cache: &mut Option<Cache>, token: &Arc<Token>, rewrite: bool) -> bool {
        let put = match cache {
            Some(cache) => cache.put(token, rewrite, self.clock.now()).await.map_err(ExportError::from),
            None => self.put_file(token, rewrite).await.map_err(ExportError::from),
        };
        match &put {
            Ok(put) => self.succeeded(token.generation, put),
            Err(error) => self.failed(error),
        }
        put.is_ok()
    }

    async fn put_file(&self, token: &Arc<Token>, rewrite: bool) -> Result<Put, FileError> {
        let Destination::File { path, template, mode } = &self.options.destination else {
            return Ok(Put::Unchanged);
        };
        let text = template.render(&self.options.appid, token, self.clock.now());
        file::put(path.clone(), Text { mode: *mode, text, rewrite }, Arc::clone(token)).await
    }

    fn succeeded(&self, generation: u64, put: &Put) {
        let (app, to) = (&self.options.app, &self.options.destination);
        let mut journal = self.journal.lock();
        if journal.problem.take().is_some() {
            tracing::info!(%app, "{}", text!("the token is exported to {to} again", to));
        }
        journal.checked_at = Some(self.clock.now());
        match put {
            Put::Newer => return,
            Put::Unchanged => {}
            Put::Written(found) => {
                self.counts.written(app);
                if let Some(found) = *found {
                    journal.overwritten += 1;
                    self.counts.foreign(app, found);
                    warn(app, to, found);
                }
            }
        }
        journal.generation = Some(generation);
    }

    /// Logged once per outage.
    fn failed(&self, error: &ExportError) {
        let (app, to) = (&self.options.app, &self.options.destination);
        self.counts.failed(app);
        let problem = Words::of(|| Chain(error).to_string());
        let before = self.journal.lock().problem.replace(problem.clone());
        if before.is_none() {
            let text = text!(
                "could not export the token to {to}, retrying every second: {error}",
                to,
                error = problem
            );
            tracing::warn!(%app, "{text}");
        }
    }
}

fn warn(app: &str, to: &Destination, found: Found) {
    let text = match found {
        Found::Placeholder => text!(
            "{to} held a placeholder token: a service that fetches its token through wxgate shares this cache with those \
             that read the export; give it a cache of its own. The real token was written again",
            to
        )
        .to_string(),
        Found::Other => text!(
            "{to} held something that wxgate didn't write: another program writes there, perhaps a service that still \
             fetches tokens. The token was written again",
            to
        )
        .to_string(),
    };
    tracing::warn!(app, "{text}");
}

//! The queue and the tries of one target.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::counts::{Counts, Outcome};
use super::robot::{self, Message};
use super::{Notice, Options};
use crate::observe::clock::Clock;
use crate::secret::mask;

/// Between two messages: 20 a minute is what the robots take.
const SPACING: Duration = Duration::from_secs(3);
/// In one message.
const MOST_TOGETHER: usize = 20;
/// Before each try but the first.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];
const LONGEST_ANSWER: usize = 64 * 1024;

pub(super) struct Task {
    pub(super) options: Options,
    pub(super) client: reqwest::Client,
    pub(super) clock: Clock,
    pub(super) counts: Arc<Counts>,
}

impl Task {
    pub(super) async fn run(self, mut waiting: mpsc::Receiver<Arc<Notice>>) {
        let mut notices = Vec::new();
        while waiting.recv_many(&mut notices, MOST_TOGETHER).await > 0 {
            self.send(&notices).await;
            notices.clear();
            sleep(SPACING).await;
        }
    }

    async fn send(&self, notices: &[Arc<Notice>]) {
        let kind = self.options.kind;
        let mut waits = WAITS.into_iter();
        loop {
            let failure = match self.attempt(notices).await {
                Ok(()) => return self.counts.add(kind, Outcome::Sent, notices.len() as u64),
                Err(failure) => failure,
            };
            let Some(wait) = waits.next() else {
                let app = notices.first().and_then(|first| first.app.as_deref());
                tracing::warn!(
                    kind = kind.as_str(),
                    app,
                    notices = notices.len(),
                    "notices reached nobody: {failure}"
                );
                return self.counts.add(kind, Outcome::Failed, notices.len() as u64);
            };
            sleep(wait).await;
        }
    }

    /// The error never holds the URL, which has the robot's key in it.
    async fn attempt(&self, notices: &[Arc<Notice>]) -> Result<(), String> {
        // A signature holds for an hour, so each try has its own.
        let Message { url, body, signature } = robot::message(&self.options, notices, self.clock.now());
        let mut request = self.client.post(&*url).header("content-type", "application/json").body(body);
        if let Some(signature) = signature {
            request = request.header("x-wxgate-signature", signature);
        }
        let failed = |error: reqwest::Error| {
            let error = error.without_url();
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}")
        };
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let mut read = Vec::new();
        while let Some(bytes) = answer.chunk().await.map_err(failed)? {
            if read.len() + bytes.len() > LONGEST_ANSWER {
                return Err("its answer is too long".to_owned());
            }
            read.extend_from_slice(&bytes);
        }
        // It may say the robot's key or its signature again, which stand in the URL.
        let parts = || url.split(['/', '?', '&', '=']).map(str::as_bytes);
        let clean = mask::masked(&read, parts()).unwrap_or(read);
        robot::judge(self.options.kind, status, &clean)
    }
}

//! The queue and the attempts of one target.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::counts::{Counts, Outcome};
use super::robot::{self, Message};
use super::{Notice, Options};
use crate::observe::chain::Chain;
use crate::observe::clock::Clock;
use crate::secret::mask;
use crate::texts::text;

/// Between two messages: 20 a minute is what the robots take.
const SPACING: Duration = Duration::from_secs(3);
/// In one message.
const MOST_TOGETHER: usize = 20;
/// Before each attempt but the first.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];
const LONGEST_RESPONSE: usize = 64 * 1024;

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
                    "{}",
                    text!("could not deliver notices: {failure}", failure)
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
        let failed = |error: reqwest::Error| Chain(&error.without_url()).to_string();
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let mut read = Vec::new();
        while let Some(bytes) = response.chunk().await.map_err(failed)? {
            if read.len() + bytes.len() > LONGEST_RESPONSE {
                return Err(text!("its response is too long").to_string());
            }
            read.extend_from_slice(&bytes);
        }
        // It may repeat the robot's key or the signature, which are in the URL.
        let parts = || url.split(['/', '?', '&', '=']).map(str::as_bytes);
        let clean = mask::masked(&read, parts()).unwrap_or(read);
        robot::judge(self.options.kind, status, &clean)
    }
}

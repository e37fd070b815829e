//! Notices to people: to the robots of WeCom, DingTalk and Feishu, where teams in China look, or to
//! a web hook.
//!
//! Each target has a task and a queue of its own. Robots take 20 messages a minute, so notices that
//! come faster share a message.
//!
//! | file | holds |
//! | --- | --- |
//! | `options`, `notice` | which target gets which notices; a notice |
//! | `robot` | the form of each kind of target's messages, and what its responses mean |
//! | `task` | the queue and the attempts of one target |
//! | `counts` | how sending ended |

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::observe::clock::Clock;
use crate::observe::exposition::Exposition;

mod counts;
mod notice;
mod options;
mod robot;
mod task;

pub use notice::{Notice, Topic};
pub use options::{Kind, Options};

use counts::{Counts, Outcome};
use task::Task;

/// Notices that wait for one target; what comes beyond is counted as lost.
const MOST_WAITING: usize = 100;

/// Sends notices. Clones share the targets.
#[derive(Clone, Debug)]
pub struct Alerts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: runtime::Handle,
    client: reqwest::Client,
    clock: Clock,
    counts: Arc<Counts>,
    /// Locked for a look, never over an await.
    targets: Mutex<Vec<Target>>,
}

#[derive(Debug)]
struct Target {
    options: Options,
    queue: mpsc::Sender<Arc<Notice>>,
    task: AbortHandle,
}

impl Alerts {
    /// With no targets yet; `client` makes the calls, on the runtime that this is called in.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(client: reqwest::Client, clock: Clock) -> Self {
        let runtime = runtime::Handle::current();
        Self(Arc::new(Inner { runtime, client, clock, counts: Arc::default(), targets: Mutex::default() }))
    }

    /// Takes over a configuration. Targets that stay keep their queues.
    pub fn configure(&self, targets: Vec<Options>) {
        let mut present = self.0.targets.lock();
        let mut former = std::mem::take(&mut *present);
        for options in targets {
            let same = former.iter().position(|target| target.options == options);
            present.push(match same {
                Some(index) => former.swap_remove(index),
                None => self.start(options),
            });
        }
        for gone in former {
            gone.task.abort();
        }
    }

    fn start(&self, options: Options) -> Target {
        let (queue, waiting) = mpsc::channel(MOST_WAITING);
        let task = Task {
            options: options.clone(),
            client: self.0.client.clone(),
            clock: self.0.clock.clone(),
            counts: Arc::clone(&self.0.counts),
        };
        let task = self.0.runtime.spawn(task.run(waiting)).abort_handle();
        Target { options, queue, task }
    }

    /// Sends it to all targets that want it. Returns at once.
    pub fn tell(&self, notice: Notice) {
        let notice = Arc::new(notice);
        for target in self.0.targets.lock().iter() {
            let Options { topics, apps, kind, .. } = &target.options;
            let of = |app| apps.contains(app);
            let concerned =
                topics.contains(&notice.topic) && (apps.is_empty() || notice.app.as_ref().is_some_and(of));
            if concerned && target.queue.try_send(Arc::clone(&notice)).is_err() {
                self.0.counts.add(*kind, Outcome::Lost, 1);
            }
        }
    }

    /// Stops; notices that wait are lost.
    pub fn stop(&self) {
        for target in self.0.targets.lock().drain(..) {
            target.task.abort();
        }
    }

    /// Adds the notices' metrics to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        self.0.counts.expose(out);
    }
}

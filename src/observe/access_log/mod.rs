//! One line for each request, written behind the workers' backs.
//!
//! A worker formats its line straight into a buffer of its own. One thread swaps the buffers and
//! writes them out; it is woken by the first line after a quiet time and then collects for `BATCH`,
//! so that a busy proxy pays for twenty wake-ups a second and an idle one for none. A sink that
//! blocks costs lines, which are counted, and never a worker.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, Thread};
use std::time::Duration;

use parking_lot::Mutex;

use super::exposition::Exposition;
use super::metrics::Sharded;

mod entry;
mod redact;

use entry::Clockface;
pub use entry::Entry;

/// How long lines are collected before they are written.
const BATCH: Duration = Duration::from_millis(50);
/// The most that a worker's buffer holds; what comes beyond is dropped and counted.
const LONGEST_BUFFER: usize = 1024 * 1024;
/// How long [`AccessLog::close`] waits for a sink that has stopped taking bytes.
const LONGEST_CLOSE: Duration = Duration::from_secs(5);

/// The access log and its writer thread.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
    writer: Thread,
    finished: Mutex<mpsc::Receiver<()>>,
}

/// Which requests have a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// Each.
    #[default]
    All,
    /// Those that were refused, failed, or got an error of WeChat's.
    Errors,
    /// None.
    Off,
}

#[derive(Debug)]
struct Shared {
    json: bool,
    lines: Lines,
    buffers: Sharded<Buffer>,
    closing: AtomicBool,
    /// Lines that the sink refused; the other losses are counted in the buffers.
    unwritten: AtomicU64,
}

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<u8>,
    clockface: Clockface,
    dropped: u64,
}

/// A worker's end of the log.
#[derive(Clone, Debug)]
pub struct Shard {
    shared: Arc<Shared>,
    writer: Thread,
    worker: usize,
}

impl AccessLog {
    /// Starts the writer thread for `workers`. `json` chooses between JSON lines and short ones for
    /// people, `lines` which there are.
    pub fn start(
        json: bool,
        lines: Lines,
        workers: usize,
        sink: Box<dyn Write + Send>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            json,
            lines,
            buffers: Sharded::new(workers),
            closing: AtomicBool::new(false),
            unwritten: AtomicU64::new(0),
        });
        let (finish, finished) = mpsc::channel();
        let of_writer = Arc::clone(&shared);
        let handle = thread::Builder::new().name("access-log".into()).spawn(move || {
            of_writer.write_until_closed(sink);
            drop(finish);
        })?;
        Ok(Self { shared, writer: handle.thread().clone(), finished: Mutex::new(finished) })
    }

    /// The log's end for `worker`, counted from 0.
    pub fn shard(&self, worker: usize) -> Shard {
        Shard { shared: Arc::clone(&self.shared), writer: self.writer.clone(), worker }
    }

    /// Writes what is buffered and ends the writer thread. What is logged afterwards is lost. Waits
    /// at most five seconds for a sink that takes nothing.
    pub fn close(&self) {
        if self.shared.closing.swap(true, Ordering::AcqRel) {
            return;
        }
        self.writer.unpark();
        // The thread sends nothing: it is its end that hangs up.
        let _ = self.finished.lock().recv_timeout(LONGEST_CLOSE);
    }

    /// Lines that were lost since the start, to a full buffer or a sink that refused them.
    pub fn dropped(&self) -> u64 {
        let dropped = self.shared.buffers.fold(0, |sum, buffer| sum + buffer.dropped);
        dropped + self.shared.unwritten.load(Ordering::Relaxed)
    }

    /// Adds the log's metrics to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        out.counter(
            "wxgate_log_lines_dropped_total",
            "Access log lines lost because stdout did not take them in time.",
        );
        out.sample(&[], self.dropped() as f64);
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shard {
    /// Logs one request, if it is among those that are logged. Never blocks on the sink.
    pub fn write(&self, entry: &Entry<'_>) {
        match self.shared.lines {
            Lines::All => {}
            Lines::Errors if entry.is_error() => {}
            Lines::Errors | Lines::Off => return,
        }
        let first = self.shared.buffers.with(self.worker, |buffer| {
            let before = buffer.lines.len();
            let time = buffer.clockface.show(entry.time);
            if self.shared.json {
                entry.json(time, &mut buffer.lines);
            } else {
                entry.pretty(time, &mut buffer.lines);
            }
            if buffer.lines.len() > LONGEST_BUFFER {
                buffer.lines.truncate(before);
                buffer.dropped += 1;
            }
            before == 0
        });
        // Costs a system call only if the writer is parked, not while it collects.
        if first {
            self.writer.unpark();
        }
    }
}

impl Shared {
    #[expect(clippy::disallowed_methods, reason = "this thread is the log's own")]
    fn write_until_closed(&self, mut sink: Box<dyn Write + Send>) {
        let mut batch = Vec::new();
        loop {
            // Read before the buffers are: what was logged before `close` is then in them.
            let closing = self.closing.load(Ordering::Acquire);
            for worker in 0..self.buffers.workers() {
                batch.clear();
                self.buffers.with(worker, |buffer| std::mem::swap(&mut buffer.lines, &mut batch));
                if !batch.is_empty() && sink.write_all(&batch).and_then(|()| sink.flush()).is_err() {
                    let lines = memchr::memchr_iter(b'\n', &batch).count() as u64;
                    self.unwritten.fetch_add(lines, Ordering::Relaxed);
                }
            }
            if closing {
                return;
            }
            // A line that came since leaves a token, so that this returns at once.
            thread::park();
            if !self.closing.load(Ordering::Acquire) {
                thread::sleep(BATCH);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Condvar, Mutex};

    use super::{AccessLog, Entry, LONGEST_BUFFER, Lines};

    /// A sink that keeps what it gets and can be told to take nothing.
    #[derive(Clone, Default)]
    struct Sink(Arc<(Mutex<State>, Condvar)>);

    #[derive(Default)]
    struct State {
        taken: Vec<u8>,
        blocked: bool,
        waiting: bool,
        broken: bool,
    }

    impl Sink {
        fn change(&self, change: impl FnOnce(&mut State)) {
            change(&mut self.0.0.lock().expect("not poisoned"));
            self.0.1.notify_all();
        }

        fn wait_for(&self, wanted: impl Fn(&State) -> bool) {
            let state = self.0.0.lock().expect("not poisoned");
            drop(self.0.1.wait_while(state, |state| !wanted(state)).expect("not poisoned"));
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.0.lock().expect("not poisoned").taken.clone()).expect("UTF-8")
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.0.0.lock().expect("not poisoned");
            state.waiting = true;
            self.0.1.notify_all();
            let mut state = self.0.1.wait_while(state, |state| state.blocked).expect("not poisoned");
            state.waiting = false;
            if state.broken {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            state.taken.extend_from_slice(bytes);
            self.0.1.notify_all();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(workers: usize) -> (AccessLog, Sink) {
        let sink = Sink::default();
        (AccessLog::start(true, Lines::All, workers, Box::new(sink.clone())).expect("a thread"), sink)
    }

    #[test]
    fn no_line_is_lost_when_the_log_is_closed() {
        let (log, sink) = log(4);
        thread_each(4, |worker| {
            let shard = log.shard(worker);
            for number in 0..1000 {
                let id = format!("{worker}-{number}");
                shard.write(&Entry { request_id: &id, ..Entry::default() });
            }
        });
        log.close();
        let text = sink.text();
        assert_eq!((text.lines().count(), log.dropped()), (4000, 0));
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("whole lines");
        }
    }

    fn thread_each(workers: usize, work: impl Fn(usize) + Sync) {
        std::thread::scope(|scope| {
            for worker in 0..workers {
                let work = &work;
                scope.spawn(move || work(worker));
            }
        });
    }

    #[test]
    fn lines_are_written_without_anybody_closing_the_log() {
        let (log, sink) = log(2);
        for worker in 0..2 {
            log.shard(worker).write(&Entry::default());
        }
        sink.wait_for(|state| state.taken.iter().filter(|byte| **byte == b'\n').count() == 2);
        log.shard(1).write(&Entry::default());
        sink.wait_for(|state| state.taken.iter().filter(|byte| **byte == b'\n').count() == 3);
    }

    #[test]
    fn a_blocked_sink_costs_lines_and_no_worker() {
        let (log, sink) = log(1);
        sink.change(|state| state.blocked = true);
        let shard = log.shard(0);
        shard.write(&Entry::default());
        sink.wait_for(|state| state.waiting);
        let cause = "x".repeat(1000);
        let entry = Entry { cause: Some(&cause), ..Entry::default() };
        let lines = LONGEST_BUFFER / 1000 + 500;
        for _ in 0..lines {
            shard.write(&entry);
        }
        assert!(log.dropped() >= 500, "{} dropped", log.dropped());
        sink.change(|state| state.blocked = false);
        log.close();
        assert_eq!(sink.text().lines().count() as u64 + log.dropped(), lines as u64 + 1);
        assert!(sink.text().len() < LONGEST_BUFFER + 2000);
    }

    #[test]
    fn lines_that_the_sink_refuses_are_counted() {
        let (log, sink) = log(1);
        sink.change(|state| state.broken = true);
        let shard = log.shard(0);
        shard.write(&Entry::default());
        shard.write(&Entry::default());
        log.close();
        assert_eq!(log.dropped(), 2);
    }
}

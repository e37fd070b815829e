//! The log's one way out: a line for each request and the messages between them, in the order in
//! which they happened, written behind the workers' backs.
//!
//! A worker formats its line straight into a buffer of its own; messages share another. One thread
//! swaps the buffers, brings their lines into order and writes them out. It is woken by the first
//! line after a quiet time and then collects for `BATCH`, so that a busy proxy pays for twenty
//! wake-ups a second and an idle one for none; a message is written at once, with all that came
//! before it. A sink that blocks costs lines, which are counted, and never a worker.

use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, Thread};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::exposition::Exposition;
use super::metrics::Sharded;

mod entry;

use entry::Clockface;
pub use entry::Entry;

/// How long lines are collected before they are written.
const BATCH: Duration = Duration::from_millis(50);
/// The most that a buffer holds; what comes beyond is dropped and counted.
const LONGEST_BUFFER: usize = 1024 * 1024;
/// How long a sink that has stopped taking bytes is waited for at the end.
const LONGEST_CLOSE: Duration = Duration::from_secs(5);

/// What the writer thread is asked for.
const NOTHING: u8 = 0;
/// To write when it has collected for [`BATCH`].
const SOON: u8 = 1;
/// To write at once.
const NOW: u8 = 2;

/// The log and its writer thread.
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
    /// One for each worker, the last for messages.
    buffers: Sharded<Buffer>,
    asked: AtomicU8,
    closing: AtomicBool,
    /// Dropped once everything logged before they came is written.
    flushes: Mutex<Vec<mpsc::Sender<()>>>,
    /// Lines that the sink refused; the other losses are counted in the buffers.
    unwritten: AtomicU64,
}

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<u8>,
    /// Of each line when it came, and where it ends.
    ends: Vec<(Instant, usize)>,
    clockface: Clockface,
    dropped: u64,
}

/// A worker's end of the log.
#[derive(Clone, Debug)]
pub struct Shard {
    shared: Arc<Shared>,
    writer: Thread,
    buffer: usize,
}

/// The end of the log for messages, for all threads together.
#[derive(Clone, Debug)]
pub struct Messages(Shard);

impl AccessLog {
    /// Starts the writer thread for `workers`. `json` chooses between JSON lines and short ones for
    /// people, `lines` which requests have one.
    pub fn start(
        json: bool,
        lines: Lines,
        workers: usize,
        sink: Box<dyn Write + Send>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(json, lines, workers));
        let (finish, finished) = mpsc::channel();
        let of_writer = Arc::clone(&shared);
        let handle = thread::Builder::new().name("log".into()).spawn(move || {
            of_writer.write_until_closed(sink);
            drop(finish);
        })?;
        Ok(Self { shared, writer: handle.thread().clone(), finished: Mutex::new(finished) })
    }

    /// The log's end for `worker`, counted from 0.
    pub fn shard(&self, worker: usize) -> Shard {
        self.end(worker % self.shared.messages())
    }

    /// The log's end for messages.
    pub fn messages(&self) -> Messages {
        Messages(self.end(self.shared.messages()))
    }

    fn end(&self, buffer: usize) -> Shard {
        Shard { shared: Arc::clone(&self.shared), writer: self.writer.clone(), buffer }
    }

    /// Waits until what was logged so far is written, at most five seconds if the sink takes
    /// nothing.
    pub fn flush(&self) {
        let (written, is_written) = mpsc::channel();
        self.shared.flushes.lock().push(written);
        self.shared.ask(NOW, &self.writer);
        // Nothing is sent: it is the other end that hangs up.
        let _ = is_written.recv_timeout(LONGEST_CLOSE);
    }

    /// Writes what is buffered and stops the writer thread. What is logged afterwards is lost.
    /// Waits at most five seconds for a sink that takes nothing.
    pub fn close(&self) {
        if self.shared.closing.swap(true, Ordering::AcqRel) {
            return;
        }
        self.shared.ask(NOW, &self.writer);
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
            "Log lines lost because stdout did not take them in time.",
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
        let first = self.shared.add(self.buffer, |buffer| {
            if self.shared.json {
                entry.json(buffer.clockface.show(entry.time), &mut buffer.lines);
            } else {
                entry.pretty(buffer.clockface.show(entry.time.shown_in_beijing()), &mut buffer.lines);
            }
        });
        if first {
            self.shared.ask(SOON, &self.writer);
        }
    }
}

impl Messages {
    /// Logs a line. Never blocks on the sink.
    pub(super) fn write(&self, line: &[u8]) {
        let Shard { shared, writer, buffer } = &self.0;
        shared.add(*buffer, |buffer| buffer.lines.extend_from_slice(line));
        shared.ask(NOW, writer);
    }
}

impl Shared {
    fn new(json: bool, lines: Lines, workers: usize) -> Self {
        Self {
            json,
            lines,
            buffers: Sharded::new(workers.max(1) + 1),
            asked: AtomicU8::new(NOTHING),
            closing: AtomicBool::new(false),
            flushes: Mutex::default(),
            unwritten: AtomicU64::new(0),
        }
    }

    /// Which of the buffers is that of messages.
    fn messages(&self) -> usize {
        self.buffers.workers() - 1
    }

    /// Costs a system call only if the writer sleeps longer than it is asked to.
    fn ask(&self, how: u8, writer: &Thread) {
        if self.asked.fetch_max(how, Ordering::AcqRel) < how {
            writer.unpark();
        }
    }

    /// Adds a line to a buffer; whether it is the first.
    fn add(&self, buffer: usize, append: impl FnOnce(&mut Buffer)) -> bool {
        self.buffers.with(buffer, |buffer| {
            let before = buffer.lines.len();
            append(buffer);
            if buffer.lines.len() > LONGEST_BUFFER {
                buffer.lines.truncate(before);
                buffer.dropped += 1;
            } else {
                // Under the lock, so that whoever takes it later finds all lines that are earlier.
                buffer.ends.push((Instant::now(), buffer.lines.len()));
            }
            before == 0
        })
    }

    fn write_until_closed(&self, mut sink: Box<dyn Write + Send>) {
        let mut taken = Taken::default();
        loop {
            // Read before the buffers are: what was logged before they were set is then in them.
            let closing = self.closing.load(Ordering::Acquire);
            let flushes = std::mem::take(&mut *self.flushes.lock());
            let now = Instant::now();
            for buffer in 0..self.buffers.workers() {
                taken.take(&self.buffers, buffer);
            }
            let lines = taken.until(if closing { None } else { Some(now) });
            if lines > 0 && sink.write_all(&taken.ordered).and_then(|()| sink.flush()).is_err() {
                self.unwritten.fetch_add(lines, Ordering::Relaxed);
            }
            drop(flushes);
            if closing {
                return;
            }
            if !taken.lines.is_empty() {
                self.asked.fetch_max(SOON, Ordering::AcqRel);
            }
            self.wait();
        }
    }

    /// Until there is something to write.
    fn wait(&self) {
        while self.asked.load(Ordering::Acquire) == NOTHING {
            thread::park();
        }
        let since = Instant::now();
        while self.asked.load(Ordering::Acquire) == SOON
            && let Some(left) = BATCH.checked_sub(since.elapsed())
        {
            thread::park_timeout(left);
        }
        // Before the buffers are looked at: what comes later asks again.
        self.asked.store(NOTHING, Ordering::Release);
    }
}

/// What the writer has taken out of the buffers.
#[derive(Default)]
struct Taken {
    text: Vec<u8>,
    /// When each line came, and where it is in `text`.
    lines: Vec<(Instant, Range<usize>)>,
    /// What is to be written.
    ordered: Vec<u8>,
    /// Swapped with a buffer's, so that no worker waits for more than that.
    batch: Vec<u8>,
    ends: Vec<(Instant, usize)>,
}

impl Taken {
    fn take(&mut self, from: &Sharded<Buffer>, buffer: usize) {
        self.batch.clear();
        self.ends.clear();
        from.with(buffer, |buffer| {
            std::mem::swap(&mut buffer.lines, &mut self.batch);
            std::mem::swap(&mut buffer.ends, &mut self.ends);
        });
        let (before, mut begin) = (self.text.len(), self.text.len());
        if before == 0 {
            std::mem::swap(&mut self.text, &mut self.batch);
        } else {
            self.text.extend_from_slice(&self.batch);
        }
        self.lines.extend(self.ends.iter().map(|(at, end)| {
            let line = begin..before + end;
            begin = line.end;
            (*at, line)
        }));
    }

    /// Moves the lines from before `now` into `ordered` and returns their number. Later ones stay:
    /// the buffers were read one after the other, so one may still hold an earlier line.
    fn until(&mut self, now: Option<Instant>) -> u64 {
        self.ordered.clear();
        let are_before = |at: &Instant| now.is_none_or(|now| *at < now);
        if self.lines.is_sorted_by_key(|(at, _)| *at)
            && self.lines.last().is_none_or(|(at, _)| are_before(at))
        {
            let count = self.lines.len() as u64;
            self.lines.clear();
            std::mem::swap(&mut self.text, &mut self.ordered);
            return count;
        }
        // Stable and made for runs, which is what the buffers are.
        self.lines.sort_by_key(|(at, _)| *at);
        let count = now.map_or(self.lines.len(), |now| self.lines.partition_point(|(at, _)| *at < now));
        for (_, line) in self.lines.drain(..count) {
            self.ordered.extend_from_slice(self.text.get(line).unwrap_or_default());
        }
        let mut rest = Vec::new();
        for (_, line) in &mut self.lines {
            let begin = rest.len();
            rest.extend_from_slice(self.text.get(line.clone()).unwrap_or_default());
            *line = begin..rest.len();
        }
        self.text.clear();
        self.text.append(&mut rest);
        count as u64
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Condvar, Mutex};

    use tokio::time::Instant;

    use super::{AccessLog, Entry, LONGEST_BUFFER, Lines, Shared, Taken};

    /// A sink that keeps what it gets and can be switched off.
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
    fn messages_and_lines_of_requests_come_out_in_the_order_in_which_they_were_logged() {
        let (log, sink) = log(2);
        let messages = log.messages();
        for number in 0..300 {
            let id = number.to_string();
            match number % 3 {
                2 => messages.write(format!("{{\"request_id\":\"{id}\"}}\n").as_bytes()),
                worker => log.shard(worker).write(&Entry { request_id: &id, ..Entry::default() }),
            }
        }
        log.flush();
        let seen: Vec<String> = sink
            .text()
            .lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).expect("whole lines");
                line["request_id"].as_str().expect("an id").to_owned()
            })
            .collect();
        assert_eq!(seen, (0..300).map(|number| number.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn lines_of_many_threads_come_out_in_order_while_they_are_written() {
        let (log, sink) = log(4);
        let turn = Mutex::new(0);
        thread_each(5, |thread| {
            for _ in 0..500 {
                let mut number = turn.lock().expect("not poisoned");
                let id = number.to_string();
                if thread == 4 {
                    log.messages().write(format!("{{\"request_id\":\"{id}\"}}\n").as_bytes());
                } else {
                    log.shard(thread).write(&Entry { request_id: &id, ..Entry::default() });
                }
                *number += 1;
            }
        });
        log.close();
        let text = sink.text();
        assert_eq!((text.lines().count(), log.dropped()), (2500, 0));
        for (number, line) in text.lines().enumerate() {
            assert!(line.contains(&format!("\"request_id\":\"{number}\"")), "{number}: {line}");
        }
    }

    #[test]
    fn a_line_waits_for_earlier_ones_that_came_while_the_buffers_were_looked_at() {
        let (shared, mut taken) = (Shared::new(true, Lines::All, 1), Taken::default());
        let add = |buffer, line: &[u8]| shared.add(buffer, |buffer| buffer.lines.extend_from_slice(line));
        add(1, b"before\n");
        let now = Instant::now();
        taken.take(&shared.buffers, 0);
        add(0, b"first\n");
        add(1, b"second\n");
        taken.take(&shared.buffers, 1);
        assert_eq!((taken.until(Some(now)), taken.ordered.as_slice()), (1, b"before\n".as_slice()));
        taken.take(&shared.buffers, 0);
        taken.take(&shared.buffers, 1);
        assert_eq!((taken.until(None), taken.ordered.as_slice()), (2, b"first\nsecond\n".as_slice()));
    }

    #[test]
    fn a_message_is_written_without_anybody_asking_and_after_the_lines_before_it() {
        let (log, sink) = log(1);
        log.shard(0).write(&Entry::default());
        log.messages().write(b"told\n");
        sink.wait_for(|state| state.taken.ends_with(b"}\ntold\n"));
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

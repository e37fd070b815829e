//! What the proxy logs besides its access log, down to the last detail of its own.

use std::io::{self, Write};
use std::sync::Once;

use parking_lot::Mutex;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

static EVENTS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Events;

impl Write for Events {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        EVENTS.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects from now on, for the whole process: workers are threads of their own.
pub(crate) fn collect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Libraries are heard as in `observe::log`.
        let filter = Targets::new().with_default(LevelFilter::WARN).with_target("wxgate", LevelFilter::TRACE);
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Events);
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter));
        tracing::subscriber::set_global_default(subscriber).expect("nobody collects yet");
    });
}

/// Everything so far, of all tests of the process.
pub(crate) fn text() -> String {
    String::from_utf8_lossy(&EVENTS.lock()).into_owned()
}

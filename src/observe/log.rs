//! Events for the operator: JSON lines on stdout, or coloured text on a terminal.
//!
//! They go through the access log's writer, so that a container has one log, in order.

use std::io::{self, IsTerminal as _, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use super::access_log::Messages;
use super::audit;
use super::clock::Clock;
use crate::texts::{Language, text};

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// [`Format::Pretty`] if stdout is a terminal, else [`Format::Json`].
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// Whether stdout gets JSON.
    pub fn is_json(self) -> bool {
        match self {
            Self::Auto => !io::stdout().is_terminal(),
            Self::Pretty => false,
            Self::Json => true,
        }
    }
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How lines look.
    pub format: Format,
    /// In which messages are written; keys and fields are the same in each.
    pub language: Language,
    /// The most detailed level of wxgate's own events, but for what operators do. Libraries are
    /// heard from `WARN` up only: below that they may print URLs and headers, which hold
    /// credentials.
    pub level: LevelFilter,
}

impl Default for Options {
    fn default() -> Self {
        Self { format: Format::Auto, language: Language::English, level: LevelFilter::INFO }
    }
}

/// The process logs already.
#[derive(Debug, thiserror::Error)]
#[error("{}", text!("logging is already set up"))]
pub struct AlreadySet(#[source] tracing::subscriber::SetGlobalDefaultError);

/// Sends the process's events to `messages`, where stdout is written.
pub fn init(options: &Options, messages: Messages) -> Result<(), AlreadySet> {
    // Colours only on a terminal, also when the format was forced.
    let colours = io::stdout().is_terminal();
    tracing::subscriber::set_global_default(subscriber(options, colours, messages)).map_err(AlreadySet)
}

fn subscriber<W>(options: &Options, colours: bool, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = Targets::new()
        .with_default(options.level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_PKG_NAME"), options.level)
        .with_target(audit::TARGET, options.level.max(LevelFilter::INFO));
    // Without `log_internal_errors(false)` a failed write is reported with eprintln!, which panics
    // if stderr is closed too.
    let timer = Milliseconds { in_beijing: !options.format.is_json() };
    let layer = layer().with_writer(writer).with_timer(timer).log_internal_errors(false);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = if options.format.is_json() {
        let layer = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
        Box::new(layer.map_event_format(InTheLogsLanguage))
    } else {
        let layer = layer.with_target(false).map_event_format(InTheLogsLanguage);
        // By default the layer honours NO_COLOR.
        if colours { Box::new(layer) } else { Box::new(layer.with_ansi(false)) }
    };
    Registry::default().with(layer.with_filter(filter))
}

/// Writes events in the language of the log, although a request's client may want another.
struct InTheLogsLanguage<F>(F);

impl<S, N, F> FormatEvent<S, N> for InTheLogsLanguage<F>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        Language::of_process().scope(|| self.0.format_event(context, writer, event))
    }
}

impl<'a> MakeWriter<'a> for Messages {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Messages {
    /// Called once for each line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        Messages::write(self, line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// RFC 3339, as in the access log: UTC for programs, and for people the time zone of WeChat's quota
/// days, as everywhere else.
struct Milliseconds {
    in_beijing: bool,
}

impl FormatTime for Milliseconds {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        let now = Clock::default().now();
        out.write_str(&if self.in_beijing { now.rfc3339_in_beijing() } else { now.rfc3339() })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing::level_filters::LevelFilter;

    use super::{Format, Options, subscriber};
    use crate::observe::audit::Audit;
    use crate::texts::{Language, text};

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn captured(options: Options, log: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = subscriber(&options, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, log);
        let text = captured.0.lock().clone();
        String::from_utf8(text).expect("UTF-8")
    }

    #[test]
    fn a_json_line_has_its_fields_at_the_top_level_and_a_utc_time() {
        let options = Options { format: Format::Json, ..Options::default() };
        let text = captured(options, || tracing::info!(app = "shop", generation = 3, "token replaced"));
        let line: serde_json::Value = serde_json::from_str(&text).expect("one JSON line");
        assert_eq!((&line["level"], &line["app"]), (&"INFO".into(), &"shop".into()));
        assert_eq!((&line["message"], &line["generation"]), (&"token replaced".into(), &3.into()));
        let time = line["timestamp"].as_str().expect("a time");
        assert!(time.ends_with('Z') && humantime::parse_rfc3339(time).is_ok(), "{time}");
    }

    #[test]
    fn pretty_lines_carry_no_escape_sequences_when_colours_are_off() {
        let options = Options { format: Format::Pretty, ..Options::default() };
        let text = captured(options, || tracing::warn!(app = "shop", "token unavailable"));
        assert!(text.contains("WARN token unavailable app=\"shop\"") && !text.contains('\x1b'), "{text}");
        let time = text.split_whitespace().next().expect("a time");
        assert!(time.len() == 29 && time.ends_with("+08:00"), "{text}");
    }

    #[test]
    fn a_line_is_in_the_logs_language_whatever_a_client_is_answered_in() {
        for format in [Format::Json, Format::Pretty] {
            let options = Options { format, ..Options::default() };
            let log = || tracing::info!("{}", text!("logging is already set up"));
            let written = captured(options, || Language::Chinese.scope(log));
            assert!(written.contains("logging is already set up"), "{written}");
        }
    }

    #[test]
    fn libraries_are_heard_from_warnings_up_whatever_the_level() {
        let options = Options { format: Format::Json, level: LevelFilter::TRACE, ..Options::default() };
        let text = captured(options, || {
            tracing::info!(target: "hyper::client", "quiet");
            tracing::warn!(target: "hyper::client", "heard");
            tracing::trace!("own");
        });
        assert!(!text.contains("quiet") && text.contains("heard") && text.contains("own"), "{text}");
    }

    #[test]
    fn what_operators_do_is_told_whatever_the_level() {
        for level in [LevelFilter::OFF, LevelFilter::ERROR, LevelFilter::TRACE] {
            let text = captured(Options { format: Format::Json, level, ..Options::default() }, || {
                Audit::begin(None, "reload").done();
            });
            assert!(text.contains("\"kind\":\"audit\"") && text.contains("\"action\":\"reload\""), "{text}");
        }
    }

    #[test]
    fn a_key_in_the_place_of_an_apps_name_is_not_told() {
        let key = "canary-key-of-orders-5d1c";
        let text = captured(Options { format: Format::Json, ..Options::default() }, || {
            let mut audit = Audit::begin(None, "refresh").of(Some(key), |name| name == "shop");
            audit.concerns(&format!("/{key}"));
            audit.denied("no_token");
            Audit::begin(None, "refresh").of(Some("shop-of-2026-in-the-north"), |_| true).done();
        });
        assert!(!text.contains(key) && text.contains("\"shop-of-2026-in-the-north\""), "{text}");
    }

    #[test]
    fn a_writer_that_fails_does_not_panic() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let options = Options { format: Format::Json, ..Options::default() };
        tracing::subscriber::with_default(subscriber(&options, false, || Closed), || {
            tracing::info!("lost");
        });
    }
}

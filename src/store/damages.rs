//! Totals with impossible values, and entries that can't be opened: logged once each.

use std::collections::HashSet;

use parking_lot::Mutex;

use super::StoreError;
use crate::texts::{Text, text};

/// How many are logged, each once.
const MOST_TOLD: usize = 1_000;
/// Characters of a name that are shown.
const LONGEST_SHOWN: usize = 256;

/// The damaged totals that were logged.
#[derive(Debug, Default)]
pub(super) struct Damages(Mutex<HashSet<String>>);

impl Damages {
    /// Logs once that `name` under `key` has an impossible value, as `text` says.
    pub(super) fn tell(&self, key: &str, name: &str, text: Text<'_>) {
        if self.is_new(format!("{key} {name}")) {
            let name: String = name.chars().take(LONGEST_SHOWN).collect();
            tracing::warn!(key, name, "{text}");
        }
    }

    /// Logs once that the entry `key` can't be used, as `error` says.
    pub(super) fn tell_unusable(&self, key: &str, error: &StoreError) {
        if self.is_new(key.to_owned()) {
            let text =
                text!("an entry of the store is ignored and left unchanged: {error}", error = error.chain());
            tracing::warn!(key, "{text}");
        }
    }

    fn is_new(&self, what: String) -> bool {
        let mut told = self.0.lock();
        told.len() < MOST_TOLD && told.insert(what)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::{Damages, MOST_TOLD, Text};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_total_that_cannot_be_is_told_once_with_its_key_and_no_more_than_some_are() {
        let (log, damages) = (Log::default(), Damages::default());
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..3 {
                damages.tell("count:20000", "shop orders /x", Text { english: "ignored", values: &[] });
            }
            for number in 0..2 * MOST_TOLD {
                damages.tell("budget:20000", &number.to_string(), Text { english: "spent", values: &[] });
            }
        });
        let text = String::from_utf8_lossy(&log.0.lock()).into_owned();
        let told: Vec<_> = text.lines().filter(|line| line.contains("count:20000")).collect();
        assert!(
            matches!(told[..], [line] if line.contains("WARN") && line.contains("shop orders /x")),
            "{told:?}"
        );
        assert_eq!(text.lines().count(), MOST_TOLD);
    }
}

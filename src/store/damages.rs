//! Totals that somebody else wrote, or a disk, and entries that can't be opened: told once each.

use std::collections::HashSet;

use parking_lot::Mutex;

use super::StoreError;

/// Told of, each once.
const MOST_TOLD: usize = 1_000;
/// Characters of a name that are shown.
const LONGEST_SHOWN: usize = 256;

/// The damaged totals that were told.
#[derive(Debug, Default)]
pub(super) struct Damages(Mutex<HashSet<String>>);

impl Damages {
    /// Tells, the first time, that `name` under `key` can't be, and what becomes of it.
    pub(super) fn tell(&self, key: &str, name: &str, consequence: &str) {
        if self.is_new(format!("{key} {name}")) {
            let name: String = name.chars().take(LONGEST_SHOWN).collect();
            tracing::warn!(key, name, "a total in the store can't be: it {consequence}");
        }
    }

    /// Tells, the first time, that all under `key` can't be used, as `error` says.
    pub(super) fn tell_unusable(&self, key: &str, error: &StoreError) {
        if self.is_new(key.to_owned()) {
            let why = error.chain();
            tracing::warn!(
                key,
                "an entry of the store is left as it is, and wxgate goes on without it: {why}"
            );
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

    use super::{Damages, MOST_TOLD};

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
                damages.tell("count:20000", "shop orders /x", "is left alone");
            }
            for number in 0..2 * MOST_TOLD {
                damages.tell("budget:20000", &number.to_string(), "counts as spent");
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

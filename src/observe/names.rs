//! Numbers for the names of apps and callers, so that counting costs a request no text.

use std::sync::Arc;

use parking_lot::RwLock;

/// The number of what has no name.
pub const OTHER: u16 = 0;
/// The number of callers without a name.
pub const ANONYMOUS: u16 = 1;

/// Names by number. A name keeps its number over reloads. Only names of the configuration belong
/// here: each stays.
#[derive(Debug)]
pub struct Names(RwLock<Vec<Arc<str>>>);

impl Default for Names {
    fn default() -> Self {
        Self(RwLock::new(vec!["other".into(), "anonymous".into()]))
    }
}

impl Names {
    /// The number of `name`, a new one if it is new.
    pub fn label(&self, name: &Arc<str>) -> u16 {
        let mut names = self.0.write();
        let position = names.iter().skip(2).position(|known| known == name).map(|at| at + 2);
        let label = position.unwrap_or_else(|| {
            names.push(Arc::clone(name));
            names.len() - 1
        });
        u16::try_from(label).unwrap_or(OTHER)
    }

    /// All names, each at the place of its number.
    pub fn all(&self) -> Vec<Arc<str>> {
        self.0.read().clone()
    }
}

//! Numbers for the names of apps and callers, so that counting costs a request no text.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

/// The number of what has no name.
pub const OTHER: u16 = 0;
/// The number of callers without a name.
pub const ANONYMOUS: u16 = 1;

/// Names by number. A name keeps its number over reloads. Only names of the configuration belong
/// here: each stays.
#[derive(Debug)]
pub struct Names(RwLock<Numbered>);

#[derive(Debug)]
struct Numbered {
    names: Vec<Arc<str>>,
    /// Without the two that stand for something else: they may be names as well.
    labels: HashMap<Arc<str>, u16>,
}

impl Default for Names {
    fn default() -> Self {
        let names = vec!["other".into(), "anonymous".into()];
        Self(RwLock::new(Numbered { names, labels: HashMap::new() }))
    }
}

impl Names {
    /// The number of `name`, a new one if it is new; [`OTHER`] where there is none left.
    pub fn label(&self, name: &Arc<str>) -> u16 {
        let mut numbered = self.0.write();
        if let Some(label) = numbered.labels.get(name) {
            return *label;
        }
        let Ok(label) = u16::try_from(numbered.names.len()) else { return OTHER };
        numbered.names.push(Arc::clone(name));
        numbered.labels.insert(Arc::clone(name), label);
        label
    }

    /// All names, each at the place of its number.
    pub fn all(&self) -> Vec<Arc<str>> {
        self.0.read().names.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Names, OTHER};

    #[test]
    fn a_name_keeps_its_number_and_the_ones_too_many_have_none() {
        let names = Names::default();
        let name = |number: u32| Arc::from(format!("name{number}"));
        let first = names.label(&name(0));
        assert_eq!(first, 2);
        for number in 0..70_000 {
            names.label(&name(number));
        }
        assert_eq!((names.label(&name(0)), names.label(&name(65_533))), (first, u16::MAX));
        assert_eq!((names.label(&name(65_534)), names.label(&name(69_999))), (OTHER, OTHER));
        let all = names.all();
        assert_eq!((all.len(), &*all[65_535]), (65_536, "name65533"));
    }

    #[test]
    fn a_name_that_stands_for_something_else_gets_a_number_of_its_own() {
        let names = Names::default();
        assert_eq!((names.label(&"other".into()), names.label(&"anonymous".into())), (2, 3));
    }
}

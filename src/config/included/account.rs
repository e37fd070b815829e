//! What a file adds, as it is compared with what it added before.

use std::hash::{DefaultHasher, Hash as _, Hasher};

use toml::de::{DeTable, DeValue};

/// What a file adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Added {
    pub apps: Vec<Account>,
    pub callers: Vec<String>,
}

/// An app of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub name: String,
    /// Of all that the file says about it.
    digest: u64,
    /// Where its table begins in the file.
    pub offset: usize,
}

impl Added {
    pub(super) fn of(root: &DeTable<'_>) -> Self {
        let mut added = Self::default();
        for (name, offset, value) in tables(root, "app") {
            let mut digest = DefaultHasher::new();
            hash(value, &mut digest);
            added.apps.push(Account { name, digest: digest.finish(), offset });
        }
        added.callers = tables(root, "caller").map(|(name, ..)| name).collect();
        added
    }

    /// Whether an app or a caller has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.app(name).is_some() || self.callers.iter().any(|caller| caller == name)
    }

    pub(super) fn app(&self, name: &str) -> Option<&Account> {
        self.apps.iter().find(|app| app.name == name)
    }

    pub(super) fn app_names(&self) -> Vec<String> {
        self.apps.iter().map(|app| app.name.clone()).collect()
    }
}

impl Account {
    /// Whether a file says the same about both.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.name, self.digest) == (&other.name, other.digest)
    }
}

/// The tables of an array that have names: name, place, table.
fn tables<'v, 'i>(
    root: &'v DeTable<'i>,
    key: &str,
) -> impl Iterator<Item = (String, usize, &'v DeValue<'i>)> {
    let array = root.get(key).and_then(|value| value.get_ref().as_array());
    array.into_iter().flat_map(|array| array.iter()).filter_map(|table| {
        let name = table.get_ref().as_table()?.get("name")?.get_ref().as_str()?;
        Some((name.to_owned(), table.span().start, table.get_ref()))
    })
}

/// Hashes a value without its place in the file.
fn hash(value: &DeValue<'_>, to: &mut impl Hasher) {
    match value {
        DeValue::String(text) => (0, text).hash(to),
        DeValue::Integer(number) => (1, number.radix(), number.as_str()).hash(to),
        DeValue::Float(number) => (2, number.as_str()).hash(to),
        DeValue::Boolean(truth) => (3, truth).hash(to),
        DeValue::Datetime(time) => (4, time.to_string()).hash(to),
        DeValue::Array(array) => {
            (5, array.len()).hash(to);
            array.iter().for_each(|value| hash(value.get_ref(), to));
        }
        DeValue::Table(table) => {
            (6, table.len()).hash(to);
            for (key, value) in table {
                key.get_ref().hash(to);
                hash(value.get_ref(), to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Added, DeTable};

    #[test]
    fn an_account_is_the_same_wherever_it_stands_in_its_file() {
        let added = |text: &str| Added::of(DeTable::parse_recoverable(text).0.get_ref());
        let one = added("[[app]]\nname = 'a'\nhosts = ['x']\n");
        let moved = added("# first\n[[app]]\nhosts = [ \"x\" ] # host\nname = 'a'\n");
        let other = added("[[app]]\nname = 'a'\nhosts = ['y']\n");
        assert!(one.apps[0].is_same(&moved.apps[0]));
        assert!(!one.apps[0].is_same(&other.apps[0]));
    }
}

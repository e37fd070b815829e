//! Tags that accounts give to their followers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Below this are WeChat's own.
const FIRST: u64 = 100;

#[derive(Debug)]
struct Tag {
    name: String,
    openids: BTreeSet<String>,
}

/// By account, and then by number.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Tags {
    of: HashMap<String, BTreeMap<u64, Tag>>,
}

impl Tags {
    /// The number of a new tag; None if the account has one of that name.
    pub(in crate::sandbox) fn create(&mut self, appid: &str, name: &str) -> Option<u64> {
        let tags = self.of.entry(appid.to_owned()).or_default();
        if tags.values().any(|tag| tag.name == name) {
            return None;
        }
        let id = tags.last_key_value().map_or(FIRST, |(last, _)| last + 1);
        tags.insert(id, Tag { name: name.to_owned(), openids: BTreeSet::new() });
        Some(id)
    }

    /// Number, name, and how many users have it.
    pub(in crate::sandbox) fn list(&self, appid: &str) -> impl Iterator<Item = (u64, &str, usize)> {
        let tags = self.of.get(appid).into_iter().flatten();
        tags.map(|(id, tag)| (*id, &*tag.name, tag.openids.len()))
    }

    /// Gives a tag to users; `false` if the account has none with that number.
    pub(in crate::sandbox) fn give(&mut self, appid: &str, id: u64, openids: Vec<String>) -> bool {
        let tag = self.of.get_mut(appid).and_then(|tags| tags.get_mut(&id));
        tag.map(|tag| tag.openids.extend(openids)).is_some()
    }

    /// The tags of a user.
    pub(in crate::sandbox) fn of(&self, appid: &str, openid: &str) -> Vec<u64> {
        let tags = self.of.get(appid).into_iter().flatten();
        tags.filter(|(_, tag)| tag.openids.contains(openid)).map(|(id, _)| *id).collect()
    }
}

//! Whose pushes are taken.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::replay::Seen;
use crate::wechat::callback::Key;

/// A third-party platform, or a suite.
#[derive(Clone, Debug)]
pub struct PlatformOptions {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its appid or suite id, and what pushes for it are signed and encrypted with.
    pub key: Key,
}

#[derive(Debug)]
pub(super) struct Platform {
    pub(super) name: Arc<str>,
    pub(super) key: Key,
    pub(super) seen: Arc<Seen>,
}

/// By name and by appid or suite id, which share a namespace.
#[derive(Debug, Default)]
pub(super) struct Platforms(ArcSwap<HashMap<Arc<str>, Arc<Platform>>>);

impl Platforms {
    pub(super) fn find(&self, name: &str) -> Option<Arc<Platform>> {
        self.0.load().get(name).cloned()
    }

    pub(super) fn configure(&self, options: Vec<PlatformOptions>) {
        let former = self.0.load();
        let mut platforms = HashMap::new();
        for PlatformOptions { name, key } in options {
            let seen = former.get(&key.receive_id).map(|known| Arc::clone(&known.seen)).unwrap_or_default();
            let platform = Arc::new(Platform { name, key, seen });
            platforms.insert(Arc::clone(&platform.key.receive_id), Arc::clone(&platform));
            platforms.insert(Arc::clone(&platform.name), platform);
        }
        self.0.store(Arc::new(platforms));
    }
}

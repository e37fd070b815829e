//! Files that were uploaded.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

/// Bytes remembered of all uploads; beyond that the oldest are forgotten.
const REMEMBERED: usize = 256 * 1024 * 1024;

/// A file that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct File {
    pub filename: String,
    pub content_type: String,
    pub bytes: Bytes,
}

#[derive(Debug, Default)]
pub(in crate::sandbox) struct Media {
    files: HashMap<String, File>,
    order: VecDeque<String>,
    bytes: usize,
}

impl Media {
    /// Takes a file in; the oldest may be forgotten for it.
    pub(in crate::sandbox) fn store(&mut self, id: String, file: File) {
        self.bytes += file.bytes.len();
        self.order.push_back(id.clone());
        self.files.insert(id, file);
        while self.bytes > REMEMBERED {
            let Some(oldest) = self.order.pop_front() else { return };
            self.bytes -= self.files.remove(&oldest).map_or(0, |file| file.bytes.len());
        }
    }

    pub(in crate::sandbox) fn get(&self, id: &str) -> Option<&File> {
        self.files.get(id)
    }
}

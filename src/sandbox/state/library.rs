//! Material that stays, and drafts of articles.

use std::collections::HashSet;

/// Materials remembered; beyond that the oldest are forgotten.
const MOST: usize = 10_000;

/// A material that stays until it is deleted; its bytes are with the uploads.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Material {
    pub appid: String,
    pub id: String,
    /// `image`, `voice`, `video` or `thumb`.
    pub kind: String,
    pub name: String,
    pub stored_at: i64,
}

#[derive(Debug, Default)]
pub(in crate::sandbox) struct Library {
    materials: Vec<Material>,
    /// Account and id.
    pub drafts: HashSet<(String, String)>,
    /// Articles so far.
    pub published: u64,
}

impl Library {
    pub(in crate::sandbox) fn store(&mut self, material: Material) {
        if self.materials.len() >= MOST {
            self.materials.remove(0);
        }
        self.materials.push(material);
    }

    /// An account's, newest first, as WeChat lists them.
    pub(in crate::sandbox) fn materials(
        &self,
        appid: &str,
        kind: &str,
    ) -> impl Iterator<Item = &Material> + Clone {
        self.materials.iter().rev().filter(move |material| material.appid == appid && material.kind == kind)
    }

    pub(in crate::sandbox) fn has_material(&self, appid: &str, id: &str) -> bool {
        self.materials.iter().any(|material| material.appid == appid && material.id == id)
    }
}

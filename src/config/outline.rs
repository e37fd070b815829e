//! A configuration that is looked at and not served: commands that send nothing need no secrets.

use std::path::Path;

use super::load::load;
use super::options::Config;
use super::passed::Passed;
use super::reader::problem::Problems;
use super::reader::secrets::Needed;
use crate::{pipeline, store, token, upstream};

/// What a configuration says, whether or not its secrets are at hand. No proxy starts with it.
#[derive(Debug)]
pub struct Outline {
    /// As in [`Config`].
    pub upstreams: Vec<upstream::Options>,
    /// As in [`Config`].
    pub token: token::Options,
    /// As in [`Config`], but for the secrets of apps that are not at hand: each is
    /// replaced by an empty one.
    pub pipeline: pipeline::Options,
    /// As in [`Config`]; without seal keys and password where they are neither needed nor at hand.
    pub store: store::Options,
    /// Secrets that were not needed are not at hand.
    pub lacks_secrets: bool,
}

impl Outline {
    /// Reads and checks a file; only what is `needed` of its secrets must be there. What else is
    /// worth a change is for `check` to say.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load(path: &Path, needed: Needed) -> Result<Self, Problems> {
        let loaded = load(path, None, needed, &Passed::default())?;
        Ok(Self { lacks_secrets: loaded.lacks_secrets, ..loaded.config.into() })
    }
}

impl From<Config> for Outline {
    fn from(config: Config) -> Self {
        let Config { upstreams, token, pipeline, store, .. } = config;
        Self { upstreams, token, pipeline, store, lacks_secrets: false }
    }
}

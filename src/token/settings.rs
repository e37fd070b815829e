//! What one credential is fetched by.

use super::credential::Credential;
use super::options::{AppOptions, Options};

/// The credential, with the configuration as it stands.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub app: AppOptions,
    pub credential: Credential,
    pub options: Options,
}

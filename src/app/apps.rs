//! The configured apps as other parts want them.

use std::sync::Arc;

use crate::config::Config;
use crate::pipeline::AppOptions;
use crate::upstream::control::Control;
use crate::upstream::{Site, Upstream};
use crate::wechat::Family;
use crate::{quota, token};

/// The apps whose tokens are kept, each with the client for its calls.
pub(super) fn token_apps(config: &Config, upstreams: &[Arc<Upstream>]) -> Vec<(token::AppOptions, Control)> {
    let control = |app: &AppOptions| {
        let site = if app.token.kind.family() == Family::Work { Site::Work } else { Site::Api };
        upstreams[app.upstream].control(site)
    };
    config.pipeline.apps.iter().map(|app| (app.token.clone(), control(app))).collect()
}

/// The apps whose quotas are watched.
pub(super) fn quota_apps(config: &Config) -> Vec<quota::App> {
    let app = |app: &AppOptions| quota::App {
        name: Arc::clone(&app.token.name),
        identity: app.token.identity(),
        appid: Arc::clone(&app.token.appid),
        kind: app.token.kind,
    };
    config.pipeline.apps.iter().map(app).collect()
}

//! `wxgate check`: a configuration file, and whether WeChat takes what is in it.

use std::path::Path;

use wxgate::app::layout::{WIDTH, wrap};
use wxgate::config::Config;

use super::config_file::load;
use super::failure::Failure;
use super::terminal::print;

/// Says what is in the file; a failure if it has problems.
pub(super) fn check(path: &Path) -> Result<Config, Failure> {
    let config = load(path)?;
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    print(&format!(
        "{}: ok, {}, {}\n",
        path.display(),
        count(config.pipeline.apps.len(), "app"),
        count(config.pipeline.callers.iter().chain(&config.pipeline.anonymous_caller).count(), "caller"),
    ))?;
    let memory = wxgate::app::most_memory(&config).to_string();
    for line in config.notes.iter().chain([&memory]).flat_map(|note| wrap(note, WIDTH)) {
        print(&format!("{line}\n"))?;
    }
    Ok(config)
}

/// Fetches a token for each app and prints what came of it; a failure if one got none.
pub(super) async fn online(config: &Config, rotate: bool) -> Result<(), Failure> {
    let told = wxgate::app::online(config, rotate).await.map_err(Failure::run)?;
    print(&told.text)?;
    match told.failed {
        0 => Ok(()),
        1 => Err(Failure::run("1 app got no token")),
        failed => Err(Failure::run(format!("{failed} apps got no token"))),
    }
}

//! `wxgate store`: which store is meant, and what is done with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use wxgate::app::store_tool::{self, Verified};
use wxgate::store::{Location, Options};
use zeroize::Zeroizing;

use super::config_file::{ConfigFile, found, load, none};
use super::failure::Failure;
use super::terminal::print;

/// What `copy` takes in place of a URL.
const CONFIGURED: &str = "config";

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List what the store holds, without secrets
    Show(Which),
    /// Open every entry, and name those that can't be used
    ///
    /// The exit code is 1 if there are any.
    Verify(Which),
    /// Move tokens, force budgets and counters to another store
    ///
    /// What the other store holds that is as new or newer stays, so that it does no harm to copy
    /// twice. A token that is sealed can be copied without its key. What lies in clear in a store
    /// that is named by its URL is taken, and sealed where the other store has a key.
    Copy {
        /// A URL as in store.url, or "config" for the one of the configuration file
        #[arg(long, value_name = "URL")]
        from: String,
        /// A URL as in store.url, or "config" for the one of the configuration file
        #[arg(long, value_name = "URL")]
        to: String,
        /// Where the seal keys are, and the store that "config" means, for which it is looked for
        /// where the other commands find one
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Take over the refresh tokens that another server of a third-party platform holds
    ///
    /// Reads a line for each account, its appid and its refresh token with a space or tab between,
    /// and keeps those that the store doesn't have. The other server must not go on using them. A
    /// proxy that runs takes them over at once.
    Import {
        /// The platform: the name of an app of kind "component"
        #[arg(long, value_name = "NAME")]
        app: String,
        #[command(flatten)]
        config: ConfigFile,
        /// The lines; "-" is standard input
        #[arg(value_name = "ACCOUNTS")]
        accounts: PathBuf,
    },
}

/// A store: the configured one, or another with the same seal keys.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The configuration file: its store and its seal keys; where there is no --url it is looked for
    /// where the other commands find one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A URL as in store.url, in place of the configured one
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// Does it, and prints what came of it.
pub(super) async fn run(action: Action) -> Result<(), Failure> {
    match action {
        Action::Show(which) => {
            let text = store_tool::show(&options(which.url.as_deref(), which.config.as_ref())?).await;
            print(&text.map_err(Failure::run)?)
        }
        Action::Verify(which) => {
            let verified = store_tool::verify(&options(which.url.as_deref(), which.config.as_ref())?).await;
            let Verified { text, bad } = verified.map_err(Failure::run)?;
            print(&text)?;
            match bad {
                0 => Ok(()),
                1 => Err(Failure::run("1 entry can't be used")),
                bad => Err(Failure::run(format!("{bad} entries can't be used"))),
            }
        }
        Action::Copy { from, to, config } => {
            let end = |url: &str| options(Some(url).filter(|url| *url != CONFIGURED), config.as_ref());
            let (mut source, to) = (end(&from)?, end(&to)?);
            // Whoever names a store to copy from believes what is in it.
            if from != CONFIGURED {
                source.seal = source.seal.map(|seal| Arc::new(seal.accepting_unsealed()));
            }
            let text = store_tool::copy(&source, &to).await;
            print(&text.map_err(Failure::run)?)
        }
        Action::Import { app, config, accounts } => {
            let config = load(&config.path()?)?;
            let found = config.pipeline.apps.iter().find(|known| *known.token.name == *app);
            let Some(platform) = found.filter(|app| app.token.kind.as_str() == "component") else {
                let text = format!("no app named {app} of kind \"component\" is configured");
                return Err(Failure::usage(text));
            };
            let lines = Zeroizing::new(read(&accounts)?);
            let text = store_tool::import(&config.store, &platform.token.appid, &lines).await;
            print(&text.map_err(Failure::run)?)
        }
    }
}

fn read(accounts: &Path) -> Result<String, Failure> {
    let text = match accounts.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        _ => std::fs::read_to_string(accounts),
    };
    text.map_err(|error| Failure::usage(format!("cannot read {}: {error}", accounts.display())))
}

fn options(url: Option<&str>, config: Option<&PathBuf>) -> Result<Options, Failure> {
    let Some(url) = url else {
        let path = config.cloned().or_else(found).ok_or_else(none)?;
        return Ok(load(&path)?.store);
    };
    // Whoever names a store may have no configuration, or another store's beside.
    let configured = config.map(|path| load(path)).transpose()?.map(|config| config.store);
    Ok(Options {
        // The URL isn't repeated: it may hold a password.
        location: Location::parse(url).map_err(|wrong| Failure::usage(format!("the URL {wrong}")))?,
        seal: configured.and_then(|options| options.seal),
    })
}

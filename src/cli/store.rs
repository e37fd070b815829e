//! `wxgate store`: which store is meant, and what is done with it.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use wxgate::app::store_tool::{self, Verified};
use wxgate::config::{Needed, Outline};
use wxgate::secret::file::{self, Links, Refused};
use wxgate::store::{Location, Options};
use zeroize::Zeroizing;

use super::config_file::{ConfigFile, named_or_found};
use super::failure::Failure;
use super::terminal::print;

/// What `copy` takes in place of a URL.
const CONFIGURED: &str = "config";
/// Bytes of a list of accounts: more than a hundred thousand.
const LONGEST_LIST: u64 = 64 << 20;

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
            let config = Outline::load(&config.path()?, Needed::OfStore)?;
            let found = config.pipeline.apps.iter().find(|known| *known.token.name == *app);
            let Some(platform) = found.filter(|app| app.token.kind.as_str() == "component") else {
                let text = format!("no app named {app} of kind \"component\" is configured");
                return Err(Failure::usage(text));
            };
            let lines = read(&accounts)?;
            let lines = std::str::from_utf8(&lines)
                .map_err(|_| Failure::usage(format!("{} is not UTF-8 text", accounts.display())))?;
            let text = store_tool::import(&config.store, &platform.token.appid, lines).await;
            print(&text.map_err(Failure::run)?)
        }
    }
}

fn read(accounts: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = match accounts.to_str() {
        Some("-") => from_stdin(),
        _ => file::read(accounts, LONGEST_LIST, Links::Followed),
    };
    bytes.map_err(|error| {
        let what = accounts.display();
        match Refused::of(&error) {
            Some(Refused::NoFile) => Failure::usage(format!(
                "{what} is a pipe or a device, expected a file, or - for standard input"
            )),
            _ => Failure::usage(format!("cannot read {what}: {error}")),
        }
    })
}

fn from_stdin() -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    io::stdin().lock().take(LONGEST_LIST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_LIST { Err(Refused::TooLong(LONGEST_LIST).into()) } else { Ok(bytes) }
}

fn options(url: Option<&str>, config: Option<&PathBuf>) -> Result<Options, Failure> {
    let configured = |path: &Path| Outline::load(path, Needed::OfStore).map(|config| config.store);
    let Some(url) = url else {
        return Ok(configured(&named_or_found(config.cloned())?)?);
    };
    // Whoever names a store may have no configuration, or another store's beside.
    let configured = config.map(|path| configured(path)).transpose()?;
    Ok(Options {
        // The URL isn't repeated: it may hold a password.
        location: Location::parse(url).map_err(|wrong| Failure::usage(format!("the URL {wrong}")))?,
        seal: configured.and_then(|options| options.seal),
    })
}

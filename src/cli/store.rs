//! `wxgate store`: which store is meant, and what is done with it.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use wxgate::app::store_tool::{self, ImportFor, Verified};
use wxgate::config::{Needed, Outline};
use wxgate::secret::file::{self, Links, Refused};
use wxgate::store::{Location, Options};
use wxgate::texts::text;
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
    /// List the entries of a store, without secrets
    Show(Which),
    /// Open every entry, and list those that cannot be used
    ///
    /// The exit code is 1 if there are any.
    Verify(Which),
    /// Copy tokens, force budgets and counters to another store
    ///
    /// Entries of the destination that are as new or newer stay, so it is safe to copy twice.
    /// Sealed tokens can be copied without the key. Unsealed entries are accepted from a store
    /// named by its URL, and sealed if the destination has a key.
    Copy {
        /// Source: a URL as in store.url, or "config" for the configured store
        #[arg(long, value_name = "URL")]
        from: String,
        /// Destination: a URL as in store.url, or "config" for the configured store
        #[arg(long, value_name = "URL")]
        to: String,
        /// Configuration file with the seal keys and the store that "config" means; searched for in
        /// the usual places only for "config"
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Import refresh tokens from another server of a third-party platform, or permanent codes from
    /// one of a WeCom suite
    ///
    /// Reads one account per line, its appid and refresh token separated by a space or tab, or a
    /// company's corpid and permanent code, and adds those that the store does not have. The other
    /// server must stop using refresh tokens. A running proxy uses them at once.
    Import {
        /// Name of the platform, an app of kind "component", or of the app with the suite
        #[arg(long, value_name = "NAME")]
        app: String,
        #[command(flatten)]
        config: ConfigFile,
        /// File with the accounts, - for stdin
        #[arg(value_name = "ACCOUNTS")]
        accounts: PathBuf,
    },
    /// Remove the lost authorisations of a WeCom suite, once the companies have authorised it again
    ///
    /// A running proxy no longer shows them half a minute later. They expire by themselves after 30
    /// days.
    ForgetLost {
        /// Name of the app with the suite
        #[arg(long, value_name = "NAME")]
        app: String,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// A store: the configured one, or another with the same seal keys.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Configuration file with the store and its seal keys; searched for in the usual places unless
    /// --url is given
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// URL of the store as in store.url, instead of the configured one
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
                1 => Err(Failure::run(text!("1 entry cannot be used").to_string())),
                bad => Err(Failure::run(text!("{bad} entries cannot be used", bad).to_string())),
            }
        }
        Action::Copy { from, to, config } => {
            let end = |url: &str| options(Some(url).filter(|url| *url != CONFIGURED), config.as_ref());
            let (mut source, to) = (end(&from)?, end(&to)?);
            // A user who names a store to copy from trusts what is in it.
            if from != CONFIGURED {
                source.seal = source.seal.map(|seal| Arc::new(seal.accepting_unsealed()));
            }
            let text = store_tool::copy(&source, &to).await;
            print(&text.map_err(Failure::run)?)
        }
        Action::Import { app, config, accounts } => {
            let config = Outline::load(&config.path()?, Needed::OfStore)?;
            let found = config.pipeline.apps.iter().find(|known| *known.token.name == *app);
            let of = found.and_then(|app| match (&app.token.suite, app.token.kind.as_str()) {
                (Some(suite), _) => Some(ImportFor::Suite(&suite.id)),
                (None, "component") => Some(ImportFor::Platform(&app.token.appid)),
                _ => None,
            });
            let Some(of) = of else {
                let problem =
                    text!("no app named {app} of kind \"component\" or with a suite_id is configured", app);
                return Err(Failure::usage(problem.to_string()));
            };
            let lines = read(&accounts)?;
            let lines = std::str::from_utf8(&lines).map_err(|_| {
                Failure::usage(text!("{path} is not UTF-8 text", path = accounts.display()).to_string())
            })?;
            let text = store_tool::import(&config.store, of, lines).await;
            print(&text.map_err(Failure::run)?)
        }
        Action::ForgetLost { app, config } => {
            let config = Outline::load(&config.path()?, Needed::OfStore)?;
            let found = config.pipeline.apps.iter().find(|known| *known.token.name == *app);
            let Some(suite) = found.and_then(|app| app.token.suite.as_ref()) else {
                let problem = text!("no app named {app} with a suite_id is configured", app);
                return Err(Failure::usage(problem.to_string()));
            };
            let text = store_tool::forget_lost(&config.store, &suite.id).await;
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
            Some(Refused::NoFile) => Failure::usage(
                text!("{what} is a pipe or a device, expected a file, or - for stdin", what).to_string(),
            ),
            _ => Failure::usage(text!("could not read {what}: {error}", what, error).to_string()),
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
    // A user who names a store may have no configuration, or another store's.
    let configured = config.map(|path| configured(path)).transpose()?;
    Ok(Options {
        // The URL isn't repeated: it may hold a password.
        location: Location::parse(url)
            .map_err(|problem| Failure::usage(text!("the URL {problem}", problem).to_string()))?,
        seal: configured.and_then(|options| options.seal),
    })
}

//! Look-up of accounts that authorised a third-party platform, and of companies that authorised a
//! suite.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::directory::Directory;
use super::error::Error;
use super::plan::{AppHints, Authorizer, may_be_for};
use crate::texts::words;
use crate::token::Manager;

/// A worker's memory of the accounts that it was asked for, so that it asks the token manager,
/// which all workers share, once for each.
#[derive(Debug, Default)]
pub(crate) struct Authorizers(RefCell<HashMap<String, Known>>);

/// Whom a name means.
#[derive(Debug)]
struct Known {
    /// One for each app that the account authorised, also if it took that back since.
    accounts: Vec<Rc<Authorizer>>,
    /// The manager's count of authorisations before the look-up.
    as_of: u64,
}

impl Authorizers {
    /// Other platforms may be configured now.
    pub(crate) fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    /// The account among the names in a request that is not an app of the configuration, if a
    /// platform may act for it.
    pub(crate) async fn find(
        &self,
        directory: &Directory,
        manager: &Manager,
        hints: &AppHints<'_, '_>,
    ) -> Result<Option<Rc<Authorizer>>, Error> {
        if !directory.has_platforms() {
            return Ok(None);
        }
        let Some(name) = Authorizer::name_in(directory, hints) else { return Ok(None) };
        let as_of = manager.authorizations();
        if let Some(known) = self.0.borrow().get(&*name).filter(|known| known.as_of == as_of)
            && let Some(account) = known.acted_for(directory, hints)?
        {
            return Ok(Some(Rc::clone(account)));
        }
        match look_up(directory, manager, &name).await {
            Ok(accounts) if accounts.is_empty() => return Ok(None),
            Ok(accounts) => {
                self.0.borrow_mut().insert(name.clone().into_owned(), Known { accounts, as_of });
            }
            // A store that is down ends nothing that went on before.
            Err(error) if !self.0.borrow().contains_key(&*name) => return Err(error),
            Err(_) => {}
        }
        let known = self.0.borrow();
        let Some(known) = known.get(&*name) else { return Ok(None) };
        let account = known.acted_for(directory, hints)?;
        Ok(account.or_else(|| known.meant(directory, hints).next()).map(Rc::clone))
    }
}

impl Known {
    /// The accounts that the caller may use.
    fn meant(
        &self,
        directory: &Directory,
        hints: &AppHints<'_, '_>,
    ) -> impl Iterator<Item = &Rc<Authorizer>> {
        let may_mean = |at: usize| directory.apps.get(at).is_some_and(|app| hints.may_mean(app));
        self.accounts.iter().filter(move |account| may_mean(account.platform))
    }

    /// The one of them whose authorisation still stands, if there is one.
    fn acted_for(
        &self,
        directory: &Directory,
        hints: &AppHints<'_, '_>,
    ) -> Result<Option<&Rc<Authorizer>>, Error> {
        let mut standing = self.meant(directory, hints).filter(|account| !account.token.is_taken_back());
        let first = standing.next();
        if standing.next().is_some() {
            return Err(Error::BadRequest(words!(
                "this account authorised several platforms or suites: add the app to the path, /@APPID@APP/"
            )));
        }
        Ok(first)
    }
}

/// The account by each app that it authorised.
async fn look_up(directory: &Directory, manager: &Manager, name: &str) -> Result<Vec<Rc<Authorizer>>, Error> {
    let (appid, platform) = Authorizer::parts(name);
    let mut found = Vec::new();
    for app in directory.platforms(platform).filter(|app| may_be_for(app, appid)) {
        let Some(token) = manager.authorizer(&app.name, appid).await? else { continue };
        found.push(Rc::new(Authorizer { appid: appid.into(), platform: app.index, token }));
    }
    Ok(found)
}

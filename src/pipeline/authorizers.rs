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
pub(crate) struct Authorizers(RefCell<HashMap<String, Rc<Authorizer>>>);

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
        if let Some(known) = self.0.borrow().get(&*name) {
            return Ok(Some(Rc::clone(known)));
        }
        let found = look_up(directory, manager, &name).await?.map(Rc::new);
        if let Some(found) = &found {
            self.0.borrow_mut().insert(name.into_owned(), Rc::clone(found));
        }
        Ok(found)
    }
}

async fn look_up(directory: &Directory, manager: &Manager, name: &str) -> Result<Option<Authorizer>, Error> {
    let (appid, platform) = Authorizer::parts(name);
    let mut found: Option<Authorizer> = None;
    for app in directory.platforms(platform).filter(|app| may_be_for(app, appid)) {
        let Some(token) = manager.authorizer(&app.name, appid).await? else { continue };
        if found.is_some() {
            return Err(Error::BadRequest(words!(
                "this account authorised several platforms or suites: add the app to the path, /@APPID@APP/"
            )));
        }
        found = Some(Authorizer { appid: appid.into(), platform: app.index, token });
    }
    Ok(found)
}

//! The accounts that exist at the fake WeChat.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What sort of account an app is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    /// An official account: its whitelist is enforced where tokens are issued.
    #[default]
    OfficialAccount,
    /// A mini program: exempt from the whitelist (FACTS 1.1).
    MiniProgram,
    /// A third-party platform.
    Component,
    /// A WeCom corporation's app; `appid` is the corpid.
    Wecom,
    /// A WeCom provider's suite; `appid` is the suite's id.
    Suite,
    /// A WeCom provider; `appid` is its corpid.
    Provider,
}

impl AppKind {
    /// Whether it is WeCom's, which has endpoints of its own to issue tokens.
    pub fn is_wecom(self) -> bool {
        matches!(self, Self::Wecom | Self::Suite | Self::Provider)
    }
}

/// An account and its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// appid, component_appid, corpid or suite_id.
    pub appid: String,
    /// appsecret, component_appsecret, corpsecret, suite_secret or provider_secret.
    pub secret: String,
    /// What sort of account it is.
    #[serde(default)]
    pub kind: AppKind,
    /// Addresses that may fetch tokens; none listed: all.
    #[serde(default)]
    pub whitelist: Option<Vec<IpAddr>>,
    /// Which app of its corporation it is, in WeCom.
    #[serde(default)]
    pub agent: Option<String>,
    /// A suite: whether it is a template of customized apps (代开发).
    #[serde(default)]
    pub customized: bool,
}

impl App {
    /// An app without a whitelist.
    pub fn new(appid: impl Into<String>, secret: impl Into<String>, kind: AppKind) -> Self {
        Self {
            appid: appid.into(),
            secret: secret.into(),
            kind,
            whitelist: None,
            agent: None,
            customized: false,
        }
    }

    /// By which its tokens are told from others'.
    pub(in crate::sandbox) fn identity(&self) -> String {
        match (self.kind, &self.agent) {
            (AppKind::Provider, _) => format!("{}.provider", self.appid),
            (_, Some(agent)) => format!("{}.{agent}", self.appid),
            (_, None) => self.appid.clone(),
        }
    }

    /// An IPv4 address matches its mapped form too; a caller on this machine's unix socket counts
    /// as 127.0.0.1.
    pub(in crate::sandbox) fn admits(&self, address: IpAddr) -> bool {
        let list = self.whitelist.as_deref().unwrap_or_default();
        list.is_empty() || list.iter().any(|allowed| allowed.to_canonical() == address.to_canonical())
    }
}

// People may point the sandbox at a file with their real secrets.
impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("appid", &self.appid)
            .field("kind", &self.kind)
            .field("whitelist", &self.whitelist)
            .finish_non_exhaustive()
    }
}

/// An account that authorised a component to act for it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorizer {
    /// The component's appid.
    pub component_appid: String,
    /// The account's appid.
    pub authorizer_appid: String,
    /// What its tokens are fetched with.
    pub refresh_token: String,
    /// The one before, which is taken until this one was used.
    #[serde(default)]
    pub former_refresh_token: Option<String>,
}

impl Authorizer {
    /// An account that authorised a component.
    pub fn new(
        component: impl Into<String>,
        appid: impl Into<String>,
        refresh_token: impl Into<String>,
    ) -> Self {
        Self {
            component_appid: component.into(),
            authorizer_appid: appid.into(),
            refresh_token: refresh_token.into(),
            former_refresh_token: None,
        }
    }
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizer")
            .field("component_appid", &self.component_appid)
            .field("authorizer_appid", &self.authorizer_appid)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
pub(in crate::sandbox) struct Accounts {
    apps: Vec<App>,
    authorizers: Vec<Authorizer>,
    used_codes: HashSet<String>,
    /// Of the codes that were pushed, whose they are.
    pushed_codes: HashMap<String, String>,
}

impl Accounts {
    /// A code stands for this account from now on.
    pub(in crate::sandbox) fn expect_code(&mut self, code: &str, authorizer: &str) {
        self.pushed_codes.insert(code.to_owned(), authorizer.to_owned());
    }

    /// The account that an authorisation's code is for, of those that authorised the component: the
    /// one it was pushed for, or the one with this appid, or the first.
    pub(in crate::sandbox) fn authorised_by(&self, component: &str, code: &str) -> Option<&Authorizer> {
        let appid = self.pushed_codes.get(code).map_or(code, |appid| appid);
        let mut all = self.authorizers.iter().filter(|known| known.component_appid == component);
        all.clone().find(|known| known.authorizer_appid == appid).or_else(|| all.next())
    }

    /// An account takes its authorisation back; None if it gave none.
    pub(in crate::sandbox) fn leave(&mut self, component: &str, appid: &str) -> Option<Authorizer> {
        let mut all = self.authorizers.iter();
        let at = all.position(|it| it.component_appid == component && it.authorizer_appid == appid)?;
        Some(self.authorizers.remove(at))
    }

    /// Whether an authorisation's code is used for the first time.
    pub(in crate::sandbox) fn use_code(&mut self, code: &str) -> bool {
        self.used_codes.insert(code.to_owned())
    }

    /// Adds an app, or replaces the one with its identity.
    pub(in crate::sandbox) fn put(&mut self, app: App) {
        match self.apps.iter_mut().find(|known| known.identity() == app.identity()) {
            Some(known) => *known = app,
            None => self.apps.push(app),
        }
    }

    pub(in crate::sandbox) fn authorize(&mut self, authorizer: Authorizer) {
        self.authorizers.retain(|known| {
            (&known.authorizer_appid, &known.component_appid)
                != (&authorizer.authorizer_appid, &authorizer.component_appid)
        });
        self.authorizers.push(authorizer);
    }

    /// Takes whitelists away and forgets which codes were used; the accounts stay.
    pub(in crate::sandbox) fn forget(&mut self) {
        self.apps.iter_mut().for_each(|app| app.whitelist = None);
        self.used_codes.clear();
        self.pushed_codes.clear();
    }

    pub(in crate::sandbox) fn apps(&self) -> &[App] {
        &self.apps
    }

    pub(in crate::sandbox) fn authorizers(&self) -> &[Authorizer] {
        &self.authorizers
    }

    pub(in crate::sandbox) fn get(&self, appid: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.appid == appid)
    }

    /// Whether it is an account's, independent of who holds its secret.
    pub(in crate::sandbox) fn knows(&self, appid: &str) -> bool {
        self.get(appid).is_some() || self.authorizers.iter().any(|known| known.authorizer_appid == appid)
    }

    /// Those with this appid, of this kind.
    pub(in crate::sandbox) fn of(&self, appid: &str, kind: AppKind) -> impl Iterator<Item = &App> {
        self.apps.iter().filter(move |app| app.appid == appid && app.kind == kind)
    }

    pub(in crate::sandbox) fn authorizer(&mut self, component: &str, appid: &str) -> Option<&mut Authorizer> {
        self.authorizers
            .iter_mut()
            .find(|known| known.authorizer_appid == appid && known.component_appid == component)
    }
}

//! Calls for tokens, to which wxgate responds with a placeholder: which they are, and what they
//! say.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::access;
use super::account::Account;
use super::target::RequestTarget;
use crate::message::form::{self, Form};
use crate::message::query;
use crate::pipeline::directory::Directory;
use crate::pipeline::error::Error;
use crate::secret::Secret;
use crate::texts::words;
use crate::wechat::{Issuer, TokenEndpoint, catalogue};

/// What a token call asks for.
pub(crate) type Asked = &'static TokenEndpoint;

/// What a token call says, in its query, or in JSON or a form.
pub(crate) struct TokenCall {
    pub(crate) asked: Asked,
    /// Of the app that is to be acted for.
    pub(crate) appid: Option<String>,
    /// The caller's API key.
    pub(crate) secret: Option<String>,
    /// Which of these the query and the body say differently, or either twice.
    pub(crate) differ: Differ,
    /// The account that a platform or a suite is to act for.
    pub(crate) authorizer: Option<String>,
    /// By which an account that authorised a platform or a suite is known.
    pub(crate) code: Option<Secret>,
}

/// What a token call says in two ways.
#[derive(Clone, Copy, Default)]
pub(crate) struct Differ {
    pub(crate) appids: bool,
    pub(crate) secrets: bool,
}

/// What a request asks for, if it is a call for a token that one of the apps could have.
pub(crate) fn asked(directory: &Directory, target: &RequestTarget<'_>) -> Option<Asked> {
    if !target.endpoint.issues() {
        return None;
    }
    let asked = TokenEndpoint::find(&catalogue::normalise(target.path))?;
    // Without such an app these are endpoints that hand out credentials like others.
    let some_app_has_it = || directory.has_kind(|kind| kind.may_have(asked.issuer));
    (matches!(asked.issuer, Issuer::App(_)) || some_app_has_it()).then_some(asked)
}

/// Refuses a call for what an account of this kind doesn't have: its response would be a token that
/// is good for nothing.
pub(crate) fn check_has(asked: Asked, account: &Account<'_>, shows_code: bool) -> Result<(), Error> {
    let app = account.app;
    access::check_family(app, asked.issuer.family())?;
    // A placeholder of the app itself would act for the provider's own company.
    if asked.issuer == Issuer::Corporation && account.authorizer.is_none() && !shows_code {
        return Err(Error::BadRequest(words!(
            "the token call names no company: it requires auth_corpid, or auth_code"
        )));
    }
    let has = match asked.issuer {
        Issuer::App(_) if app.kind.is_platform() => account.authorizer.is_some(),
        Issuer::Corporation => app.further(Issuer::Suite).is_some(),
        issuer if issuer.is_optional() => app.further(issuer).is_some(),
        issuer => app.kind.may_have(issuer),
    };
    if has {
        return Ok(());
    }
    Err(Error::EndpointForbidden(words!(
        "this endpoint issues a kind of credential that app {app} does not have",
        app = app.name
    )))
}

/// The fields of a JSON body; there are none in an empty one or a `null`, which some clients send
/// along with a query.
fn object(body: &[u8]) -> Result<Map<String, Value>, Error> {
    let text = form::without_mark(body);
    if text.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(Value::Null) => Ok(Map::new()),
        _ => Err(Error::BadRequest(words!("the body of a token call must be a JSON object or a form"))),
    }
}

fn differ(said: &[String]) -> bool {
    said.windows(2).any(|two| two[0] != two[1])
}

impl TokenCall {
    /// No token call has a longer body.
    pub(crate) const LONGEST: usize = 64 * 1024;

    /// Reads a token call from its query and its body; that is `form` if there is one.
    pub(crate) fn read(
        asked: Asked,
        query: Option<&str>,
        body: &[u8],
        form: Option<Form<'_>>,
    ) -> Result<Self, Error> {
        let fields = if form.is_some() { Map::new() } else { object(body)? };
        let all = |name: &str| {
            let in_json = match fields.get(name) {
                Some(Value::String(text)) => Some(text.clone()),
                None | Some(Value::Null) => None,
                Some(_) => {
                    return Err(Error::BadRequest(words!(
                        "{name} in the body of a token call must be a string",
                        name
                    )));
                }
            };
            let in_form = form.into_iter().flat_map(|form| form.get_all(name));
            let in_query = query.into_iter().flat_map(|query| query::get_all(query, name));
            Ok(in_json.into_iter().chain(in_form).chain(in_query.map(Cow::into_owned)).collect::<Vec<_>>())
        };
        let given = |name: &str| {
            let mut said = all(name)?;
            said.retain(|text| !text.is_empty());
            Ok::<_, Error>(said)
        };
        let named = |name: Option<&str>| name.map_or(Ok(Vec::new()), given);
        let (appids, secrets) = (given(asked.id)?, all(asked.secret)?);
        Ok(Self {
            asked,
            differ: Differ { appids: differ(&appids), secrets: differ(&secrets) && asked.by.is_none() },
            appid: appids.into_iter().next(),
            secret: secrets.into_iter().next().filter(|_| asked.by.is_none()),
            authorizer: named(asked.account)?.into_iter().next().map(|account| match asked.issuer {
                // A company may have an app of its own here, which isn't meant.
                Issuer::Corporation => format!("{account}@"),
                _ => account,
            }),
            code: named(asked.code)?.pop().map(Secret::new),
        })
    }

    /// Whether its secret may be a guessed key.
    pub(crate) fn tries_secret(&self) -> bool {
        self.differ.secrets || !matches!(self.secret.as_deref(), None | Some("" | "anonymous"))
    }

    /// What of it names the account. An appid that several apps of a corporation have names none of
    /// them.
    pub(crate) fn account_name(&self, directory: &Directory) -> Option<&str> {
        let ambiguous = |id: &&str| directory.app(id).is_none() && directory.has_appid(id);
        self.authorizer.as_deref().or_else(|| self.appid.as_deref().filter(|id| !ambiguous(id)))
    }
}

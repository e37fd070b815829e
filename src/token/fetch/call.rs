//! One fetch of a credential.

use std::sync::Arc;
use std::time::Duration;

use super::by_token::CallByToken;
use super::fields::Fields;
use super::response::{FetchError, Issued, issued, object, unset};
use crate::observe::clock::Timestamp;
use crate::secret::Secret;
use crate::store::Store;
use crate::token::credential::Credential;
use crate::token::grant::{self, Grant};
use crate::token::settings::Settings;
use crate::token::{AppOptions, Failure, SuiteOptions};
use crate::upstream::control::{Call, Control};
use crate::wechat::{Form, Issuer, TicketKind, TokenEndpoint};

/// WeChat's errcodes for a refresh token and for a company's permanent code that it will never
/// accept again: the account has to authorise again.
const REFUSED_FOR_GOOD: [i64; 2] = [61023, 40084];
/// The same where the permanent code is the secret of an app that was made for the company.
const SECRET_REFUSED: [i64; 3] = [40001, 40084, 40125];

/// A fetch, and what it works with.
pub(in crate::token) struct Fetch<'a> {
    pub control: &'a Control,
    pub store: &'a Store,
    pub settings: &'a Settings,
    pub grant: &'a mut Grant,
    pub now: Timestamp,
}

impl Fetch<'_> {
    /// Fetches the credential; `force` applies only to those that can be forced.
    pub(in crate::token) async fn run(&mut self, force: bool) -> Result<Issued, FetchError> {
        let Settings { app, options, credential } = self.settings;
        if let Issuer::Ticket(kind) = credential.issuer {
            return self.ticket(kind).await;
        }
        let endpoint = TokenEndpoint::of(credential.issuer).ok_or_else(|| unset("token endpoint"))?;
        let customized = app.suite.as_ref().is_some_and(SuiteOptions::is_customized);
        if credential.issuer == Issuer::Corporation && customized {
            return self.by_permanent_code().await;
        }
        if let Some(by) = endpoint.by {
            return self.by_token(endpoint, by).await;
        }
        let timeout = options.fetch_timeout;
        match endpoint.grant {
            None => by_secret(self.control, app, credential, None, force, timeout).await,
            Some(_) => {
                // An app that lacks the secret isn't asked for the ticket.
                credential.login(app).map_err(unset)?;
                let ticket = self.granted().await?;
                by_secret(self.control, app, credential, Some(&ticket), force, timeout).await
            }
        }
    }

    /// The token by which a platform acts for an account, or a suite for a company. WeChat may
    /// return another refresh token, which is saved before the token is used.
    async fn by_token(&mut self, endpoint: &TokenEndpoint, by: Issuer) -> Result<Issued, FetchError> {
        let Settings { app, options, credential } = self.settings;
        let Some(platform) = &credential.by else { return Err(unset("platform")) };
        let (answer, refresh_token) = loop {
            let refresh_token = self.granted().await?;
            let mut texts = Vec::new();
            texts.extend((!endpoint.id.is_empty()).then_some((endpoint.id, &*app.appid)));
            texts.extend(endpoint.account.map(|name| (name, &*credential.owner)));
            texts.extend(endpoint.grant.map(|name| (name, refresh_token.expose())));
            let body = Fields { texts, ..Fields::default() }.json();
            let (path, body) = (endpoint.path, Some(&**body));
            let call = CallByToken { path, query: "", body, secret: &refresh_token, issuer: by };
            match call.make(self.control, platform, options.fetch_timeout).await {
                Ok(answer) => break (answer, refresh_token),
                Err(error) if self.is_outdated(&error, &REFUSED_FOR_GOOD).await => {}
                Err(error) => return Err(error),
            }
        };
        // A company's permanent code is another only after it authorised again.
        let renewed = endpoint.grant.filter(|_| credential.issuer == Issuer::Authorizer);
        let another = renewed.and_then(|name| answer.get(name)?.as_str());
        if let (Some(value), Some(key)) = (another, grant::key(app, credential)) {
            self.grant.replace(self.store, &key, value, self.now).await;
        }
        issued(&answer, credential.issuer.field(), &[&refresh_token])
    }

    /// The token of a company for which the app was made to measure: there its permanent code is
    /// the app's secret.
    async fn by_permanent_code(&mut self) -> Result<Issued, FetchError> {
        let Settings { options, credential, .. } = self.settings;
        let endpoint = TokenEndpoint::of(Issuer::Work).ok_or_else(|| unset("token endpoint"))?;
        loop {
            let code = self.granted().await?;
            let texts = vec![(endpoint.id, &*credential.owner), (endpoint.secret, code.expose())];
            let query = Fields { texts, ..Fields::default() }.query();
            let call = Call::Get { path: endpoint.path, query: &query };
            let answer = self.control.call(call, options.fetch_timeout).await;
            match object(answer, credential.issuer.family(), &[&code]) {
                Ok(answer) => return issued(&answer, credential.issuer.field(), &[&code]),
                Err(error) if self.is_outdated(&error, &SECRET_REFUSED).await => {}
                Err(mut error) => {
                    if is_among(&SECRET_REFUSED, &error) {
                        error.failure.must_authorize_again(credential.issuer.family());
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Whether WeChat refused for good what it was shown, and has granted another one meanwhile.
    async fn is_outdated(&mut self, error: &FetchError, refusals: &[i64]) -> bool {
        if !is_among(refusals, error) {
            return false;
        }
        self.grant.refuse();
        self.granted().await.is_ok()
    }

    /// A ticket that web pages are signed with.
    async fn ticket(&self, kind: TicketKind) -> Result<Issued, FetchError> {
        let Settings { app, options, credential } = self.settings;
        let Some(token) = &credential.by else { return Err(unset("token")) };
        let issuer = match app.kind.is_platform() {
            true => Issuer::Authorizer,
            false => app.kind.issuer(app.mode),
        };
        let query = kind.query();
        let call = CallByToken { path: kind.path(), query: &query, body: None, secret: &app.secret, issuer };
        let answer = call.make(self.control, token, options.fetch_timeout).await?;
        issued(&answer, credential.issuer.field(), &[])
    }

    /// What WeChat granted to fetch with.
    async fn granted(&mut self) -> Result<Arc<Secret>, FetchError> {
        let key = grant::key(&self.settings.app, &self.settings.credential).unwrap_or_default();
        let family = self.settings.credential.issuer.family();
        let looked = self.grant.look(self.store, &key, family, self.now).await;
        looked.map_err(FetchError::of)
    }
}

fn is_among(refusals: &[i64], error: &FetchError) -> bool {
    error.failure.errcode.is_some_and(|code| refusals.contains(&code))
}

/// Fetches an app's token without force: whether WeChat gives one, and how long it is valid. A
/// fetch that rotates the token replaces it.
///
/// # Errors
/// Why WeChat gave none, with the remedy; a third-party platform's can't be fetched without a
/// ticket.
pub async fn trial(
    control: &Control,
    app: &AppOptions,
    timeout: Duration,
) -> Result<(Secret, Duration), Failure> {
    let credential = Credential::main(app);
    if TokenEndpoint::of(credential.issuer).is_none_or(|endpoint| endpoint.grant.is_some()) {
        return Err(Failure::ticketless());
    }
    let issued = by_secret(control, app, &credential, None, false, timeout).await;
    issued.map(|issued| (issued.value, issued.lifetime)).map_err(|error| *error.failure)
}

/// Fetches a token with a secret, and with a ticket where WeChat requires one.
async fn by_secret(
    control: &Control,
    app: &AppOptions,
    credential: &Credential,
    ticket: Option<&Secret>,
    force: bool,
    timeout: Duration,
) -> Result<Issued, FetchError> {
    let issuer = credential.issuer;
    let endpoint = TokenEndpoint::of(issuer).ok_or_else(|| unset("token endpoint"))?;
    let (id, secret) = credential.login(app).map_err(unset)?;
    let mut texts = endpoint.fixed.to_vec();
    texts.extend([(endpoint.id, id), (endpoint.secret, secret.expose())]);
    texts.extend(endpoint.grant.zip(ticket.map(Secret::expose)));
    let fields = Fields { texts, force: issuer.forces().then_some(force) };
    let path = endpoint.path;
    let answer = match endpoint.form {
        Form::Query => control.call(Call::Get { path, query: &fields.query() }, timeout).await,
        Form::Json => control.call(Call::Post { path, body: &fields.json() }, timeout).await,
    };
    let sent: Vec<&Secret> = std::iter::once(secret).chain(ticket).collect();
    issued(&object(answer, issuer.family(), &sent)?, issuer.field(), &sent)
}

//! The order in which a request is decided: the request line and keys, then the caller, then the
//! account, then all else. The pipeline and `explain` both go through here.
//!
//! Between the steps stands what a plan needs from outside: the body of a token call or a form
//! before the second, the look-up of an account that authorised a platform before the third.

use std::rc::Rc;

use http::{HeaderMap, Method};

use super::access;
use super::account::{Account, Authorizer};
use super::auth_info::{self, AuthInfo};
use super::caller;
use super::credential::{self, CredentialPlan, Login};
use super::facts::{Facts, Identity};
use super::foreign::{self, Greeting};
use super::hints::AppHints;
use super::lease::{self, Lease};
use super::placeholder::Placeholder;
use super::signing;
use super::stray;
use super::target::{Head, RequestTarget};
use super::ticket::{self, TicketUse};
use super::token_call::{self, Asked, TokenCall};
use super::unlisted;
use super::web_page;
use crate::message::form::{self, Form};
use crate::pipeline::caller_limits::CallerLimits;
use crate::pipeline::directory::{Authenticated, Directory};
use crate::pipeline::error::{Error, Step};
use crate::secret::Secret;
use crate::server::Peer;
use crate::texts::words;

/// What is to be done with a request.
pub(crate) struct Plan<'p> {
    pub(crate) head: &'p Head<'p>,
    pub(crate) target: RequestTarget<'p>,
    /// None is anonymous.
    pub(crate) caller: Option<Authenticated<'p>>,
    pub(crate) account: &'p Account<'p>,
    /// Of the caller. They apply to what goes to WeChat.
    pub(crate) limits: &'p CallerLimits,
    pub(crate) then: Then<'p>,
}

/// What produces the response.
pub(crate) enum Then<'p> {
    /// WeChat does, to the request with this credential.
    Forward(CredentialPlan<'p>),
    /// wxgate, with a placeholder for the token that was asked for.
    Placeholder(Asked),
    /// The same, once WeChat has said which account this code is of.
    Authorization(&'p Secret),
    /// wxgate, with the real token.
    Lease(Lease),
    /// wxgate, with a ticket that it keeps.
    Ticket(TicketUse<'p>),
}

/// After the first step: what the request line and the keys in the headers say.
#[derive(Clone, Copy)]
pub(crate) struct Opening<'d, 'r> {
    facts: Facts<'d>,
    head: &'r Head<'r>,
    peer: Peer,
    pub(crate) target: RequestTarget<'r>,
    /// The caller by its key.
    shown: Option<Authenticated<'d>>,
    /// The token that the request asks for.
    asked: Option<Asked>,
    /// Responded to here, whoever the caller is; there is no further step.
    pub(crate) greeting: Option<Greeting>,
}

/// What the body says that must be read before anything is decided.
#[derive(Default)]
pub(crate) struct BodyFields<'r> {
    call: Option<TokenCall>,
    form: Option<Form<'r>>,
    /// The call takes a company's permanent code.
    pub(crate) auth_info: Option<AuthInfo>,
}

/// After the second step: who calls, and what names the account.
pub(crate) struct Draft<'d, 'r> {
    opening: &'r Opening<'d, 'r>,
    target: RequestTarget<'r>,
    pub(crate) caller: Option<Authenticated<'d>>,
    hints: AppHints<'d, 'r>,
    purpose: Purpose<'r>,
}

#[derive(Clone, Copy)]
enum Purpose<'r> {
    TokenCall(&'r TokenCall),
    Lease,
    /// An endpoint of WeChat's, or a ticket.
    Call,
}

impl<'d, 'r> Opening<'d, 'r> {
    /// Reads the request line and the keys.
    pub(crate) fn read(
        facts: Facts<'d>,
        head: &'r Head<'r>,
        peer: Peer,
        identity: &mut Identity,
    ) -> Result<Self, Error> {
        let parts = head.parts;
        let target = RequestTarget::read(head)?;
        target.check_proxied(facts.directory)?;
        identity.endpoint = Some(target.endpoint);
        let greeting = foreign::greeting(&parts.method, &target)?;
        let asked = token_call::asked(facts.directory, &target);
        if asked.is_some() || target.endpoint.is_login() {
            identity.step = Some(Step::Caller);
        }
        if asked.is_some() && !matches!(parts.method, Method::GET | Method::POST | Method::HEAD) {
            return Err(Error::EndpointForbidden(words!("a token call must be GET or POST")));
        }
        let shown = match greeting {
            None => caller::by_key(facts.directory, &parts.headers, &head.noted)
                .inspect_err(|error| identity.guessed = error.refuses_caller())?,
            Some(_) => None,
        };
        let opening = Self { facts, head, peer, target, shown, asked, greeting };
        identity.reached(opening.at_body());
        Ok(opening)
    }

    /// Whether a key in the head has said already who calls.
    pub(crate) fn is_shown(&self) -> bool {
        self.shown.is_some_and(|caller| !caller.who.has_expired(self.facts.clock))
    }

    /// The headers, if a bearer token may be among them.
    fn bearing(&self) -> Option<&'r HeaderMap> {
        self.head.noted.authorization.then_some(&self.head.parts.headers)
    }

    /// What a body that can't be read leaves open: it names no caller.
    fn at_body(&self) -> Step {
        let known = self.is_shown() || self.facts.directory.callers.is_empty();
        if known { Step::Body } else { Step::Caller }
    }

    /// How much of the body must be read for the next step: a token call's, or the beginning of
    /// what may be a form. Of what has no body nothing must.
    pub(crate) fn reads_ahead(&self, bodyless: bool) -> Option<usize> {
        if self.asked.is_some() || auth_info::is_meant(&self.target) {
            return Some(TokenCall::LONGEST);
        }
        (!bodyless && form::is_declared(&self.head.parts.headers)).then_some(form::READ_AHEAD)
    }

    /// Reads that part of the body; `whole` if nothing follows it.
    pub(crate) fn fields(&self, body: &'r [u8], whole: bool) -> Result<BodyFields<'r>, Error> {
        if self.asked.is_some() && !whole {
            return Err(Error::BadRequest(words!("the body of a token call is longer than 64 KiB")));
        }
        let mut form = None;
        if form::is_declared(&self.head.parts.headers) {
            form = Form::read(body, whole);
            if form.is_none() {
                stray::check_no_form(body)?;
            }
        }
        let set = Login::fields(self.target.endpoint);
        if form.is_some_and(|form| form.is_cut_within(set)) {
            return Err(Error::BadRequest(words!(
                "a credential in the form extends beyond its first 64 KiB"
            )));
        }
        let read = |asked| TokenCall::read(asked, self.target.query, body, form);
        let auth_info = (whole && auth_info::is_meant(&self.target)).then(|| AuthInfo::read(body)).flatten();
        Ok(BodyFields { call: self.asked.map(read).transpose()?, form, auth_info })
    }

    /// The same request with the key of this caller.
    pub(crate) fn shown_by(self, shown: Option<Authenticated<'d>>) -> Self {
        Self { shown, ..self }
    }

    /// Settles the caller.
    pub(crate) fn caller(
        &'r self,
        fields: &'r BodyFields<'r>,
        identity: &mut Identity,
    ) -> Result<Draft<'d, 'r>, Error> {
        let target = self.target.with_form(fields.form);
        identity.reached(self.at_body());
        stray::check(self.head.parts, &target, self.asked)?;
        stray::check_key(self.facts.directory, &target, self.asked)?;
        identity.reached(Step::Caller);
        match &fields.call {
            Some(call) => self.caller_of_token_call(target, call, identity),
            None if target.path == lease::PATH => self.caller_of_lease(target, identity),
            None => self.caller_of_call(target, identity),
        }
    }

    fn caller_of_token_call(
        &'r self,
        target: RequestTarget<'r>,
        call: &'r TokenCall,
        identity: &mut Identity,
    ) -> Result<Draft<'d, 'r>, Error> {
        let Self { facts, head, shown, .. } = *self;
        let placeholder = match call.asked.by.is_some() {
            true => Placeholder::read(&facts, &target, self.bearing())?,
            false => Placeholder::Absent,
        };
        let caller = match &placeholder {
            Placeholder::Holds { caller, .. } => shown.or(*caller),
            Placeholder::Void(reason) if shown.is_none() => return Err(Error::PlaceholderExpired(reason)),
            Placeholder::Void(_) | Placeholder::Absent => caller::of_token_call(facts.directory, shown, call)
                .inspect_err(|_| identity.guessed = call.tries_secret())?,
        };
        self.admit(caller, identity)?;
        if call.differ.appids {
            return Err(Error::BadRequest(words!("the token call names two different apps")));
        }
        let appid = call.account_name(facts.directory).map(Into::into);
        let rules = facts.directory.rules(caller);
        let hints = AppHints::new(&target, &head.noted, placeholder, appid, rules)?;
        Ok(Draft { opening: self, target, caller, hints, purpose: Purpose::TokenCall(call) })
    }

    fn caller_of_lease(
        &'r self,
        target: RequestTarget<'r>,
        identity: &mut Identity,
    ) -> Result<Draft<'d, 'r>, Error> {
        let Self { facts, head, shown, .. } = *self;
        let caller = Some(lease::permit(facts.directory, shown, &head.parts.method)?);
        self.admit(caller, identity)?;
        let rules = facts.directory.rules(caller);
        let hints = AppHints::new(&target, &head.noted, Placeholder::Absent, None, rules)?;
        Ok(Draft { opening: self, target, caller, hints, purpose: Purpose::Lease })
    }

    fn caller_of_call(
        &'r self,
        target: RequestTarget<'r>,
        identity: &mut Identity,
    ) -> Result<Draft<'d, 'r>, Error> {
        let Self { facts, head, mut shown, .. } = *self;
        let login = Login::read(&target);
        for secret in &login.secrets {
            shown = caller::by_secret(facts.directory, shown, Some(secret))?;
        }
        let placeholder = Placeholder::read(&facts, &target, self.bearing())?;
        let caller = caller::settle(facts.directory, shown, &placeholder)
            .inspect_err(|error| identity.guessed = error.refuses_caller() && !login.secrets.is_empty())?;
        self.admit(caller, identity)?;
        access::check_confusion(&target)?;
        let rules = facts.directory.rules(caller);
        let hints = AppHints::new(&target, &head.noted, placeholder, login.appid()?, rules)?;
        Ok(Draft { opening: self, target, caller, hints, purpose: Purpose::Call })
    }

    fn admit(&self, caller: Option<Authenticated<'d>>, identity: &mut Identity) -> Result<(), Error> {
        identity.admitted = true;
        identity.caller = caller.map(|caller| caller.who.index);
        caller::check_expiry(&self.facts, caller)?;
        if caller.is_none() {
            web_page::refuse(self.facts.directory, self.head.parts, &self.target, self.peer)?;
        }
        identity.reached(Step::App);
        Ok(())
    }
}

impl<'d, 'r> Draft<'d, 'r> {
    /// What names the account.
    pub(crate) fn hints(&self) -> &AppHints<'d, 'r> {
        &self.hints
    }

    /// The same request for the account with this appid.
    pub(crate) fn for_account(mut self, appid: &str) -> Self {
        self.hints.appid = Some(appid.to_owned().into());
        self
    }

    /// Settles the account; `authorizer` is the one among the hints that is not a configured app.
    pub(crate) fn account(&self, authorizer: Option<Rc<Authorizer>>) -> Result<Account<'d>, Error> {
        let account = Account::settle(self.directory(), self.caller, &self.hints, authorizer)?;
        if let Purpose::TokenCall(TokenCall { appid: Some(id), .. }) = self.purpose
            && !account.is_meant_by(id)
        {
            return Err(Error::BadRequest(words!(
                "the token call is for another app than the request names"
            )));
        }
        Ok(account)
    }

    /// Decides all else.
    pub(crate) fn plan<'p>(
        &'p self,
        account: &'p Account<'p>,
        identity: &mut Identity,
    ) -> Result<Plan<'p>, Error> {
        let Opening { facts, head, .. } = *self.opening;
        let target = match self.purpose {
            Purpose::Call => {
                unlisted::settled(self.target.at(account.app.kind.family()), &self.hints.placeholder)
            }
            Purpose::TokenCall(..) | Purpose::Lease => self.target,
        };
        identity.reached(Step::Right);
        identity.app = Some(account.app.index);
        identity.endpoint = Some(target.endpoint);
        let then = match self.purpose {
            Purpose::TokenCall(call) => {
                token_call::check_has(call.asked, account, call.code.is_some())?;
                call.code.as_ref().map_or(Then::Placeholder(call.asked), Then::Authorization)
            }
            Purpose::Lease => Then::Lease(Lease::new(account, &target)?),
            Purpose::Call => self.call(account, &target)?,
        };
        identity.reached(Step::Body);
        let limits = facts.directory.limits(self.caller.map(|caller| caller.who));
        Ok(Plan { head, target, caller: self.caller, account, limits, then })
    }

    fn call<'p>(&'p self, account: &'p Account<'p>, target: &RequestTarget<'p>) -> Result<Then<'p>, Error> {
        let method = &self.opening.head.parts.method;
        access::check_family(account.app, target.endpoint.family)?;
        access::check_login(account.app, self.target.endpoint, target.endpoint)?;
        access::permit(self.directory().rules(self.caller), method, target)?;
        let credential = CredentialPlan::new(account, target.endpoint)?;
        let signing = signing::options(account, self.opening.head.parts, target);
        let credential = credential.signed(signing);
        credential.check_own(account.app, target, self.opening.facts.user_tokens)?;
        credential::check_form(self.directory(), &credential, target)?;
        let ticket = ticket::wanted(account, method, target)?;
        Ok(ticket.map_or(Then::Forward(credential), Then::Ticket))
    }

    pub(crate) fn directory(&self) -> &'d Directory {
        self.opening.facts.directory
    }
}

//! The order in which a request is decided: the request line and keys, then the caller, then the
//! account, then all else. The pipeline and `explain` both go through here.
//!
//! Between the steps stands what a plan needs from outside: the body of a token call before the
//! second, the look-up of an account that authorised a platform before the third.

use std::rc::Rc;

use http::request::Parts;

use super::access;
use super::account::{Account, Authorizer};
use super::caller;
use super::credential::{self, CredentialPlan};
use super::facts::{Facts, Identity};
use super::foreign::{self, Greeting};
use super::hints::AppHints;
use super::lease::{self, Lease};
use super::placeholder::Placeholder;
use super::target::{Query, Target};
use super::ticket::{self, TicketUse};
use super::token_call::{self, Asked, TokenCall};
use crate::pipeline::caller_limits::CallerLimits;
use crate::pipeline::directory::{Authenticated, Directory};
use crate::pipeline::error::Error;
use crate::secret::Secret;
use crate::server::Peer;

/// What is to be done with a request.
pub(crate) struct Plan<'p> {
    pub(crate) parts: &'p Parts,
    pub(crate) target: Target<'p>,
    /// None is anonymous.
    pub(crate) caller: Option<Authenticated<'p>>,
    pub(crate) account: &'p Account<'p>,
    /// Of the caller. They apply to what goes to WeChat.
    pub(crate) limits: &'p CallerLimits,
    pub(crate) then: Then<'p>,
}

/// What answers the request.
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
    parts: &'r Parts,
    peer: Peer,
    pub(crate) target: Target<'r>,
    /// The caller by its key.
    shown: Option<Authenticated<'d>>,
    /// The token that the request asks for. What its body says must be read for the next step.
    pub(crate) asked: Option<Asked>,
    /// Answered here, whoever asks; there is no further step.
    pub(crate) greeting: Option<Greeting>,
}

/// After the second step: who calls, and what names the account.
pub(crate) struct Draft<'d, 'r> {
    opening: &'r Opening<'d, 'r>,
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
        parts: &'r Parts,
        query: &'r Query<'_>,
        peer: Peer,
        identity: &mut Identity,
    ) -> Result<Self, Error> {
        let target = Target::read(parts, query)?;
        target.check_proxied(facts.directory)?;
        identity.endpoint = Some(target.endpoint);
        let greeting = foreign::greeting(&parts.method, &target)?;
        let shown = match greeting {
            None => caller::by_key(facts.directory, &parts.headers)?,
            Some(_) => None,
        };
        let asked = token_call::asked(facts.directory, &target);
        Ok(Self { facts, parts, peer, target, shown, asked, greeting })
    }

    /// The same request with the key of this caller.
    pub(crate) fn shown_by(self, shown: Option<Authenticated<'d>>) -> Self {
        Self { shown, ..self }
    }

    /// Settles the caller; `call` is what a token call says.
    pub(crate) fn caller(
        &'r self,
        call: Option<&'r TokenCall>,
        identity: &mut Identity,
    ) -> Result<Draft<'d, 'r>, Error> {
        match call {
            Some(call) => self.caller_of_token_call(call, identity),
            None if self.target.path == lease::PATH => self.caller_of_lease(identity),
            None => self.caller_of_call(identity),
        }
    }

    fn caller_of_token_call(
        &'r self,
        call: &'r TokenCall,
        identity: &mut Identity,
    ) -> Result<Draft<'d, 'r>, Error> {
        let Self { facts, ref target, shown, .. } = *self;
        let placeholder = match call.asked.by.is_some() {
            true => Placeholder::read(&facts, target.query),
            false => Placeholder::Absent,
        };
        let caller = match &placeholder {
            Placeholder::Holds { caller, .. } => shown.or(*caller),
            Placeholder::Void(reason) if shown.is_none() => return Err(Error::PlaceholderExpired(reason)),
            Placeholder::Void(_) | Placeholder::Absent => {
                caller::of_token_call(facts.directory, shown, call.secret.as_deref())?
            }
        };
        self.admit(caller, identity)?;
        let appid = call.account_name(facts.directory).map(Into::into);
        let hints = AppHints::new(target, &self.parts.headers, placeholder, appid)?;
        Ok(Draft { opening: self, caller, hints, purpose: Purpose::TokenCall(call) })
    }

    fn caller_of_lease(&'r self, identity: &mut Identity) -> Result<Draft<'d, 'r>, Error> {
        let Self { facts, parts, ref target, shown, .. } = *self;
        let caller = Some(lease::permit(facts.directory, shown, &parts.method)?);
        self.admit(caller, identity)?;
        let hints = AppHints::new(target, &parts.headers, Placeholder::Absent, None)?;
        Ok(Draft { opening: self, caller, hints, purpose: Purpose::Lease })
    }

    fn caller_of_call(&'r self, identity: &mut Identity) -> Result<Draft<'d, 'r>, Error> {
        let Self { facts, parts, ref target, shown, .. } = *self;
        let (appid, secret) = credential::login(target);
        let shown = caller::by_secret(facts.directory, shown, secret.as_deref())?;
        let placeholder = Placeholder::read(&facts, target.query);
        let caller = caller::settle(facts.directory, shown, &placeholder)?;
        self.admit(caller, identity)?;
        access::check_confusion(target, &placeholder)?;
        let hints = AppHints::new(target, &parts.headers, placeholder, appid)?;
        Ok(Draft { opening: self, caller, hints, purpose: Purpose::Call })
    }

    fn admit(&self, caller: Option<Authenticated<'d>>, identity: &mut Identity) -> Result<(), Error> {
        identity.admitted = true;
        identity.caller = caller.map(|caller| caller.who.index);
        caller::check_expiry(&self.facts, caller)?;
        match caller {
            Some(_) => Ok(()),
            None => {
                access::refuse_web_page(self.facts.directory, &self.parts.headers, &self.target, self.peer)
            }
        }
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

    /// Settles the account; `authorizer` is the one among the hints that is no app of its own.
    pub(crate) fn account(&self, authorizer: Option<Rc<Authorizer>>) -> Result<Account<'d>, Error> {
        Account::settle(self.directory(), self.caller, &self.hints, authorizer)
    }

    /// Decides all else.
    pub(crate) fn plan<'p>(
        &'p self,
        account: &'p Account<'p>,
        identity: &mut Identity,
    ) -> Result<Plan<'p>, Error> {
        let Opening { facts, parts, target, .. } = *self.opening;
        let target = match self.purpose {
            Purpose::Call => target.at(account.app.kind.family()),
            Purpose::TokenCall(..) | Purpose::Lease => target,
        };
        if let Purpose::TokenCall(TokenCall { appid: Some(id), .. }) = self.purpose
            && !account.is_meant_by(id)
        {
            return Err(Error::BadRequest("the call is for another app than the request names".into()));
        }
        identity.app = Some(account.app.index);
        identity.endpoint = Some(target.endpoint);
        let then = match self.purpose {
            Purpose::TokenCall(call) => {
                token_call::check_has(call.asked, account)?;
                call.code.as_ref().map_or(Then::Placeholder(call.asked), Then::Authorization)
            }
            Purpose::Lease => Then::Lease(Lease::new(account, &target)?),
            Purpose::Call => self.call(account, &target)?,
        };
        let limits = facts.directory.limits(self.caller.map(|caller| caller.who));
        Ok(Plan { parts, target, caller: self.caller, account, limits, then })
    }

    fn call<'p>(&'p self, account: &'p Account<'p>, target: &Target<'p>) -> Result<Then<'p>, Error> {
        let method = &self.opening.parts.method;
        access::check_family(account.app, target.endpoint.family)?;
        access::permit(self.directory().rules(self.caller), method, target)?;
        let credential = CredentialPlan::new(account, target.endpoint)?;
        credential.check_own(account.app, target, self.opening.facts.user_tokens)?;
        let ticket = ticket::wanted(account, method, target)?;
        Ok(ticket.map_or(Then::Forward(credential), Then::Ticket))
    }

    pub(crate) fn directory(&self) -> &'d Directory {
        self.opening.facts.directory
    }
}

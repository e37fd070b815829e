//! What the placeholder token of a request says of caller and account.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::facts::Facts;
use super::target::RequestTarget;
use crate::pipeline::directory::{App, Authenticated, Directory};
use crate::pipeline::error::Error;
use crate::texts::{marked, words};
use crate::wechat::Issuer;
use crate::wechat::placeholder::{self, StandsFor};

/// Replicas' clocks may differ by this much.
const CLOCK_SKEW_SECONDS: i64 = 300;

/// The placeholder token of a request, if there is one.
pub(crate) enum Placeholder<'d> {
    Absent,
    Holds {
        app: &'d App,
        caller: Option<Authenticated<'d>>,
        /// The account that a third-party platform, or the company that a suite is to act for.
        authorizer: Option<String>,
        /// Who issued the token for which it stands. None if it doesn't say so: a WeCom app's may
        /// be of a version that knew no difference.
        issuer: Option<Issuer>,
    },
    /// Names nothing, for this reason.
    Void(&'static str),
}

impl<'d> Placeholder<'d> {
    /// Reads the placeholder among the credentials of query and form, and the bearer tokens of
    /// `bearing`, if those headers may have any.
    ///
    /// # Errors
    /// Several name different things.
    pub(crate) fn read(
        facts: &Facts<'d>,
        target: &RequestTarget<'_>,
        bearing: Option<&HeaderMap>,
    ) -> Result<Self, Error> {
        let bearer =
            bearing.into_iter().flat_map(|headers| bearers(facts.directory, headers)).map(Into::into);
        let mut found = target.credentials().filter(|value| placeholder::looks_like(value)).chain(bearer);
        let Some(text) = found.next() else { return Ok(Self::Absent) };
        // White space is what was left of the line that it was read from.
        let text = text.trim();
        let first = Self::verify(facts, text);
        for other in found.filter(|other| other.trim() != text) {
            let other = Self::verify(facts, other.trim());
            if matches!((&first, &other), (Self::Holds { .. }, Self::Void(_))) {
                return Ok(other);
            }
            if !first.agrees(&other) {
                return Err(Error::BadRequest(words!(
                    "the request has two placeholder tokens for different apps or callers"
                )));
            }
        }
        Ok(first)
    }

    /// Whether both name the same, if they name anything.
    fn agrees(&self, other: &Self) -> bool {
        let named = |placeholder: &Self| match placeholder {
            Self::Holds { app, caller, authorizer, .. } => {
                Some((app.index, caller.map(|caller| caller.who.index), authorizer.clone()))
            }
            Self::Absent | Self::Void(_) => None,
        };
        let (one, other) = (named(self), named(other));
        one.is_none() || other.is_none() || one == other
    }

    fn verify(facts: &Facts<'d>, text: &str) -> Self {
        let directory = facts.directory;
        let Some(unverified) = placeholder::parse(text) else { return Self::Void(marked!("it is damaged")) };
        let claims = unverified.claims();
        let (authorizer, identity) = match claims.appid.split_once('@') {
            Some((_, platform)) => (Some(claims.appid.clone()), platform),
            None => (None, claims.appid.as_str()),
        };
        let Some(app) = directory.app(identity).filter(|app| *app.identity == *identity) else {
            return Self::Void(marked!("its app is not configured here"));
        };
        let now = facts.clock.now();
        let issuer = match claims.stands_for {
            StandsFor::Suite => Some(Issuer::Suite),
            StandsFor::Provider => Some(Issuer::Provider),
            StandsFor::App if authorizer.is_some() => Some(app.acts_by()),
            StandsFor::App => app.kind.is_platform().then_some(Issuer::Component),
        };
        let former = app.previous.as_ref().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
        if !unverified.verify(&app.secret) && !former.is_some_and(|secret| unverified.verify(secret)) {
            return Self::Void(marked!("its signature is wrong"));
        }
        let age = (now.0 / 1000).saturating_sub(claims.issued_at);
        if !(-CLOCK_SKEW_SECONDS..=placeholder::VALID_FOR_SECONDS).contains(&age) {
            return Self::Void(marked!("it has expired"));
        }
        if claims.caller.is_empty() {
            let admitted = directory.admits_anonymous();
            return if admitted && directory.rules(None).is_none_or(|rules| rules.may_use(app)) {
                Self::Holds { app, caller: None, authorizer, issuer }
            } else {
                Self::Void(marked!("it names no caller"))
            };
        }
        let caller = directory.caller(&claims.caller).filter(|caller| caller.may_use(app));
        let caller = caller.filter(|caller| !caller.has_expired(facts.clock));
        match caller
            .and_then(|caller| Some(Authenticated { who: caller, key: caller.key(claims.key_digest)? }))
        {
            Some(caller) => Self::Holds { app, caller: Some(caller), authorizer, issuer },
            None => Self::Void(marked!("its caller no longer has that key or app")),
        }
    }

    /// The account that it is for, where a platform acts for one.
    pub(crate) fn authorizer(&self) -> Option<&str> {
        match self {
            Self::Holds { authorizer, .. } => authorizer.as_deref(),
            Self::Absent | Self::Void(_) => None,
        }
    }

    /// Who issued the token for which it stands, if it says so.
    pub(crate) fn issuer(&self) -> Option<Issuer> {
        match self {
            Self::Holds { issuer, .. } => *issuer,
            Self::Absent | Self::Void(_) => None,
        }
    }
}

/// The placeholder tokens in the place of a key: `Authorization: Bearer wxgate-...`.
pub(crate) fn bearers<'r>(directory: &Directory, headers: &'r HeaderMap) -> impl Iterator<Item = &'r str> {
    let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, rest) = value.to_str().ok()?.trim().split_once(' ')?;
        let token = Some(rest.trim()).filter(|rest| rest.starts_with(placeholder::PREFIX))?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    });
    bearer.filter(|token| directory.caller_with_key(token.as_bytes()).is_none())
}

//! What the placeholder token in a query says of caller and account.

use super::facts::Facts;
use crate::message::query;
use crate::pipeline::directory::{App, Authenticated};
use crate::wechat::placeholder;

/// Replicas' clocks may differ by this much.
const CLOCK_SKEW_SECONDS: i64 = 300;

/// The placeholder token of a request, if there is one.
pub(crate) enum Placeholder<'d> {
    Absent,
    Holds {
        app: &'d App,
        caller: Option<Authenticated<'d>>,
        /// The account that a third-party platform is to act for.
        authorizer: Option<String>,
    },
    /// Names nothing, for this reason.
    Void(&'static str),
}

impl<'d> Placeholder<'d> {
    /// Reads the placeholder among the query's credentials.
    pub(crate) fn read(facts: &Facts<'d>, query: Option<&str>) -> Self {
        let mut found = query
            .into_iter()
            .flat_map(query::credentials)
            .filter_map(|(_, value)| placeholder::looks_like(&value).then_some(value));
        let Some(text) = found.next() else { return Self::Absent };
        if found.any(|other| other != text) {
            return Self::Void("the request has two of them");
        }
        Self::verify(facts, &text)
    }

    fn verify(facts: &Facts<'d>, text: &str) -> Self {
        let directory = facts.directory;
        let Some(unverified) = placeholder::parse(text) else { return Self::Void("it is damaged") };
        let claims = unverified.claims();
        let (authorizer, identity) = match claims.appid.split_once('@') {
            Some((_, platform)) => (Some(claims.appid.clone()), platform),
            None => (None, claims.appid.as_str()),
        };
        let Some(app) = directory.app(identity).filter(|app| *app.identity == *identity) else {
            return Self::Void("its app is not configured here");
        };
        let now = facts.clock.now();
        let former = app.previous.as_ref().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
        if !unverified.verify(&app.secret) && !former.is_some_and(|secret| unverified.verify(secret)) {
            return Self::Void("its signature does not hold");
        }
        let age = now.0 / 1000 - claims.issued_at;
        if !(-CLOCK_SKEW_SECONDS..=placeholder::VALID_FOR_SECONDS).contains(&age) {
            return Self::Void("it is too old");
        }
        if claims.caller.is_empty() {
            let admitted = directory.admits_anonymous();
            return if admitted && directory.rules(None).is_none_or(|rules| rules.may_use(app)) {
                Self::Holds { app, caller: None, authorizer }
            } else {
                Self::Void("it names no caller")
            };
        }
        let caller = directory.caller(&claims.caller).filter(|caller| caller.may_use(app));
        let caller = caller.filter(|caller| !caller.has_expired(facts.clock));
        match caller
            .and_then(|caller| Some(Authenticated { who: caller, key: caller.key(claims.key_digest)? }))
        {
            Some(caller) => Self::Holds { app, caller: Some(caller), authorizer },
            None => Self::Void("its caller no longer has that key or app"),
        }
    }

    /// The account that it is for, where a platform acts for one.
    pub(crate) fn authorizer(&self) -> Option<&str> {
        match self {
            Self::Holds { authorizer, .. } => authorizer.as_deref(),
            Self::Absent | Self::Void(_) => None,
        }
    }
}

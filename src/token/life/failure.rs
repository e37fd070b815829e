//! Why a token could not be fetched.

use std::fmt;

use crate::texts::{Words, text, words};
use crate::wechat::{Family, errcode};

/// No usable token, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Unavailable {
    /// For people: WeChat's code and text, and the remedy; no secret.
    pub cause: Words,
    /// WeChat's code, if it was WeChat that refused.
    pub errcode: Option<i64>,
}

/// Why a token could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// WeChat's code, if it gave one.
    pub errcode: Option<i64>,
    /// WeChat's text, or ours.
    pub message: Words,
    /// What the operator can do about it.
    pub remedy: Option<Words>,
    /// Retries fail until somebody has acted: the app's circuit opens
    /// ([`opens_circuit`](errcode::opens_circuit)).
    pub permanent: bool,
}

impl Failure {
    pub(crate) fn transient(message: Words) -> Self {
        Self { errcode: None, message, remedy: None, permanent: false }
    }

    /// An account has to authorise the platform, or a company the suite, or to do so again.
    pub(crate) fn unauthorized(family: Family, message: Words) -> Self {
        let mut failure = Self { errcode: Some(unauthorized(family)), ..Self::transient(message) };
        failure.must_authorize_again(family);
        failure
    }

    /// Nothing else helps, whatever WeChat's code may mean elsewhere.
    pub(crate) fn must_authorize_again(&mut self, family: Family) {
        self.remedy = errcode::explain(family, unauthorized(family)).map(|meaning| meaning.remedy);
        self.permanent = true;
    }

    pub(crate) fn ticketless() -> Self {
        Self {
            errcode: None,
            message: words!("WeChat has pushed no ticket in the last twelve hours"),
            remedy: Some(words!(
                "Make sure WeChat can reach the callback ([callback] listen) at the URL that is set on \
                 open.weixin.qq.com; it pushes a ticket every ten minutes."
            )),
            permanent: false,
        }
    }

    pub(crate) fn looped() -> Self {
        Self {
            errcode: None,
            message: words!("loop: the response to the token request is a placeholder token of wxgate"),
            remedy: Some(words!(
                "WeChat's host name leads to a wxgate: correct this machine's DNS, hosts file or upstream.base_urls."
            )),
            permanent: true,
        }
    }
}

/// WeChat's code for an account that has to authorise again.
fn unauthorized(family: Family) -> i64 {
    if family == Family::Work { 40084 } else { 61023 }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = &self.message;
        match (self.errcode, &self.remedy) {
            (None, None) => message.fmt(f),
            (None, Some(remedy)) => text!("{message}; remedy: {remedy}", message, remedy).fmt(f),
            (Some(code), None) => text!("WeChat answered {code} ({message})", code, message).fmt(f),
            (Some(code), Some(remedy)) => {
                text!("WeChat answered {code} ({message}); remedy: {remedy}", code, message, remedy).fmt(f)
            }
        }
    }
}

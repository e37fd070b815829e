//! Why a token could not be had.

use std::fmt;

use crate::wechat::{Family, errcode};

/// No usable token, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Unavailable {
    /// For people: WeChat's code and text, and the remedy; no secret.
    pub cause: String,
    /// WeChat's code, if it was WeChat that refused.
    pub errcode: Option<i64>,
}

/// Why a token could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// WeChat's code, if it gave one.
    pub errcode: Option<i64>,
    /// WeChat's text, or ours.
    pub message: String,
    /// What ends it.
    pub remedy: Option<String>,
    /// Trying again helps only once somebody has done something: the app's circuit opens
    /// ([`opens_circuit`](errcode::opens_circuit)).
    pub permanent: bool,
}

impl Failure {
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self { errcode: None, message: message.into(), remedy: None, permanent: false }
    }

    /// An account has to authorise the platform, or to do so again.
    pub(crate) fn unauthorized(message: &str) -> Self {
        Self {
            errcode: Some(61023),
            message: message.into(),
            remedy: errcode::explain(Family::Api, 61023).map(|meaning| meaning.remedy.to_owned()),
            permanent: true,
        }
    }

    pub(crate) fn ticketless() -> Self {
        Self {
            errcode: None,
            message: "WeChat has pushed no ticket in the last twelve hours".into(),
            remedy: Some(
                "See that WeChat reaches the callback ([callback] listen) under the URL that is set on \
                 open.weixin.qq.com; it pushes a ticket every ten minutes."
                    .into(),
            ),
            permanent: false,
        }
    }

    pub(crate) fn looped() -> Self {
        Self {
            errcode: None,
            message: "loop: the answer for a token is a placeholder of wxgate's own".into(),
            remedy: Some(
                "WeChat's name leads to a wxgate: correct DNS, hosts file or upstream.base_urls of this one"
                    .into(),
            ),
            permanent: true,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errcode {
            Some(code) => write!(f, "WeChat answered {code} ({})", self.message)?,
            None => f.write_str(&self.message)?,
        }
        match &self.remedy {
            Some(remedy) => write!(f, "; remedy: {remedy}"),
            None => Ok(()),
        }
    }
}

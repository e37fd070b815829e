//! What a plan is made from, besides the request; and what it found out on the way.

use crate::observe::clock::Clock;
use crate::pipeline::directory::Directory;
use crate::pipeline::error::{Error, Step};
use crate::pipeline::user_tokens::UserTokens;
use crate::server::Abuse;
use crate::wechat::catalogue::Endpoint;

/// What decisions rest on.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'d> {
    pub(crate) directory: &'d Directory,
    pub(crate) user_tokens: &'d UserTokens,
    pub(crate) clock: &'d Clock,
}

/// Who sent a request, and for what, as far as the plan got: a refusal is counted and logged under
/// these names too. Apps and callers by their positions in the directory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) endpoint: Option<&'static Endpoint>,
    /// The caller is settled; without one in `caller` it is anonymous.
    pub(crate) admitted: bool,
    pub(crate) caller: Option<usize>,
    pub(crate) app: Option<usize>,
    /// Its key is not a caller's.
    pub(crate) guessed: bool,
    /// Of a token or login call: what is being settled.
    pub(super) step: Option<Step>,
}

impl Identity {
    /// A token or login call has come so far.
    pub(super) fn reached(&mut self, step: Step) {
        self.step = self.step.and(Some(step));
    }

    /// Why the response with `error` is held back if there are many such.
    pub(crate) fn abuse(&self, error: &Error) -> Option<Abuse> {
        match error {
            Error::PlaceholderExpired(_) => Some(Abuse::DeadPlaceholder),
            _ => self.guessed.then_some(Abuse::WrongKey),
        }
    }

    /// `error` as the caller is told of it.
    pub(crate) fn refusal(&self, error: Error) -> Error {
        match self.step {
            Some(step) => error.at_login(step),
            None => error,
        }
    }
}

//! What has no shape of its own, and what a component asks for.

use super::credentials::Holder;
use crate::sandbox::answer::Answer;
use crate::sandbox::call::Call;
use crate::sandbox::state::tokens::fresh;
use crate::sandbox::state::world::State;

/// `{"errcode":0,"errmsg":"ok"}`, marked as no more than that.
pub(super) fn fine(_: &mut State, _: &Call, _: &Holder) -> Answer {
    Answer::generic()
}

pub(super) fn preauthcode(_: &mut State, call: &Call, _: &Holder) -> Answer {
    let code = format!("preauthcode@@@{}", fresh(call.now, 64));
    Answer::object([("pre_auth_code", code.into()), ("expires_in", 600.into())])
}

//! Acts on a plan: sends the request to WeChat, or responds to it here.
//!
//! | file | does |
//! | --- | --- |
//! | `exchange` | the loop: send, inspect, and once more where the token was rejected |
//! | `inject` | path, query and form with the credential in them |
//! | `ahead` | what of a body must be read before the caller is known |
//! | `body`, `kept`, `spool`, `memory` | the request's body, kept for a replay; memory limits |
//! | `outgoing`, `send` | the body on its way to WeChat, and the request on a connection |
//! | `signing`, `signers` | what is signed and encrypted on its way; the threads for it |
//! | `inspect`, `late` | the errcode of a small JSON response; of one that comes too slowly |
//! | `conceal`, `concealed` | our credentials repeated in a response's head and body |
//! | `grants` | responses that hold refresh tokens, which stay here |
//! | `replay` | whether the same bytes go out again |
//! | `attempts` | what came of it so far, for the report |
//! | `placeholder`, `lease`, `ticket`, `greeting` | wxgate's own responses, by `local_response` |

mod ahead;
mod attempts;
mod body;
mod conceal;
mod concealed;
mod exchange;
pub(crate) mod grants;
pub(crate) mod greeting;
mod inject;
mod inspect;
mod kept;
mod late;
pub(crate) mod lease;
mod local_response;
mod memory;
mod outgoing;
pub(crate) mod placeholder;
mod replay;
mod send;
mod signers;
mod signing;
mod spool;
pub(crate) mod ticket;

pub(crate) use ahead::{BodyStart, read_start, read_strangers_start};
pub(crate) use attempts::Attempts;
pub(crate) use exchange::{Exchanged, exchange};
pub(crate) use inject::{Injected, form, inject, without};
pub(crate) use inspect::LONGEST_ERROR;
pub(crate) use memory::{Memory, Reservation, SMALL};
pub(crate) use replay::MOST as MOST_REPLAYS;
pub(crate) use send::Sending;
pub(crate) use signers::{SignedOutcome, Signers};
pub(crate) use signing::Signing;

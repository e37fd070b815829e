//! How many requests may be in flight at once: in the process, and for an app. What comes beyond
//! waits a moment for its turn, and is refused before its body is read.

mod line;
mod places;
mod turns;

pub(crate) use self::line::Party;
pub(crate) use self::places::{ExactPlaces, Place, WorkersPlaces, enter};
pub(crate) use self::turns::{Full, Turns, WAITING, Waited};

//! When WeChat is ill: at which endpoint, with what, since when, and when it is over. "Is it WeChat
//! or us?" is answered by one sentence.
//!
//! Nothing here reads a clock or a counter: the time and what the workers counted are arguments.
//!
//! | file | holds |
//! | --- | --- |
//! | `kind` | the kinds of trouble |
//! | `ring` | what was counted in the last five minutes |
//! | `course` | when trouble of one kind begins at an endpoint, and when it is over |
//! | `finding` | what is known of a trouble |
//! | `detector` | all endpoints of all apps |
//! | `verdict`, `words` | whose trouble it is; the sentences, in both languages |

mod course;
mod detector;
mod finding;
mod kind;
mod ring;
#[cfg(test)]
mod tests;
mod verdict;
mod words;

pub use self::detector::{Counted, Detector};
pub use self::finding::{Others, Trouble};
pub use self::kind::Kind;
pub use self::verdict::{Blame, Verdict};
pub use self::words::{Words, begun, over, shown};

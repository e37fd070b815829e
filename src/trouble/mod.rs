//! Which of WeChat's endpoints have trouble, of which kind, since when, and when it is over. One
//! sentence says whether WeChat or wxgate is to blame.
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
//! | `verdict` | whose trouble it is |
//! | `sentences` | what people are told |

mod course;
mod detector;
mod finding;
mod kind;
mod ring;
mod sentences;
#[cfg(test)]
mod tests;
mod verdict;

pub use self::detector::{Counted, Detector};
pub use self::finding::{Others, Trouble};
pub use self::kind::Kind;
pub use self::sentences::{begun, over, shown};
pub use self::verdict::{Blame, Verdict};

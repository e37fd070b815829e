//! Several real processes of wxgate on one store: one token for all of them.
#![expect(clippy::print_stdout, reason = "how long things took is worth a line")]

mod budget;
mod callers;
mod counting;
mod fleet;
mod grants;
mod kill;
mod latency;
mod load;
mod outage;
mod rotation;
mod sealing;
mod side_by_side;
mod suites;
mod tampering;

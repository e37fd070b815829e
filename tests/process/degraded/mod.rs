//! What fails around wxgate, one thing each: what keeps working, how it is told, and that it heals.
//! docs' page "When something fails" has the table.

mod disk;
mod log_pipe;

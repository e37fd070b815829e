//! What parts tell each other that don't know each other.
//!
//! | file | holds |
//! | --- | --- |
//! | `alerting` | events, to the people who are to know of them |
//! | `illness` | what the pipeline counted, to the detector of WeChat's troubles |
//! | `looks` | the time for the gate to look at what the status page shows |
//! | `telling` | these troubles, to people |
//! | `asking` | questions of quota, with token's credentials |
//! | `delivery` | WeChat's pushes, to token |
//! | `certificates` | tells of the platform's certificates that end, and of new ones |
//! | `expiry` | logs API keys that are about to end |

pub(super) mod alerting;
pub(super) mod asking;
pub(super) mod certificates;
pub(super) mod delivery;
pub(super) mod expiry;
pub(super) mod illness;
pub(super) mod looks;
pub(super) mod telling;

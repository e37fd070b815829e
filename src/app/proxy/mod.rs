//! A running proxy.
//!
//! | file | holds |
//! | --- | --- |
//! | `surroundings` | what it takes from the process |
//! | `core` | the parts that outlive a reload |
//! | `backend` | what the admin address shows and does |
//! | `start` | makes the parts and starts the servers |
//! | `unsealed` | why it doesn't start on a store that holds refresh tokens in clear |
//! | `running` | what can be done with it until it is drained |
//! | `reload` | another configuration |
//! | `secret_files`, `included_files` | files whose change asks for it |

mod backend;
mod core;
mod included_files;
mod reload;
mod running;
mod secret_files;
mod start;
mod surroundings;
mod unsealed;

pub use self::running::Running;
pub use self::start::{StartError, start};
pub use self::surroundings::{Source, Surroundings};
pub use self::unsealed::Unsealed;

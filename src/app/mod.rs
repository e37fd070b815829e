//! The composition root: the one place that knows all parts. Configuration in, a running proxy out.
//!
//! | file | holds |
//! | --- | --- |
//! | `proxy/` | a running proxy: start, reload, drain |
//! | `links/` | what modules tell each other that don't know each other |
//! | `serve`, `signals`, `dumps` | the proxy as a process |
//! | `activation`, `notify` | the service manager: its sockets; notifying it |
//! | `watch` | whether all workers respond |
//! | `apps` | the configured apps as token and quota want them |
//! | `memory`, `files` | the most memory and open files that a configuration can use |
//! | `store_owner` | who owns a `file:` store, for commands run by root |
//! | `explain`, `online`, `probe`, `store_tool` | commands that need parts of a proxy |
//! | `layout` | how these print |

mod activation;
mod apps;
mod dumps;
mod explain;
mod files;
pub mod layout;
mod links;
mod memory;
mod notify;
mod online;
mod probe;
mod proxy;
mod serve;
mod signals;
mod store_owner;
pub mod store_tool;
mod watch;

pub use self::activation::{SocketError, Sockets};
pub use self::dumps::forbid_dumps;
pub use self::explain::explain;
pub use self::files::most_files;
pub use self::memory::{MostMemory, most_memory};
pub use self::online::{Online, OnlineError, online};
pub use self::probe::{Probed, probe};
pub use self::proxy::{Running, Source, StartError, Surroundings, Unsealed, start};
pub use self::serve::{ServeError, serve};
pub use self::signals::Termination;
pub use self::store_owner::Foreign;
pub use crate::upstream::Resolver;

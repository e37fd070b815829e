//! The composition root: the one place that knows all parts. Configuration in, a running proxy out.
//!
//! | file | holds |
//! | --- | --- |
//! | `proxy/` | a running proxy: start, reload, drain |
//! | `links/` | what parts tell each other that don't know each other |
//! | `serve`, `signals`, `dumps` | the proxy as a process |
//! | `activation`, `notify`, `watch` | the service manager's sockets; what it is told; whether all workers move |
//! | `apps` | the configured apps as token and quota want them |
//! | `memory`, `files` | the most memory that a configuration can take, and files that it has open |
//! | `store_owner` | whose a `file:` store is, for commands that are run by root |
//! | `explain`, `online`, `probe`, `store_tool` | commands that need parts of a proxy; `layout` is how they print |

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

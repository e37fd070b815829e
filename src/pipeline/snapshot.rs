//! A worker's hold on the configuration in force: the directory, and a pool of connections for each
//! upstream.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use super::directory::{App, Directory};
use crate::upstream::{Gauges, Pool, Site, Upstream};

/// What a reload replaces, all at once.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) directory: Directory,
    /// Apps name theirs by its place.
    pub(crate) upstreams: Vec<Arc<Upstream>>,
}

/// A worker's hold on it. Counted by an `Rc` of the worker's own, so that its requests write to no
/// memory that other workers read.
#[derive(Debug)]
pub(crate) struct WorkerSnapshot {
    snapshot: Arc<Snapshot>,
    /// Made when a request first needs them.
    pools: Vec<Pools>,
}

/// The pools of one upstream, by site.
type Pools = [OnceCell<Rc<Pool>>; 3];

impl WorkerSnapshot {
    pub(crate) fn new(snapshot: Arc<Snapshot>) -> Self {
        let pools = snapshot.upstreams.iter().map(|_| Pools::default()).collect();
        Self { snapshot, pools }
    }

    /// The hold that follows this one. Pools of upstreams that stay are kept; others end with their
    /// connections, when the last exchange is over and what is parked has been idle long enough.
    pub(crate) fn follow(&self, latest: Arc<Snapshot>) -> Self {
        let former = |upstream: &Arc<Upstream>| {
            self.snapshot.upstreams.iter().position(|former| Arc::ptr_eq(former, upstream))
        };
        let kept = |upstream| former(upstream).map(|index| self.pools[index].clone()).unwrap_or_default();
        let pools = latest.upstreams.iter().map(kept).collect();
        Self { snapshot: latest, pools }
    }

    /// The connections to the hosts that `site` of an app's calls goes to.
    pub(crate) fn pool(&self, app: &App, site: Site, gauges: &Arc<Gauges>) -> &Rc<Pool> {
        let upstream = &self.snapshot.upstreams[app.upstream];
        let site = upstream.options().site(site);
        self.pools[app.upstream][site as usize]
            .get_or_init(|| Pool::new(Arc::clone(upstream.hosts(site)), Arc::clone(gauges)))
    }
}

impl std::ops::Deref for WorkerSnapshot {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.snapshot.directory
    }
}

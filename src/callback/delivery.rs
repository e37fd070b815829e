//! An event on its way to where it is saved.

use std::sync::Arc;
use std::time::Duration;

use crate::wechat::callback::Event;

/// How long delivering an event may take. WeChat is to have its response within a second.
pub const DELIVERY: Duration = Duration::from_millis(800);

/// A push that was verified.
#[derive(Debug)]
pub struct Arrived {
    /// The platform's name in the configuration.
    pub app: Arc<str>,
    /// What WeChat says.
    pub event: Event,
}

/// Why an event was not accepted; WeChat will push it again.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct NotTaken(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// A future that the composition root hands in.
pub type Pending<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
/// Delivers an event. Done only when the event is where a crash can't lose it: WeChat then gets
/// `success` and won't repeat it. Dropped unfinished after [`DELIVERY`].
///
/// An event may come twice, since each replica knows only its own pushes and a restart forgets
/// them: taking it must be idempotent, and one older than what is known already has no effect.
pub type Deliver = Arc<dyn Fn(Arrived) -> Pending<Result<(), NotTaken>> + Send + Sync>;

//! The order that lets an event happen and pushes it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::order::{Refused, strict};
use crate::sandbox::push;
use crate::sandbox::state::platform_events::PlatformEvent;
use crate::sandbox::state::world::World;

#[derive(Deserialize, Serialize)]
struct Happening {
    appid: String,
    #[serde(flatten)]
    event: PlatformEvent,
}

pub(super) async fn order(world: &Arc<World>, body: &[u8]) -> Result<Value, Refused> {
    let Happening { appid, event } = strict(body)?;
    let now = world.clock.now();
    let (told, receiver) = {
        let mut state = world.state();
        (state.occur(&appid, event, now)?, state.callbacks.get(&appid).cloned())
    };
    let receipt = match receiver {
        Some(receiver) => {
            let receipt = push::push(&receiver, &told, now).await.map_err(Refused::Push)?;
            json!({ "status": receipt.status, "body": receipt.body })
        }
        None => Value::Null,
    };
    let said: serde_json::Map<_, _> =
        told.fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    Ok(json!({ "event": told.info_type, "said": said, "pushed": receipt }))
}

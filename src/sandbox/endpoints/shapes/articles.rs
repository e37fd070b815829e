//! Material that stays, drafts, and what is published of them.

use serde_json::{Value, json};

use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::endpoints::credentials::Holder;
use crate::sandbox::state::tokens::fresh;
use crate::sandbox::state::world::State;

/// Entries of a list at once.
const MOST: u64 = 20;

/// `POST /cgi-bin/material/batchget_material`
pub(in crate::sandbox::endpoints) fn materials(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let kind = text(&body, "type").filter(|kind| ["image", "video", "voice", "news"].contains(kind));
        let kind = kind.ok_or_else(|| Answer::error(40004))?;
        let number = |name| body.get(name).and_then(Value::as_u64);
        let offset = number("offset").ok_or_else(|| Answer::error(40035))?;
        let count = number("count").filter(|count| (1..=MOST).contains(count));
        let count = count.ok_or_else(|| Answer::error(40035))?;
        let all = state.library.materials(&holder.appid, kind);
        let total = all.clone().count();
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let items: Vec<Value> = all
            .skip(skipped)
            .take(usize::try_from(count).unwrap_or(0))
            .map(|material| {
                json!({
                    "media_id": material.id,
                    "name": material.name,
                    "update_time": material.stored_at / 1000,
                    "url": format!("http://mmbiz.qpic.cn/sandbox/{}/0", material.id),
                    "tags": [],
                })
            })
            .collect();
        let fields = [("item", items.clone().into()), ("total_count", total.into())];
        Ok(Answer::object(fields.into_iter().chain([("item_count", items.len().into())])))
    })
}

/// `POST /cgi-bin/draft/add`: the cover of an article is a material that was added before.
pub(in crate::sandbox::endpoints) fn draft(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let articles = body.get("articles").and_then(Value::as_array).filter(|list| !list.is_empty());
        for article in articles.ok_or_else(|| Answer::error_with(44003, "empty news data"))? {
            text(article, "title").ok_or_else(|| Answer::error_with(45003, "title size out of limit"))?;
            let has_pictures = text(article, "article_type") == Some("newspic");
            let cover = text(article, "thumb_media_id").unwrap_or_default();
            if !has_pictures && !state.library.has_material(&holder.appid, cover) {
                return Err(Answer::error(40007));
            }
        }
        let id = fresh(call.now, 64);
        state.library.drafts.insert((holder.appid.clone(), id.clone()));
        Ok(Answer::object([("media_id", id.into())]))
    })
}

/// `POST /cgi-bin/freepublish/submit`: what was published is no draft any more.
pub(in crate::sandbox::endpoints) fn publish(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let draft = (holder.appid.clone(), text(&body, "media_id").unwrap_or_default().to_owned());
        if !state.library.drafts.remove(&draft) {
            return Err(Answer::error(40007));
        }
        state.library.published += 1;
        let number = 100_000_000 + state.library.published;
        Ok(Answer::ok([("publish_id", number.to_string().into()), ("msg_data_id", number.into())]))
    })
}

//! Figures about an account.

use serde_json::{Value, json};

use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::endpoints::credentials::Holder;
use crate::sandbox::state::clock;
use crate::sandbox::state::world::State;

/// Days that are told of at once.
const MOST: i64 = 7;

/// `POST /datacube/getusersummary`: of each day, up to yesterday.
pub(in crate::sandbox::endpoints) fn user_summary(_: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let date = |name| {
            let day = text(&body, name).and_then(clock::day_of);
            day.ok_or_else(|| Answer::error_with(61500, "date format error"))
        };
        let (begin, end) = (date("begin_date")?, date("end_date")?);
        if end < begin || end - begin >= MOST || end >= clock::day(call.now) {
            return Err(Answer::error_with(61501, "date range error"));
        }
        let row =
            |day| json!({ "ref_date": clock::date(day), "user_source": 0, "new_user": 3, "cancel_user": 1 });
        Ok(Answer::object([("list", (begin..=end).map(row).collect::<Vec<Value>>().into())]))
    })
}

//! The menu of an account.

use serde_json::{Value, json};

use crate::sandbox::answer::{Answer, Content};
use crate::sandbox::call::{Call, text};
use crate::sandbox::endpoints::credentials::Holder;
use crate::sandbox::state::world::State;

/// `POST /cgi-bin/menu/create`
pub(in crate::sandbox::endpoints) fn create(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    let (Some(body), Some(json)) = (&call.body, call.json()) else { return Answer::error(47001) };
    let buttons = json.get("button").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !(1..=3).contains(&buttons.len()) {
        return Answer::error_with(40016, "invalid button size");
    }
    if buttons.iter().any(|button| text(button, "name").is_none()) {
        return Answer::error_with(40018, "invalid button name size");
    }
    let menu = [b"{\"menu\":", &**body, b"}"].concat();
    state.menus.insert(holder.appid.clone(), menu.into());
    Answer::ok([])
}

/// `GET /cgi-bin/menu/get`
pub(in crate::sandbox::endpoints) fn get(state: &mut State, _: &Call, holder: &Holder) -> Answer {
    match state.menus.get(&holder.appid) {
        Some(menu) => Answer { status: http::StatusCode::OK, content: Content::Json(menu.clone()) },
        None => Answer::error(46003),
    }
}

/// `GET /cgi-bin/menu/delete`
pub(in crate::sandbox::endpoints) fn delete(state: &mut State, _: &Call, holder: &Holder) -> Answer {
    state.menus.remove(&holder.appid);
    Answer::ok([])
}

/// `GET /cgi-bin/get_current_selfmenu_info`: submenus are lists within objects here.
pub(in crate::sandbox::endpoints) fn current(state: &mut State, _: &Call, holder: &Holder) -> Answer {
    let created = state.menus.get(&holder.appid).and_then(|menu| serde_json::from_slice::<Value>(menu).ok());
    let mut buttons = created.as_ref().map_or_else(|| json!([]), |menu| menu["menu"]["button"].clone());
    for button in buttons.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        match button.remove("sub_button") {
            Some(list) if list.as_array().is_some_and(|list| !list.is_empty()) => {
                button.insert("sub_button".to_owned(), json!({ "list": list }));
            }
            _ => {}
        }
    }
    let open = i32::from(created.is_some());
    Answer::object([("is_menu_open", open.into()), ("selfmenu_info", json!({ "button": buttons }))])
}

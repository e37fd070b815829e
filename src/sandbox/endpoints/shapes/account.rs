//! Addresses and tickets.

use serde_json::json;

use crate::sandbox::answer::Answer;
use crate::sandbox::call::Call;
use crate::sandbox::endpoints::credentials::Holder;
use crate::sandbox::state::tickets::Ticket;
use crate::sandbox::state::tokens::fresh;
use crate::sandbox::state::world::State;

const TICKET_LIFETIME_S: i64 = 7_200;

/// `GET /cgi-bin/get_api_domain_ip`
pub(in crate::sandbox::endpoints) fn api_domain_ip(_: &mut State, _: &Call, _: &Holder) -> Answer {
    Answer::object([("ip_list", json!(["101.226.103.0", "101.226.103.63", "58.247.206.141"]))])
}

/// `GET /cgi-bin/getcallbackip`
pub(in crate::sandbox::endpoints) fn callback_ip(_: &mut State, _: &Call, _: &Holder) -> Answer {
    Answer::object([("ip_list", json!(["101.226.62.77", "101.226.62.78", "140.207.54.73"]))])
}

/// `GET /cgi-bin/ticket/getticket` and WeCom's: the same ticket while it is valid, and always
/// `7200`, never the rest (FACTS 4).
pub(in crate::sandbox::endpoints) fn ticket(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    let key = (holder.appid.clone(), call.param("type").unwrap_or("jsapi").to_owned());
    let ticket = match state.tickets.get(&key).filter(|ticket| call.now < ticket.expires_at) {
        Some(ticket) => ticket.clone(),
        None => Ticket { value: fresh(call.now, 86), expires_at: call.now + TICKET_LIFETIME_S * 1000 },
    };
    state.tickets.insert(key, ticket.clone());
    Answer::ok([("ticket", ticket.value.into()), ("expires_in", TICKET_LIFETIME_S.into())])
}

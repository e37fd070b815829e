//! What anybody gets at `/` and `/healthz`: a load balancer's checks, and who types the address.

use super::local_response;
use crate::pipeline::plan::Greeting;
use crate::server::{Address, Peer, Response};
use crate::texts::text;

/// The response. Who isn't on this machine doesn't learn its address for administrators.
pub(crate) fn answer(greeting: Greeting, status_page: Option<&Address>, peer: Peer) -> Response {
    let status_page = status_page.filter(|_| peer.is_local());
    local_response::text(match (greeting, status_page) {
        (Greeting::Health, _) => "ok\n".to_owned(),
        (Greeting::Home, Some(Address::Tcp(authority))) => home(&format!("http://{authority}/")),
        (Greeting::Home, Some(address @ Address::Unix(_))) => home(&address.to_string()),
        (Greeting::Home, None) => format!(
            "{}\n",
            text!(
                "wxgate, a reverse proxy for WeChat's server API; the status page is at its admin address \
                 (admin.listen)"
            )
        ),
    })
}

fn home(address: &str) -> String {
    let text =
        text!("wxgate, a reverse proxy for WeChat's server API; the status page is at {address}", address);
    format!("{text}\n")
}

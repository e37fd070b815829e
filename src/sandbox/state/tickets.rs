//! Tickets: those that pages are signed with, and those that were pushed to platforms and suites,
//! which fetch their tokens with them.

use std::collections::HashMap;

/// A ticket, and when it ends.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Ticket {
    pub value: String,
    pub expires_at: i64,
}

/// So many of an app's tickets are remembered: each is good while later ones are pushed.
const KEPT: usize = 8;

/// By component_appid or suite_id.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct PushedTickets {
    known: HashMap<String, Vec<Ticket>>,
}

impl PushedTickets {
    pub(in crate::sandbox) fn add(&mut self, appid: &str, ticket: Ticket) {
        let known = self.known.entry(appid.to_owned()).or_default();
        known.push(ticket);
        known.drain(..known.len().saturating_sub(KEPT));
    }

    /// Whether a token may be fetched with it. An app that the sandbox has pushed none to may use
    /// any, so that tests can do without pushes.
    pub(in crate::sandbox) fn takes(&self, appid: &str, sent: &str, now: i64) -> bool {
        self.known
            .get(appid)
            .is_none_or(|known| known.iter().any(|ticket| ticket.value == sent && now < ticket.expires_at))
    }
}

#[cfg(test)]
mod tests {
    use super::{PushedTickets, Ticket};

    #[test]
    fn any_ticket_is_taken_until_one_was_pushed() {
        let mut tickets = PushedTickets::default();
        assert!(tickets.takes("a", "anything", 0));
        tickets.add("a", Ticket { value: "first".into(), expires_at: 10 });
        tickets.add("a", Ticket { value: "second".into(), expires_at: 20 });
        assert!(!tickets.takes("a", "anything", 0) && tickets.takes("b", "anything", 0));
        assert!(tickets.takes("a", "first", 9) && !tickets.takes("a", "first", 10));
        assert!(tickets.takes("a", "second", 10));
    }
}

//! The line of requests that wait for a place.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use tokio::sync::oneshot;

use super::places::{ExactPlaces, Place, enter};
use crate::observe::names::{ANONYMOUS, OTHER};

/// Whose a request is, by the labels of its app and caller: who waits is served in turns among
/// these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) app: u16,
    pub(crate) caller: u16,
}

impl Party {
    /// Of requests whose body must be read to know more.
    pub(crate) const UNKNOWN: Self = Self { app: OTHER, caller: ANONYMOUS };
}

impl Hash for Party {
    /// In one word, where one field after the other would be four bytes.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(u32::from(self.app) << 16 | u32::from(self.caller));
    }
}

/// The line. It holds so many and no more: who comes to a full one takes the place of who has
/// waited longest of those that wait most.
#[derive(Debug)]
pub(super) struct Line {
    /// Parties with waiters, the one served longest ago first; few, so they are looked through.
    parties: Vec<(Party, VecDeque<Waiter>)>,
    len: usize,
    most: usize,
    next: u64,
}

/// One that waits.
#[derive(Debug)]
struct Waiter {
    number: u64,
    /// Of its app, if that has a limit of its own.
    app: Option<ExactPlaces>,
    turn: oneshot::Sender<Turn>,
}

/// What a waiter gets: its app's place, where there is one.
pub(super) type Turn = Option<Place>;

/// Where a waiter stands.
#[derive(Debug)]
pub(super) struct Ticket {
    number: u64,
    pub(super) turn: oneshot::Receiver<Turn>,
}

impl Line {
    /// For at most `most` at a time.
    pub(super) fn new(most: usize) -> Self {
        Self { parties: Vec::new(), len: 0, most: most.max(1), next: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Lines up.
    pub(super) fn push(&mut self, party: Party, app: Option<ExactPlaces>) -> Ticket {
        if self.len >= self.most {
            self.displace();
        }
        let (turn, receiver) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.len += 1;
        let waiter = Waiter { number, app, turn };
        match self.parties.iter_mut().find(|(of, _)| *of == party) {
            Some((_, waiters)) => waiters.push_back(waiter),
            None => self.parties.push((party, VecDeque::from([waiter]))),
        }
        Ticket { number, turn: receiver }
    }

    /// Drops the oldest of the party that has most waiting.
    fn displace(&mut self) {
        let longest = (0..self.parties.len()).max_by_key(|at| self.parties[*at].1.len());
        if let Some(at) = longest {
            self.take(at, 0);
        }
    }

    /// Whether the one with this ticket still waited; it doesn't any more.
    pub(super) fn remove(&mut self, party: Party, ticket: &Ticket) -> bool {
        let Some(at) = self.parties.iter().position(|(of, _)| *of == party) else { return false };
        let found = self.parties[at].1.binary_search_by_key(&ticket.number, |waiter| waiter.number);
        found.is_ok_and(|place| self.take(at, place).is_some())
    }

    /// Gives a turn to one of the party that `held` says has fewest in flight, of those that `may`
    /// have one and whose app has a place. Whose turn it was.
    pub(super) fn call(&mut self, held: impl Fn(Party) -> u64, may: impl Fn(Party) -> bool) -> Option<Party> {
        let newest_first = self.len > self.most / 4;
        let mut order: Vec<_> = (0..self.parties.len()).map(|at| (held(self.parties[at].0), at)).collect();
        order.sort_unstable();
        for (_, at) in order {
            let (party, waiters) = &self.parties[at];
            // Who came last has most of its patience left, and its caller is still there.
            let place = if newest_first { waiters.len() - 1 } else { 0 };
            if !may(*party) {
                continue;
            }
            let Some(turn) = enter(waiters[place].app.as_ref()) else { continue };
            let party = *party;
            let rest = waiters.len() - 1;
            // Who no longer waits has left the line before.
            if let Some(waiter) = self.take(at, place) {
                let _ = waiter.turn.send(turn);
            }
            if rest > 0 {
                // Of those that have equally many in flight, each in turn.
                let called = self.parties.remove(at);
                self.parties.push(called);
            }
            return Some(party);
        }
        None
    }

    fn take(&mut self, at: usize, place: usize) -> Option<Waiter> {
        let (_, waiters) = self.parties.get_mut(at)?;
        let taken = waiters.remove(place)?;
        if waiters.is_empty() {
            self.parties.remove(at);
        }
        self.len -= 1;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::{ExactPlaces, Line, Party, Ticket};

    const ONE: Party = Party { app: 1, caller: 1 };
    const OTHER: Party = Party { app: 1, caller: 2 };

    fn called(tickets: &mut [Ticket]) -> Vec<bool> {
        tickets.iter_mut().map(|ticket| ticket.turn.try_recv().is_ok()).collect()
    }

    #[test]
    fn who_has_fewest_at_work_is_called_first_and_the_oldest_of_them() {
        let mut line = Line::new(100);
        let mut tickets: Vec<_> = [ONE, ONE, OTHER].map(|party| line.push(party, None)).into();
        let held = |party| if party == ONE { 5 } else { 4 };
        assert_eq!(line.call(held, |_| true), Some(OTHER));
        assert_eq!(called(&mut tickets), [false, false, true]);
        assert_eq!(line.call(held, |_| true), Some(ONE));
        assert_eq!(called(&mut tickets), [true, false, false]);
        assert_eq!(line.len(), 1);
        assert_eq!(line.call(held, |party| party != ONE), None, "it may not");
    }

    #[test]
    fn those_with_equally_many_at_work_are_called_in_turn() {
        let mut line = Line::new(100);
        let _tickets: Vec<_> = [ONE, ONE, ONE, OTHER, OTHER].map(|party| line.push(party, None)).into();
        let order: Vec<_> = std::iter::from_fn(|| line.call(|_| 0, |_| true)).collect();
        assert_eq!(order, [ONE, OTHER, ONE, OTHER, ONE]);
    }

    #[test]
    fn in_a_long_line_the_newest_is_called_first() {
        let mut line = Line::new(8);
        let mut tickets: Vec<_> = (0..3).map(|_| line.push(ONE, None)).collect();
        assert_eq!(line.call(|_| 0, |_| true), Some(ONE));
        assert_eq!(called(&mut tickets), [false, false, true]);
        assert_eq!(line.call(|_| 0, |_| true), Some(ONE));
        assert_eq!(called(&mut tickets), [true, false, false], "it is short now");
    }

    #[test]
    fn who_comes_to_a_full_line_displaces_the_oldest_of_those_with_most_waiting() {
        let mut line = Line::new(3);
        let mut tickets: Vec<_> = [OTHER, ONE, ONE, OTHER].map(|party| line.push(party, None)).into();
        assert_eq!(line.len(), 3);
        let displaced = tickets.iter_mut().map(|ticket| {
            matches!(ticket.turn.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Closed))
        });
        assert_eq!(displaced.collect::<Vec<_>>(), [false, true, false, false]);
        assert!(!line.remove(ONE, &tickets[1]));
        assert!(line.remove(ONE, &tickets[2]) && line.remove(OTHER, &tickets[3]) && line.len() == 1);
    }

    #[test]
    fn an_app_that_is_full_holds_nobody_else_up() {
        let full = ExactPlaces::new(1, None).expect("a limit");
        let held = full.enter();
        let mut line = Line::new(100);
        let mut tickets: Vec<_> = vec![line.push(ONE, Some(full)), line.push(OTHER, None)];
        assert_eq!(line.call(|_| 0, |_| true), Some(OTHER));
        assert_eq!(line.call(|_| 0, |_| true), None);
        drop(held);
        assert_eq!(line.call(|_| 0, |_| true), Some(ONE));
        assert_eq!(called(&mut tickets), [true, true]);
    }
}

//! Which request made a histogram's bucket grow, so that whoever looks at a slow one finds its line
//! in the log.

use super::clock::Timestamp;

/// Upper bounds of a histogram's buckets, in seconds; one more bucket has none.
pub(super) const BOUNDS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// The longest id of a request that is kept.
const LONGEST_ID: usize = 64;

/// One observation and the request that it was.
#[derive(Clone, Debug)]
pub struct Exemplar {
    id: [u8; LONGEST_ID],
    id_length: u8,
    trace_id: Option<[u8; 32]>,
    /// What was observed, in seconds.
    pub value: f64,
    /// When.
    pub at: Timestamp,
}

impl Exemplar {
    /// An observation of `value` seconds. An id that is too long, or a trace's that hasn't 32
    /// bytes, is left out: a part of it would find nothing.
    pub fn new(request_id: &str, trace_id: Option<&str>, value: f64, at: Timestamp) -> Self {
        let mut id = [0; LONGEST_ID];
        let id_length = match id.get_mut(..request_id.len()) {
            Some(room) => {
                room.copy_from_slice(request_id.as_bytes());
                u8::try_from(request_id.len()).unwrap_or(0)
            }
            None => 0,
        };
        let trace_id = trace_id.and_then(|id| id.as_bytes().try_into().ok());
        Self { id, id_length, trace_id, value, at }
    }

    /// Its labels. With the longest values they have 114 characters of the 128 that OpenMetrics
    /// allows.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let id = str::from_utf8(&self.id[..usize::from(self.id_length)]).unwrap_or_default();
        let trace_id = self.trace_id.as_ref().and_then(|id| str::from_utf8(id).ok());
        let request = Some(("request_id", id)).filter(|(_, id)| !id.is_empty());
        request.into_iter().chain(trace_id.map(|id| ("trace_id", id)))
    }
}

/// The newest observation of each bucket of a [`Histogram`](super::metrics::Histogram), so that a
/// rare slow one is not pushed out by many fast ones. A bucket takes its 128 bytes with its first
/// observation, once and for all.
#[derive(Clone, Debug, Default)]
pub struct Exemplars([Option<Box<Exemplar>>; BOUNDS.len() + 1]);

impl Exemplars {
    /// Keeps `exemplar` for `bucket`, as `Histogram::observe` names it.
    pub fn keep(&mut self, bucket: usize, exemplar: Exemplar) {
        match self.0.get_mut(bucket) {
            Some(Some(kept)) => **kept = exemplar,
            Some(free) => *free = Some(Box::new(exemplar)),
            None => {}
        }
    }

    /// Takes over what another worker observed later.
    pub fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            if let Some(other) = other
                && own.as_ref().is_none_or(|own| own.at < other.at)
            {
                *own = Some(other.clone());
            }
        }
    }

    /// The newest of `bucket`.
    pub(super) fn of(&self, bucket: usize) -> Option<&Exemplar> {
        self.0.get(bucket)?.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::{Exemplar, Exemplars, LONGEST_ID};
    use crate::observe::clock::Timestamp;

    fn exemplar(id: &str, at: i64) -> Exemplar {
        Exemplar::new(id, None, 0.1, Timestamp(at))
    }

    fn ids(exemplars: &Exemplars, bucket: usize) -> Vec<String> {
        exemplars.of(bucket).into_iter().flat_map(Exemplar::labels).map(|(_, id)| id.to_owned()).collect()
    }

    #[test]
    fn a_bucket_keeps_its_newest_observation_and_no_other_buckets() {
        let mut kept = Exemplars::default();
        kept.keep(0, exemplar("fast", 1));
        kept.keep(13, exemplar("slow", 2));
        kept.keep(0, exemplar("faster", 3));
        kept.keep(14, exemplar("no such bucket", 4));
        assert_eq!((ids(&kept, 0), ids(&kept, 13)), (vec!["faster".to_owned()], vec!["slow".to_owned()]));
    }

    #[test]
    fn of_two_workers_the_later_observation_stays() {
        let (mut one, mut other) = (Exemplars::default(), Exemplars::default());
        one.keep(0, exemplar("old", 1));
        one.keep(1, exemplar("new", 2));
        other.keep(0, exemplar("new", 2));
        other.keep(1, exemplar("old", 1));
        one.merge(&other);
        assert_eq!((ids(&one, 0), ids(&one, 1)), (vec!["new".to_owned()], vec!["new".to_owned()]));
    }

    #[test]
    fn the_longest_labels_stay_below_what_openmetrics_allows() {
        let longest = Exemplar::new(&"r".repeat(LONGEST_ID), Some(&"a".repeat(32)), 0.1, Timestamp(0));
        let characters: usize = longest.labels().map(|(name, value)| name.len() + value.len()).sum();
        assert_eq!(characters, 114);
    }

    #[test]
    fn an_id_that_does_not_fit_is_left_out() {
        let long = Exemplar::new(&"r".repeat(LONGEST_ID + 1), Some("short"), 0.1, Timestamp(0));
        assert_eq!(long.labels().count(), 0);
    }
}

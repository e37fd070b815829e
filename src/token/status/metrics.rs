//! The metrics of tokens.

use std::sync::Arc;
use std::time::Duration;

use super::stats::Stats;
use crate::observe::exposition::Exposition;
use crate::token::life::{Outcome, Reason};

/// One app's part of a scrape.
pub(crate) struct Sample {
    app: Arc<str>,
    credential: &'static str,
    pub generation: Option<u64>,
    pub expires_in: Option<Duration>,
    usable: Option<bool>,
    pub refreshes: Vec<(Reason, Outcome, u64)>,
    pub interference: u64,
}

impl Sample {
    /// `usable` says whether requests can use the token; none if it isn't in use.
    pub(crate) fn new(
        app: Arc<str>,
        credential: &'static str,
        token: Option<(u64, Duration)>,
        usable: Option<bool>,
        stats: &Stats,
    ) -> Self {
        Self {
            usable,
            app,
            credential,
            generation: token.map(|(generation, _)| generation),
            expires_in: token.map(|(_, expires_in)| expires_in),
            refreshes: stats.refreshes().collect(),
            interference: stats.interference,
        }
    }

    /// Both as one, without expiry, generation and usability.
    pub(crate) fn and(mut self, other: Self) -> Self {
        (self.generation, self.expires_in, self.usable) = (None, None, None);
        self.interference += other.interference;
        for (reason, outcome, count) in other.refreshes {
            match self.refreshes.iter_mut().find(|own| (own.0, own.1) == (reason, outcome)) {
                Some(own) => own.2 += count,
                None => self.refreshes.push((reason, outcome, count)),
            }
        }
        self
    }

    fn labels(&self) -> [(&'static str, &str); 2] {
        [("app", &*self.app), ("kind", self.credential)]
    }
}

/// Writes the families of all apps.
pub(crate) fn expose(samples: &[Sample], out: &mut Exposition) {
    out.counter(
        "wxgate_token_refresh_total",
        "Token fetches by reason (startup, ahead, rejected, forced, admin) and outcome (replaced, same, failed).",
    );
    for sample in samples {
        for (reason, outcome, count) in &sample.refreshes {
            let [app, kind] = sample.labels();
            let labels = [app, kind, ("reason", reason.as_str()), ("outcome", outcome.as_str())];
            out.sample(&labels, *count as f64);
        }
    }
    out.gauge("wxgate_token_usable", "Whether a token is held that is neither expired nor rejected, 1 or 0.");
    for sample in samples {
        if let Some(usable) = sample.usable {
            out.sample(&sample.labels(), f64::from(u8::from(usable)));
        }
    }
    out.gauge("wxgate_token_expires_in_seconds", "Until the token held ends.");
    for sample in samples {
        if let Some(expires_in) = sample.expires_in {
            out.sample(&sample.labels(), expires_in.as_secs_f64());
        }
    }
    out.gauge("wxgate_token_generation", "Generation of the token held.");
    for sample in samples {
        if let Some(generation) = sample.generation {
            out.sample(&sample.labels(), generation as f64);
        }
    }
    out.counter(
        "wxgate_token_interference_total",
        "Times that somebody else fetched with this app's secret.",
    );
    for sample in samples {
        if sample.interference > 0 {
            out.sample(&[("app", &*sample.app)], sample.interference as f64);
        }
    }
}

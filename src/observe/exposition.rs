//! The text that Prometheus scrapes, in both its dialects.

use std::fmt::Write as _;

use super::exemplar::{Exemplar, Exemplars};

/// Which dialect a scrape asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `text/plain; version=0.0.4`
    Prometheus,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

impl Dialect {
    /// The dialect that an `Accept` header asks for.
    pub fn of_accept(accept: Option<&str>) -> Self {
        match accept {
            Some(accept) if accept.contains("application/openmetrics-text") => Self::OpenMetrics,
            _ => Self::Prometheus,
        }
    }

    /// The `Content-Type` of the response.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A scrape in the making. Modules add their families one after the other; a family's samples stand
/// together.
#[derive(Debug)]
pub struct Exposition {
    dialect: Dialect,
    text: String,
    family: &'static str,
}

/// A sample's labels: names from the code, values escaped on output.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

impl Exposition {
    /// An empty scrape.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, text: String::with_capacity(16 * 1024), family: "" }
    }

    /// Opens a counter family; `name` ends in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &str) {
        // OpenMetrics names the family without the suffix that its samples carry.
        let family = match self.dialect {
            Dialect::Prometheus => name,
            Dialect::OpenMetrics => name.strip_suffix("_total").unwrap_or(name),
        };
        self.open(family, name, "counter", help);
    }

    /// Opens a gauge family.
    pub fn gauge(&mut self, name: &'static str, help: &str) {
        self.open(name, name, "gauge", help);
    }

    /// Opens a histogram family, its samples added by [`Exposition::distribution`].
    pub fn histogram(&mut self, name: &'static str, help: &str) {
        self.open(name, name, "histogram", help);
    }

    fn open(&mut self, family: &str, samples: &'static str, kind: &str, help: &str) {
        self.family = samples;
        let _ = writeln!(self.text, "# HELP {family} {help}\n# TYPE {family} {kind}");
    }

    /// Adds a sample to the open counter or gauge.
    pub fn sample(&mut self, labels: Labels<'_>, value: f64) {
        self.line("", labels, None, value, None);
    }

    /// Adds one distribution to the open histogram. `buckets` holds upper bounds in seconds and the
    /// number of observations in that bucket alone; what lies above the last bound is `overflow`.
    /// Only OpenMetrics has room for `exemplars`.
    pub fn distribution(
        &mut self,
        labels: Labels<'_>,
        buckets: &[(f64, u64)],
        overflow: u64,
        sum: f64,
        exemplars: Option<&Exemplars>,
    ) {
        let exemplars = exemplars.filter(|_| self.dialect == Dialect::OpenMetrics);
        let exemplar = |bucket| exemplars.and_then(|exemplars| exemplars.of(bucket));
        let mut below = 0;
        for (bucket, (bound, count)) in buckets.iter().enumerate() {
            below += count;
            self.line("_bucket", labels, Some(*bound), below as f64, exemplar(bucket));
        }
        let count = below + overflow;
        self.line("_bucket", labels, Some(f64::INFINITY), count as f64, exemplar(buckets.len()));
        self.line("_sum", labels, None, sum, None);
        self.line("_count", labels, None, count as f64, None);
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: Labels<'_>,
        bound: Option<f64>,
        value: f64,
        exemplar: Option<&Exemplar>,
    ) {
        let text = &mut self.text;
        text.push_str(self.family);
        text.push_str(suffix);
        let mut open = '{';
        for (name, value) in labels {
            let _ = write!(text, "{open}{name}=\"");
            escape(value, text);
            text.push('"');
            open = ',';
        }
        if let Some(bound) = bound {
            let _ = write!(text, "{open}le=\"");
            if bound.is_infinite() {
                text.push_str("+Inf")
            } else {
                let _ = write!(text, "{bound:?}");
            }
            text.push('"');
            open = ',';
        }
        if open == ',' {
            text.push('}');
        }
        let _ = write!(text, " {value}");
        if let Some(exemplar) = exemplar {
            append(exemplar, text);
        }
        text.push('\n');
    }

    /// The finished text.
    pub fn finish(mut self) -> String {
        if self.dialect == Dialect::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

/// An exemplar, behind the value of its bucket.
fn append(exemplar: &Exemplar, text: &mut String) {
    text.push_str(" # {");
    for (position, (name, value)) in exemplar.labels().enumerate() {
        let _ = write!(text, "{}{name}=\"", if position == 0 { "" } else { "," });
        escape(value, text);
        text.push('"');
    }
    let Exemplar { value, at, .. } = exemplar;
    let _ = write!(text, "}} {value} {}.{:03}", at.0.div_euclid(1000), at.0.rem_euclid(1000));
}

fn escape(value: &str, text: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect, Exposition};
    use crate::observe::clock::Timestamp;
    use crate::observe::exemplar::{Exemplar, Exemplars};

    fn example(dialect: Dialect) -> String {
        let mut out = Exposition::new(dialect);
        out.counter("calls_total", "Calls.");
        out.sample(&[("app", "a\"b")], 3.0);
        out.histogram("took_seconds", "Time.");
        let mut exemplars = Exemplars::default();
        exemplars.keep(1, Exemplar::new("r-1", Some(&"a".repeat(32)), 0.75, Timestamp(1_700_000_000_042)));
        exemplars.keep(2, Exemplar::new("r-2", None, 3.0, Timestamp(1_700_000_001_000)));
        out.distribution(&[], &[(0.5, 1), (1.0, 2)], 1, 4.5, Some(&exemplars));
        out.finish()
    }

    #[test]
    fn prometheus_text_names_counters_with_their_suffix() {
        assert_eq!(
            example(Dialect::Prometheus),
            "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total{app=\"a\\\"b\"} 3\n\
             # HELP took_seconds Time.\n# TYPE took_seconds histogram\n\
             took_seconds_bucket{le=\"0.5\"} 1\ntook_seconds_bucket{le=\"1.0\"} 3\n\
             took_seconds_bucket{le=\"+Inf\"} 4\ntook_seconds_sum 4.5\ntook_seconds_count 4\n"
        );
    }

    #[test]
    fn openmetrics_drops_the_suffix_from_the_family_and_ends_with_eof() {
        let text = example(Dialect::OpenMetrics);
        assert!(text.starts_with("# HELP calls Calls.\n# TYPE calls counter\ncalls_total{"));
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn openmetrics_names_the_newest_request_of_each_bucket() {
        let text = example(Dialect::OpenMetrics);
        let buckets: Vec<_> = text.lines().filter(|line| line.starts_with("took_seconds_bucket")).collect();
        let traced = format!(
            "took_seconds_bucket{{le=\"1.0\"}} 3 # {{request_id=\"r-1\",trace_id=\"{}\"}} 0.75 1700000000.042",
            "a".repeat(32)
        );
        assert_eq!(
            buckets,
            [
                "took_seconds_bucket{le=\"0.5\"} 1",
                &traced,
                "took_seconds_bucket{le=\"+Inf\"} 4 # {request_id=\"r-2\"} 3 1700000001.000"
            ]
        );
    }
}

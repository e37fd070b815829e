//! `[trace]`: where spans of requests go.

use http::Uri;

use crate::config::file;
use crate::config::reader::problem::Report;
use crate::config::reader::values::{Field, Item};
use crate::observe::trace::{self, Options};
use crate::texts::text;

pub(in crate::config) fn options(table: &Field<file::Trace>, report: &mut Report<'_>) -> Option<Options> {
    let Item { value: raw, place } = table.item()?;
    if !trace::BUILT {
        let text = text!(
            "requires a wxgate built with traces, expected none, or a build by `cargo build --profile dist --features otlp`"
        );
        report.error(place, text);
    }
    let missing = text!(
        "is missing, expected a collector's address for OTLP over HTTP, like \"http://127.0.0.1:4318\""
    );
    let endpoint = raw.endpoint.required(place.child("endpoint"), report, missing)?;
    if !is_endpoint(&endpoint.value) {
        let text = text!(
            "is not a collector's address for OTLP over HTTP, expected one like \"http://127.0.0.1:4318\""
        );
        report.error(&endpoint.place, text);
    }
    let sample = raw.sample.or(1.0);
    if let Some(item) = raw.sample.item().filter(|_| !(0.0..=1.0).contains(&sample)) {
        report.error(&item.place, text!("is not a share, expected a number from 0 to 1"));
    }
    let service_name = raw.service_name.item().map_or("wxgate", |item| item.value.as_str()).to_owned();
    Some(Options { endpoint: endpoint.value.clone(), sample, service_name })
}

fn is_endpoint(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.query().is_none()
            && !uri.path().ends_with("/v1/traces")
    })
}

//! `error_status` of `[server]`, and the two keys that it replaces.

use crate::config::file::Server;
use crate::config::reader::names::one_of;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::values::Field;
use crate::pipeline::ErrorStatus;
use crate::texts::{Text, Words, text, words};

/// Worth knowing if the setting was not chosen.
const UNWRITTEN: Text<'_> = text!(
    "server.error_status is not set and defaults to \"wechat\": wxgate's own error responses have status 200, as WeChat's \
     do; with \"http\" they have HTTP error statuses"
);

/// The setting in force, and a note if it was not chosen.
pub(in crate::config) fn error_status(
    server: &Server,
    report: &mut Report<'_>,
) -> (ErrorStatus, Option<Words>) {
    let words = [("wechat", ErrorStatus::WECHAT), ("http", ErrorStatus::HTTP)];
    let chosen = one_of(&server.error_status, &words, report);
    let places = [place(&server.errors_as_200), place(&server.limit_status)];
    let places: Vec<_> = places.into_iter().flatten().collect();
    if !matches!(server.error_status, Field::Missing) {
        for place in places {
            report.warn(place, text!("has no effect, server.error_status replaces it: leave it out"));
        }
        return (chosen, None);
    }
    if places.is_empty() {
        return (chosen, Some(UNWRITTEN.into()));
    }
    if let Some(item) = server.limit_status.item().filter(|item| ![200, 429].contains(&item.value)) {
        report.error(&item.place, text!("is not one of its values, expected 200 or 429"));
        return (chosen, None);
    }
    // Each with its former default.
    let limits = server.limit_status.or(200) == 429;
    let former = ErrorStatus { limits, others: !server.errors_as_200.or(false) };
    for place in places {
        report.warn(place, advice(former));
    }
    (former, None)
}

fn advice(former: ErrorStatus) -> Words {
    match former {
        ErrorStatus::WECHAT => words!(
            "is replaced by server.error_status and will be removed in the next release: write \
             error_status = \"wechat\", which means the same"
        ),
        ErrorStatus::HTTP => words!(
            "is replaced by server.error_status and will be removed in the next release: write \
             error_status = \"http\", which means the same"
        ),
        ErrorStatus { limits: false, others: true } => words!(
            "is replaced by server.error_status and will be removed in the next release: write \
             error_status = \"http\", with which limits have status 429 instead of 200"
        ),
        ErrorStatus { limits: true, others: false } => words!(
            "is replaced by server.error_status and will be removed in the next release: write \
             error_status = \"wechat\", with which limits have status 200 instead of 429"
        ),
    }
}

fn place<T>(field: &Field<T>) -> Option<&Place> {
    field.item().map(|item| &item.place)
}

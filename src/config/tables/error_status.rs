//! `error_status` of `[server]`, and the two keys that it replaces.

use crate::config::file::Server;
use crate::config::reader::names::one_of;
use crate::config::reader::problem::{Place, Report};
use crate::config::reader::values::Field;
use crate::pipeline::ErrorStatus;

/// Worth knowing if nobody chose.
const UNWRITTEN: &str = "server.error_status is not written, so \"wechat\" holds: wxgate's own answers have status \
                         200, as WeChat's errors do; \"http\" gives them statuses of their own";

/// The setting in force, and a note if nobody chose it.
pub(in crate::config) fn error_status(
    server: &Server,
    report: &mut Report<'_>,
) -> (ErrorStatus, Option<String>) {
    let words = [("wechat", ErrorStatus::WECHAT), ("http", ErrorStatus::HTTP)];
    let chosen = one_of(&server.error_status, &words, report);
    let places = [place(&server.errors_as_200), place(&server.limit_status)];
    let places: Vec<_> = places.into_iter().flatten().collect();
    if !matches!(server.error_status, Field::Missing) {
        for place in places {
            report.warn(place, "does nothing beside server.error_status, which replaces it: leave it out");
        }
        return (chosen, None);
    }
    if places.is_empty() {
        return (chosen, Some(UNWRITTEN.to_owned()));
    }
    if let Some(item) = server.limit_status.item().filter(|item| ![200, 429].contains(&item.value)) {
        report.error(&item.place, "is none of its values, expected 200 or 429");
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

fn advice(former: ErrorStatus) -> String {
    let same = match former {
        ErrorStatus::WECHAT => "write error_status = \"wechat\", which means the same",
        ErrorStatus::HTTP => "write error_status = \"http\", which means the same",
        ErrorStatus { limits: false, others: true } => {
            "write error_status = \"http\", by which limits have status 429 and no longer 200"
        }
        ErrorStatus { limits: true, others: false } => {
            "write error_status = \"wechat\", by which limits have status 200 and no longer 429"
        }
    };
    format!("is replaced by server.error_status and goes with the next release: {same}")
}

fn place<T>(field: &Field<T>) -> Option<&Place> {
    field.item().map(|item| &item.place)
}

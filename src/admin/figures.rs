//! What there is to read about requests: curves, figures, refusals, what would become of one, and
//! what operators did.

use http::{Method, StatusCode};

use super::answer;
use super::backend::Admin;
use super::quota::{refuse_others, value};
use super::route::Route;
use crate::api::{self, Range};
use crate::server::Response;
use crate::texts::text;

impl Admin {
    pub(super) fn traffic(&self, query: &str) -> Response {
        let range = match range(query, Range::Day) {
            Ok(range) => range,
            Err(problem) => return answer::error(StatusCode::BAD_REQUEST, problem),
        };
        let app = value(query, "app");
        match self.backend.traffic(app.as_deref(), range) {
            Some(traffic) => answer::json(StatusCode::OK, &traffic),
            None => answer::no_such_app(&app.unwrap_or_default()),
        }
    }

    pub(super) fn figures(&self, query: &str) -> Response {
        let app = value(query, "app");
        match self.backend.figures(app.as_deref()) {
            Some(figures) => answer::json(StatusCode::OK, &figures),
            None => answer::no_such_app(&app.unwrap_or_default()),
        }
    }

    pub(super) fn refusals(&self, query: &str) -> Response {
        let range = match range(query, Range::Hour) {
            Ok(range) => range,
            Err(problem) => return answer::error(StatusCode::BAD_REQUEST, problem),
        };
        let mut found = self.backend.refusals(range);
        let app = value(query, "app");
        found.refusals.retain(|refusal| refusal.concerns(app.as_deref()));
        found.kinds = found.refusals.len();
        if let Some(most) = value(query, "most") {
            let Ok(most) = most.parse() else {
                return answer::error(StatusCode::BAD_REQUEST, text!("most must be a number"));
            };
            found.refusals.truncate(most);
        }
        answer::json(StatusCode::OK, &found)
    }

    pub(super) fn explain(&self, route: &Route, query: &str) -> Response {
        if let Some(refused) = refuse_others(query, route) {
            return refused;
        }
        let method = value(query, "method").unwrap_or_else(|| "GET".to_owned());
        let Ok(method) = Method::from_bytes(method.trim().to_ascii_uppercase().as_bytes()) else {
            return answer::error(StatusCode::BAD_REQUEST, text!("method must be one of HTTP, like POST"));
        };
        let Some(path) = value(query, "path").filter(|path| path.starts_with('/')) else {
            let problem = text!("path must be one that a caller sends, like /cgi-bin/user/info");
            return answer::error(StatusCode::BAD_REQUEST, problem);
        };
        let caller = value(query, "caller").filter(|caller| !caller.is_empty());
        match self.backend.explain(&method, &path, caller.as_deref()) {
            Ok(explained) => answer::json(StatusCode::OK, &explained),
            Err(problem) => answer::error(StatusCode::NOT_FOUND, problem),
        }
    }

    pub(super) fn audited(&self) -> Response {
        let entries = self.state.trail.latest().into_iter().map(api::AuditEntry::from).collect();
        answer::json(StatusCode::OK, &api::AuditTrail { entries })
    }
}

/// The range that the query names; `usual` if it names none. The error is for whoever asked.
fn range(query: &str, usual: Range) -> Result<Range, String> {
    match value(query, "range").as_deref() {
        None => Ok(usual),
        Some("quarter") => Ok(Range::Quarter),
        Some("hour") => Ok(Range::Hour),
        Some("day") => Ok(Range::Day),
        Some("month") => Ok(Range::Month),
        Some(other) => {
            let other = format_args!("{other:?}");
            let problem = text!("range is {other}, expected `quarter`, `hour`, `day` or `month`", other);
            Err(problem.to_string())
        }
    }
}

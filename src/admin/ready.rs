//! `/readyz`: whether a load balancer should send requests here.

use http::StatusCode;

use super::answer;
use super::shown::Admin;
use super::view;
use crate::server::Response;

impl Admin {
    /// 503 while the proxy doesn't listen yet or drains; with `?all` or `?app=NAME` also while an
    /// app has no usable token.
    ///
    /// Plain readiness doesn't depend on WeChat: one app whose secret expired must not take every
    /// replica, and with them all other apps, out of service.
    pub(super) fn ready(&self, query: &str) -> Response {
        let apps = (self.apps)();
        let mut ready = self.state.is_ready();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "all" => ready &= apps.iter().all(view::App::is_usable),
                "app" => match apps.iter().find(|app| app.name == *value) {
                    Some(app) => ready &= app.is_usable(),
                    None => return answer::no_such_app(&value),
                },
                _ => {}
            }
        }
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let apps = apps.iter().map(view::AppReadiness::of).collect();
        answer::json(status, &view::Readiness { ready, draining: self.state.is_draining(), apps })
    }
}

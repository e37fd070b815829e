//! `/readyz`: whether a load balancer should send requests here.

use http::StatusCode;

use super::answer;
use super::backend::Admin;
use crate::api;
use crate::server::Response;

impl Admin {
    /// 503 while the proxy does not listen yet or drains; with `?all` or `?app=NAME` also while an
    /// app has no usable token.
    ///
    /// Plain readiness does not depend on WeChat: one app with a wrong secret must not take every
    /// replica, and all other apps with them, out of service.
    pub(super) fn ready(&self, query: &str) -> Response {
        let apps = self.backend.apps();
        let mut ready = self.state.is_ready();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "all" => ready &= apps.iter().all(api::App::is_usable),
                "app" => match apps.iter().find(|app| app.name == *value) {
                    Some(app) => ready &= app.is_usable(),
                    None => return answer::no_such_app(&value),
                },
                _ => {}
            }
        }
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let apps = apps.iter().map(api::AppReadiness::from).collect();
        answer::json(status, &api::Readiness { ready, draining: self.state.is_draining(), apps })
    }
}

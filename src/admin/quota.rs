//! Quota, and the requests to WeChat that cost something.

use http::StatusCode;

use super::answer;
use super::backend::Admin;
use super::route::Route;
use crate::observe::audit::Audit;
use crate::server::Response;
use crate::texts::text;

/// Why nothing was done, for the log.
const BAD_PARAMETERS: &str = "missing, unknown or wrong parameters";

impl Admin {
    /// With `?app=NAME` only that app's.
    pub(super) fn quota(&self, query: &str) -> Response {
        let mut quota = self.backend.quota();
        if let Some(wanted) = value(query, "app") {
            quota.apps.retain(|app| app.app == wanted);
            quota.warnings.retain(|warning| warning.app == wanted);
            quota.accounts.retain(|account| account.app == wanted);
            // An app without calls today is not in the list, but exists.
            if quota.apps.is_empty() && !self.backend.apps().iter().any(|app| app.name == wanted) {
                return answer::no_such_app(&wanted);
            }
        }
        answer::json(StatusCode::OK, &quota)
    }

    /// WeChat grants few clears a month, so a mistake must not use one.
    pub(super) async fn clear_quota(
        &self,
        route: &Route,
        app: &str,
        query: &str,
        mut audit: Audit,
    ) -> Response {
        if let Some(refused) = refuse_others(query, route) {
            audit.failed(BAD_PARAMETERS);
            return refused;
        }
        let endpoint = value(query, "endpoint");
        if let Some(endpoint) = &endpoint {
            audit.concerns(endpoint);
        }
        if value(query, "confirm").as_deref() != Some(app) {
            let problem = match &endpoint {
                None => text!(
                    "this sets all of today's quota counters of {app} at WeChat to zero and uses one of 10 \
                     such clears a month, including those made in WeChat's console; to do it, add \
                     confirm={app}",
                    app
                )
                .to_string(),
                Some(endpoint) => text!(
                    "this sets today's quota counter of {endpoint} of {app} at WeChat to zero and uses one \
                     of 50 such clears a month; to do it, add confirm={app}",
                    endpoint,
                    app
                )
                .to_string(),
            };
            audit.failed("not confirmed");
            return answer::error(StatusCode::BAD_REQUEST, problem);
        }
        if endpoint.as_ref().is_some_and(|endpoint| !endpoint.starts_with('/')) {
            audit.failed(BAD_PARAMETERS);
            let problem = text!("endpoint must be a path of WeChat's, like /cgi-bin/message/custom/send");
            return answer::error(StatusCode::BAD_REQUEST, problem);
        }
        let Some(cleared) = self.backend.clear_quota(app, endpoint.as_deref()).await else {
            audit.failed(answer::NO_SUCH_APP);
            return answer::no_such_app(app);
        };
        if cleared.cleared {
            audit.done();
        } else {
            audit.failed(cleared.message.clone());
        }
        answer::json(StatusCode::OK, &cleared)
    }

    /// Callers may use their budgets a second time, so a mistake must not do this either.
    pub(super) async fn reset_quota(&self, route: &Route, app: &str, query: &str, audit: Audit) -> Response {
        if let Some(refused) = refuse_others(query, route) {
            audit.failed(BAD_PARAMETERS);
            return refused;
        }
        if value(query, "confirm").as_deref() != Some(app) {
            audit.failed("not confirmed");
            let problem = text!(
                "this resets wxgate's own counters of {app}, and the `daily` limits that its requests use, \
                 for today and on all replicas; to do it, add confirm={app}",
                app
            );
            return answer::error(StatusCode::BAD_REQUEST, problem);
        }
        let Some(reset) = self.backend.reset_quota(app).await else {
            audit.failed(answer::NO_SUCH_APP);
            return answer::no_such_app(app);
        };
        if reset.reset {
            audit.done();
        } else {
            audit.failed(reset.message.clone());
        }
        answer::json(StatusCode::OK, &reset)
    }

    pub(super) async fn look_up(&self, route: &Route, app: &str, query: &str, audit: Audit) -> Response {
        if let Some(refused) = refuse_others(query, route) {
            audit.failed(BAD_PARAMETERS);
            return refused;
        }
        let Some(rid) = value(query, "rid").filter(|rid| is_rid(rid)) else {
            audit.failed(BAD_PARAMETERS);
            let problem = text!(
                "rid must be three groups of 8 hexadecimal digits, like 61725984-6126f6f9-040f19c4: what \
                 WeChat writes after \"rid:\" in its errmsg"
            );
            return answer::error(StatusCode::BAD_REQUEST, problem);
        };
        let Some(remembered) = self.backend.look_up(app, &rid).await else {
            audit.failed(answer::NO_SUCH_APP);
            return answer::no_such_app(app);
        };
        if remembered.request.is_some() {
            audit.done();
        } else {
            audit.failed(remembered.message.clone());
        }
        answer::json(StatusCode::OK, &remembered)
    }
}

/// A misspelt parameter must not turn a request for one endpoint into one for all.
pub(super) fn refuse_others(query: &str, route: &Route) -> Option<Response> {
    let known: Vec<_> = route.parameters.iter().map(|parameter| parameter.name).collect();
    let mut seen = Vec::new();
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        if !known.contains(&&*name) || seen.contains(&name) {
            let problem = text!(
                "unknown parameter {name}, or given twice: this path takes {known}",
                name = format_args!("{name:?}"),
                known = known.join(", ")
            );
            return Some(answer::error(StatusCode::BAD_REQUEST, problem));
        }
        seen.push(name);
    }
    None
}

/// The first value of a query's key.
pub(super) fn value(query: &str, key: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == key)
        .map(|(_, value)| value.into_owned())
}

fn is_rid(text: &str) -> bool {
    let mut groups = 0;
    let each = |group: &str| {
        groups += 1;
        group.len() == 8 && group.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    text.split('-').all(each) && groups == 3
}

#[cfg(test)]
mod tests {
    use super::is_rid;

    #[test]
    fn a_rid_is_three_groups_of_eight_digits() {
        assert!(is_rid("61725984-6126f6f9-040f19c4") && is_rid("61725984-6126F6F9-040F19C4"));
        for wrong in [
            "",
            "61725984",
            "61725984-6126f6f9",
            "61725984-6126f6f9-040f19c4-61725984",
            "61725984-6126f6f9-040f19c",
            "61725984-6126f6f9-040f19cg",
            " 61725984-6126f6f9-040f19c4",
        ] {
            assert!(!is_rid(wrong), "{wrong:?}");
        }
    }
}

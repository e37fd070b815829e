//! What the page shows of everything, short enough to be sent every two seconds.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{Admin, view};

/// Over all apps: 500 of them have hundreds of endpoints each. `/api/v1/quota` has them all.
const MOST_ENDPOINTS: usize = 1200;
const MOST_ENDPOINTS_OF_AN_APP: usize = 20;
const MOST_CALLERS_OF_AN_ENDPOINT: usize = 5;
const MOST_CALLERS: usize = 300;
const MOST_ERRORS: usize = 50;
const MOST_PLACES_OF_AN_ERROR: usize = 3;
const MOST_WARNINGS: usize = 100;

/// What is sent to the page.
#[derive(Serialize)]
pub(super) struct Snapshot {
    status: view::Status,
    /// Cut; the endpoints' errors are in `errors`.
    quota: view::quota::Quota,
    activity: view::quota::Activity,
    /// Of all apps and endpoints.
    calls_today: u64,
    /// Of all apps and endpoints, the most frequent first.
    errors: Vec<CodeErrors>,
    /// An admin token is configured, so that whoever has it may change something.
    changeable: bool,
}

/// Where WeChat answered with a code today.
#[derive(Serialize)]
struct CodeErrors {
    #[serde(flatten)]
    error: view::quota::ErrorCount,
    /// Some of the places, the busiest first.
    places: Vec<Place>,
    /// Places that are left out.
    more: usize,
}

#[derive(Serialize)]
struct Place {
    app: String,
    endpoint: String,
    count: u64,
}

impl Snapshot {
    pub(super) fn of(admin: &Admin) -> Self {
        let mut quota = (admin.quota)();
        let status = admin.status_with(&quota);
        let endpoints = quota.apps.iter().flat_map(|app| &app.endpoints);
        let calls_today = endpoints.map(|endpoint| endpoint.calls_today).sum();
        let errors = by_code(&quota.apps);
        cut(&mut quota);
        let mut activity = (admin.activity)();
        if activity.callers.len() > MOST_CALLERS {
            activity.callers.sort_by_key(|row| Reverse(row.ok + row.wechat_error + row.refused + row.failed));
            activity.callers.truncate(MOST_CALLERS);
        }
        let changeable = admin.token.load().is_some();
        Self { status, quota, activity, calls_today, errors, changeable }
    }
}

fn by_code(apps: &[view::quota::AppQuota]) -> Vec<CodeErrors> {
    let mut codes = BTreeMap::new();
    for app in apps {
        for endpoint in &app.endpoints {
            for error in &endpoint.errors {
                let code = codes.entry(error.errcode).or_insert_with(|| CodeErrors {
                    error: view::quota::ErrorCount { count: 0, ..error.clone() },
                    places: Vec::new(),
                    more: 0,
                });
                code.error.count += error.count;
                let (app, endpoint) = (app.app.clone(), endpoint.endpoint.clone());
                code.places.push(Place { app, endpoint, count: error.count });
            }
        }
    }
    let mut codes: Vec<CodeErrors> = codes.into_values().collect();
    codes.sort_by_key(|code| Reverse(code.error.count));
    codes.truncate(MOST_ERRORS);
    for code in &mut codes {
        code.places.sort_by_key(|place| Reverse(place.count));
        code.more = code.places.len().saturating_sub(MOST_PLACES_OF_AN_ERROR);
        code.places.truncate(MOST_PLACES_OF_AN_ERROR);
    }
    codes
}

fn cut(quota: &mut view::quota::Quota) {
    let each = MOST_ENDPOINTS / quota.apps.len().max(1);
    for app in &mut quota.apps {
        app.endpoints.truncate(each.clamp(2, MOST_ENDPOINTS_OF_AN_APP));
        for endpoint in &mut app.endpoints {
            endpoint.callers.truncate(MOST_CALLERS_OF_AN_ENDPOINT);
            endpoint.errors.clear();
        }
    }
    quota.warnings.truncate(MOST_WARNINGS);
}

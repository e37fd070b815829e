//! What the page shows, short enough to be sent every two seconds.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::backend::Admin;
use crate::api::{AppQuota, CodeErrors, ErrorCount, ErrorPlace, Quota, Snapshot};

/// Of all apps together: 500 of them have hundreds of endpoints each. `/api/v1/quota` has all.
const MOST_ENDPOINTS: usize = 240;
const MOST_ENDPOINTS_OF_AN_APP: usize = 20;
const MOST_CALLERS_OF_AN_ENDPOINT: usize = 5;
const MOST_CALLERS: usize = 300;
const MOST_ERRORS: usize = 50;
const MOST_PLACES_OF_AN_ERROR: usize = 3;
const MOST_WARNINGS: usize = 100;

pub(super) fn snapshot(admin: &Admin) -> Snapshot {
    let mut quota = admin.backend.quota();
    let status = admin.status_with(&quota);
    let endpoints = quota.apps.iter().flat_map(|app| &app.endpoints);
    let calls_today = endpoints.map(|endpoint| endpoint.calls_today).sum();
    let errors = by_code(&quota.apps);
    cut(&mut quota);
    let mut activity = admin.backend.activity();
    if activity.callers.len() > MOST_CALLERS {
        activity.callers.sort_by_key(|caller| Reverse(caller.requests()));
        activity.callers.truncate(MOST_CALLERS);
    }
    let recent = admin.backend.recent();
    let changeable = admin.token.load().is_some();
    Snapshot { status, quota, activity, calls_today, errors, recent, changeable }
}

fn by_code(apps: &[AppQuota]) -> Vec<CodeErrors> {
    let mut codes = BTreeMap::new();
    for app in apps {
        for endpoint in &app.endpoints {
            for error in &endpoint.errors {
                let code = codes.entry(error.errcode).or_insert_with(|| CodeErrors {
                    error: ErrorCount { count: 0, ..error.clone() },
                    places: Vec::new(),
                    more: 0,
                });
                code.error.count += error.count;
                let (app, endpoint) = (app.app.clone(), endpoint.endpoint.clone());
                code.places.push(ErrorPlace { app, endpoint, count: error.count });
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

fn cut(quota: &mut Quota) {
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

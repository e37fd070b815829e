//! What `GET /sandbox/` lists.

use crate::texts::marked;

/// What the index page says.
pub(super) const INDEX: &[(&str, &str)] = &[
    ("GET /sandbox/ in a browser", marked!("the page: the requests as they come, and buttons for faults")),
    ("GET /sandbox/state", marked!("apps and their current tokens, and what is switched on")),
    (
        "POST /sandbox/apps",
        marked!(
            "add or replace: {appid, secret, kind?, whitelist?: [address]}; an empty whitelist lets every address fetch tokens"
        ),
    ),
    ("POST /sandbox/authorizers", "{component_appid, authorizer_appid, refresh_token}"),
    (
        "POST /sandbox/companies",
        marked!("a company that installed a suite: {suite_id, corpid, permanent_code?, name?}"),
    ),
    (
        "POST /sandbox/callbacks",
        marked!("where a platform's or suite's events are pushed to: {appid, url, token, aes_key}"),
    ),
    (
        "POST /sandbox/push",
        marked!(
            "an event happens, and is pushed if there is a callback: {appid, event, ..}; component_verify_ticket, authorized, updateauthorized and unauthorized with authorizer_appid; suite_ticket, create_auth, reset_permanent_code, change_auth and cancel_auth with corpid"
        ),
    ),
    ("POST /sandbox/tokens", marked!("makes a token of another sandbox current: {appid, kind, value}")),
    (
        "POST /sandbox/settings",
        marked!(
            "any of the settings that GET shows; {\"allow_unlisted\":true} accepts endpoints that WeChat does not have"
        ),
    ),
    (
        "GET, POST, DELETE /sandbox/signing",
        marked!(
            "{appid, aes_key, aes_key_sn, public_key, ..}: requires signed and encrypted calls; GET returns the platform's certificates; DELETE takes ?appid="
        ),
    ),
    (
        "POST /sandbox/rotate",
        marked!("as if another program had fetched a token: {appid?, kind?, grace_ms?}"),
    ),
    ("POST /sandbox/poison", marked!("the token is still returned but rejected everywhere: {appid?, kind?}")),
    ("POST /sandbox/expire", marked!("the token expires: {appid?, kind?}")),
    ("POST /sandbox/lag", "{appid?, milliseconds?, requests?, probe?, path?, one_in?, newly_issued?}"),
    ("GET, DELETE /sandbox/lag", marked!("lists all lags, or ends them")),
    ("GET, POST, DELETE /sandbox/faults", marked!("{fault, path?, times?, after?, ..}; DELETE takes ?id=")),
    (
        "POST /sandbox/limits",
        marked!("{path, daily_limit?, rate_limit?: {call_count, refresh_second}, appid? with used?}"),
    ),
    ("GET, POST /sandbox/clock", "{advance_ms}"),
    (
        "GET /sandbox/journal",
        marked!(
            "?path= (exact, or a prefix with *) &since= &limit=; `unlisted` marks endpoints that WeChat does not have, `generic` those without a shape of their own here"
        ),
    ),
    ("GET /sandbox/counts", marked!("{fetches, forces, probes}; ?appid=")),
    ("GET /sandbox/shapes", marked!("the endpoints in the shapes that WeChat documents, with their sources")),
    ("GET /sandbox/variants", marked!("the values of error_variant")),
    ("GET /sandbox/blob", marked!("?bytes= the SHA-256 of the download of media_id=blob-N")),
    (
        "POST /sandbox/reset",
        marked!(
            "forgets journal, counts, faults and lag; {\"all\":true} tokens, quotas, settings and whitelists too"
        ),
    ),
];

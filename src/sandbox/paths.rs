//! Paths that mean something beyond their endpoint.

/// What clients ask to learn whether a token is valid.
pub(super) const PROBE: &str = "/cgi-bin/get_api_domain_ip";

/// Whether a path issues an app's token: what counts as a fetch.
pub(super) fn issues_app_token(path: &str) -> bool {
    matches!(
        path,
        "/cgi-bin/token"
            | "/cgi-bin/stable_token"
            | "/cgi-bin/gettoken"
            | "/cgi-bin/component/api_component_token"
            | "/cgi-bin/component/api_authorizer_token"
            | "/cgi-bin/service/get_suite_token"
            | "/cgi-bin/service/get_corp_token"
            | "/cgi-bin/service/get_provider_token"
    )
}

/// Whether a pattern, exact or with a trailing `*`, covers a path.
pub(super) fn covers(pattern: Option<&str>, path: &str) -> bool {
    match pattern {
        None => true,
        Some(pattern) => match pattern.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == pattern,
        },
    }
}

#[test]
fn a_pattern_is_exact_unless_it_ends_with_a_star() {
    assert!(covers(Some("/a"), "/a") && !covers(Some("/a"), "/ab"));
    assert!(covers(Some("/a*"), "/ab") && covers(None, "/x"));
}

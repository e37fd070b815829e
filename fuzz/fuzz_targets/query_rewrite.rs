//! No credential of the caller's survives, and all else does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wxgate::message::query::{CredentialParam, credentials, keys, rewrite};

fuzz_target!(|query: &str| {
    let out = rewrite("/p", Some(query), Some((CredentialParam::AccessToken, "NEW")));
    let out = std::str::from_utf8(&out).expect("what was UTF-8 stays UTF-8");
    let rewritten = out.strip_prefix("/p?").expect("the path, and a query");
    let left: Vec<_> = credentials(rewritten).collect();
    assert_eq!(left, [(CredentialParam::AccessToken, "NEW".into())]);

    // A form parser has no rule for what stands behind a `?` within a token.
    if query.contains('?') {
        return;
    }
    let is_credential = |name: &str| {
        matches!(
            name,
            "access_token"
                | "component_access_token"
                | "suite_access_token"
                | "provider_access_token"
                | "cloudbase_access_token"
        )
    };
    let others = |query: &str| -> Vec<(String, String)> {
        form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(name, _)| !is_credential(name)).collect()
    };
    assert_eq!(others(rewritten), others(query));
    assert!(keys(query).is_ascii());
});

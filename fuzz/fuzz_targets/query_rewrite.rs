//! No credential of the caller's survives, and all else does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wxgate::message::query::{CredentialParam, MayHold, credentials, keys, rewrite};

fuzz_target!(|query: &str| {
    let out = rewrite("/p", Some(query), Some((CredentialParam::AccessToken, "NEW")));
    let out = std::str::from_utf8(&out).expect("what was UTF-8 stays UTF-8");
    let rewritten = out.strip_prefix("/p?").expect("the path, and a query");
    let left: Vec<_> = credentials(rewritten).collect();
    assert_eq!(left, [(CredentialParam::AccessToken, "NEW".into())]);

    assert!(keys(query).is_ascii());
    assert!(MayHold::of(query).tokens || credentials(query).next().is_none());
    // A form parser has no rule for what stands behind a `?` within a token.
    if query.contains('?') || query.is_empty() {
        return;
    }
    // As a form parser reads the name of each piece, by letters and digits alone.
    let holds_token = |parameter: &&str| {
        parameter.split(';').any(|piece| {
            let name = piece.split('=').next().unwrap_or_default();
            let name = form_urlencoded::parse(name.as_bytes()).next().unwrap_or_default().0.to_ascii_lowercase();
            let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            letters
                .strip_suffix("accesstoken")
                .is_some_and(|kind| ["", "component", "suite", "provider", "cloudbase"].contains(&kind))
        })
    };
    let others = |query: &str| -> Vec<String> {
        query.split('&').filter(|parameter| !holds_token(parameter)).map(str::to_owned).collect()
    };
    assert_eq!(others(rewritten), others(query));
});

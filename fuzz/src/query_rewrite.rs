//! No credential of the caller's survives in a query, and all else does.

use wxgate::message::credential::CredentialParam;
use wxgate::message::query::{MayHold, credentials, keys, rewrite, set};

/// As the proxy reads a name: letters and digits alone, whatever their case.
pub fn is_credential(name: &str) -> bool {
    let name: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    matches!(
        name.as_str(),
        "accesstoken"
            | "componentaccesstoken"
            | "suiteaccesstoken"
            | "provideraccesstoken"
            | "cloudbaseaccesstoken"
    )
}

pub fn run(bytes: &[u8]) {
    let Ok(query) = std::str::from_utf8(bytes) else { return };
    let out = rewrite("/p", Some(query), Some((CredentialParam::AccessToken, "NEW")));
    let out = std::str::from_utf8(&out).expect("what was UTF-8 stays UTF-8");
    let rewritten = out.strip_prefix("/p?").expect("the path, and a query");
    let left: Vec<_> = credentials(rewritten).collect();
    assert_eq!(left, [(CredentialParam::AccessToken, "NEW".into())]);
    assert!(keys(query).is_ascii());

    let out = set("/p", Some(query), &[("secret", "S+1")]);
    let out = std::str::from_utf8(&out).expect("what was UTF-8 stays UTF-8");
    let secrets = form_urlencoded::parse(out.strip_prefix("/p?").expect("a query").as_bytes());
    assert_eq!(secrets.filter(|(name, _)| name == "secret").count(), 1);
    assert!(out.contains("secret=S%2B1"), "{out}");

    assert!(MayHold::of(query).tokens || credentials(query).next().is_none());
    // A form parser has no rule for what stands behind a `?` within a token.
    if query.contains('?') || query.is_empty() {
        return;
    }
    let others = |query: &str| -> Vec<String> {
        query.split('&').filter(|parameter| !holds_credential(parameter)).map(str::to_owned).collect()
    };
    assert_eq!(others(rewritten), others(query));
}

/// Whether one of a parameter's pieces has such a name, percent-decoded as a form parser does.
fn holds_credential(parameter: &str) -> bool {
    parameter.split(';').any(|piece| {
        let name = piece.split('=').next().unwrap_or_default();
        let decoded = form_urlencoded::parse(name.as_bytes()).next();
        decoded.is_some_and(|(name, _)| is_credential(&name))
    })
}

//! Any request is planned without a panic, and what is closed stays closed in every spelling that passes. The input is a
//! method, a blank, and path and query.

use std::sync::LazyLock;

use wxgate::app::explain;
use wxgate::config::{Config, Outline};
use wxgate::wechat::catalogue::{find, normalise};

const SECRET: &str = "canary-app-secret-of-routing";

static CONFIG: LazyLock<Outline> = LazyLock::new(|| {
    let text = "[[app]]\nname = 'shop'\nappid = 'wx0000000000000001'\nsecret = { env = 'S' }\ndefault = true\n\
                [[app]]\nname = 'game'\nappid = 'wx0000000000000002'\nsecret = { env = 'S' }\nkind = 'mini_program'\n";
    Config::parse(text, "fuzz.toml", &|_| Some(SECRET.to_owned())).expect("a configuration").into()
});

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (method, target) = text.split_once(' ').unwrap_or(("GET", text));
    let Ok(method) = http::Method::from_bytes(method.as_bytes()) else { return };
    let told = explain(&method, target, Some(&CONFIG)).expect("always");
    assert!(!told.contains(SECRET), "{told}");
    let path = target.split('?').next().unwrap_or_default();
    if path.starts_with("/cgi-bin/") && find(&normalise(path)).guarded {
        assert!(told.contains("refused") || told.contains("endpoint_forbidden"), "{told}");
    }
}

//! Files with thousands of tables, whose mistakes are repeated.

use std::fmt::Write as _;

use wxgate::config::Config;

use super::{CANARY, env};

const TABLES: usize = 300;

/// So many apps and callers; what a caller says beside its name and key.
fn file(caller: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for index in 0..TABLES {
        let _ = writeln!(
            text,
            "[[app]]\nname = 'app-{index:03}'\nappid = 'wx{index:016x}'\nsecret = {{ env = 'SHOP_SECRET' }}"
        );
    }
    for index in 0..TABLES {
        let rest = caller(index);
        let _ = writeln!(text, "[[caller]]\nname = 'c{index}'\nkey_sha256 = '{index:064x}'\n{rest}");
    }
    text
}

#[test]
fn a_pattern_that_is_wrong_is_warned_of_wherever_it_stands() {
    let text = file(|index| format!("apps = ['app-{index:03}']\nallow = ['/cgi-bin/mesage/custom/send']"));
    let config = Config::parse(&text, "t.toml", &env).unwrap_or_else(|problems| panic!("{problems}"));
    let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), TABLES);
    for (index, warning) in warnings.iter().enumerate() {
        let line = 4 * TABLES + 5 * index + 5;
        let expected = format!(
            "t.toml:{line}:10: caller[{index}].allow[0]: warning: matches no endpoint that wxgate knows, did you \
             mean \"/cgi-bin/message/custom/send\"?"
        );
        assert_eq!(*warning, expected);
    }
}

#[test]
fn names_that_are_wrong_by_the_hundred_make_no_novel() {
    let text = file(|index| format!("apps = ['ap-{index:03}', '{CANARY}']"));
    let problems = Config::parse(&text, "t.toml", &env).unwrap_err().0;
    assert_eq!(problems.len(), 2 * TABLES);
    assert!(problems.iter().all(|problem| problem.to_string().len() < 200));
    assert!(problems[0].text.as_str().ends_with("did you mean \"app-000\"?"), "{}", problems[0]);
    let last = problems.last().unwrap();
    assert_eq!(last.text.as_str(), "\"***\" is not the name of an app, expected one of the 300 known names");
}

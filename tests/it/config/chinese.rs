//! The shipped file with Chinese comments: but for them, it is the English one.

use wxgate::config::Config;

use super::{env, shipped};

const CHINESE: &str = include_str!("../../../config/wxgate.zh-CN.toml");

/// Tables and keys with their values, line by line, whether they stand in a comment or not; all
/// else is words.
fn settings(text: &str) -> Vec<&str> {
    text.lines().filter_map(setting).collect()
}

fn setting(line: &str) -> Option<&str> {
    let bare = line.strip_prefix("# ").unwrap_or(line);
    let name = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.".contains(c))
    };
    let is_table = name(bare.trim_start_matches('[').trim_end_matches(']')) && bare.starts_with('[');
    let is_key = bare.split_once(" = ").is_some_and(|(key, _)| name(key));
    // The mark before a key stays: it says whether the key holds.
    let words = line.len() - bare.len() + bare.find(" # ").unwrap_or(bare.len());
    (is_table || is_key).then(|| line[..words].trim_end())
}

#[test]
fn both_languages_have_the_same_settings_in_the_same_order() {
    let english = shipped();
    let (english, chinese) = (settings(&english), settings(CHINESE));
    assert!(english.len() > 120, "only {} settings were found", english.len());
    assert_eq!(english, chinese);
}

#[test]
fn the_chinese_file_is_accepted_like_the_english_one() {
    let read = |text: &str| {
        let config = Config::parse(text, "wxgate.toml", &env).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(config.warnings, []);
        format!("{config:?}")
    };
    assert_eq!(read(CHINESE), read(&shipped()));
}

#[test]
fn a_setting_that_differs_is_seen() {
    let text = "# Words: a = 1\n[server]\nlisten = [\"#\"]      # where\n# workers = 0 # how many\n# [[app.export]]\n\n                 # more words\n";
    assert_eq!(settings(text), ["[server]", "listen = [\"#\"]", "# workers = 0", "# [[app.export]]"]);
    assert_ne!(settings(text), settings(&text.replace("# workers", "workers")));
    assert_ne!(settings(text), settings(&text.replace("= 0", "= 1")));
}

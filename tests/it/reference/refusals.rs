//! Every code with which wxgate answers itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use wxgate::pipeline::refusals;

use super::{data, part, strings, table};

/// An entry of `docs/reference/refusals.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    en: String,
    do_en: String,
    zh: String,
    do_zh: String,
}

#[test]
fn the_page_shows_every_code_with_its_status_and_errcode() {
    let data: BTreeMap<String, About> = data("refusals.toml");
    let known: BTreeSet<_> = refusals().map(|(code, ..)| code).collect();
    assert_eq!(
        data.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        known,
        "docs/reference/refusals.toml"
    );
    let mut codes: Vec<_> = refusals().collect();
    codes.sort_by_key(|(code, status, _)| (*status, *code));
    part("refusals.md", "codes", |language| {
        let titles = language.of(
            ["status", "errcode", "code", "when", "what to do"],
            ["状态码", "errcode", "代号", "场景", "怎么办"],
        );
        let rows = codes.iter().map(|(code, status, errcode)| {
            let About { en, do_en, zh, do_zh } = &data[*code];
            let [when, act] = language.of([en, do_en], [zh, do_zh]).map(String::clone);
            vec![status.to_string(), errcode.to_string(), format!("`{code}`"), when, act]
        });
        table(std::iter::once(strings(titles)).chain(rows))
    });
}

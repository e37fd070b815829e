//! Every metric of a scrape.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::{data, part, read, root, strings, table};
use crate::harness::Gate;

/// `docs/reference/metrics.toml`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    group: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    en: String,
    zh: String,
    metric: Vec<About>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    name: String,
    labels: Vec<String>,
    zh: String,
    do_en: String,
    do_zh: String,
}

impl About {
    fn labels(&self) -> BTreeSet<&str> {
        self.labels.iter().map(|label| label.split(' ').next().unwrap_or_default()).collect()
    }
}

/// Type and HELP of each metric of wxgate's own, as the sources give them to a scrape.
fn families() -> BTreeMap<String, (&'static str, String)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                of_source(&path, &mut found);
            }
        }
    }
    found
}

fn of_source(path: &Path, found: &mut BTreeMap<String, (&'static str, String)>) {
    let text = read(path);
    for kind in ["counter", "gauge", "histogram"] {
        for call in text.split(&format!("out.{kind}(")).skip(1) {
            let call = call.replace("\\\"", "\u{1}");
            // Its strings are the name and the HELP.
            let [before, name, _, help, _] = call.splitn(5, '"').collect::<Vec<_>>()[..] else { continue };
            if before.trim().is_empty() && name.starts_with("wxgate_") {
                found.insert(name.to_owned(), (kind, help.replace('\u{1}', "\"")));
            }
        }
    }
}

#[test]
fn the_page_shows_every_metric() {
    let (data, families) = (data::<Data>("metrics.toml"), families());
    let described: BTreeSet<_> =
        data.group.iter().flat_map(|group| &group.metric).map(|metric| &metric.name).collect();
    assert_eq!(described, families.keys().collect(), "docs/reference/metrics.toml");
    part("metrics.md", "metrics", |language| {
        let mut out = String::new();
        for Group { en, zh, metric } in &data.group {
            let titles = language.of(
                ["metric", "type", "labels", "meaning", "what to do"],
                ["指标", "类型", "标签", "含义", "怎么办"],
            );
            let rows = metric.iter().map(|about| {
                let (kind, help) = &families[&about.name];
                let meaning = language.of(help, &about.zh).clone();
                let act = language.of(&about.do_en, &about.do_zh).clone();
                vec![format!("`{}`", about.name), (*kind).to_owned(), about.labels.join(", "), meaning, act]
            });
            out += &format!(
                "## {}\n\n{}\n",
                language.of(en, zh),
                table(std::iter::once(strings(titles)).chain(rows))
            );
        }
        out
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_has_the_labels_that_the_page_shows() {
    let data = data::<Data>("metrics.toml");
    let known: BTreeMap<_, _> = data
        .group
        .iter()
        .flat_map(|group| &group.metric)
        .map(|metric| (metric.name.as_str(), metric))
        .collect();
    let families = families();
    let gate = Gate::start().await.warm().await;
    gate.get("/cgi-bin/clear_quota").await;
    gate.client.get(gate.admin_url("/api/v1/status")).send().await.expect("an answer");
    let scrape = gate.client.get(gate.admin_url("/metrics")).bearer_auth(crate::harness::ADMIN_TOKEN);
    let scrape = scrape.send().await.expect("an answer").text().await.expect("a text");
    let mut proven = BTreeSet::new();
    for line in scrape.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' '))
            && name.starts_with("wxgate_")
        {
            assert_eq!(families[name].1, help, "{name}");
        }
        let Some((name, labels)) = line.split_once('{').filter(|_| !line.starts_with('#')) else { continue };
        let name =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let (labels, _) = labels.rsplit_once("\"}").unwrap_or_else(|| panic!("{line}"));
        let names = labels.split("\",").filter_map(|pair| pair.split_once('=')).map(|(name, _)| name);
        let names: BTreeSet<_> = names.filter(|name| *name != "le").collect();
        assert_eq!(names, known[name].labels(), "{line}");
        proven.insert(name);
    }
    assert!(proven.len() > 12, "{proven:?}");
}

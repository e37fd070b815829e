//! Every alert, as `deploy/prometheus/alerts.yml` tells of it.

use super::{Language, part, read, root, strings, table};

struct Alert<'t> {
    name: &'t str,
    text: &'t str,
}

impl Alert<'_> {
    /// The value of a key that stands on a line of its own.
    fn value(&self, key: &str) -> Option<&str> {
        let value = self.text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
        value.map(|value| value.trim_matches('"'))
    }

    /// A text for people; what Prometheus puts in is in italics, in code in capitals.
    fn said(&self, key: &str, language: Language) -> String {
        let key = language.of(key.to_owned(), format!("{key}_zh"));
        let text = self.value(&key).unwrap_or_else(|| panic!("{} has no {key}", self.name));
        let mut pieces = text.split("{{ ");
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (template, behind) = piece.split_once(" }}").expect("a template ends");
            let word = template.split(' ').next().unwrap_or_default();
            let name = match word.strip_prefix("$labels.") {
                Some(label) => label,
                None => language.of("value", "数值"),
            };
            let in_code = out.matches('`').count() % 2 == 1;
            out += &if in_code { name.to_uppercase() } else { format!("*{name}*") };
            out += behind;
        }
        assert!(!out.contains(['<', '|']), "{out}");
        out
    }

    fn anchor(&self) -> String {
        self.name.to_lowercase()
    }
}

fn severity(alert: &Alert<'_>, language: Language) -> &'static str {
    match alert.value("severity") {
        Some("critical") => language.of("critical", "严重"),
        Some("warning") => language.of("warning", "警告"),
        Some("info") => language.of("info", "提示"),
        other => panic!("{}: severity {other:?}", alert.name),
    }
}

#[test]
fn the_page_shows_every_alert_and_each_names_it() {
    let file = read(&root().join("deploy/prometheus/alerts.yml"));
    let alerts: Vec<_> = file
        .split("- alert: ")
        .skip(1)
        .map(|text| text.split_once('\n').expect("a name"))
        .map(|(name, text)| Alert { name, text })
        .collect();
    assert!(alerts.len() > 10);
    for alert in &alerts {
        let url = format!("https://github.com/wxgate/wxgate/blob/HEAD/docs/en/alerts.md#{}", alert.anchor());
        assert_eq!(alert.value("runbook_url"), Some(&*url), "{}", alert.name);
    }
    part("alerts.md", "alerts", |language| {
        let titles = strings(language.of(["alert", "severity", "after"], ["告警", "级别", "持续"]));
        let rows = alerts.iter().map(|alert| {
            let after = alert.value("for").unwrap_or_else(|| language.of("at once", "立即"));
            vec![
                format!("[{}](#{})", alert.name, alert.anchor()),
                severity(alert, language).into(),
                after.into(),
            ]
        });
        let mut out = table(std::iter::once(titles).chain(rows));
        for alert in &alerts {
            let said = |key| alert.said(key, language);
            out += &format!("\n## {}\n\n**{}**\n\n", alert.name, said("summary"));
            let remedy = language.of("**What to do.** ", "**怎么办**：");
            out += &format!("{}\n\n{remedy}{}\n", said("description"), said("remedy"));
        }
        out
    });
}

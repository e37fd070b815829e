//! The alerts, by promtool.

use std::process::Command;

use super::prometheus::program;
use super::{deployed, read};

fn promtool(arguments: &[&str], file: &str) -> String {
    let output = Command::new(program("promtool")).args(arguments).arg(deployed(file)).output();
    let output = output.expect("promtool runs: tests/run --install fetches it");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {arguments:?} {file}:\n{text}");
    text
}

#[test]
fn promtool_accepts_rules_and_configuration() {
    let checked = promtool(&["check", "rules"], "prometheus/alerts.yml");
    assert!(checked.contains(&format!("{} rules found", alerts().len())), "{checked}");
    let checked = promtool(&["check", "config"], "prometheus/wxgate.yml");
    assert!(checked.contains("1 rule files found"), "{checked}");
}

#[test]
fn each_alert_fires_when_it_should_and_not_before() {
    promtool(&["test", "rules"], "prometheus/alerts_test.yml");
    let tests = read(&deployed("prometheus/alerts_test.yml"));
    for (name, _) in alerts() {
        assert!(
            tests.contains(&format!("ALERTS{{alertname=\"{name}\", alertstate=\"firing\"")),
            "{name} is untested"
        );
    }
}

#[test]
fn each_alert_says_what_happened_and_what_to_do_in_both_languages() {
    for (name, text) in alerts() {
        for annotation in ["summary", "description", "remedy", "summary_zh", "description_zh", "remedy_zh"] {
            let said = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{annotation}: \"")));
            let said = said.unwrap_or_else(|| panic!("{name} has no {annotation}"));
            let chinese = said.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            assert_eq!(chinese, annotation.ends_with("_zh"), "{name}: {annotation}");
        }
        assert!(text.contains("severity: "), "{name}");
    }
}

/// Name and text of each alert.
fn alerts() -> Vec<(String, String)> {
    let text = read(&deployed("prometheus/alerts.yml"));
    let alerts = text.split("- alert: ").skip(1);
    let alerts: Vec<_> = alerts
        .filter_map(|text| text.split_once('\n'))
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    alerts
}

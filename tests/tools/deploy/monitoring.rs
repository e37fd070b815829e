//! Rules and dashboards, which Kubernetes wants wrapped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::form::{forms, list};
use super::yaml::document;
use super::{deployed, read};
use crate::installer::output;

/// Of Debian's package `prometheus`, as `tests/run` has unpacked it or as it is installed.
pub(super) fn promtool(arguments: &[&str], file: &Path) -> String {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/prometheus/usr/bin/promtool");
    let program = if unpacked.exists() { unpacked } else { PathBuf::from("promtool") };
    output(Command::new(program).args(arguments).arg(file)).unwrap_or_else(|said| panic!("{said}"))
}

#[test]
fn the_rules_of_kustomize_are_those_of_prometheus() {
    let rules = read(&deployed("prometheus/alerts.yml"));
    let groups = &rules[rules.find("groups:").expect("groups")..];
    let mut wanted = "# Made of deploy/prometheus/alerts.yml: change that one, then `REGENERATE=1 tests/run deploy::` writes this.\n\
                      apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: wxgate\nspec:\n"
        .to_owned();
    for line in groups.split_inclusive('\n') {
        if !line.trim().is_empty() {
            wanted.push_str("  ");
        }
        wanted.push_str(line);
    }
    let file = deployed("kubernetes/monitoring/prometheus-rule.yaml");
    if std::env::var_os("REGENERATE").is_some() {
        fs::write(&file, &wanted).expect("written");
    }
    assert!(read(&file) == wanted, "other alerts than alerts.yml: REGENERATE=1 tests/run deploy::");
}

#[test]
fn every_form_that_is_watched_has_all_alerts_and_the_dashboard() {
    let alerts = document(read(&deployed("prometheus/alerts.yml")));
    let dashboard: Value = serde_json::from_str(&read(&deployed("grafana/wxgate.json"))).expect("JSON");
    let mut seen = 0;
    for form in forms().iter().filter(|form| form.find("PrometheusRule").is_some()) {
        let rule = form.find("PrometheusRule").expect("rules");
        assert!(in_one_line(&rule["spec"]) == in_one_line(&alerts), "{}: other alerts", form.name);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("rules.json");
        fs::write(&file, rule["spec"].to_string()).expect("written");
        let said = promtool(&["check", "rules"], &file);
        assert!(said.contains("SUCCESS"), "{}: {said}", form.name);

        let maps = form.documents.iter().filter(|one| one["kind"] == "ConfigMap");
        let shown = maps.into_iter().find(|map| map["metadata"]["labels"]["grafana_dashboard"] == "1");
        let text = shown.and_then(|map| map["data"]["wxgate.json"].as_str()).expect("a dashboard");
        let shown: Value = serde_json::from_str(text).expect("JSON");
        assert!(shown == dashboard, "{}: another dashboard", form.name);
        seen += 1;
    }
    assert_eq!(seen, 2);
}

/// kustomize writes folded texts with further line breaks, which mean nothing to Prometheus.
fn in_one_line(rules: &Value) -> String {
    rules.to_string().replace("\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn prometheus_finds_the_admin_port_and_calls_the_job_wxgate() {
    let mut seen = 0;
    for form in forms().iter().filter(|form| form.find("ServiceMonitor").is_some()) {
        let spec = &form.find("ServiceMonitor").expect("a monitor")["spec"];
        let service = form.find("Service").expect("a Service");
        for (key, value) in spec["selector"]["matchLabels"].as_object().expect("labels") {
            assert_eq!(&service["metadata"]["labels"][key], value, "{}", form.name);
        }
        let endpoint = &spec["endpoints"][0];
        let port = list(&service["spec"]["ports"])
            .iter()
            .find(|port| port["name"] == endpoint["port"])
            .expect("the port");
        assert_eq!(port["targetPort"], "admin", "{}", form.name);
        // By the Service's label, or said outright: alerts and dashboard know no other name.
        let job = match spec["jobLabel"].as_str() {
            Some(label) => service["metadata"]["labels"][label].clone(),
            None => endpoint["relabelings"][0]["replacement"].clone(),
        };
        assert_eq!(job, "wxgate", "{}", form.name);
        // Kubernetes has no schema of these: the fields that are used, as the operator's reference
        // has them.
        let known = ["jobLabel", "selector", "endpoints"];
        assert!(spec.as_object().expect("fields").keys().all(|key| known.contains(&key.as_str())), "{spec}");
        let known = ["port", "interval", "authorization", "relabelings"];
        assert!(
            endpoint.as_object().expect("fields").keys().all(|key| known.contains(&key.as_str())),
            "{endpoint}"
        );
        assert_eq!(endpoint["authorization"]["type"], json!("Bearer"));
        seen += 1;
    }
    assert_eq!(seen, 2);
}

//! What the chart alone does.

use super::deployed;
use super::form::{Form, template, template_with};
use super::programs::helm;
use super::secrets::Secrets;
use super::yaml::parse;

fn rendered(values: &str, more: &[&str]) -> Form {
    form(format!("helm {values} {more:?}"), template(values, more))
}

fn form(name: String, text: Result<String, String>) -> Form {
    let text = text.unwrap_or_else(|said| panic!("{said}"));
    let mut parsed = parse(&[text], None).unwrap_or_else(|said| panic!("{said}"));
    Form { name, documents: parsed.swap_remove(0) }
}

#[test]
fn helm_finds_no_fault_with_the_chart() {
    let chart = deployed("helm/wxgate");
    for values in ["single", "cluster", "least"] {
        let values = chart.join(format!("ci/{values}-values.yaml"));
        let [chart, values] = [&chart, &values].map(|path| path.to_str().expect("UTF-8"));
        let said =
            helm(&["lint", "--strict", chart, "--values", values]).unwrap_or_else(|said| panic!("{said}"));
        assert!(said.contains("0 chart(s) failed"), "{said}");
    }
}

#[test]
fn the_chart_has_the_version_of_wxgate() {
    let text = super::read(&deployed("helm/wxgate/Chart.yaml"));
    for key in ["version", "appVersion"] {
        assert!(
            text.lines().any(|line| line == format!("{key}: {}", env!("CARGO_PKG_VERSION"))),
            "{key}: {text}"
        );
    }
    for form in ["single", "cluster", "sidecar"] {
        let text = super::read(&deployed(&format!("kubernetes/{form}/kustomization.yaml")));
        assert!(text.contains(&format!("newTag: {}\n", env!("CARGO_PKG_VERSION"))), "{form}");
    }
}

#[test]
fn values_that_cannot_be_right_are_refused() {
    for (values, wanted) in [
        (["existingSecret="], "existingSecret"),
        (["image.repository="], "repository"),
        (["config="], "config"),
        (["replicas=2"], "more than one needs store.url of a Redis"),
        (["server.listen=0.0.0.0:80"], "listen"),
        (["config=[admin]"], "take them out of config"),
        (["config=[ server.tls ]"], "take them out of config"),
        (["persistance.enabled=true"], "persistance"),
        (["extraFiles.wxgate\\.toml=x"], "extraFiles"),
        (["store.password=hunter2"], "password"),
        (["store.seal_key.file=/etc/wxgate/seal"], "seal_key"),
        (["resources.limits.memory=lots"], "memory"),
        (["image.digest=latest"], "digest"),
    ] {
        let said = template("least", &["--set", values[0]]).expect_err(values[0]);
        assert!(said.contains(wanted), "{}: {said}", values[0]);
    }
    let said = template("cluster", &["--set", "persistence.enabled=true"]).expect_err("three on one volume");
    assert!(said.contains("replicas"), "{said}");
}

#[test]
fn a_config_map_with_accounts_is_mounted_and_included() {
    let text =
        template("least", &["--set", "accountFiles=wechat-accounts"]).unwrap_or_else(|said| panic!("{said}"));
    assert!(text.contains("wxgate.toml: |\n    include = [\"/etc/wxgate-apps/*.toml\"]\n"), "{text}");
    assert!(text.contains("name: wechat-accounts") && text.contains("mountPath: /etc/wxgate-apps"), "{text}");
    let without = template("least", &[]).unwrap_or_else(|said| panic!("{said}"));
    assert!(!without.contains("wxgate-apps") && !without.contains("include"), "{without}");
}

#[test]
fn a_changed_value_changes_the_note_on_the_pods() {
    let note = |more: &[&str]| {
        rendered("least", more).template()["metadata"]["annotations"]["checksum/config"].to_string()
    };
    let first = note(&[]);
    assert_eq!(first, note(&["--set", "replicas=0"]));
    assert_ne!(first, note(&["--set", "server.idle_timeout=60s"]));
}

#[test]
fn values_of_every_type_arrive_in_the_configuration() {
    let server = serde_json::json!({
        "workers": 3, "anonymous": false, "max_body": "8MiB", "trusted_proxies": ["10.0.0.0/8", "::1"],
        "tls": {"cert": "a \"b\"", "key": "/x"},
    });
    let server = format!("server={server}");
    let form = rendered("cluster", &["--set-json", &server, "--set", "extraFiles.ca\\.pem=A"]);
    let toml: toml::Table = form.toml().parse().unwrap_or_else(|error| panic!("{error}\n{}", form.toml()));
    let server = toml["server"].as_table().expect("a table");
    assert_eq!(server["workers"].as_integer(), Some(3));
    // Beside the keys that have defaults in the chart.
    assert_eq!(server["max_connections"].as_integer(), Some(2000));
    assert_eq!(server["anonymous"].as_bool(), Some(false));
    assert_eq!(server["max_body"].as_str(), Some("8MiB"));
    assert_eq!(server["tls"]["cert"].as_str(), Some("a \"b\""));
    assert_eq!(server["trusted_proxies"].as_array().map(Vec::len), Some(2));
    assert_eq!(server["hosts"][3].as_str(), Some("wechat.internal.example.com"));
    assert_eq!(toml["store"]["seal_key"]["file"].as_str(), Some("/run/secrets/seal-key"));
    let image = form.container()["image"].as_str().expect("an image");
    assert!(image.starts_with("registry.example.com/wxgate@sha256:0"), "{image}");
    // Two templates: the chart's reader leaves wxgate's own alone.
    assert!(rendered("single", &[]).toml().contains("access_token={{access_token}}\\n"));
}

#[test]
fn the_notes_name_the_address_that_the_service_has() {
    let chart = deployed("helm/wxgate");
    let values = chart.join("ci/least-values.yaml");
    let [chart, values] = [&chart, &values].map(|path| path.to_str().expect("UTF-8"));
    let arguments = ["install", "gate", chart, "--dry-run=client", "--namespace", "prod", "--values", values];
    let said = helm(&arguments).unwrap_or_else(|said| panic!("{said}"));
    let (manifests, notes) = said.split_once("NOTES:").expect("notes");
    assert!(notes.contains("http://gate-wxgate.prod.svc.cluster.local:8080\n"), "{notes}");
    assert!(notes.contains("would be lost: set persistence.enabled or store.url"), "{notes}");
    assert!(manifests.contains("\"gate-wxgate.prod.svc.cluster.local\""), "{manifests}");
}

#[test]
fn the_values_that_the_pages_show_make_a_cluster() {
    for language in ["en", "zh"] {
        let page = super::read(&deployed(&format!("../docs/{language}/kubernetes.md")));
        let block = page.split("```").find_map(|block| block.strip_prefix("yaml parsed\n")).expect("values");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("values.yaml");
        std::fs::write(&file, block).expect("written");
        let form = form(language.to_owned(), template_with(&file, &[]));
        assert_eq!(form.find("Deployment").expect("a Deployment")["spec"]["replicas"], 3);
        let said = Secrets::new().check(form.toml());
        assert!(said.contains("ok, 1 app, 1 caller") && !said.contains("warning"), "{said}");
    }
}

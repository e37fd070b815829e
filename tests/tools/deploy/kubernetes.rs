//! What holds for every way to run it in Kubernetes.

use std::time::Duration;

use serde_json::{Value, json};

use super::form::{bytes, forms, list, rendered};
use super::secrets::{MOUNTED, Secrets};
use super::yaml::parse;

#[test]
fn every_manifest_fits_the_schema_of_its_kind() {
    let texts: Vec<_> = rendered().into_iter().map(|(_, text)| text).collect();
    parse(&texts, Some("kubernetes")).unwrap_or_else(|said| panic!("{said}"));
}

#[test]
fn each_form_has_what_it_says() {
    let kinds: Vec<(String, Vec<String>)> = forms()
        .iter()
        .map(|form| (form.name.clone(), form.kinds().into_iter().map(str::to_owned).collect()))
        .collect();
    let common = ["ConfigMap", "Deployment", "NetworkPolicy", "Service", "ServiceAccount"];
    let volume = [&common[..], &["PersistentVolumeClaim"]].concat();
    let watched =
        [&common[..], &["ConfigMap", "PodDisruptionBudget", "PrometheusRule", "ServiceMonitor"]].concat();
    let expected = [
        ("kustomize single", volume.clone()),
        ("kustomize cluster", watched.clone()),
        ("kustomize sidecar", vec!["ConfigMap", "Deployment"]),
        ("helm single", volume),
        ("helm cluster", watched),
        ("helm least", common.to_vec()),
    ];
    for ((form, kinds), (name, mut expected)) in kinds.iter().zip(expected) {
        expected.sort_unstable();
        assert_eq!((form.as_str(), kinds.iter().map(String::as_str).collect()), (name, expected));
    }
}

#[test]
fn wxgate_reads_each_configuration_without_a_warning() {
    let secrets = Secrets::new();
    for form in forms() {
        let said = secrets.check(form.toml());
        assert!(said.contains("ok, 1 app"), "{}: {said}", form.name);
        assert!(!said.contains("warning"), "{}: {said}", form.name);
        let config = form.config();
        assert!(config.warnings.is_empty(), "{}: {:?}", form.name, config.warnings);
    }
}

#[test]
fn memory_and_disk_suffice_for_the_most_that_is_taken() {
    for form in forms() {
        let config = form.config();
        let limits = &form.container()["resources"]["limits"];
        let tmp = &form.volume("/tmp")["emptyDir"];
        let room = bytes(&tmp["sizeLimit"]);
        let in_memory = if tmp["medium"] == "Memory" { room } else { 0 };
        let most = wxgate::app::most_memory(&config).bytes() + in_memory;
        assert!(most < bytes(&limits["memory"]), "{}: {most} bytes of {limits}", form.name);
        assert!(config.pipeline.replay.spool < room, "{}: the spool, of {tmp}", form.name);
        assert!(room < bytes(&limits["ephemeral-storage"]), "{}: {tmp} of {limits}", form.name);
        // With a worker for each core the sum would grow with the node.
        assert!(form.toml().contains("workers = "), "{}", form.name);
    }
}

#[test]
fn every_secret_is_a_reference_to_one_secret() {
    for form in forms() {
        assert!(form.find("Secret").is_none(), "{}", form.name);
        let mounted = form.volume(MOUNTED);
        assert_eq!(mounted["secret"]["secretName"], "wxgate", "{}", form.name);
        // Root's, and the group's that the pod is in: wxgate doesn't run as root.
        assert_eq!(mounted["secret"]["defaultMode"], 0o440, "{}", form.name);
        assert_eq!(form.pod()["securityContext"]["fsGroup"], 65532, "{}", form.name);
        assert!(form.container().get("env").is_none(), "{}", form.name);
        let toml: toml::Table = form.toml().parse().expect("TOML");
        let mut files = Vec::new();
        references(&toml::Value::Table(toml), &mut files);
        assert!(files.len() >= 2, "{}: {files:?}", form.name);
        for file in files {
            assert!(file.starts_with("/run/secrets/"), "{}: {file}", form.name);
        }
        if let Some(monitor) = form.find("ServiceMonitor") {
            let credentials = &monitor["spec"]["endpoints"][0]["authorization"]["credentials"];
            assert_eq!(credentials, &json!({"name": "wxgate", "key": "admin-token"}), "{}", form.name);
        }
    }
}

/// The files of all `{ file = ... }` but those of [[app.export]], which have more keys.
fn references(value: &toml::Value, out: &mut Vec<String>) {
    match value {
        toml::Value::Table(table) => match table.get("file") {
            Some(toml::Value::String(file)) if table.len() == 1 => out.push(file.clone()),
            _ => table.values().for_each(|value| references(value, out)),
        },
        toml::Value::Array(list) => list.iter().for_each(|value| references(value, out)),
        _ => {}
    }
}

#[test]
fn all_forms_are_probed_alike() {
    let get = |path: &str, more: Value| {
        let mut probe = json!({"httpGet": {"path": path, "port": "admin"}});
        let entries = more.as_object().expect("an object").clone();
        probe.as_object_mut().expect("an object").extend(entries);
        probe
    };
    for form in forms() {
        let container = form.container();
        let startup = get("/healthz", json!({"periodSeconds": 1, "failureThreshold": 60}));
        let liveness =
            get("/healthz", json!({"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6}));
        let readiness =
            get("/readyz", json!({"periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 2}));
        assert_eq!(container["startupProbe"], startup, "{}", form.name);
        assert_eq!(container["livenessProbe"], liveness, "{}", form.name);
        assert_eq!(container["readinessProbe"], readiness, "{}", form.name);
    }
}

#[test]
fn ports_are_those_that_wxgate_listens_on() {
    for form in forms() {
        let toml: toml::Table = form.toml().parse().expect("TOML");
        let port = |name: &str| {
            let ports = list(&form.container()["ports"]);
            ports.iter().find(|port| port["name"] == name).map(|port| port["containerPort"].to_string())
        };
        let admin = toml["admin"]["listen"].as_str().expect("an address");
        assert_eq!(admin.strip_prefix("0.0.0.0:"), port("admin").as_deref(), "{}", form.name);
        let proxy = toml["server"]["listen"][0].as_str().expect("an address");
        if form.is_sidecar() {
            // The pod's alone, and without keys.
            assert_eq!((proxy, port("proxy")), ("127.0.0.1:8080", None));
            assert!(!toml.contains_key("caller"));
        } else {
            assert_eq!(proxy.strip_prefix("0.0.0.0:"), port("proxy").as_deref(), "{}", form.name);
            assert!(toml.contains_key("caller"), "{}", form.name);
        }
    }
}

#[test]
fn requests_may_end_before_the_pod_does() {
    for form in forms() {
        let container = form.container();
        let config = form.config();
        let options = &config.server.options;
        // Nobody comes to a sidecar from outside: it ends after the service.
        let delay = if form.is_sidecar() { 0 } else { 5 };
        assert_eq!(options.drain_delay.as_secs(), delay, "{}", form.name);
        let grace = form.pod()["terminationGracePeriodSeconds"].as_u64().expect("a number");
        // Behind the drain: a token call, somebody at the admin address, traces, and twice a log
        // that nobody reads.
        let behind = config.token.fetch_timeout * 4 + Duration::from_secs(2 + 2 + 2 * 5);
        let needed = options.drain_delay + options.drain_timeout + behind;
        assert!(needed.as_secs() < grace, "{}: {grace} s", form.name);
        assert_eq!(form.is_sidecar(), container["restartPolicy"] == "Always", "{}", form.name);
    }
}

#[test]
fn wxgate_has_no_rights_that_it_does_not_need() {
    for form in forms() {
        let (pod, own) = (&form.pod()["securityContext"], &form.container()["securityContext"]);
        // The container's word holds before the pod's.
        let said = |key: &str| if own[key].is_null() { &pod[key] } else { &own[key] };
        for (key, value) in [
            ("runAsNonRoot", json!(true)),
            ("runAsUser", json!(65532)),
            ("runAsGroup", json!(65532)),
            ("readOnlyRootFilesystem", json!(true)),
            ("allowPrivilegeEscalation", json!(false)),
            ("capabilities", json!({"drop": ["ALL"]})),
            ("seccompProfile", json!({"type": "RuntimeDefault"})),
        ] {
            assert_eq!(said(key), &value, "{}: {key}", form.name);
        }
        for mount in list(&form.container()["volumeMounts"]) {
            let written = ["/tmp", "/var/lib/wxgate"].contains(&mount["mountPath"].as_str().expect("a path"));
            assert_eq!(mount["readOnly"].as_bool().unwrap_or(false), !written, "{}: {mount}", form.name);
        }
        if !form.is_sidecar() {
            assert_eq!(form.pod()["automountServiceAccountToken"], false, "{}", form.name);
            // A Service's variables would begin with WXGATE_, as wxgate's own do.
            assert_eq!(form.pod()["enableServiceLinks"], false, "{}", form.name);
        }
    }
}

#[test]
fn callers_may_use_every_name_of_the_service() {
    for form in forms().iter().filter(|form| !form.is_sidecar()) {
        let service = form.find("Service").expect("a Service");
        let name = service["metadata"]["name"].as_str().expect("a name");
        let namespace = service["metadata"]["namespace"].as_str().unwrap_or("wxgate");
        let toml: toml::Table = form.toml().parse().expect("TOML");
        let hosts: Vec<_> = toml["server"]["hosts"]
            .as_array()
            .expect("names")
            .iter()
            .filter_map(toml::Value::as_str)
            .collect();
        for suffix in ["", ".svc", ".svc.cluster.local"] {
            let wanted = format!("{name}.{namespace}{suffix}");
            assert!(hosts.contains(&wanted.as_str()), "{}: {wanted} of {hosts:?}", form.name);
        }
    }
}

#[test]
fn selectors_mean_wxgates_pods_and_no_others() {
    for form in forms().iter().filter(|form| !form.is_sidecar()) {
        let labels = form.template()["metadata"]["labels"].as_object().expect("labels");
        let selects = |selector: &Value, what: &str| {
            let selector = selector.as_object().unwrap_or_else(|| panic!("{}: {what}", form.name));
            assert!(!selector.is_empty(), "{}: {what} selects all", form.name);
            for (key, value) in selector {
                assert_eq!(labels.get(key), Some(value), "{}: {what}", form.name);
            }
        };
        let spec = |kind: &str| form.find(kind).map_or(&Value::Null, |one| &one["spec"]);
        selects(&spec("Deployment")["selector"]["matchLabels"], "Deployment");
        selects(&spec("Service")["selector"], "Service");
        let policy = spec("NetworkPolicy");
        selects(&policy["podSelector"]["matchLabels"], "NetworkPolicy");
        // Not wxgate's own labels beside it, as kustomize's includeSelectors would write.
        let callers =
            json!([{"namespaceSelector": {}, "podSelector": {"matchLabels": {"wxgate-caller": "true"}}}]);
        assert_eq!(policy["ingress"][0]["from"], callers, "{}", form.name);
        assert_eq!(policy["ingress"][0]["ports"], json!([{"port": "proxy"}]), "{}", form.name);
        assert_eq!(policy["ingress"][1]["ports"], json!([{"port": "admin"}]), "{}", form.name);
        if form.find("PodDisruptionBudget").is_some() {
            selects(&spec("PodDisruptionBudget")["selector"]["matchLabels"], "PodDisruptionBudget");
            for spread in list(&form.pod()["topologySpreadConstraints"]) {
                selects(&spread["labelSelector"]["matchLabels"], "topologySpreadConstraints");
            }
        }
        let replicas = spec("Deployment")["replicas"].as_u64().expect("a number");
        assert_eq!(form.find("PodDisruptionBudget").is_some(), replicas > 1, "{}", form.name);
        // A budget for one pod would keep its node from being emptied; a store for one, tokens from
        // being shared.
        assert_eq!(form.toml().contains("\"rediss://"), replicas > 1, "{}", form.name);
    }
}

#[test]
fn a_changed_configuration_starts_new_pods() {
    for form in forms() {
        let by_name = form.volume("/etc/wxgate")["configMap"]["name"].as_str().expect("a name");
        let by_note = &form.template()["metadata"]["annotations"]["checksum/config"];
        assert!(by_name.starts_with("wxgate-") || by_note.is_string(), "{}: {by_name}, {by_note}", form.name);
    }
}

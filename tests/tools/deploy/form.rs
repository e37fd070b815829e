//! The ways to run it in Kubernetes, rendered.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;
use wxgate::config::Config;

use super::deployed;
use super::programs::{helm, kubectl};
use super::secrets::Secrets;
use super::yaml::parse;

/// One way, rendered.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) name: String,
    pub(super) documents: Vec<Value>,
}

const KUSTOMIZED: [&str; 3] = ["single", "cluster", "sidecar"];
const CHARTED: [&str; 3] = ["single", "cluster", "least"];

/// All of them.
pub(super) fn forms() -> &'static [Form] {
    static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
        let (names, texts): (Vec<_>, Vec<_>) = rendered().into_iter().unzip();
        let parsed = parse(&texts, None).unwrap_or_else(|said| panic!("{said}"));
        names.into_iter().zip(parsed).map(|(name, documents)| Form { name, documents }).collect()
    });
    &FORMS
}

/// Their names and texts.
pub(super) fn rendered() -> Vec<(String, String)> {
    let kustomized = KUSTOMIZED.map(|name| (format!("kustomize {name}"), kustomize(name)));
    let charted = CHARTED
        .map(|name| (format!("helm {name}"), template(name, &[]).unwrap_or_else(|said| panic!("{said}"))));
    kustomized.into_iter().chain(charted).collect()
}

/// What `kubectl apply -k` would send.
fn kustomize(name: &str) -> String {
    kubectl(&["kustomize", deployed("kubernetes").join(name).to_str().expect("UTF-8")])
}

/// What `helm install` would send, with the example `values` and `more` arguments.
pub(super) fn template(values: &str, more: &[&str]) -> Result<String, String> {
    template_with(&deployed("helm/wxgate/ci").join(format!("{values}-values.yaml")), more)
}

/// The same with a file of values.
pub(super) fn template_with(values: &Path, more: &[&str]) -> Result<String, String> {
    let chart = deployed("helm/wxgate");
    let [chart, values] = [&chart, values].map(|path| path.to_str().expect("UTF-8"));
    helm(&[&["template", "wxgate", chart, "--namespace", "wxgate", "--values", values], more].concat())
}

impl Form {
    pub(super) fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<_> =
            self.documents.iter().map(|one| one["kind"].as_str().expect("a kind")).collect();
        kinds.sort_unstable();
        kinds
    }

    /// The only one of its kind, if there is one.
    pub(super) fn find(&self, kind: &str) -> Option<&Value> {
        let mut found = self.documents.iter().filter(|one| one["kind"] == kind);
        let first = found.next();
        assert!(found.next().is_none(), "{}: more than one {kind}", self.name);
        first
    }

    pub(super) fn is_sidecar(&self) -> bool {
        self.name.ends_with("sidecar")
    }

    pub(super) fn template(&self) -> &Value {
        &self.find("Deployment").expect("a Deployment")["spec"]["template"]
    }

    pub(super) fn pod(&self) -> &Value {
        &self.template()["spec"]
    }

    /// wxgate's own.
    pub(super) fn container(&self) -> &Value {
        let pod = self.pod();
        let mut all = list(&pod["containers"]).iter().chain(list(&pod["initContainers"]));
        all.find(|one| one["name"] == "wxgate").expect("a container")
    }

    /// The volume that is mounted there.
    pub(super) fn volume(&self, path: &str) -> &Value {
        let mounts = list(&self.container()["volumeMounts"]);
        let mount = mounts.iter().find(|mount| mount["mountPath"] == path);
        let name = &mount.unwrap_or_else(|| panic!("{}: nothing at {path}", self.name))["name"];
        let volumes = list(&self.pod()["volumes"]);
        let volume = volumes.iter().find(|volume| &volume["name"] == name);
        volume.unwrap_or_else(|| panic!("{}: no volume {name}", self.name))
    }

    /// The configuration that the pod gets.
    pub(super) fn toml(&self) -> &str {
        let name = &self.volume("/etc/wxgate")["configMap"]["name"];
        let map =
            self.documents.iter().find(|one| one["kind"] == "ConfigMap" && &one["metadata"]["name"] == name);
        map.and_then(|map| map["data"]["wxgate.toml"].as_str())
            .unwrap_or_else(|| panic!("{}: {name}", self.name))
    }

    pub(super) fn config(&self) -> Config {
        let secrets = Secrets::new();
        Config::parse(&secrets.in_place(self.toml()), "wxgate.toml", &|_| None)
            .unwrap_or_else(|problems| panic!("{}: {problems}", self.name))
    }
}

/// What is in a list; nothing if there is none.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The bytes in `512Mi`.
pub(super) fn bytes(quantity: &Value) -> u64 {
    let text = quantity.as_str().expect("a quantity");
    let units = [("Ki", 10), ("Mi", 20), ("Gi", 30)];
    let (unit, shift) = units.into_iter().find(|(unit, _)| text.ends_with(unit)).expect("a unit");
    text.trim_end_matches(unit).parse::<u64>().expect("a number") << shift
}

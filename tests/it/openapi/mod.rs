//! What the admin address says, against its own schema.

mod everything;
mod proxy;

use serde_json::{Value, json};

/// The schema that a proxy serves, in which a field that is not declared is an error.
pub(crate) struct Strict(Value);

impl Strict {
    pub(crate) fn new(document: &Value) -> Self {
        let mut document = document.clone();
        close(&mut document["components"]["schemas"]);
        Self(document)
    }

    /// What is wrong with a response to `request`, like `GET /readyz?all`.
    pub(crate) fn problems(&self, request: &str, status: u16, body: &Value) -> Vec<String> {
        let (method, target) = request.split_once(' ').expect("a method and a target");
        let path = target.split('?').next().unwrap_or_default();
        let mut path: Vec<_> = path.split('/').collect();
        if let ["", "api", "v1", "apps", name, ..] = &mut path[..] {
            *name = "{name}";
        }
        let operation = &self.0["paths"][path.join("/")][method.to_lowercase()];
        let content = &operation["responses"][status.to_string()]["content"];
        let schema = match (&content["application/json"], &content["text/event-stream"]) {
            (Value::Null, Value::Null) => return vec![format!("{request}: {status} is not declared")],
            (Value::Null, events) => &events["x-event-data"],
            (json, _) => &json["schema"],
        };
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).expect("a schema");
        let problem = |error: jsonschema::ValidationError<'_>| {
            format!("{request}: {status}: {} at {}", error, error.instance_path())
        };
        validator.iter_errors(body).map(problem).collect()
    }

    pub(crate) fn check(&self, request: &str, status: u16, body: &Value) {
        assert_eq!(self.problems(request, status, body), [""; 0], "{body}");
    }
}

/// Forbids each object of a schema the fields that it does not declare.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("properties").is_some_and(Value::is_object) {
                members.insert("unevaluatedProperties".into(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn a_field_that_is_not_declared_or_is_missing_is_found() {
    let schema = Strict::new(&wxgate::admin::openapi());
    let reset = json!({ "reset": true, "calls_counted": 1, "budgets": [], "message": "" });
    let request = "POST /api/v1/apps/shop/quota/reset?confirm=shop";
    schema.check(request, 200, &reset);
    let mut more = reset.clone();
    more["more"] = 1.into();
    let mut fewer = reset.clone();
    fewer.as_object_mut().expect("an object").remove("message");
    let mut other = reset;
    other["calls_counted"] = (-1).into();
    for wrong in [more, fewer, other] {
        assert_ne!(schema.problems(request, 200, &wrong), [""; 0], "{wrong}");
    }
    for (request, status) in [("GET /api/v1/nothing", 200), ("GET /api/v1/reload", 200), (request, 418)] {
        assert_ne!(schema.problems(request, status, &json!({})), [""; 0], "{request}");
    }
    let error = json!({ "errcode": 1, "count": 1, "meaning": null, "meaning_zh": null, "document": null });
    let mut errors = error;
    errors["places"] = json!([]);
    errors["more"] = 0.into();
    let mut snapshot = json!({
        "status": wxgate::api::Status::default(), "quota": wxgate::api::Quota::default(),
        "activity": wxgate::api::Activity::default(), "calls_today": 0, "errors": [errors], "recent": [],
        "changeable": true,
    });
    schema.check("GET /api/v1/events", 200, &snapshot);
    snapshot["errors"][0]["other"] = 1.into();
    assert_ne!(schema.problems("GET /api/v1/events", 200, &snapshot), [""; 0]);
}

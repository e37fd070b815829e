//! `GET /api/v1/openapi.json`: the API's schema, made of the table of routes and the types.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::guard::Need;
use super::route::{self, Body, ROUTES, Response, Route, SchemaOf};
use crate::api;

const DESCRIPTION: &str = "\
The admin address of wxgate, `admin.listen` in its configuration.

Whoever reads needs the admin token only where other machines can reach the address; whoever changes \
something needs it everywhere. No response holds a credential. A path that takes GET takes HEAD as well.

Fields are added without notice and never renamed: ignore those that you don't know.";

/// The OpenAPI 3.1 document.
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings.with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut schemas = settings.with_transform(RecursiveTransform(tidy)).into_generator();
    let mut paths = Map::new();
    for route in &ROUTES {
        let operation = operation(route, &mut schemas);
        paths.insert(route.path.to_owned(), json!({ route.method().to_lowercase(): operation }));
    }
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "wxgate admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:9090", "description": "The default address." }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "adminToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`admin.token` of the configuration.",
                },
            },
            "schemas": schemas.take_definitions(true),
        },
    })
}

/// Takes away what is for readers of an older proxy, and the line breaks of doc comments.
fn tidy(schema: &mut Schema) {
    schema.remove("default");
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
}

fn operation(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let mut operation = json!({ "operationId": route.id, "summary": route.summary });
    let mut parameters = Vec::new();
    if route.path.contains("{name}") {
        let description = "The app's name in the configuration, percent-encoded.";
        let schema = json!({ "type": "string", "minLength": 1 });
        parameters.push(json!({
            "name": "name", "in": "path", "required": true, "description": description, "schema": schema,
        }));
    }
    parameters.extend(route.parameters.iter().map(|parameter| self::parameter(parameter, schemas)));
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    let token = json!({ "adminToken": [] });
    operation["security"] = match route.need {
        Need::Nothing | Need::KnownHost => json!([]),
        Need::Read => json!([{}, token]),
        Need::Change => json!([token]),
    };
    let mut responses = Map::new();
    for Response { status, description, body } in route.responses.iter().chain(denials(route.need)) {
        let response = json!({ "description": description, "content": content(*body, schemas) });
        responses.insert(status.to_string(), response);
    }
    operation["responses"] = responses.into();
    operation
}

fn parameter(parameter: &route::Parameter, schemas: &mut SchemaGenerator) -> Value {
    let schema = match parameter.value {
        route::Value::Text | route::Value::Presence => json!({ "type": "string" }),
        route::Value::Boolean => json!({ "type": "boolean" }),
        route::Value::Number => json!({ "type": "integer", "minimum": 0 }),
        route::Value::Range => schemas.subschema_for::<api::Range>().into(),
        route::Value::Path => json!({ "type": "string", "pattern": "^/" }),
        route::Value::Rid => json!({ "type": "string", "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{8}){2}$" }),
    };
    let mut shown = json!({
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.description,
        "schema": schema,
    });
    if parameter.value == route::Value::Presence {
        shown["allowEmptyValue"] = true.into();
    }
    shown
}

fn content(body: Body, schemas: &mut SchemaGenerator) -> Value {
    let mut schema = |of: SchemaOf| json!({ "schema": of(schemas) });
    match body {
        Body::Json(of) => json!({ "application/json": schema(of) }),
        // OpenAPI 3.1 has no word for the type of events' data.
        Body::Events(of) => {
            let data = schema(of);
            json!({ "text/event-stream": { "schema": { "type": "string" }, "x-event-data": data["schema"] } })
        }
        Body::Text => json!({ "text/plain": { "schema": { "type": "string" } } }),
        Body::Object => json!({ "application/json": { "schema": { "type": "object" } } }),
    }
}

/// The responses to those who may not.
fn denials(need: Need) -> &'static [Response] {
    const WRONG_TOKEN: Response = route::error(401, "The admin token is wrong.");
    const NO_TOKEN: Response = route::error(401, "The admin token is missing or wrong.");
    const FOREIGN_HOST: Response =
        route::error(403, "The request's Host is not this machine's, and it has no admin token.");
    const NOT_ALLOWED: Response = route::error(
        403,
        "No admin token is configured, the request's Host is not this machine's, or a web page of \
         another origin sent it.",
    );
    match need {
        Need::Nothing => &[],
        Need::KnownHost => &[WRONG_TOKEN, FOREIGN_HOST],
        Need::Read | Need::Change => &[NO_TOKEN, NOT_ALLOWED],
    }
}

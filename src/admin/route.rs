//! The table of what the admin address serves, apart from the page's files. Requests are matched
//! against it (`matching`), and `/api/v1/openapi.json` is made of it (`openapi`).

use schemars::{Schema, SchemaGenerator};

use super::guard::Need;
use crate::api;

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Health,
    Ready,
    Metrics,
    Status,
    Endpoints,
    Quota,
    Traffic,
    Figures,
    Refusals,
    Explain,
    Audit,
    Activity,
    Events,
    OpenApi,
    Refresh,
    ClearQuota,
    ResetQuota,
    LookUp,
    Reload,
}

/// A path of the admin address. What changes something is a `POST`, all else a `GET`.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) target: Target,
    /// Its name in the schema, and in the log if it changes something.
    pub(super) id: &'static str,
    /// `{name}` stands for an app's name.
    pub(super) path: &'static str,
    pub(super) need: Need,
    pub(super) summary: &'static str,
    /// Of the query.
    pub(super) parameters: &'static [Parameter],
    /// The first is the one of a success.
    pub(super) responses: &'static [Response],
}

/// A parameter of a query.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) value: Value,
    pub(super) description: &'static str,
}

/// The values that a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text,
    Boolean,
    /// It is there or it is not.
    Presence,
    Number,
    Range,
    Path,
    Rid,
}

/// A response that a route may give. Those that `need` brings with it are not listed.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) body: Body,
}

/// What a response's body holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    Json(SchemaOf),
    /// The schema of each event's data.
    Events(SchemaOf),
    Text,
    /// Any JSON object.
    Object,
}

/// Adds a type to the schema.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

impl Route {
    pub(super) fn method(&self) -> &'static str {
        if self.need == Need::Change { "POST" } else { "GET" }
    }
}

const fn json(of: SchemaOf, description: &'static str) -> Response {
    Response { status: 200, description, body: Body::Json(of) }
}

pub(super) const fn error(status: u16, description: &'static str) -> Response {
    Response { status, description, body: Body::Json(SchemaGenerator::subschema_for::<api::ErrorResponse>) }
}

const fn optional(name: &'static str, value: Value, description: &'static str) -> Parameter {
    Parameter { name, required: false, value, description }
}

const fn required(name: &'static str, value: Value, description: &'static str) -> Parameter {
    Parameter { name, required: true, value, description }
}

const CONFIRM: Parameter =
    required("confirm", Value::Text, "The app's name again, so that a mistake changes nothing.");
const NO_APP: Response = error(404, "No app has this name.");
const BAD_PARAMETER: Response =
    error(400, "A parameter is missing, unknown, given twice or wrong. Nothing was done.");

pub(super) static ROUTES: [Route; 19] = [
    Route {
        target: Target::Health,
        id: "healthz",
        path: "/healthz",
        need: Need::Nothing,
        summary: "Whether the process runs.",
        parameters: &[],
        responses: &[Response { status: 200, description: "The process runs.", body: Body::Text }],
    },
    Route {
        target: Target::Ready,
        id: "readyz",
        path: "/readyz",
        need: Need::KnownHost,
        summary: "Whether a load balancer should send requests here.",
        parameters: &[
            optional("app", Value::Text, "Ready only if this app has a usable token."),
            optional("all", Value::Presence, "Ready only if every app has a usable token."),
        ],
        responses: &[
            json(SchemaGenerator::subschema_for::<api::Readiness>, "Ready."),
            Response {
                status: 503,
                description: "Not ready.",
                body: Body::Json(SchemaGenerator::subschema_for::<api::Readiness>),
            },
            NO_APP,
        ],
    },
    Route {
        target: Target::Metrics,
        id: "metrics",
        path: "/metrics",
        need: Need::Read,
        summary: "Metrics for Prometheus, as OpenMetrics or in the older text format.",
        parameters: &[],
        responses: &[Response { status: 200, description: "The metrics.", body: Body::Text }],
    },
    Route {
        target: Target::Status,
        id: "status",
        path: "/api/v1/status",
        need: Need::Read,
        summary: "The status of the process, its apps, the store and WeChat.",
        parameters: &[],
        responses: &[json(SchemaGenerator::subschema_for::<api::Status>, "The status.")],
    },
    Route {
        target: Target::Endpoints,
        id: "endpoints",
        path: "/api/v1/endpoints",
        need: Need::Read,
        summary: "What wxgate knows about WeChat's endpoints.",
        parameters: &[optional("q", Value::Text, "Only paths that contain this, in any case.")],
        responses: &[json(SchemaGenerator::subschema_for::<api::Endpoints>, "The endpoints.")],
    },
    Route {
        target: Target::Quota,
        id: "quota",
        path: "/api/v1/quota",
        need: Need::Read,
        summary: "Who used which quota today.",
        parameters: &[optional("app", Value::Text, "Only this app.")],
        responses: &[json(SchemaGenerator::subschema_for::<api::Quota>, "The quotas."), NO_APP],
    },
    Route {
        target: Target::Traffic,
        id: "traffic",
        path: "/api/v1/traffic",
        need: Need::Read,
        summary: "Curves of requests and response times on this replica.",
        parameters: &[
            optional("app", Value::Text, "Only this app; all apps together without it."),
            optional("range", Value::Range, "How much of the past; `day` without it."),
        ],
        responses: &[
            json(SchemaGenerator::subschema_for::<api::Traffic>, "The curves."),
            error(400, "The range is unknown."),
            NO_APP,
        ],
    },
    Route {
        target: Target::Figures,
        id: "figures",
        path: "/api/v1/figures",
        need: Need::Read,
        summary: "How many requests went well on this replica, and how long they took.",
        parameters: &[optional("app", Value::Text, "Only this app; all apps together without it.")],
        responses: &[json(SchemaGenerator::subschema_for::<api::Figures>, "The figures."), NO_APP],
    },
    Route {
        target: Target::Refusals,
        id: "refusals",
        path: "/api/v1/refusals",
        need: Need::Read,
        summary: "What wxgate responded by itself on this replica, and why.",
        parameters: &[
            optional("app", Value::Text, "Only this app."),
            optional("range", Value::Range, "How much of the past; `hour` without it."),
            optional("most", Value::Number, "So many of them at most, the most frequent ones."),
        ],
        responses: &[
            json(SchemaGenerator::subschema_for::<api::Refusals>, "The refusals."),
            error(400, "The range is unknown, or `most` is no number."),
        ],
    },
    Route {
        target: Target::Explain,
        id: "explain",
        path: "/api/v1/explain",
        need: Need::Read,
        summary: "What would become of a request. Nothing is sent to WeChat.",
        parameters: &[
            optional("method", Value::Text, "The request's method; GET without it."),
            required("path", Value::Path, "Its path, with or without a query."),
            optional("caller", Value::Text, "Only this caller, or `anonymous`; each of them without it."),
        ],
        responses: &[
            json(SchemaGenerator::subschema_for::<api::Explained>, "What would become of it."),
            BAD_PARAMETER,
            error(404, "No caller has this name."),
        ],
    },
    Route {
        target: Target::Audit,
        id: "audit",
        path: "/api/v1/audit",
        need: Need::Read,
        summary: "What operators did lately, or were denied.",
        parameters: &[],
        responses: &[json(SchemaGenerator::subschema_for::<api::AuditTrail>, "The latest entries.")],
    },
    Route {
        target: Target::Activity,
        id: "activity",
        path: "/api/v1/activity",
        need: Need::Read,
        summary: "What happened to tokens lately, and the results of each caller's requests.",
        parameters: &[],
        responses: &[json(SchemaGenerator::subschema_for::<api::Activity>, "Events and callers.")],
    },
    Route {
        target: Target::Events,
        id: "events",
        path: "/api/v1/events",
        need: Need::Read,
        summary: "What the status page shows, as server-sent events named `snapshot`, every two \
                  seconds if something changed.",
        parameters: &[],
        responses: &[
            Response {
                status: 200,
                description: "The stream. The data of each event is a snapshot.",
                body: Body::Events(SchemaGenerator::subschema_for::<api::Snapshot>),
            },
            error(503, "Too many clients follow already."),
        ],
    },
    Route {
        target: Target::OpenApi,
        id: "openapi",
        path: "/api/v1/openapi.json",
        need: Need::Read,
        summary: "This document.",
        parameters: &[],
        responses: &[Response { status: 200, description: "OpenAPI 3.1.", body: Body::Object }],
    },
    Route {
        target: Target::Refresh,
        id: "refresh",
        path: "/api/v1/apps/{name}/refresh",
        need: Need::Change,
        summary: "Fetches the app's token.",
        parameters: &[optional(
            "force",
            Value::Boolean,
            "Replaces the token even if it is valid. The former one expires. WeChat allows this 20 \
             times a day.",
        )],
        responses: &[
            json(SchemaGenerator::subschema_for::<api::Refreshed>, "The outcome of the fetch."),
            NO_APP,
        ],
    },
    Route {
        target: Target::ClearQuota,
        id: "clear_quota",
        path: "/api/v1/apps/{name}/clear-quota",
        need: Need::Change,
        summary: "Sets today's quota counters of the app at WeChat to zero. WeChat allows this 10 \
                  times a month, and 50 times for single endpoints.",
        parameters: &[
            CONFIRM,
            optional("endpoint", Value::Path, "Only the counter of this path of WeChat's."),
        ],
        responses: &[
            json(SchemaGenerator::subschema_for::<api::Cleared>, "Whether WeChat did it."),
            BAD_PARAMETER,
            NO_APP,
        ],
    },
    Route {
        target: Target::ResetQuota,
        id: "quota_reset",
        path: "/api/v1/apps/{name}/quota/reset",
        need: Need::Change,
        summary: "Resets wxgate's own counters of the app, and the budgets that its requests use, on \
                  all replicas.",
        parameters: &[CONFIRM],
        responses: &[
            json(SchemaGenerator::subschema_for::<api::QuotaReset>, "Whether it was done."),
            BAD_PARAMETER,
            NO_APP,
        ],
    },
    Route {
        target: Target::LookUp,
        id: "rid",
        path: "/api/v1/apps/{name}/rid",
        need: Need::Change,
        summary: "Asks WeChat what it remembers about a request. This uses the app's quota.",
        parameters: &[required("rid", Value::Rid, "What WeChat writes after `rid:` in its errmsg.")],
        responses: &[
            json(SchemaGenerator::subschema_for::<api::Remembered>, "What WeChat remembers."),
            BAD_PARAMETER,
            NO_APP,
        ],
    },
    Route {
        target: Target::Reload,
        id: "reload",
        path: "/api/v1/reload",
        need: Need::Change,
        summary: "Reads the configuration again, like SIGHUP.",
        parameters: &[],
        responses: &[
            json(SchemaGenerator::subschema_for::<api::Reloaded>, "The new configuration is in force."),
            error(422, "The new configuration was refused; the current one stays."),
        ],
    },
];

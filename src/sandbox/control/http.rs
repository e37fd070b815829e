//! The control API under `/sandbox/`, JSON in and out, for tests in any language.

use std::sync::Arc;

use http::request::Parts;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use serde_json::{Value, json};

use super::guard;
use super::index::INDEX;
use super::order::{LONGEST, Refused, encode, strict};
use super::push;
use crate::sandbox::endpoints::{SHAPED, Shaped};
use crate::sandbox::signing::platform::{PLATFORM_CERTIFICATES, PlatformCertificate};
use crate::sandbox::state::accounts::{App, Authorizer};
use crate::sandbox::state::callbacks::{Callback, Receiver};
use crate::sandbox::state::companies::Company;
use crate::sandbox::state::faults::Fault;
use crate::sandbox::state::quota::Rate;
use crate::sandbox::state::signing::{Demand, Signing};
use crate::sandbox::state::stale_node::Lag;
use crate::sandbox::state::token_events::{Given, Target, TokenEvent};
use crate::sandbox::state::world::World;
use crate::sandbox::wire::{reply, response_body};
use crate::sandbox::{call, page, variants};
use crate::server::Response;
use crate::texts::translated;

/// The one order that waits for somebody else.
const PUSH: &str = "/sandbox/push";

#[derive(serde::Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    path: String,
    #[serde(default)]
    daily_limit: Option<u64>,
    #[serde(default)]
    rate_limit: Option<Rate>,
    #[serde(default)]
    appid: Option<String>,
    #[serde(default)]
    used: Option<u64>,
}

#[derive(serde::Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_ms: i64,
}

#[derive(Default, serde::Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct ResetOrder {
    all: bool,
}

pub(in crate::sandbox) async fn handle(world: &Arc<World>, parts: &Parts, body: Incoming) -> Response {
    if let Err(denied) = guard::permit(parts) {
        return reply::json(StatusCode::FORBIDDEN, &json!({"error": denied.to_string()}));
    }
    if let Some(page) = page::answer(parts) {
        return page;
    }
    let outcome = match Limited::new(body, LONGEST).collect().await {
        Ok(body) if parts.method == Method::POST && parts.uri.path() == PUSH => {
            push::order(world, &body.to_bytes()).await
        }
        Ok(body) => order(world, parts, &body.to_bytes()),
        Err(_) => Err(Refused::Body),
    };
    match outcome {
        Ok(value) => reply::json(StatusCode::OK, &value),
        Err(refused) => {
            let source = std::error::Error::source(&refused).map(|source| format!(": {source}"));
            let text = format!("{refused}{}", source.unwrap_or_default());
            reply::json(refused.status(), &json!({"error": text}))
        }
    }
}

fn order(world: &Arc<World>, parts: &Parts, body: &[u8]) -> Result<Value, Refused> {
    let sandbox = Control { world };
    let query = call::query(parts);
    let param = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let number = |name: &'static str| match param(name) {
        None => Ok(None),
        Some(value) => value.parse::<u64>().map(Some).map_err(|_| Refused::Number(name)),
    };
    let name = parts.uri.path().trim_start_matches("/sandbox").trim_matches('/');
    let now = world.clock.now();
    let done = || Ok(json!({"ok": true}));
    match (&parts.method, name) {
        (&Method::GET, "") => Ok(INDEX
            .iter()
            .map(|(order, about)| ((*order).to_owned(), Value::from(translated(about))))
            .collect()),
        (&Method::GET, "state") => Ok(sandbox.state()),
        (&Method::POST, "apps") => {
            world.state().accounts.put(strict::<App>(body)?);
            done()
        }
        (&Method::POST, "authorizers") => {
            world.state().accounts.authorize(strict::<Authorizer>(body)?);
            done()
        }
        (&Method::POST, "companies") => {
            world.state().companies.put(strict::<Company>(body)?);
            done()
        }
        (&Method::POST, "callbacks") => {
            let receiver = Receiver::new(strict::<Callback>(body)?)?;
            world.state().callbacks.put(receiver);
            done()
        }
        (&Method::POST, "tokens") => {
            world.state().give(strict::<Given>(body)?, now);
            done()
        }
        (&Method::GET, "signing") => Ok(sandbox.signing()),
        (&Method::POST, "signing") => {
            let demand = Demand::new(strict::<Signing>(body)?)?;
            world.state().signing.put(demand);
            done()
        }
        (&Method::DELETE, "signing") => match world.state().signing.end(param("appid").unwrap_or_default()) {
            true => done(),
            false => Err(Refused::Unknown),
        },
        (&Method::GET, "settings") => sandbox.settings(),
        (&Method::POST, "settings") => sandbox.change(body),
        (&Method::POST, "rotate") => sandbox.happen(TokenEvent::Rotate, body),
        (&Method::POST, "poison") => sandbox.happen(TokenEvent::Poison, body),
        (&Method::POST, "expire") => sandbox.happen(TokenEvent::Expire, body),
        (&Method::POST, "lag") => {
            world.state().lags.add(strict::<Lag>(body)?, now);
            done()
        }
        (&Method::GET, "lag") => Ok(json!(world.state().lags.list(now))),
        (&Method::DELETE, "lag") => {
            world.state().lags.clear();
            done()
        }
        (&Method::GET, "faults") => Ok(sandbox.faults()),
        (&Method::POST, "faults") => Ok(json!({"id": world.state().faults.add(strict::<Fault>(body)?)})),
        (&Method::DELETE, "faults") => {
            match number("id")? {
                Some(id) if !world.state().faults.remove(id) => return Err(Refused::Unknown),
                Some(_) => {}
                None => world.state().faults.clear(),
            }
            done()
        }
        (&Method::POST, "limits") => {
            sandbox.limit(strict::<Limits>(body)?);
            done()
        }
        (&Method::POST, "clock") => {
            world.clock.advance(strict::<Advance>(body)?.advance_ms);
            Ok(sandbox.clock())
        }
        (&Method::GET, "clock") => Ok(sandbox.clock()),
        (&Method::GET, "journal") => {
            Ok(sandbox.journal(param("path"), number("since")?.unwrap_or(0), number("limit")?))
        }
        (&Method::GET, "counts") => {
            let journal = world.journal();
            encode(&param("appid").map_or_else(|| journal.counts(), |appid| journal.counts_of(appid)))
        }
        (&Method::GET, "shapes") => Ok(SHAPED.iter().map(described).collect()),
        (&Method::GET, "variants") => encode(variants::ALL),
        (&Method::GET, "blob") => {
            let bytes = number("bytes")?.ok_or(Refused::Number("bytes"))?;
            Ok(json!({"bytes": bytes, "sha256": response_body::blob_sha256(bytes)}))
        }
        (&Method::POST, "reset") => {
            world.forget(strict::<ResetOrder>(body)?.all);
            done()
        }
        _ => Err(Refused::Unknown),
    }
}

fn described(shaped: &Shaped) -> Value {
    json!({"path": shaped.path, "wecom": shaped.is_wecom(), "source": shaped.source()})
}

struct Control<'a> {
    world: &'a Arc<World>,
}

impl Control<'_> {
    fn state(&self) -> Value {
        let now = self.world.clock.now();
        let counts = self.world.journal().counts();
        let faults = self.faults();
        let state = self.world.state();
        let authorizers = state.accounts.authorizers().iter().map(|known| {
            let tokens = state.tokens.describe(&known.authorizer_appid, now);
            json!({"appid": known.authorizer_appid, "component": known.component_appid, "tokens": tokens})
        });
        let apps = state.accounts.apps().iter().map(|app| {
            let tokens = state.tokens.describe(&app.appid, now);
            json!({"appid": app.appid, "kind": app.kind, "whitelist": app.whitelist, "tokens": tokens})
        });
        let companies = state.companies.list().iter().map(|known| {
            json!({
                "corpid": known.corpid,
                "suite_id": known.suite_id,
                "permanent_code": known.permanent_code,
                "tokens": state.tokens.describe(&known.identity(), now),
            })
        });
        json!({
            "now_ms": now,
            "offset_ms": self.world.clock.offset(),
            "counts": counts,
            "faults": faults,
            "lags": state.lags.list(now),
            "changed_settings": state.settings.changed(),
            "apps": apps.collect::<Vec<_>>(),
            "authorizers": authorizers.collect::<Vec<_>>(),
            "companies": companies.collect::<Vec<_>>(),
        })
    }

    fn signing(&self) -> Value {
        let state = self.world.state();
        let apps = state.signing.list().map(|demand| {
            let set = &demand.set;
            json!({
                "appid": set.appid,
                "aes_key_sn": set.aes_key_sn,
                "endpoints": set.endpoints,
                "certificate": set.certificate,
                "encrypt_token_errors": set.encrypt_token_errors,
                "refuse_repeated_nonces": set.refuse_repeated_nonces,
                "demand_serial": set.demand_serial,
                "repeated_nonces": demand.repeated_nonces(),
            })
        });
        let certificates = PLATFORM_CERTIFICATES.map(|PlatformCertificate { serial, certificate }| {
            json!({"serial": serial, "certificate": certificate})
        });
        json!({"apps": apps.collect::<Vec<_>>(), "platform_certificates": certificates})
    }

    fn settings(&self) -> Result<Value, Refused> {
        encode(&self.world.state().settings)
    }

    fn change(&self, body: &[u8]) -> Result<Value, Refused> {
        let changes: Value = serde_json::from_slice(body).map_err(Refused::Json)?;
        let mut state = self.world.state();
        let mut merged = encode(&state.settings)?;
        if let (Some(merged), Some(changes)) = (merged.as_object_mut(), changes.as_object()) {
            merged.extend(changes.clone());
        }
        state.settings = serde_json::from_value(merged).map_err(Refused::Json)?;
        encode(&state.settings)
    }

    fn happen(&self, event: TokenEvent, body: &[u8]) -> Result<Value, Refused> {
        let target = strict::<Target>(body)?;
        let now = self.world.clock.now();
        Ok(json!({"changed": self.world.state().happen(event, &target, now)}))
    }

    fn faults(&self) -> Value {
        let state = self.world.state();
        let listed = state.faults.list().map(|(id, seen, fault)| {
            let mut listed = json!({"id": id, "seen": seen});
            if let (Some(listed), Ok(Value::Object(fault))) =
                (listed.as_object_mut(), serde_json::to_value(fault))
            {
                listed.extend(fault);
            }
            listed
        });
        Value::from(listed.collect::<Vec<_>>())
    }

    fn limit(&self, limits: Limits) {
        let now = self.world.clock.now();
        let mut state = self.world.state();
        if let Some(limit) = limits.daily_limit {
            state.quota.set_limit(&limits.path, limit);
        }
        if let Some(rate) = limits.rate_limit {
            state.quota.set_rate(&limits.path, rate);
        }
        if let (Some(appid), Some(used)) = (limits.appid, limits.used) {
            state.quota.set_used(&appid, &limits.path, used, now);
        }
    }

    fn clock(&self) -> Value {
        json!({"now_ms": self.world.clock.now(), "offset_ms": self.world.clock.offset()})
    }

    fn journal(&self, path: Option<&str>, since: u64, limit: Option<u64>) -> Value {
        let journal = self.world.journal();
        let mut entries: Vec<_> = journal.select(path).filter(|entry| entry.seq > since).collect();
        let most = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        entries.drain(..entries.len().saturating_sub(most));
        json!({ "entries": entries })
    }
}

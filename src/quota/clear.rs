//! What an operator asks of WeChat: to reset counters, and what became of a request.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::clears::Clears;
use super::shared::Shared;
use super::usage::figures::Known;
use super::watched::Watched;
use super::{App, Question, Quota};

use crate::texts::{Words, text, words};

/// All counters of an app, in a month; shared with WeChat's console (FACTS 5).
const ALL_A_MONTH: u32 = 10;
/// Single ones.
const SINGLE_A_MONTH: u32 = 50;
const LAST: Duration = Duration::from_secs(40 * 86_400);
/// WeChat's word for a budget that is spent.
const BUDGET_SPENT: i64 = 48_006;

/// What became of a clearing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// WeChat's code if it refused, 0 if it did it; none if it didn't respond.
    pub errcode: Option<i64>,
    /// This month by wxgate, this one included.
    pub spent: u32,
    /// That WeChat allows in a month, the console's included.
    pub allowed: u32,
    /// In words.
    pub message: Words,
}

/// What WeChat says of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// Its response's `request`.
    pub request: Option<Value>,
    /// Its code; none if it didn't respond.
    pub errcode: Option<i64>,
    /// In words.
    pub message: Words,
}

impl Quota {
    /// Whether there is an app of this name.
    pub fn knows(&self, app: &str) -> bool {
        self.0.app(app).is_some()
    }

    /// Resets all of WeChat's counters of an app, or the one of `path`. None if there is no such
    /// app.
    pub async fn clear(&self, app: &str, path: Option<&str>) -> Option<Cleared> {
        let app = self.0.app(app)?;
        let question = match path {
            None => Question::ClearAll,
            Some(path) => Question::ClearOne { path: path.to_owned() },
        };
        let answer = (self.0.ask)(&app.name, question).await;
        let (errcode, message) = judge(answer.as_deref());
        let single = path.is_some();
        if errcode == Some(0) {
            self.0.count_clearing(&app, single).await;
            self.0.forget_figures(&app, path).await;
        }
        let (all, one) = self.0.learn_clears(&app).await.spent(self.0.clock.now());
        let (spent, allowed) = if single { (one, SINGLE_A_MONTH) } else { (all, ALL_A_MONTH) };
        let message = match errcode {
            Some(0) => match path {
                None => words!("all quota counters of the app were reset"),
                Some(path) => words!("the quota counter of {path} was reset", path),
            },
            Some(BUDGET_SPENT) => {
                words!("WeChat allows {allowed} resets a month, and all of them are used", allowed)
            }
            _ => message,
        };
        let result = message.as_str();
        tracing::info!(
            app = &*app.name,
            path,
            errcode,
            "{}",
            text!("quota reset requested: {result}", result)
        );
        Some(Cleared { errcode, spent, allowed, message })
    }

    /// What WeChat remembers of the request with this `rid`, for seven days. None if there is no
    /// such app.
    pub async fn look_up(&self, app: &str, rid: &str) -> Option<Remembered> {
        let app = self.0.app(app)?;
        let answer = (self.0.ask)(&app.name, Question::Rid { rid: rid.to_owned() }).await;
        let (errcode, message) = judge(answer.as_deref());
        let request = answer
            .ok()
            .and_then(|body| serde_json::from_slice::<Value>(&body).ok())
            .and_then(|mut body| body.get_mut("request").map(Value::take))
            .map(|mut request| {
                conceal(&mut request);
                request
            });
        Some(Remembered { request, errcode, message })
    }
}

impl Shared {
    pub(super) fn app(&self, name: &str) -> Option<App> {
        self.watched.lock().named(name).map(|watched| watched.app.clone())
    }

    /// What was counted by all replicas.
    async fn learn_clears(&self, app: &App) -> Clears {
        let note = self.store.note(&clears_key(app)).await.ok().flatten();
        let clears: Option<Clears> = note.and_then(|text| serde_json::from_slice(&text).ok());
        let learn = |watched: &mut Watched| {
            if let Some(clears) = &clears {
                watched.clears.clone_from(clears);
            }
            watched.clears.clone()
        };
        self.of(app, learn).or(clears).unwrap_or_default()
    }

    pub(super) async fn learn_clears_of(&self, apps: &[App]) {
        let learn = |watched: &mut Watched, text: Option<&[u8]>| {
            if let Some(clears) = text.and_then(|text| serde_json::from_slice(text).ok()) {
                watched.clears = clears;
            }
        };
        self.read_notes_of(apps, clears_key, learn).await;
    }

    async fn count_clearing(&self, app: &App, single: bool) {
        let key = clears_key(app);
        // A clearing that is not counted is one more than the page says; WeChat has the last word.
        for _ in 0..5 {
            let Ok(present) = self.store.note(&key).await else { break };
            let mut clears: Clears =
                present.as_deref().and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
            clears.count(single, self.clock.now());
            let Ok(text) = serde_json::to_vec(&clears) else { break };
            if let Ok(true) = self.store.replace_note(&key, present.as_deref(), &text, LAST).await {
                break;
            }
        }
    }

    /// WeChat is asked again, and what was warned of may be warned of again.
    async fn forget_figures(&self, app: &App, path: Option<&str>) {
        let is_meant = |other: &str| path.is_none_or(|path| path == other);
        self.change(app, |notes, _| {
            for (path, known) in &mut notes.endpoints {
                if let (true, Known::Figures(figures)) = (is_meant(path), known) {
                    figures.doubt();
                }
            }
            notes.warnings.retain(|noted| !is_meant(&noted.path));
            if path.is_none() {
                notes.not_before = None;
            }
        })
        .await;
    }
}

fn clears_key(app: &App) -> String {
    format!("clears:{}", app.identity)
}

/// WeChat's code, and what there is to say.
fn judge(response: Result<&[u8], &Words>) -> (Option<i64>, Words) {
    #[derive(Deserialize)]
    struct Envelope {
        errcode: Option<i64>,
        errmsg: Option<String>,
    }
    match response.map(serde_json::from_slice::<Envelope>) {
        Ok(Ok(body)) => {
            let code = body.errcode.unwrap_or(0);
            let errmsg = body.errmsg.unwrap_or_default();
            (Some(code), words!("WeChat returned {code}: {errmsg}", code, errmsg))
        }
        Ok(Err(_)) => (None, words!("WeChat's response is not JSON")),
        Err(problem) => (None, problem.clone()),
    }
}

/// Words before a value that is a credential, in a query or in JSON.
const CREDENTIALS: [&str; 5] = ["token", "secret", "session_key", "ticket", "password"];

/// WeChat shows the URL with its `access_token`, and bodies that may hold others.
fn conceal(request: &mut Value) {
    match request {
        Value::String(text) => *text = concealed(text),
        Value::Array(values) => values.iter_mut().for_each(conceal),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if CREDENTIALS.iter().any(|word| name.contains(word)) => {
                        "…".clone_into(text);
                    }
                    _ => conceal(value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn concealed(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(after) =
        CREDENTIALS.iter().filter_map(|word| rest.find(word).map(|at| at + word.len())).min()
    {
        let (before, following) = rest.split_at(after);
        shown.push_str(before);
        let value = following.trim_start_matches(['"', '\\', ' ', ':', '=']);
        let separator = &following[..following.len() - value.len()];
        shown.push_str(separator);
        rest = value;
        if separator.contains([':', '=']) {
            rest = after_value(value);
            shown.push_str(if rest.len() < value.len() { "…" } else { "" });
        }
    }
    shown.push_str(rest);
    shown
}

/// What follows a credential. JSON writes `/` as `\\/` and others as `\\u0026`.
fn after_value(text: &str) -> &str {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let escaped =
            character == '\\' && characters.peek().is_some_and(|(_, next)| matches!(next, '/' | 'u'));
        if !escaped && !character.is_ascii_alphanumeric() && !"-_.!~@$|%+/=".contains(character) {
            return &text[at..];
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::concealed;

    #[test]
    fn what_wechat_remembers_is_shown_without_credentials() {
        for (text, shown) in [
            ("https://x/y?access_token=50_Im7xxxx&a=1", "https://x/y?access_token=…&a=1"),
            (r#"{"access_token":"50_Im7","expires_in":7200}"#, r#"{"access_token":"…","expires_in":7200}"#),
            (r#"{\"secret\": \"abc\"} token of ticket=t"#, r#"{\"secret\": \"…\"} token of ticket=…"#),
            (r#"{"session_key":"ab\/cd\u0026==","x":1}"#, r#"{"session_key":"…","x":1}"#),
            ("nothing, token", "nothing, token"),
            ("", ""),
        ] {
            assert_eq!(concealed(text), shown);
        }
    }
}

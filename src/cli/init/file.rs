//! The configuration file that `wxgate init` writes, with comments in the language of the process.

use std::fmt::Display;
use std::path::Path;

use wxgate::sandbox::SECRET;
use wxgate::texts::text;

use super::super::written::quoted;

/// Where `wxgate sandbox` listens.
const SANDBOX: &str = "http://127.0.0.1:9080";

/// All that the file says.
pub(super) struct Contents {
    pub(super) appid: String,
    pub(super) app: String,
    pub(super) kind: String,
    pub(super) secret: Secret,
    pub(super) listen: String,
    pub(super) store: String,
    pub(super) callers: Vec<String>,
}

/// Where the AppSecret is.
pub(super) enum Secret {
    File(String),
    Variable(String),
    /// The sandbox's, which is public.
    Sandbox,
}

impl Contents {
    /// The file with these `[[caller]]` tables.
    pub(super) fn text(&self, callers: &[String]) -> String {
        let sections =
            [self.server(), self.admin(), self.upstream(), self.store(), self.app(), self.callers(callers)];
        let written = text!(
            "Written by `wxgate init`. `wxgate check` finds mistakes, `wxgate check --online` asks WeChat too."
        );
        format!("{}\n{}", comment(&written), sections.concat())
    }

    fn server(&self) -> String {
        let listen = text!(
            "Services call WeChat's own paths here, without a token: http://.../cgi-bin/user/info?openid=O"
        );
        let status = text!(
            "wxgate's own responses have status 200 like WeChat's; with \"http\": 401, 403, 429, 502, ..."
        );
        format!(
            "[server]\n{}listen = [{}]\n{}error_status = \"wechat\"\n\n",
            comment(&listen),
            quoted(&self.listen),
            comment(&status)
        )
    }

    fn admin(&self) -> String {
        let about = text!("Status page, API, metrics, health checks.");
        format!("[admin]\n{}listen = \"127.0.0.1:9090\"\n\n", comment(&about))
    }

    fn upstream(&self) -> String {
        if !matches!(self.secret, Secret::Sandbox) {
            return String::new();
        }
        let about = text!("`wxgate sandbox`; without this line, WeChat.");
        format!("[upstream]\n{}base_urls = [{}]\n\n", comment(&about), quoted(SANDBOX))
    }

    fn store(&self) -> String {
        let about = text!(
            "\"memory:\" is lost on exit; \"file:/PATH\" is kept; \"redis://HOST:6379/0\" is shared by several machines."
        );
        format!("[store]\n{}url = {}\n\n", comment(&about), quoted(&self.store))
    }

    fn app(&self) -> String {
        let (about, secret) = match &self.secret {
            Secret::File(file) => (
                text!("{{ file = \"PATH\" }} or {{ env = \"NAME\" }}."),
                format!("{{ file = {} }}", quoted(file)),
            ),
            Secret::Variable(variable) => (
                text!("{{ file = \"PATH\" }} or {{ env = \"NAME\" }}."),
                format!("{{ env = {} }}", quoted(variable)),
            ),
            Secret::Sandbox => (
                text!("The sandbox's, which is public. `wxgate check` warns of secrets in plain text."),
                quoted(SECRET),
            ),
        };
        format!(
            "[[app]]\n{}name = {}\nappid = {}\n{}secret = {secret}\n{}kind = {}\n\n",
            comment(&text!("In metrics, logs and URLs.")),
            quoted(&self.app),
            quoted(&self.appid),
            comment(&about),
            comment(&"official_account, mini_program, store, component, wecom"),
            quoted(&self.kind)
        )
    }

    fn callers(&self, tables: &[String]) -> String {
        if tables.is_empty() {
            return comment(&text!(
                "Without any [[caller]] every program on this machine may call. `wxgate key NAME` creates a key and its table."
            ));
        }
        let about = text!("Who may call; `wxgate key NAME` creates another key and its table.");
        format!("{}{}", comment(&about), tables.join("\n"))
    }

    /// How the AppSecret gets where the file says, for a file at `path`.
    pub(super) fn secret_to_do(&self, path: &Path) -> String {
        match &self.secret {
            Secret::Variable(variable) => {
                text!("set {variable} to the AppSecret in wxgate's environment", variable).to_string()
            }
            Secret::File(file) => {
                let file = path.parent().unwrap_or_else(|| Path::new("")).join(file);
                let file = file.display();
                text!("put the AppSecret into {file}, readable by its owner only", file).to_string()
            }
            Secret::Sandbox => String::new(),
        }
    }
}

fn comment(text: &dyn Display) -> String {
    format!("# {text}\n")
}

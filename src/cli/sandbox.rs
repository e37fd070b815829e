//! `wxgate sandbox`: the fake WeChat on its own.

use wxgate::app::Termination;
use wxgate::app::layout::{WIDTH, columns, wrap};
use wxgate::config::Config;
use wxgate::sandbox::{App, AppKind, Callback, Options, SECRET, Sandbox};
use wxgate::server::Address;
use wxgate::texts::text;

use super::failure::Failure;
use super::terminal::print;

/// Columns of a secret.
const SECRET_COLUMN: usize = 18;

/// Serves the accounts of `config`, else the built-in ones, until a signal ends it.
pub(super) async fn run(
    listen: Address,
    config: Option<&Config>,
    allow_unlisted: bool,
) -> Result<(), Failure> {
    let mut options = Options { listen, ..Options::default() };
    options.settings.allow_unlisted = allow_unlisted;
    if let Some(config) = config {
        let account = config.pipeline.apps.iter().map(|app| {
            let kind = match app.token.kind.as_str() {
                "official_account" => AppKind::OfficialAccount,
                "component" => AppKind::Component,
                "wecom" => AppKind::Wecom,
                // What else there is, WeChat treats like a mini program.
                _ => AppKind::MiniProgram,
            };
            let agent = app.token.agent.as_deref().map(str::to_owned);
            App { agent, ..App::new(&*app.token.appid, app.token.secret.expose(), kind) }
        });
        let suite = config.pipeline.apps.iter().filter_map(|app| app.token.suite.as_ref());
        let suite = suite.map(|suite| App {
            customized: suite.is_customized(),
            ..App::new(&*suite.id, suite.secret.expose(), AppKind::Suite)
        });
        let provider = config.pipeline.apps.iter().filter_map(|app| {
            let secret = app.token.provider_secret.as_ref()?;
            Some(App::new(&*app.token.appid, secret.expose(), AppKind::Provider))
        });
        options.apps = account.chain(suite).chain(provider).collect();
    }
    let apps = options.apps.clone();
    let sandbox = Sandbox::start(options).map_err(Failure::run)?;
    let callbacks = config.map(callbacks).unwrap_or_default();
    let receives = callbacks.iter().map(|callback| callback.appid.clone()).next();
    for callback in callbacks {
        sandbox.set_callback(callback).map_err(Failure::run)?;
    }
    let mut termination = Termination::catch().map_err(Failure::run)?;
    print(&introduction(sandbox.address(), &apps, receives.as_deref(), config.is_some(), allow_unlisted))?;
    termination.wait().await;
    sandbox.stop().await;
    Ok(())
}

/// Where a wxgate with this configuration takes the pushes of its platforms and suites.
fn callbacks(config: &Config) -> Vec<Callback> {
    let Some(Address::Tcp(authority)) = config.callback.listen.first() else { return Vec::new() };
    let platforms = config.callback.platforms.iter().map(|platform| Callback {
        appid: platform.key.receive_id.to_string(),
        url: format!("http://{authority}/callback/{}", platform.name),
        token: platform.key.token.expose().to_owned(),
        aes_key: platform.key.aes_key.encoded().expose().to_owned(),
    });
    platforms.collect()
}

/// What it serves, and commands to paste. Secrets of a configuration are not shown.
fn introduction(
    address: &Address,
    apps: &[App],
    receives: Option<&str>,
    configured: bool,
    allow_unlisted: bool,
) -> String {
    let (curl, base) = match address {
        Address::Tcp(authority) => ("curl".to_owned(), format!("http://{authority}")),
        Address::Unix(path) => {
            (format!("curl --unix-socket {}", path.display()), "http://localhost".to_owned())
        }
    };
    let shown = |app: &App| if configured { text!("configured").to_string() } else { app.secret.clone() };
    let listening = text!("A fake WeChat API is listening on {address}", address);
    let mut text = format!("{listening}\n\n  {:24}{:18}KIND\n", "APPID", "SECRET");
    for app in apps {
        let kind = match app.kind {
            AppKind::OfficialAccount => "official_account",
            AppKind::MiniProgram => "mini_program",
            AppKind::Component => "component",
            AppKind::Wecom => "wecom",
            AppKind::Suite => "suite",
            AppKind::Provider => "provider",
        };
        let secret = shown(app);
        let gap = " ".repeat(SECRET_COLUMN.saturating_sub(columns(&secret)));
        text += &format!("  {:24}{secret}{gap}{kind}\n", app.appid);
    }
    if let Some(fetch) = apps.iter().find_map(|app| token_call(app, configured)) {
        text += &format!("\n{}\n  {curl} -G {base}{fetch}\n", text!("Fetch a token:"));
    }
    if let Address::Tcp(_) = address {
        let page = text!("Its page, with the requests as they come and buttons for faults:");
        text += &format!("\n{page}\n  {base}/sandbox/\n");
    }
    let kill = text!("Invalidate all tokens, as if another program had fetched one:");
    text += &format!("\n{kill}\n  {curl} {base}/sandbox/rotate -d '{{}}'\n");
    if let Some(appid) = receives {
        let push = text!("Push a ticket to wxgate, as WeChat does every ten minutes:");
        let of_suite = apps.iter().any(|app| app.appid == appid && app.kind == AppKind::Suite);
        let event = if of_suite { "suite_ticket" } else { "component_verify_ticket" };
        text += &format!(
            "\n{push}\n  {curl} {base}/sandbox/push -d '{{\"appid\":\"{appid}\",\"event\":\"{event}\"}}'\n"
        );
    }
    let seen = text!("Requests received, and all faults that can be injected:");
    text += &format!("\n{seen}\n  {curl} {base}/sandbox/journal\n  {curl} {base}/sandbox/\n");
    if !allow_unlisted {
        let unlisted = text!(
            "An endpoint that WeChat does not have returns 40066, unless started with --allow-unlisted."
        );
        text += &format!("\n{}\n", wrap(&unlisted.to_string(), WIDTH).join("\n"));
    }
    if let Address::Tcp(_) = address {
        text +=
            &format!("\n{}\n  [upstream]\n  base_urls = [\"{base}\"]\n", text!("Configuration for wxgate:"));
    }
    format!("{text}\n{}\n", text!("Press Ctrl-C to stop."))
}

/// How a token of the app is fetched, if its id and secret are enough for that.
fn token_call(app: &App, configured: bool) -> Option<String> {
    let secret = if configured { "\"$SECRET\"" } else { SECRET };
    match app.kind {
        AppKind::OfficialAccount | AppKind::MiniProgram => Some(format!(
            "/cgi-bin/token -d grant_type=client_credential \\\n    -d appid={} -d secret={secret}",
            app.appid
        )),
        AppKind::Wecom => {
            Some(format!("/cgi-bin/gettoken \\\n    -d corpid={} -d corpsecret={secret}", app.appid))
        }
        // They also want a ticket, or are no GET.
        AppKind::Component | AppKind::Suite | AppKind::Provider => None,
    }
}

#[cfg(test)]
mod tests {
    use wxgate::sandbox::{App, AppKind, SECRET};
    use wxgate::server::Address;

    use super::introduction;

    #[test]
    fn the_hint_fetches_a_token_that_its_app_has() {
        let address = Address::Tcp("127.0.0.1:1".into());
        let hint = |kinds: &[AppKind]| {
            let apps: Vec<_> = kinds.iter().map(|kind| App::new("id", SECRET, *kind)).collect();
            introduction(&address, &apps, None, false, false)
        };
        let of_wecom = hint(&[AppKind::Wecom, AppKind::MiniProgram]);
        assert!(of_wecom.contains("-G http://127.0.0.1:1/cgi-bin/gettoken "), "{of_wecom}");
        assert!(of_wecom.contains("-d corpid=id -d corpsecret=secret\n"), "{of_wecom}");
        let of_account = hint(&[AppKind::Component, AppKind::MiniProgram]);
        assert!(of_account.contains("/cgi-bin/token -d grant_type=client_credential"), "{of_account}");
        assert!(!hint(&[AppKind::Suite]).contains("Fetch a token:"));
        assert!(of_wecom.contains("\n  http://127.0.0.1:1/sandbox/\n"), "where its page is: {of_wecom}");
    }
}

//! `wxgate check --online`: what WeChat refuses is explained, and nothing is replaced unasked.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use wxgate::sandbox::{App, AppKind, Kind, Options, PLATFORM_CERTIFICATES, Sandbox, Signing};

/// The apps' secret; must show up in no output, nor may a token.
const CANARY: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";
const APPID: &str = "wx0123456789abcdef";

struct Ran {
    code: Option<i32>,
    /// Line breaks undone, so that a test finds a sentence.
    stdout: String,
    stderr: String,
}

impl Ran {
    #[track_caller]
    fn says(&self, part: &str) {
        assert!(self.stdout.contains(part), "{part:?} is not in {} {}", self.stdout, self.stderr);
    }
}

fn app(name: &str, appid: &str, more: &str) -> String {
    format!("[[app]]\nname = '{name}'\nappid = '{appid}'\nsecret = {{ env = 'SHOP_SECRET' }}\n{more}\n")
}

fn check(url: &str, more: &str, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wxgate.toml");
    std::fs::write(
        &file,
        format!("[server]\nerror_status = 'http'\n[upstream]\nbase_urls = ['{url}']\n{more}"),
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_wxgate"))
        .args(["check", "--online", "--config"])
        .arg(&file)
        .args(arguments)
        .env_clear()
        .env("SHOP_SECRET", CANARY)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(!stdout.contains(CANARY) && !stderr.contains(CANARY), "{stdout}{stderr}");
    let beyond = |line: &&str| line.chars().count() > 80 && !line.contains("wxgate.toml");
    assert_eq!(stdout.lines().find(beyond), None);
    let stdout = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    Ran { code: output.status.code(), stdout, stderr }
}

fn sandbox(apps: Vec<App>) -> Sandbox {
    Sandbox::start(Options { apps, ..Options::default() }).unwrap()
}

fn account(secret: &str) -> App {
    App::new(APPID, secret, AppKind::OfficialAccount)
}

/// Runs the program while the sandbox goes on serving.
async fn checked(sandbox: &Sandbox, more: String, arguments: &'static [&'static str]) -> Ran {
    let url = sandbox.url();
    tokio::task::spawn_blocking(move || check(&url, &more, arguments)).await.unwrap()
}

#[tokio::test]
async fn an_app_that_gets_a_token_is_ok_and_the_token_is_not_shown() {
    let sandbox = sandbox(vec![account(CANARY)]);
    let ran = checked(&sandbox, app("shop", APPID, ""), &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.says("1 app, 0 callers wxgate uses at most");
    ran.says("shop ok, WeChat returned a token, valid for 2h");
    let token = sandbox.token(APPID, Kind::Stable).unwrap();
    assert!(!ran.stdout.contains(&token), "{}", ran.stdout);
    let counts = sandbox.counts();
    assert_eq!((counts.fetches, counts.forces), (1, 0));
}

#[tokio::test]
async fn a_refused_address_is_named_with_what_to_do() {
    let mut account = account(CANARY);
    account.whitelist = Some(vec!["203.0.113.7".parse().unwrap()]);
    let ran = checked(&sandbox(vec![account]), app("shop", APPID, ""), &[]).await;
    assert_eq!(ran.code, Some(1));
    ran.says("shop FAILED: 40164, this machine's address is not in the account's IP whitelist");
    ran.says("remedy: Add 127.0.0.1 to the account's IP whitelist");
    ran.says("then run `wxgate refresh APP`, or wait 5 minutes");
    assert_eq!(ran.stderr, "wxgate: 1 app got no token\n");
}

#[tokio::test]
async fn every_app_is_told_even_if_another_failed() {
    let sandbox = sandbox(vec![account("another-secret"), App::new("wx2", CANARY, AppKind::MiniProgram)]);
    let apps = [app("shop", APPID, ""), app("cafe", "wx2", ""), app("bakery", "wx3", "")];
    let ran = checked(&sandbox, apps.concat(), &[]).await;
    assert_eq!(ran.code, Some(1));
    ran.says("shop FAILED: 40125, the app secret is wrong");
    ran.says("cafe ok, ");
    ran.says("bakery FAILED: 40013, the appid is not valid");
    assert_eq!(ran.stderr, "wxgate: 2 apps got no token\n");
}

#[tokio::test]
async fn a_classic_token_is_replaced_only_when_asked_to() {
    const CLASSIC: &str = "token_mode = 'classic'\n[token]\nallow_unshared = true";
    let sandbox = sandbox(vec![account(CANARY)]);
    let ran = checked(&sandbox, app("shop", APPID, CLASSIC), &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.says("shop not tested: in classic mode");
    assert_eq!(sandbox.counts().fetches, 0);
    let ran = checked(&sandbox, app("shop", APPID, CLASSIC), &["--rotate"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.says("shop ok, ");
    assert_eq!(sandbox.counts().fetches, 1);
}

#[tokio::test]
async fn a_store_that_is_not_there_is_not_created() {
    let sandbox = sandbox(vec![account(CANARY)]);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    for mode in ["stable", "classic"] {
        let more = format!("token_mode = '{mode}'\n[store]\nurl = 'file:{}'", root.display());
        let ran = checked(&sandbox, app("shop", APPID, &more), &[]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.says(if mode == "stable" { "shop ok, " } else { "shop not tested: in classic mode" });
        assert!(!root.exists(), "{mode}");
    }
}

#[tokio::test]
async fn root_leaves_nothing_in_a_store_that_is_another_users() {
    const OWNER: u32 = 65_534;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    std::fs::create_dir(&root).unwrap();
    if std::os::unix::fs::chown(&root, Some(OWNER), None).is_err() {
        return; // Not root's to give away.
    }
    let sandbox = sandbox(vec![account(CANARY)]);
    let more = format!("token_mode = 'classic'\n[store]\nurl = 'file:{}'", root.display());
    let ran = checked(&sandbox, app("shop", APPID, &more), &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.says("not tested: in classic mode");
    ran.says(&format!("belongs to user {OWNER}"));
    ran.says(&format!("sudo -u '#{OWNER}'"));
    let other = format!("file:{}", folder.path().join("other").display());
    let own = format!("file:{}", root.display());
    for arguments in [
        &["show", "--url", &own][..],
        &["verify", "--url", &own],
        &["copy", "--from", &own, "--to", &other],
        &["copy", "--from", &other, "--to", &own],
    ] {
        std::fs::create_dir_all(folder.path().join("other")).unwrap();
        let ran = Command::new(env!("CARGO_BIN_EXE_wxgate")).arg("store").args(arguments).output().unwrap();
        let told = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.contains(&format!("belongs to user {OWNER}")), "{arguments:?}: {told}");
    }
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
}

#[tokio::test]
async fn an_app_of_wecom_is_asked_for_by_its_corporation_and_secret() {
    let corp = "ww0123456789abcdef";
    let agent =
        |number: &str, secret| App { agent: Some(number.into()), ..App::new(corp, secret, AppKind::Wecom) };
    let sandbox = sandbox(vec![agent("1000001", CANARY), agent("1000002", "another-secret")]);
    let table = |name, agent| app(name, corp, &format!("kind = 'wecom'\nagent_id = '{agent}'"));
    let ran = checked(&sandbox, table("sales", "1000001"), &[]).await;
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    ran.says("sales ok, WeChat returned a token, valid for 2h");
    assert_eq!(sandbox.journal(Some("/cgi-bin/gettoken")).len(), 1);
    let wrong = App::new("ww2", "another-secret", AppKind::Wecom);
    let ran = checked(&self::sandbox(vec![wrong]), app("hr", "ww2", "kind = 'wecom'"), &[]).await;
    assert_eq!(ran.code, Some(1));
    ran.says("hr FAILED: 40001, the secret of the WeCom app is wrong");
    ran.says("remedy: Set the app's current secret in the configuration (work.weixin.qq.com");
}

#[tokio::test]
async fn an_app_that_signs_makes_a_signed_call() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let (key, number) = ("otUpngOjU+nVQaWJIC3D/yMLV17RKaP6t4Ot9tbnzLY=", "fa05fe1e5bcc79b81ad5ad4b58acf787");
    let public = include_str!("../tools/signing/app.pub");
    let table = |number: &str| {
        let signing = format!(
            "[app.signing]\naes_key = '{key}'\naes_key_sn = '{number}'\n\
             private_key = {{ file = '{folder}/tests/tools/signing/app.key' }}\n\
             platform_certificate = '{folder}/src/sandbox/signing/platform/first.crt'\n\
             platform_certificate_sn = '{}'",
            PLATFORM_CERTIFICATES[0].serial
        );
        app("shop", APPID, &signing)
    };
    let sandbox = sandbox(vec![account(CANARY)]);
    sandbox.demand_signing(Signing::new(APPID, key, number, public)).expect("good keys");
    let ran = checked(&sandbox, table(number), &[]).await;
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    ran.says(
        "shop ok, WeChat returned a token, valid for 2h ok, WeChat accepts signed calls and its responses verify",
    );
    let asked = sandbox.journal(Some("/cgi-bin/openapi/quota/get"));
    assert!(asked.len() == 1 && asked[0].plaintext.is_some(), "{asked:?}");

    let ran = checked(&sandbox, table("another"), &[]).await;
    assert_eq!(ran.code, Some(1));
    ran.says("FAILED: signed call: {\"errcode\":40235");
    assert_eq!(ran.stderr.lines().last(), Some("wxgate: the signed call of 1 app failed"));
}

#[tokio::test]
async fn a_platform_is_not_asked_for_since_only_a_running_proxy_has_the_ticket() {
    let component = "wxc000000000000001";
    let sandbox = sandbox(vec![App::new(component, CANARY, AppKind::Component)]);
    for arguments in [&[][..], &["--rotate"]] {
        let ran = checked(&sandbox, app("tenants", component, "kind = 'component'"), arguments).await;
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        ran.says("tenants not tested: a platform's token requires the ticket that WeChat pushes");
    }
    assert!(sandbox.journal(None).is_empty());
}

#[test]
fn a_host_where_nothing_listens_is_named_with_what_to_do() {
    // Bound but not listening: no other test can get the port meanwhile, and connecting to it is
    // refused.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let ran = check(&format!("http://127.0.0.1:{port}"), &app("shop", APPID, ""), &[]);
    assert_eq!(ran.code, Some(1));
    ran.says("remedy: Nothing listens there: check host and port in upstream.base_urls");
}

#[tokio::test]
async fn a_server_without_tls_is_named_with_what_to_do() {
    let sandbox = sandbox(vec![account(CANARY)]);
    let url = sandbox.url().replace("http:", "https:");
    let ran = tokio::task::spawn_blocking(move || check(&url, &app("shop", APPID, ""), &[])).await.unwrap();
    assert_eq!(ran.code, Some(1));
    ran.says("remedy: The server does not speak TLS as expected");
}

#[test]
fn a_certificate_that_is_not_trusted_is_named_with_what_to_do() {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        // Ends with the client's alert.
        while tls.complete_io(&mut stream).is_ok() && tls.is_handshaking() {}
    });
    let ran = check(&url, &app("shop", APPID, ""), &[]);
    assert_eq!(ran.code, Some(1));
    ran.says("remedy: The server's certificate is not trusted");
    server.join().unwrap();
}

#[test]
fn a_wrong_configuration_ends_with_64() {
    let ran = check("http://127.0.0.1:1", "[[app]]\nname = 'shop'\n", &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""));
}

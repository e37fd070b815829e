//! `wxgate check --online --probe`: what is measured is true, costs nothing, and can be shared.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use wxgate::sandbox::{App, AppKind, Options, Sandbox};

use crate::program::{CANARY, Folder, GOOD};

const APPID: &str = "wx0123456789abcdef";

fn sandbox(idle: Duration) -> Sandbox {
    let apps = vec![App::new(APPID, CANARY, AppKind::OfficialAccount)];
    Sandbox::start(Options { apps, idle_timeout: idle, ..Options::default() }).unwrap()
}

/// TLS before `target`, and the certificate's PEM. It ends with the test's runtime.
async fn secured(target: String) -> (String, String) {
    let mut parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "Canary Company");
    parameters.not_after = rcgen::date_time_ymd(2031, 3, 31);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let Ok(mut behind) = TcpStream::connect(target.trim_start_matches("http://")).await else {
                    return;
                };
                drop(copy_bidirectional(&mut stream, &mut behind).await);
            });
        }
    });
    (url, certificate.pem())
}

/// Runs the probe, and gives its report with line breaks undone, once it holds nothing that is
/// secret.
async fn report(url: String, more: &str, arguments: &'static [&'static str]) -> (Option<i32>, String) {
    let folder = Folder::new();
    folder.write(
        "wxgate.toml",
        &format!(
            "[server]\nerror_status = 'wechat'\n[upstream]\nbase_urls = ['{url}']\n{more}\n\
             [[app]]\nname = 'canary-app'\nappid = '{APPID}'\nsecret = {{ env = 'SHOP_SECRET' }}\n"
        ),
    );
    if let Some((_, pem)) = more.split_once("\n# ") {
        folder.write("ca.pem", &pem.replace("\n# ", "\n"));
    }
    tokio::task::spawn_blocking(move || {
        let all = [&["check", "--online", "--probe", "--report", "report.txt"][..], arguments].concat();
        let ran = folder.run(&all);
        let written = folder.read("report.txt");
        let mode = folder.path().join("report.txt").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(written.lines().all(|line| line.len() <= 80), "{written}");
        let port = url.rsplit(':').next().unwrap();
        for secret in
            [CANARY, APPID, "canary-app", "127.0.0.1", port, "Canary Company", "placeholder", "access_token="]
        {
            assert!(!written.contains(secret), "{secret} is in {written}");
        }
        (ran.code, written.split_whitespace().collect::<Vec<_>>().join(" "))
    })
    .await
    .unwrap()
}

#[track_caller]
fn says(report: &str, parts: &[&str]) {
    for part in parts {
        assert!(report.contains(part), "{part:?} is not in {report}");
    }
}

#[tokio::test]
async fn a_plain_host_is_measured_without_a_token() {
    let sandbox = sandbox(Duration::from_secs(60));
    let (code, report) = report(sandbox.url(), "", &["--probe-idle", "1"]).await;
    assert_eq!(code, Some(0));
    says(
        &report,
        &[
            "http, host 1 (not WeChat's)",
            "route direct; apps: 1",
            "addresses 1 IPv4, 0 IPv6",
            "TLS none",
            "response HTTP/1.1 200, errcode 41001, ",
            "gzip no, although accepted",
            "content-type: application/json",
            "4 more on the connection: ",
            "idle still open after 1 s, then closed by wxgate",
        ],
    );
    let asked = sandbox.journal(Some("/cgi-bin/get_api_domain_ip"));
    assert_eq!(asked.len(), 5);
    // That of --online itself.
    assert_eq!((sandbox.counts().fetches, sandbox.counts().forces), (1, 0));
}

#[test]
fn a_report_takes_no_files_place_and_follows_no_link() {
    let folder = Folder::new();
    folder.write("wxgate.toml", GOOD);
    folder.write("mine", "mine");
    std::os::unix::fs::symlink("elsewhere", folder.path().join("link")).unwrap();
    for report in ["mine", "link"] {
        let ran = folder.run(&["check", "--online", "--probe", "--report", report]);
        assert_eq!(ran.code, Some(64), "{ran:?}");
        assert!(!ran.stdout.contains("shop"), "it is said before anything is asked: {}", ran.stdout);
        assert!(ran.stderr.contains(&format!("{report} already exists")), "{}", ran.stderr);
    }
    assert_eq!(folder.read("mine"), "mine");
    assert!(!folder.path().join("elsewhere").exists());
}

#[tokio::test]
async fn tls_and_the_time_until_an_idle_connection_is_closed_are_measured() {
    let sandbox = sandbox(Duration::from_secs(2));
    let (url, pem) = secured(sandbox.url()).await;
    let more = format!("ca_file = 'ca.pem'\n# {}", pem.trim_end().replace('\n', "\n# "));
    let (code, report) = report(url, &more, &["--probe-idle", "60"]).await;
    assert_eq!(code, Some(0));
    says(
        &report,
        &[
            "https, host 1 (not WeChat's)",
            "TLS TLSv1_2, TLS_ECDHE_",
            "ALPN h2, of h2 and http/1.1",
            "certificate valid until 2031-03-31, issued by an authority of upstream.ca_file",
            "idle closed by the host after ",
        ],
    );
}

#[tokio::test]
async fn a_host_that_gives_no_answer_is_a_failure_that_names_nobody() {
    // Bound but not listening: connecting to it is refused.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let (code, report) = report(format!("http://127.0.0.1:{port}"), "", &[]).await;
    assert_eq!(code, Some(1));
    says(&report, &["FAILED could not connect"]);
}

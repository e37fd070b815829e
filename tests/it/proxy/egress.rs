//! The way out through a proxy.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::front::{Front, certified};
use crate::harness::{APPID, Gate, SHOP, SHOP_AND_GAME, Setup, sandbox};
use crate::until::found;

const USER: &str = "wx@gate";
/// No log, metric, answer or page may show it.
const PASSWORD: &str = "canary:proxy/password 51c7";
const MESSAGE: &str = r#"{"touser":"o1","msgtype":"text","text":{"content":"x"}}"#;
/// Both as they stand in a URL.
const USERINFO: &str = "wx%40gate:canary%3Aproxy%2Fpassword%2051c7";
/// Nobody knows it but the proxies.
const NAME: &str = "wechat.test";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    Http,
    Socks5,
}

/// A proxy that knows [`NAME`] and keeps a list of where it was asked to connect to.
#[derive(Clone)]
struct Proxy {
    speaks: Speaks,
    demands_login: bool,
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    names: Arc<HashMap<&'static str, &'static str>>,
}

impl Proxy {
    async fn start(speaks: Speaks, demands_login: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let names = Arc::new(HashMap::from([(NAME, "127.0.0.1")]));
        let proxy = Self { speaks, demands_login, address, asked: Arc::default(), names };
        let serving = proxy.clone();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let proxy = serving.clone();
                #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
                tokio::spawn(async move {
                    match proxy.speaks {
                        Speaks::Http => proxy.http(stream).await,
                        Speaks::Socks5 => proxy.socks5(stream).await,
                    }
                });
            }
        });
        proxy
    }

    fn url(&self, userinfo: &str) -> String {
        let scheme = if self.speaks == Speaks::Http { "http" } else { "socks5" };
        let at = if userinfo.is_empty() { "" } else { "@" };
        format!("{scheme}://{userinfo}{at}{}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }

    async fn connect(&self, host: &str, port: u16) -> std::io::Result<TcpStream> {
        self.asked.lock().push(format!("{host}:{port}"));
        TcpStream::connect((self.names.get(host).copied().unwrap_or(host), port)).await
    }

    async fn http(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let head = String::from_utf8(head).expect("text");
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let login = format!("Proxy-Authorization: Basic {pair}\r\n");
        if self.demands_login != head.contains(&login) {
            let _ = stream.write_all(b"HTTP/1.1 407 Denied\r\nContent-Length: 5\r\n\r\nsorry").await;
            return;
        }
        let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).expect("CONNECT");
        let (host, port) = target.rsplit_once(':').expect("a port");
        match self.connect(host, port.parse().expect("a port")).await {
            Ok(mut target) => {
                let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
                let _ = copy_bidirectional(&mut stream, &mut target).await;
            }
            Err(_) => drop(stream.write_all(b"HTTP/1.1 502 No\r\n\r\n").await),
        }
    }

    async fn socks5(&self, mut stream: TcpStream) {
        async fn piece(stream: &mut TcpStream, length: usize) -> Vec<u8> {
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).await.expect("more");
            bytes
        }
        async fn counted(stream: &mut TcpStream) -> Vec<u8> {
            let length = stream.read_u8().await.expect("a length");
            piece(stream, length.into()).await
        }
        assert_eq!(stream.read_u8().await.expect("a version"), 5);
        let methods = counted(&mut stream).await;
        let method = if self.demands_login { 2 } else { 0 };
        if !methods.contains(&method) {
            let _ = stream.write_all(&[5, 0xff]).await;
            return;
        }
        stream.write_all(&[5, method]).await.expect("sent");
        if self.demands_login {
            assert_eq!(stream.read_u8().await.expect("a version"), 1);
            let (user, password) = (counted(&mut stream).await, counted(&mut stream).await);
            let right = user == USER.as_bytes() && password == PASSWORD.as_bytes();
            stream.write_all(&[1, u8::from(!right)]).await.expect("sent");
            if !right {
                return;
            }
        }
        assert_eq!(piece(&mut stream, 3).await, [5, 1, 0]);
        let host = match stream.read_u8().await.expect("a kind") {
            1 => {
                let ip: [u8; 4] = piece(&mut stream, 4).await.try_into().expect("four");
                std::net::Ipv4Addr::from(ip).to_string()
            }
            3 => String::from_utf8(counted(&mut stream).await).expect("text"),
            kind => panic!("kind {kind}"),
        };
        let port = stream.read_u16().await.expect("a port");
        match self.connect(&host, port).await {
            Ok(mut target) => {
                stream.write_all(&[5, 0, 0, 3, 1, b'x', 0, 1]).await.expect("sent");
                let _ = copy_bidirectional(&mut stream, &mut target).await;
            }
            Err(_) => stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await.expect("sent"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_calls_go_through_the_proxy_which_gets_the_name_unresolved() {
    for speaks in [Speaks::Http, Speaks::Socks5] {
        for demands_login in [false, true] {
            for tls in [false, true] {
                let case = format!("{speaks:?}, login {demands_login}, TLS {tls}");
                let sandbox = sandbox();
                let folder = tempfile::tempdir().expect("a folder");
                let (pem, acceptor) = certified(NAME);
                let ca_file = folder.path().join("ca.pem");
                std::fs::write(&ca_file, pem).expect("written");
                let (front, scheme) = match tls {
                    false => (Front::before(&sandbox.url()).await, "http"),
                    true => (Front::secured(&sandbox.url(), acceptor).await, "https"),
                };
                let proxy = Proxy::start(speaks, demands_login).await;
                let target = format!("{NAME}:{}", front.address().port());
                let upstream = format!(
                    "base_urls = [\"{scheme}://{target}\"]\nca_file = {ca_file:?}\negress_proxy = \"{}\"",
                    proxy.url(if demands_login { USERINFO } else { "" }),
                );
                let gate =
                    Gate::before(sandbox, Setup { upstream, ..Setup::default() }).await.settled().await;
                assert_eq!(proxy.asked(), [&*target], "{case}: the token");
                let answer = gate.post("/cgi-bin/message/custom/send", MESSAGE).await;
                assert_eq!((answer.status, answer.errcode()), (200, 0), "{case}: {}", answer.text());
                assert_eq!(proxy.asked(), [&*target; 2], "{case}: the call");
                assert_eq!(
                    gate.only("/cgi-bin/message/custom/send").header("host"),
                    Some(&*target),
                    "{case}"
                );
                gate.sandbox.poison(APPID);
                assert_eq!(gate.get("/cgi-bin/user/info?openid=o1").await.errcode(), 0, "{case}");
                let shown = format!("{}{}", gate.status().await, gate.metrics().await);
                assert!(shown.contains(&proxy.url("")) && !shown.contains("canary"), "{case}: {shown}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_from_the_configuration_is_what_the_proxy_gets() {
    for speaks in [Speaks::Http, Speaks::Socks5] {
        let sandbox = sandbox();
        let front = Front::before(&sandbox.url()).await;
        let proxy = Proxy::start(speaks, false).await;
        let port = front.address().port();
        let upstream = format!(
            "base_urls = [\"http://elsewhere.test:{port}\"]\nresolve = {{ \"elsewhere.test\" = [\"127.0.0.1\"] }}\n\
             egress_proxy = \"{}\"",
            proxy.url("")
        );
        let gate = Gate::before(sandbox, Setup { upstream, ..Setup::default() }).await.settled().await;
        assert_eq!(proxy.asked(), [format!("127.0.0.1:{port}")]);
        drop(gate);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_refuses_is_told_with_what_to_do_and_without_the_password() {
    let wrong = "wx%40gate:canary-wrong";
    for (speaks, userinfo, demands_login, port, answered, remedy) in [
        (Speaks::Http, wrong, true, None, "rejected the credentials: status 407", "egress_password"),
        (Speaks::Http, "", true, None, "rejected the credentials: status 407", "egress_password"),
        (Speaks::Socks5, wrong, true, None, "rejected the credentials: status 1", "egress_password"),
        (
            Speaks::Socks5,
            "",
            true,
            None,
            "rejected the credentials: no acceptable methods",
            "egress_password",
        ),
        (Speaks::Http, "", false, Some(1), ": status 502", "the proxy's rules allow"),
        (Speaks::Socks5, "", false, Some(1), ": connection refused", "the proxy's rules allow"),
    ] {
        let sandbox = sandbox();
        let front = Front::before(&sandbox.url()).await;
        let proxy = Proxy::start(speaks, demands_login).await;
        let upstream = format!(
            "base_urls = [\"http://{NAME}:{}\"]\negress_proxy = \"{}\"",
            port.unwrap_or_else(|| front.address().port()),
            proxy.url(userinfo)
        );
        let gate = Gate::before(sandbox, Setup { upstream, ..Setup::default() }).await;
        let failure = async || Some(gate.status().await["apps"][0]["last_failure"].clone());
        let failure =
            found(|| "a failure", async || failure().await.filter(|failure| !failure.is_null())).await;
        let message = failure["message"].as_str().expect("text");
        assert!(message.contains(&proxy.url("")) && message.contains(answered), "{message}");
        assert!(failure["remedy"].as_str().expect("text").contains(remedy), "{failure}");
        assert_eq!(gate.get("/cgi-bin/user/info?openid=o1").await.refusal().1, "token_unavailable");
        // Calls that need no token fail for the same reason.
        assert_eq!(
            gate.get("/cgi-bin/showqrcode?ticket=t").await.refusal(),
            (502, "upstream_failed", -70502)
        );
        let lines = gate.end().await;
        let cause = lines.last().expect("a line")["cause"].as_str().expect("a cause");
        assert!(cause.contains(&proxy.url("")) && cause.contains(answered), "{cause}");
        assert!(!format!("{lines:?} {failure}").contains("canary"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_down_is_named() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    let upstream = format!("egress_proxy = \"http://{gone}\"");
    let gate = Gate::with(Setup { upstream, ..Setup::default() }).await;
    assert_eq!(gate.get("/cgi-bin/showqrcode?ticket=t").await.refusal().1, "upstream_failed");
    let lines = gate.end().await;
    let cause = lines.last().expect("a line")["cause"].as_str().expect("a cause");
    assert!(cause.contains(&format!("http://{gone}")) && cause.contains("is unreachable"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_app_may_go_through_a_proxy_and_another_past_it() {
    let sandbox = sandbox();
    let front = Front::before(&sandbox.url()).await;
    let proxy = Proxy::start(Speaks::Socks5, false).await;
    // Each call makes a connection, so that its way shows.
    let base_urls = format!("base_urls = [\"{}\"]\npool_idle = \"0s\"", front.url());
    let target = front.address().to_string();
    // One of two apps by its own key; then all but one.
    let apps = format!("{SHOP_AND_GAME}egress_proxy = \"{}\"\n", proxy.url(""));
    let setup = Setup { upstream: base_urls.clone(), apps, ..Setup::default() };
    let gate = Gate::before(sandbox, setup).await.settled().await;
    assert_eq!(proxy.asked(), [&*target], "the game's token");
    assert_eq!(gate.get("/@shop/cgi-bin/getcallbackip").await.errcode(), 0);
    assert_eq!(proxy.asked().len(), 1);
    assert_eq!(gate.get("/@game/cgi-bin/getcallbackip").await.errcode(), 0);
    assert_eq!(proxy.asked().len(), 2);

    gate.change(|setup| {
        setup.upstream = format!("{base_urls}\negress_proxy = \"{}\"", proxy.url(""));
    });
    gate.reload("", &format!("{SHOP}egress_proxy = \"direct\"\n")).await;
    assert_eq!(gate.get("/@shop/cgi-bin/getcallbackip").await.errcode(), 0);
    assert_eq!(proxy.asked().len(), 2);
    gate.reload("", SHOP).await;
    assert_eq!(gate.get("/@shop/cgi-bin/getcallbackip").await.errcode(), 0);
    assert_eq!(proxy.asked().len(), 3);
}

//! A caller with a connection per request, so that a test sees what happens to each.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wxgate::sandbox::{Kind, OFFICIAL_ACCOUNT, Options, SECRET, Sandbox};
use wxgate::server::Address;

pub(crate) struct Caller {
    pub(crate) sandbox: Sandbox,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of a plain error, 0 where there is none.
    pub(crate) fn errcode(&self) -> i64 {
        self.json()["errcode"].as_i64().unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header in ASCII"))
    }
}

impl Caller {
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        Self { sandbox: Sandbox::start(options).expect("a sandbox") }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        let Address::Tcp(address) = self.sandbox.address() else { panic!("a TCP address") };
        TcpStream::connect(address).await.expect("a connection")
    }

    pub(crate) async fn send(&self, request: http::Request<Full<Bytes>>) -> Result<Reply, hyper::Error> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(self.connect().await)).await?;
        let exchange = async {
            let (parts, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
        };
        let mut exchange = std::pin::pin!(exchange);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            biased;
            reply = &mut exchange => reply,
            _ = &mut connection => exchange.await,
        }
    }

    pub(crate) fn request(&self, method: &str, target: &str) -> http::request::Builder {
        http::Request::builder().method(method).uri(target).header("host", "api.weixin.qq.com")
    }

    pub(crate) async fn try_get(&self, target: &str) -> Result<Reply, hyper::Error> {
        self.send(self.request("GET", target).body(Full::default()).expect("a request")).await
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.try_get(target).await.expect("an answer")
    }

    pub(crate) async fn post(&self, target: &str, body: impl Into<Bytes>) -> Reply {
        let request = self.request("POST", target).header("content-type", "application/json");
        self.send(request.body(Full::new(body.into())).expect("a request")).await.expect("an answer")
    }

    pub(crate) async fn order(&self, method: &str, target: &str, body: &Value) -> Reply {
        let request = self.request(method, target).body(Full::new(body.to_string().into()));
        self.send(request.expect("a request")).await.expect("an answer")
    }

    /// Sends bytes as they are and reads until the other side closes.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("sent");
        let mut answer = Vec::new();
        // A reset is an end as well.
        let _ = stream.read_to_end(&mut answer).await;
        answer
    }

    pub(crate) async fn classic(&self) -> Reply {
        let target =
            format!("/cgi-bin/token?grant_type=client_credential&appid={OFFICIAL_ACCOUNT}&secret={SECRET}");
        self.get(&target).await
    }

    pub(crate) async fn stable(&self, force: bool) -> Reply {
        let body = serde_json::json!({
            "grant_type": "client_credential", "appid": OFFICIAL_ACCOUNT, "secret": SECRET, "force_refresh": force,
        });
        self.post("/cgi-bin/stable_token", body.to_string()).await
    }

    /// A stable token that is good now.
    pub(crate) async fn token(&self) -> String {
        token_of(&self.stable(false).await)
    }

    /// What a business endpoint says to a token.
    pub(crate) async fn verdict(&self, token: &str) -> i64 {
        self.get(&format!("/cgi-bin/user/get?access_token={token}&userid=U")).await.errcode()
    }

    pub(crate) fn current(&self, kind: Kind) -> String {
        self.sandbox.token(OFFICIAL_ACCOUNT, kind).expect("a token")
    }
}

pub(crate) fn token_of(reply: &Reply) -> String {
    let json = reply.json();
    json["access_token"].as_str().unwrap_or_else(|| panic!("no token in {json}")).to_owned()
}

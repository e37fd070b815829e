//! kill -9 at every point of the exchange of a company's code: what is lost costs the company's
//! administrator another authorisation.

use std::path::PathBuf;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;
use wxgate::sandbox::{Action, App, AppKind, Callback, Fault, Options, PlatformEvent, Sandbox, Told, When};
use wxgate::store::{self, Location, Store};

use super::fleet::{Fleet, SECRET};
use crate::client::client;
use crate::until::{LOST, found, until};

const PROVIDER: &str = "ww00000000000000aa";
const SUITE: &str = "ww4asffe99e54c0f4c";
const PERMANENT_CODE: &str = "/cgi-bin/service/get_permanent_code";
const TOKEN: &str = "suite-token";
const AES_KEY: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

/// Where the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// The push has not arrived whole, so the store has nothing of the code.
    BeforeTheStore,
    /// WeCom has `success`, and is too busy for the exchange.
    InTheStore,
    /// The store has that WeCom is being asked, and WeCom has not taken the code.
    Begun,
    /// WeCom has taken the code, and its answer is on its way.
    Answered,
    /// The store has the answer, and not yet the permanent code.
    AnswerInTheStore,
}

struct Setting {
    fleet: Fleet,
    store: Store,
    root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Setting {
    async fn new() -> Self {
        let sandbox = Sandbox::start(Options {
            apps: vec![App::new(PROVIDER, SECRET, AppKind::Wecom), App::new(SUITE, SECRET, AppKind::Suite)],
            ..Options::default()
        });
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("store");
        let location = Location::File(root.clone());
        let store = Store::open(&store::Options { location, seal: None }).await.expect("a store");
        let app = format!(
            "appid = \"{PROVIDER}\"\nkind = \"wecom\"\nsuite_id = \"{SUITE}\"\n\
             suite_secret = {{ env = \"SHOP_SECRET\" }}\ncallback_token = \"{TOKEN}\"\n\
             callback_aes_key = \"{AES_KEY}\"\n[callback]\nlisten = [\"127.0.0.1:0\"]\n"
        );
        let url = format!("url = \"file:{}\"", root.display());
        let fleet = Fleet::before(sandbox.expect("the sandbox starts"), &app, &url);
        Self { fleet, store, root, _folder: folder }
    }

    /// Pushes go to the process that runs now.
    async fn follow(&self) {
        let replica = &self.fleet.replicas[0];
        let listening = async || replica.logged("callback listening");
        let address = found(|| format!("a callback\n{}", self.fleet.logs()), listening).await;
        self.push_to(&address);
    }

    fn push_to(&self, address: &str) {
        let callback = Callback {
            appid: SUITE.into(),
            url: format!("http://{address}/callback/{SUITE}"),
            token: TOKEN.into(),
            aes_key: AES_KEY.into(),
        };
        self.fleet.sandbox.set_callback(callback).expect("a callback");
    }

    async fn push(&self, told: &Told) {
        let receipt = self.fleet.sandbox.push(SUITE, told).await.expect("an answer").expect("a callback");
        assert_eq!((receipt.status, &*receipt.body), (200, "success"), "{}", self.fleet.logs());
    }

    fn occur(&self, event: PlatformEvent) -> Told {
        self.fleet.sandbox.occur(SUITE, event).expect("it happens")
    }

    async fn ticket(&self) {
        self.push(&self.occur(PlatformEvent::SuiteTicket { ticket: None })).await;
    }

    /// What the store has of codes, each as it says how far it has come.
    async fn codes(&self) -> Vec<Value> {
        let mut codes = Vec::new();
        for key in self.store.keys("suite_auth_code:").await.expect("the store works") {
            let Some(record) = self.store.load(&key).await.expect("the store works") else { continue };
            let code: Value = serde_json::from_str(record.value.expose()).expect("JSON");
            codes.push(code["progress"].clone());
        }
        codes
    }

    async fn has(&self, progress: &str) -> bool {
        self.codes().await.iter().any(|code| code == progress || code.get(progress).is_some())
    }

    async fn kept(&self, corpid: &str) -> Option<String> {
        let key = format!("permanent_code:{SUITE}:{corpid}");
        let record = self.store.load(&key).await.expect("the store works")?;
        Some(record.value.expose().to_owned())
    }

    /// Waits until the store has what WeCom gave last.
    async fn exchanged(&self, corpid: &str) {
        let is_kept = async || {
            let given = self.fleet.sandbox.permanent_code(SUITE, corpid);
            given.is_some() && self.kept(corpid).await == given
        };
        until(|| format!("{corpid}'s permanent code\n{}", self.fleet.logs()), is_kept).await;
    }

    async fn lost(&self) -> usize {
        let status = self.fleet.status(&self.fleet.replicas[0]).await.unwrap_or_default();
        status["apps"][0]["lost_authorizations"].as_array().map_or(0, Vec::len)
    }

    /// The beginning of a push arrives, and no more.
    async fn push_half(&self, told: &Told) -> tokio::net::TcpStream {
        let catcher = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address =
            found(|| "a callback", async || self.fleet.replicas[0].logged("callback listening")).await;
        self.push_to(&catcher.local_addr().expect("an address").to_string());
        let caught = async {
            let (mut stream, _) = catcher.accept().await.expect("accepted");
            let mut bytes = Vec::new();
            while !bytes.windows(6).any(|six| six == b"</xml>") {
                stream.read_buf(&mut bytes).await.expect("a push");
            }
            bytes
        };
        let (bytes, _) = tokio::join!(caught, self.fleet.sandbox.push(SUITE, told));
        let mut stream = tokio::net::TcpStream::connect(&address).await.expect("connected");
        stream.write_all(&bytes[..bytes.len() - 20]).await.expect("sent");
        self.push_to(&address);
        stream
    }
}

/// Kills the process at that point, so often, and starts it again each time.
async fn kills(point: Point, times: usize) {
    let mut setting = Setting::new().await;
    setting.fleet.add().await;
    setting.follow().await;
    setting.ticket().await;
    let mut lost = 0;
    for round in 0..times {
        let corpid = format!("wpCompany{round:04}");
        let told = setting.occur(PlatformEvent::CreateAuth { corpid: corpid.clone(), name: None });
        let seen = setting.fleet.sandbox.journal(Some(PERMANENT_CODE)).len();
        let arrived = async |setting: &Setting| {
            timeout(LOST, setting.fleet.sandbox.arrived(PERMANENT_CODE, seen + 1))
                .await
                .expect("an exchange");
        };
        let blocked = setting.root.join("locks").join(format!("permanent_code%3A{SUITE}%3A{corpid}"));
        let mut half = None;
        match point {
            Point::BeforeTheStore => half = Some(setting.push_half(&told).await),
            Point::InTheStore => {
                let busy = Fault::new(Action::Errcode { errcode: -1, errmsg: None });
                setting.fleet.sandbox.fault(busy.path(PERMANENT_CODE));
                setting.push(&told).await;
                arrived(&setting).await;
                until(|| "it waits", async || setting.has("waiting").await).await;
            }
            Point::Begun => {
                let fault = Fault::new(Action::Reset { when: When::BeforeBody });
                setting.fleet.sandbox.fault(fault.path(PERMANENT_CODE));
                setting.push(&told).await;
                arrived(&setting).await;
                until(|| "it has begun", async || setting.has("begun").await).await;
            }
            Point::Answered => {
                let fault = Fault::new(Action::Latency { milliseconds: 600_000 });
                setting.fleet.sandbox.fault(fault.path(PERMANENT_CODE));
                setting.push(&told).await;
                arrived(&setting).await;
                assert!(setting.has("begun").await);
            }
            Point::AnswerInTheStore => {
                std::fs::create_dir(&blocked).expect("the permanent code can't be saved");
                setting.push(&told).await;
                until(|| "its answer", async || setting.has("answered").await).await;
            }
        }
        setting.fleet.replicas[0].kill();
        drop(half);
        setting.fleet.sandbox.end_faults();
        if blocked.is_dir() {
            std::fs::remove_dir(&blocked).expect("removed");
        }
        let pending = setting.codes().await;
        assert_eq!(setting.kept(&corpid).await, None);
        setting.fleet.restart(0).await;
        setting.follow().await;
        match point {
            // WeCom got no answer, and pushes again.
            Point::BeforeTheStore => {
                assert_eq!(pending.len(), 0, "{pending:?}");
                setting.push(&told).await;
            }
            Point::InTheStore => assert_eq!(pending, ["waiting"]),
            Point::Begun | Point::Answered | Point::AnswerInTheStore => {}
        }
        if point == Point::Answered {
            lost += 1;
            let is_named = async || setting.lost().await == lost;
            until(|| format!("it is named\n{}", setting.fleet.logs()), is_named).await;
            assert_eq!(setting.kept(&corpid).await, None);
        } else {
            setting.exchanged(&corpid).await;
            let settled = async || setting.codes().await.is_empty();
            until(|| format!("it is settled\n{}", setting.fleet.logs()), settled).await;
            assert_eq!(setting.lost().await, 0);
            let user =
                format!("http://{}/@{corpid}/cgi-bin/user/get?userid=u", setting.fleet.replicas[0].authority);
            let answer = client().get(&user).send().await.expect("an answer").text().await.expect("text");
            assert!(answer.contains("\"errcode\":0"), "round {round}: {answer}\n{}", setting.fleet.logs());
        }
    }
    println!("{point:?}: {times} kills, {lost} lost and named");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_the_code_is_in_the_store_loses_nothing() {
    kills(Point::BeforeTheStore, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_the_exchange_loses_nothing() {
    kills(Point::InTheStore, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_wecom_has_taken_the_code_loses_nothing() {
    kills(Point::Begun, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_wecoms_answer_and_the_store_is_named() {
    kills(Point::Answered, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_the_permanent_code_is_in_its_place_loses_nothing() {
    kills(Point::AnswerInTheStore, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; those above are its short form"]
async fn twenty_kills_at_each_point_lose_nothing_that_is_not_named() {
    for point in
        [Point::BeforeTheStore, Point::InTheStore, Point::Begun, Point::Answered, Point::AnswerInTheStore]
    {
        kills(point, 20).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute, until a replica looks for what others left"]
async fn a_code_of_a_replica_that_is_gone_is_taken_up_by_another() {
    let mut setting = Setting::new().await;
    setting.fleet.add().await;
    setting.follow().await;
    setting.ticket().await;
    setting.fleet.add().await;
    let corpid = "wpCompany";
    let told = setting.occur(PlatformEvent::CreateAuth { corpid: corpid.into(), name: None });
    let busy = Fault::new(Action::Errcode { errcode: -1, errmsg: None });
    setting.fleet.sandbox.fault(busy.path(PERMANENT_CODE));
    setting.push(&told).await;
    timeout(LOST, setting.fleet.sandbox.arrived(PERMANENT_CODE, 1)).await.expect("an exchange");
    until(|| "it waits", async || setting.has("waiting").await).await;
    setting.fleet.replicas[0].kill();
    setting.fleet.sandbox.end_faults();
    setting.exchanged(corpid).await;
    until(|| "it is settled", async || setting.codes().await.is_empty()).await;
}

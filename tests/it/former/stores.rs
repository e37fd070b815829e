//! The stores that version 0.1.0 wrote, under this version: as if it had been replaced a minute
//! later.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use wxgate::observe::clock::{Clock, Timestamp};
use wxgate::sandbox::Kind;
use wxgate::secret::Secret;
use wxgate::store::{Location, Options, Record, Seal, Store};

use super::{ACCOUNTS, BUDGET, KEY, SEAL_KEY, SEND, SERVER, SPENT, folder, sandbox, tables};
use crate::callback::platform::MALL;
use crate::harness::{APPID, Answer, Gate, OTHER_APPID, Setup, sha256};
use crate::redis_server::RedisServer;
use crate::until::until;

/// How the store's table protects what lies there.
#[derive(Clone, Copy)]
enum Sealed {
    /// It was written in clear and is read so.
    No,
    Yes,
    /// It was written in clear, and there is a key from now on.
    FromNowOn,
}

impl Sealed {
    const ALL: [Self; 3] = [Self::No, Self::Yes, Self::FromNowOn];

    fn data(self) -> &'static str {
        match self {
            Self::No | Self::FromNowOn => "clear",
            Self::Yes => "sealed",
        }
    }

    fn table(self, location: &Location) -> String {
        let key = match self {
            Self::No => String::new(),
            Self::Yes => format!("seal_key = \"{SEAL_KEY}\""),
            Self::FromNowOn => format!("seal_key = \"{SEAL_KEY}\"\naccept_unsealed = true"),
        };
        format!("url = \"{location}\"\n{key}")
    }
}

/// Lays a store's folder out, as if each entry had been written just now: a file tells when it was,
/// and ends by the machine's own clock.
fn lay_out(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            lay_out(&entry.path(), &to);
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        let (head, value) = text.split_once('\n').unwrap();
        let lasts = head.rsplit(' ').next().unwrap();
        let rest = format!("{} {lasts}\n{value}", Clock::default().now().0);
        let digest = sha256(format!("1 {rest}").as_bytes());
        fs::write(to, format!("wxgate-store 1 {digest} {rest}")).unwrap();
    }
}

/// Has a server carry out what a file says.
fn feed(server: &RedisServer, file: &Path) {
    let mut cli = Command::new("redis-cli")
        .args(["-p", &server.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    cli.stdin.take().unwrap().write_all(&fs::read(file).unwrap()).unwrap();
    let output = cli.wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !told.contains("ERR"), "{told}");
}

async fn load(store: &Store, key: &str) -> Record {
    store.load(key).await.expect("it can be read").unwrap_or_else(|| panic!("there is no {key}"))
}

async fn holds(location: &Location, sealed: Sealed) {
    let seal = match sealed {
        Sealed::Yes => Some(Arc::new(Seal::new(&Secret::new(SEAL_KEY), None).unwrap())),
        Sealed::No | Sealed::FromNowOn => None,
    };
    let store = Store::open(&Options { location: location.clone(), seal }).await.unwrap();
    let [one, two] = ACCOUNTS.map(|account| format!("refresh_token:{}:{account}", MALL.id));
    let refresh_tokens = [load(&store, &one).await, load(&store, &two).await];
    let sandbox = sandbox([refresh_tokens[0].value.expose(), refresh_tokens[1].value.expose()]);
    let tokens = [
        (format!("access_token:stable:{APPID}"), APPID, Kind::Stable),
        (format!("access_token:classic:{OTHER_APPID}"), OTHER_APPID, Kind::Classic),
        (format!("component_access_token:{}", MALL.id), MALL.id, Kind::Component),
        (format!("authorizer_access_token:{}:{}", MALL.id, ACCOUNTS[0]), ACCOUNTS[0], Kind::Authorizer),
    ];
    let mut last = Timestamp(0);
    for (key, appid, kind) in &tokens {
        let record = load(&store, key).await;
        sandbox.give(*appid, *kind, record.value.expose());
        last = last.max(record.fetched_at);
    }
    let forces = store.forces(&format!("force:{APPID}")).await.unwrap();
    assert_eq!((forces.day, forces.used), (last.beijing_day(), 1));
    drop(store);

    let clock = Clock::default();
    clock.advance(last.0 + 60_000 - clock.now().0);
    assert_eq!(clock.now().beijing_day(), last.beijing_day(), "the day's counters are of that day");
    let setup = Setup { server: SERVER.into(), apps: tables(&sealed.table(location)), ..Setup::default() };
    let gate = Gate::by(clock, sandbox, setup).await;
    goes_on(&gate).await;
    gate.end().await;
}

async fn errcode(gate: &Gate, app: &str) -> i64 {
    gate.get_with(&format!("/@{app}/cgi-bin/user/info?openid=o"), &[("X-Wxgate-Key", KEY)]).await.errcode()
}

async fn goes_on(gate: &Gate) {
    for app in ["shop", "game", ACCOUNTS[0]] {
        assert_eq!(errcode(gate, app).await, 0, "{app}");
    }
    let counts = gate.sandbox.counts();
    assert_eq!((counts.fetches, counts.forces, counts.probes), (0, 0, 0), "all tokens were there");

    // Of the other account there is the refresh token alone, which WeChat takes.
    assert_eq!(errcode(gate, ACCOUNTS[1]).await, 0);
    assert_eq!(gate.only("/cgi-bin/component/api_authorizer_token").errcode, Some(0));
    assert_eq!(gate.sandbox.counts().fetches, 1);

    // What was spent of the budget that day stays spent, and what was counted counted.
    for number in SPENT..BUDGET {
        assert_eq!(message(gate).await.errcode(), 0, "{number}");
    }
    assert_eq!(message(gate).await.refusal(), (429, "quota_exhausted", 45009));
    let sample = format!("wxgate_calls_today{{app=\"shop\",caller=\"orders\",endpoint=\"{SEND}\"}}");
    until(|| "all calls of the day", async || gate.metric(&sample).await == BUDGET as f64).await;

    let status = gate.status().await;
    assert_eq!(status["store"]["refused"].as_array().map(Vec::len), Some(0), "{status}");
    let shop = status["apps"].as_array().unwrap().iter().find(|app| app["name"] == "shop").unwrap();
    assert_eq!(shop["forces_left_today"], 19, "{shop}");
}

async fn message(gate: &Gate) -> Answer {
    let request = gate.client.post(gate.url(SEND)).header("X-Wxgate-Key", KEY);
    Answer::of(request.body(r#"{"touser":"o","msgtype":"text"}"#)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_version_0_1_0_is_gone_on_with_without_a_fetch() {
    for sealed in Sealed::ALL {
        let place = tempfile::tempdir().unwrap();
        lay_out(&folder().join(sealed.data()), &place.path().join("store"));
        holds(&Location::File(place.path().join("store")), sealed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_of_version_0_1_0_is_gone_on_with_without_a_fetch() {
    for sealed in Sealed::ALL {
        let server = RedisServer::start().await;
        feed(&server, &folder().join(format!("{}.redis", sealed.data())));
        holds(&Location::parse(&server.url()).unwrap(), sealed).await;
    }
}

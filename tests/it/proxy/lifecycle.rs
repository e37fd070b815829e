//! Connections of callers over their life.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Answer, Gate, SHOP, Setup};
use crate::until::until;

async fn ask(stream: &mut TcpStream) {
    let request = b"GET /cgi-bin/user/info?openid=o1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.expect("an answer");
    assert_eq!(&start, b"HTTP/1.1 200");
    let mut rest = Vec::new();
    while !rest.ends_with(b"}") {
        rest.push(stream.read_u8().await.expect("the rest of it"));
    }
}

fn assert_even(gate: &Gate) {
    let counts = gate.running.connections_by_worker();
    let (least, most) = (counts.iter().min().expect("workers"), counts.iter().max().expect("workers"));
    assert!(*most < 2 * least, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_32_long_lived_connections_no_worker_has_twice_anothers() {
    let gate = Gate::with(Setup { workers: 4, ..Setup::default() }).await.warm().await;
    let mut connections = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(gate.authority()).await.expect("connected");
        ask(&mut stream).await;
        connections.push(stream);
        // What comes and goes meanwhile tips no balance.
        ask(&mut TcpStream::connect(gate.authority()).await.expect("connected")).await;
    }
    assert_eq!(gate.running.connections_by_worker().len(), 4);
    assert_even(&gate);
    // Half of them go, and as many come: they fill the gaps.
    connections.drain(..16);
    let left = || gate.running.connections_by_worker().iter().sum::<usize>();
    until(|| format!("the end of half of {} connections", left()), async || left() <= 17).await;
    for _ in 0..16 {
        let mut stream = TcpStream::connect(gate.authority()).await.expect("connected");
        ask(&mut stream).await;
        connections.push(stream);
    }
    assert_even(&gate);
    for stream in &mut connections {
        ask(stream).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callback_address_is_one_of_its_own_and_shows_strangers_nothing() {
    let apps = format!("{SHOP}[callback]\nlisten = [\"127.0.0.1:0\"]\n");
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await;
    let [address] = gate.running.callback_addresses() else { panic!("one address") };
    let address = address.to_string();
    let ask = |path: &str| Answer::of(gate.client.get(format!("http://{address}{path}")));
    for path in ["/", "/cgi-bin/user/info?openid=o1", "/metrics", "/readyz", "/callback/", "/callback/shop"] {
        let answer = ask(path).await;
        assert_eq!((answer.status, answer.text()), (404, String::new()), "{path}");
    }
    gate.end().await;
    assert!(TcpStream::connect(&address).await.is_err(), "it ends with the others");
}

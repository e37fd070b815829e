//! Tagged requests through one process while the upstream does all that it shouldn't on its
//! connections: nobody gets a byte of another's answer, no answer that was cut passes for a whole
//! one, and no POST arrives twice.
//!
//! `TAGGED_REQUESTS=1000000 TAGGED_PROGRAM=target/dist/wxgate cargo test --locked --features otlp
//! --test soak -- tagged:: --nocapture`; without them it is a few thousand through the tests' own
//! program. `TAGGED_SEED` decides what goes wrong.

mod callers;
mod plan;
mod tag;
mod upstream;

use std::sync::Arc;

use parking_lot::Mutex;

use self::callers::Outcomes;
use self::upstream::Upstream;
use crate::fleet::Replica;
use crate::setting;
use crate::until::until;

/// At once, each on a connection of its own.
const CALLERS: usize = 64;

/// What must not be, as it was seen.
#[derive(Clone, Default)]
struct Wrong(Arc<Mutex<Vec<String>>>);

impl Wrong {
    fn note(&self, what: String) {
        let mut all = self.0.lock();
        if all.len() < 20 {
            println!("WRONG: {what}");
            all.push(what);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_anothers_bytes_whatever_the_upstream_does() {
    let seed = setting("TAGGED_SEED").unwrap_or(16);
    let count = setting("TAGGED_REQUESTS").unwrap_or(6000);
    let program: String = setting("TAGGED_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_wxgate").into());
    println!("TAGGED_SEED={seed} TAGGED_REQUESTS={count} TAGGED_PROGRAM={program}");
    let wrong = Wrong::default();
    let upstream = Upstream::start(seed, wrong.clone()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "[server]\nworkers = 2\nlisten = ['127.0.0.1:0']\nerror_status = 'http'\n\
         [admin]\nlisten = '127.0.0.1:0'\ntoken = {{ env = 'ADMIN_TOKEN' }}\n[log]\naccess = 'off'\n\
         [upstream]\nbase_urls = ['http://{}']\n[[app]]\nname = 'shop'\nappid = 'wx0000000000000001'\n\
         secret = {{ env = 'SHOP_SECRET' }}\ndefault = true\n",
        upstream.authority
    );
    std::fs::write(folder.path().join("wxgate.toml"), config).expect("written");
    let program = std::fs::canonicalize(program).expect("the program");
    let gate = Replica::start(&program, folder.path(), folder.path().join("log")).await;
    until(|| format!("an answer\n{}", gate.log()), async || callers::is_served(&gate.authority).await).await;

    let outcomes = callers::ask(&gate.authority, count, seed, &upstream, &wrong).await;
    println!("{outcomes:?}\n{:#?}", upstream.counts());
    let wrong = std::mem::take(&mut *wrong.0.lock());
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", tail(&gate.log()));
    let Outcomes { whole, broken, .. } = outcomes;
    assert!(whole * 10 > count * 6, "most get their answers");
    assert!(broken > 0, "some answers break off on their way");
    let counts = upstream.counts();
    assert!(counts.on_used_connections * 10 > count, "connections are used again");
    if count >= 5000 {
        let missing: Vec<_> = plan::KINDS.iter().filter(|kind| !counts.kinds.contains_key(*kind)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?}");
    }
}

fn tail(log: &str) -> &str {
    let start = log.len().saturating_sub(4000);
    log.get(start..).unwrap_or(log)
}

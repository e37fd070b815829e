//! Another configuration while requests run.

use crate::harness::{Gate, SHOP, Setup};

const CALLER: &str = r#"
[[caller]]
name = "orders"
key_sha256 = "ea7eeac0fd56de3dc6b6fc2d7fabc5acdbd77d52ffc59a0f31cb219ef05d2df0"
apps = ["shop"]
"#;

#[tokio::test]
async fn a_listener_that_others_reach_never_loses_its_callers_by_a_reload() {
    let apps = format!("{SHOP}{CALLER}");
    let gate = Gate::with(Setup { listen: "0.0.0.0:0".into(), apps, ..Setup::default() }).await;
    // The file is fine in itself: it listens on loopback alone. But 0.0.0.0 stays bound.
    gate.change(|setup| {
        setup.listen = "127.0.0.1:0".into();
        setup.apps = SHOP.into();
    });
    let refused = gate.running.reload().expect_err("refused");
    assert!(refused.contains("[[caller]]") && refused.contains("restart"), "{refused}");
    let port = gate.authority().rsplit(':').next().expect("a port").to_owned();
    let request = gate.client.get(format!("http://127.0.0.1:{port}/cgi-bin/user/info"));
    assert_eq!(crate::harness::Answer::of(request).await.status, 401);
}

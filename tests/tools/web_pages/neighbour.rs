//! An address of this machine that isn't loopback.

use std::net::TcpListener;
use std::process::Command;

/// Of a network that is there for documentation alone (RFC 5737).
pub(crate) const ADDRESS: &str = "192.0.2.7";
/// Set where this program runs in a network namespace of its own.
const INSIDE: &str = "WXGATE_TESTS_IN_NAMESPACE";

/// Gives the loopback interface the address. Where that is not permitted, the `test` runs again in
/// a network namespace, and this one has no more to do: the answer is false.
pub(crate) fn is_here(test: &str) -> bool {
    let has = || TcpListener::bind((ADDRESS, 0)).is_ok();
    // Another test may add it at the same time.
    if has() || ip(&["address", "add", &format!("{ADDRESS}/32"), "dev", "lo"]) || has() {
        return true;
    }
    let inside = std::env::var_os(INSIDE).is_some();
    assert!(!inside, "{ADDRESS} can't be added to lo in a network namespace either");
    let own = std::env::current_exe().expect("a program");
    let run = Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"])
        .arg(own)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status();
    let passed = run.is_ok_and(|status| status.success());
    assert!(
        passed,
        "{test} failed in a network namespace; it needs root, for `ip address add {ADDRESS}/32 dev lo`, or a user who \
         may run `unshare --map-root-user --net`"
    );
    false
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).status().is_ok_and(|status| status.success())
}

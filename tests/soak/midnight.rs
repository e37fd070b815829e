//! Midnight in Beijing, at which counters and budgets begin anew.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// In UTC.
const MIDNIGHT: u64 = 16 * 3600;
const DAY: u64 = 86_400;
/// Of a minute's troubles, at most.
const MINUTE: Duration = Duration::from_secs(100);
/// What a run takes beside its troubles.
const MORE: Duration = Duration::from_secs(180);
/// Not worth failing for.
const WAITED_FOR: Duration = Duration::from_secs(300);

/// Makes sure that a run that begins now doesn't meet it: what is counted would be two days'. Waits
/// for it if it is near, and refuses a run that is too long.
pub async fn keep_clear(minutes: u32) {
    let left = until_midnight(SystemTime::now());
    if MINUTE * minutes + MORE < left {
        return;
    }
    assert!(left < WAITED_FOR, "midnight in Beijing comes in {left:?}, within the run: begin after it");
    println!("waiting {left:?} for midnight in Beijing");
    tokio::time::sleep(left + Duration::from_secs(1)).await;
}

fn until_midnight(now: SystemTime) -> Duration {
    let now = now.duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    Duration::from_secs(DAY - (now + DAY - MIDNIGHT) % DAY)
}

#[test]
fn midnight_in_beijing_is_at_sixteen_hours_utc() {
    let at = |seconds| until_midnight(UNIX_EPOCH + Duration::from_secs(seconds)).as_secs();
    assert_eq!((at(0), at(MIDNIGHT - 1), at(MIDNIGHT)), (MIDNIGHT, 1, DAY));
}

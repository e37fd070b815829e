//! A budget on the simulated store, by a clock that is paused.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{Budget, Lack, Office, Wait, slice_of};
use crate::observe::clock::Clock;
use crate::store::simulated::Server;

fn budget(server: &Arc<Server>, replica: usize, limit: u64, clock: &Clock) -> Arc<Budget> {
    let office = Office { store: server.store(replica), clock: clock.clone(), runtime: Handle::current() };
    Arc::new(Budget::new("b".into(), limit, office))
}

async fn take(budget: &Arc<Budget>) -> Result<(), Lack> {
    budget.take(&mut Wait::default()).await.map(drop)
}

/// Takes until there is nothing more; a store that was slow is asked again.
async fn exhaust(budget: &Arc<Budget>) -> u64 {
    let mut taken = 0;
    loop {
        match take(budget).await {
            Ok(()) => taken += 1,
            Err(Lack::Spent) => return taken,
            Err(Lack::Store) => sleep(Duration::from_millis(500)).await,
        }
    }
}

#[test]
fn slices_shrink_with_what_is_left() {
    let slices = [1_000_000, 6400, 640, 127, 63, 1, 0].map(slice_of);
    assert_eq!(slices, [1000, 100, 10, 1, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn replicas_together_take_exactly_the_limit() {
    let (server, clock) = (Server::new(), Clock::simulated());
    let mut tasks = JoinSet::new();
    for replica in 0..8 {
        let budget = budget(&server, replica, 1000, &clock);
        for _ in 0..25 {
            let budget = Arc::clone(&budget);
            tasks.spawn(async move { exhaust(&budget).await });
        }
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<u64>(), 1000);
}

#[tokio::test(start_paused = true)]
async fn lost_answers_cost_a_slice_and_never_exceed_the_limit() {
    for seed in 0..20 {
        fastrand::seed(seed);
        let (server, clock) = (Server::new(), Clock::simulated());
        server.lossy(0.1);
        let mut tasks = JoinSet::new();
        for replica in 0..4 {
            let budget = budget(&server, replica, 1000, &clock);
            tasks.spawn(async move { exhaust(&budget).await });
        }
        let taken = tasks.join_all().await.into_iter().sum::<u64>();
        assert!((100..=1000).contains(&taken), "seed {seed}: {taken}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_leaves_the_slice_and_no_more() {
    let (server, clock) = (Server::new(), Clock::simulated());
    let budget = budget(&server, 0, 640, &clock);
    for _ in 0..2 {
        take(&budget).await.expect("there");
    }
    sleep(Duration::from_secs(1)).await;
    server.cut_off(0, Duration::from_secs(60));
    let began = Instant::now();
    let mut taken = 0;
    while take(&budget).await.is_ok() {
        taken += 1;
    }
    assert!((8..=20).contains(&taken), "{taken}");
    assert!(began.elapsed() <= Duration::from_millis(310), "{:?}", began.elapsed());
    sleep(Duration::from_millis(10)).await;
    let began = Instant::now();
    assert_eq!(take(&budget).await, Err(Lack::Store));
    assert_eq!(began.elapsed(), Duration::ZERO, "what is known to be down isn't waited for");
    sleep(Duration::from_secs(65)).await;
    take(&budget).await.expect("it is back");
}

#[tokio::test(start_paused = true)]
async fn midnight_in_beijing_voids_the_slice_and_opens_the_next_day() {
    // The simulated clock begins with the epoch, at eight in the morning.
    let (server, clock) = (Server::new(), Clock::simulated());
    let budget = budget(&server, 0, 100, &clock);
    assert_eq!(exhaust(&budget).await, 100);
    sleep(Duration::from_secs(16 * 3600)).await;
    take(&budget).await.expect("a new day");
    assert_eq!(exhaust(&budget).await, 99);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_hangs_up_loses_nothing() {
    let (server, clock) = (Server::new(), Clock::simulated());
    let budget = budget(&server, 0, 5, &clock);
    let (mut taken, mut hung_up) = (0, 0);
    while hung_up < 3 {
        match timeout(Duration::ZERO, take(&budget)).await {
            Ok(result) => {
                result.expect("there");
                taken += 1;
            }
            Err(_) => hung_up += 1,
        }
        sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(taken + exhaust(&budget).await, 5);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_is_there_for_others() {
    let (server, clock) = (Server::new(), Clock::simulated());
    let (one, other) = (budget(&server, 0, 640, &clock), budget(&server, 1, 640, &clock));
    for _ in 0..3 {
        take(&one).await.expect("there");
    }
    sleep(Duration::from_secs(1)).await;
    one.give_back().await;
    assert_eq!(exhaust(&other).await, 637);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_shrinks_below_what_is_spent_grants_nothing() {
    let (server, clock) = (Server::new(), Clock::simulated());
    let budget = budget(&server, 0, 1000, &clock);
    for _ in 0..10 {
        take(&budget).await.expect("there");
    }
    budget.resize(10);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(take(&budget).await, Err(Lack::Spent));
    budget.resize(12);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(exhaust(&budget).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_a_day_ahead_costs_no_day_s_budget() {
    let (server, clock) = (Server::new(), Clock::default());
    let budget = budget(&server, 0, 1000, &clock);
    clock.advance(86_400_000);
    take(&budget).await.expect("tomorrow's");
    clock.advance(-86_400_000);
    assert_eq!(exhaust(&budget).await, 1000);
}

#[tokio::test(start_paused = true)]
async fn what_a_store_lost_of_a_budget_is_not_granted_again() {
    let (server, clock) = (Server::new(), Clock::simulated());
    let replicas = [0, 1].map(|replica| budget(&server, replica, 200, &clock));
    let mut taken = 0;
    for replica in replicas.iter().cycle().take(150) {
        taken += u64::from(take(replica).await.is_ok());
    }
    server.flush();
    for replica in &replicas {
        taken += exhaust(replica).await;
    }
    // Each knows of the other's slices but those since its own last one.
    let slice = slice_of(200);
    assert!((150..=200 + slice).contains(&taken), "{taken}");
    let (day, store) = (clock.now().beijing_day(), server.store(2));
    let reserved = store.reserved(day).await.expect("the store works").counts;
    assert_eq!(reserved, [("b".to_owned(), 200)]);
}

/// A disk that takes 400 ms for each write is late, and not down.
#[tokio::test(start_paused = true)]
async fn a_slow_store_grants_budgets_as_a_fast_one_does() {
    let (server, clock) = (Server::new(), Clock::simulated());
    server.slow(Duration::from_millis(400));
    let budget = budget(&server, 0, 2000, &clock);
    let day = clock.now().beijing_day();
    let counting = async {
        loop {
            let _ = budget.office.store.add(day, &[("a", 1)]).await;
            sleep(Duration::from_secs(1)).await;
        }
    };
    let calling = async {
        let mut refused = 0;
        for _ in 0..600 {
            refused += u32::from(take(&budget).await.is_err());
            sleep(Duration::from_millis(50)).await;
        }
        refused
    };
    let refused = tokio::select! {
        refused = calling => refused,
        () = counting => unreachable!("it never ends"),
    };
    // Until the first slice is there, and the one after it.
    assert!(refused < 20, "{refused} of 600");
    assert_eq!(budget.office.store.problem(), None);
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_was_reset_is_granted_once_more_and_survives_the_store_as_before() {
    let (server, clock) = (Server::new(), Clock::simulated());
    let replicas = [0, 1].map(|replica| budget(&server, replica, 200, &clock));
    let both = async || exhaust(&replicas[0]).await + exhaust(&replicas[1]).await;
    assert_eq!(both().await, 200);
    let (day, store) = (clock.now().beijing_day(), server.store(2));
    store.reset_budgets(day, &[("b", 0)]).await.expect("the store works");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(both().await, 200, "once, whatever the replicas remember");
    // The store loses its data, and with it the reset of the budget.
    server.flush();
    sleep(Duration::from_secs(1)).await;
    assert!(both().await <= slice_of(200));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_wrote_beyond_the_limit_ends_with_the_key() {
    let (server, clock) = (Server::new(), Clock::simulated());
    let budget = budget(&server, 0, 200, &clock);
    for _ in 0..20 {
        take(&budget).await.expect("there");
    }
    let (day, store) = (clock.now().beijing_day(), server.store(1));
    store.reserve(day, "b", 1_000_000, 1_000_000, 0, 0).await.expect("the store works");
    // What was reserved before is left.
    assert!(exhaust(&budget).await <= slice_of(200) * 2);
    server.flush();
    sleep(Duration::from_secs(1)).await;
    let rest = exhaust(&budget).await;
    assert!((170..=180).contains(&rest), "{rest} of 180");
}

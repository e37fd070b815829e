//! What goes wrong, and how often.

use fastrand::Rng;
use wxgate::sandbox::{Action, Fault, Lag, When};

/// One thing that goes wrong for a while.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// WeChat's doing.
    Fault(Fault),
    /// Good tokens are rejected now and then.
    Lag(Lag),
    /// Somebody else fetched.
    Rotate,
    /// The token's life ends, as it does after two hours.
    Expire,
    /// WeChat goes on giving out a token that it rejects.
    Poison,
    /// WeChat's clock jumps, seconds.
    Clock(i64),
    Kill,
    /// Stopped and started again, as by a new version.
    Restart,
    /// SIGSTOP, SIGCONT.
    Standstill,
    Reload,
    RedisPause,
    RedisFlush,
    RedisKill,
    RedisFailover,
}

impl Trouble {
    /// About a minute of them in a random order, each kind as often as its share.
    pub fn deck(random: &mut Rng) -> Vec<Self> {
        let mut deck: Vec<_> = (0..20).map(|card| Self::of(card, random)).collect();
        random.shuffle(&mut deck);
        deck
    }

    fn of(card: u32, random: &mut Rng) -> Self {
        match card {
            0..=5 => Self::Fault(fault(random)),
            6 => Self::Lag(Lag { one_in: Some(3), ..Lag::default() }),
            7..=9 => Self::Rotate,
            10 => Self::Expire,
            11 if random.u32(..4) == 0 => Self::Poison,
            11 => Self::Clock(if random.bool() { 3000 } else { 7300 }),
            12 | 13 => Self::Kill,
            14 => Self::Restart,
            15 => Self::Standstill,
            16 => Self::Reload,
            17 => Self::RedisPause,
            18 => Self::RedisFlush,
            _ if random.bool() => Self::RedisKill,
            _ => Self::RedisFailover,
        }
    }
}

fn fault(random: &mut Rng) -> Fault {
    let action = match random.u32(..14) {
        0 => Action::Latency { milliseconds: 800 },
        1 => Action::SlowBody { bytes: 16, milliseconds: 20 },
        2 => Action::Cut { bytes: 5 },
        3 => Action::Reset { when: When::BeforeBody },
        4 => Action::Reset { when: When::AfterBody },
        5 => Action::Empty,
        6 => Action::Html { status: 502 },
        7 => Action::Status { status: 503 },
        8 => Action::Errcode { errcode: -1, errmsg: None },
        9 => Action::Silence,
        10 => Action::Gzip,
        11 => Action::Chunked,
        // No limit of WeChat's, which wxgate would keep to for a while.
        12 => Action::EarlyAnswer { errcode: 40003 },
        _ => Action::Close,
    };
    let path = match random.u32(..4) {
        // Tokens too.
        0 => None,
        1 => Some("/cgi-bin/media/*"),
        2 => Some("/cgi-bin/user/*"),
        _ => Some("/cgi-bin/message/*"),
    };
    Fault { path: path.map(str::to_owned), ..Fault::new(action) }
}

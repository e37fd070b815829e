//! Whole courses: what is counted look by look, and what is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Blame, Counted, Detector, Kind, Others, Trouble, begun, over, shown};
use crate::observe::clock::Timestamp;
use crate::observe::exposition::{Dialect, Exposition};
use crate::texts::Language::{Chinese, English};

const LOOK: u64 = 2;
const SEND: &str = "/cgi-bin/message/template/send";
const INFO: &str = "/cgi-bin/user/info";
/// 17:03 in Beijing.
const BEGAN: Timestamp = Timestamp(1_656_406_980_000);

/// An app, its endpoint, and how many of ten calls a look have trouble.
type Beside = (&'static str, &'static str, u64);

/// A detector with its counters.
struct Day {
    detector: Detector,
    now: Timestamp,
    counted: BTreeMap<(Arc<str>, &'static str), Counted>,
    told: Vec<(u64, Trouble)>,
}

impl Day {
    fn new() -> Self {
        let detector = Detector::default();
        Self { detector, now: BEGAN, counted: BTreeMap::new(), told: Vec::new() }
    }

    /// Seconds since it began.
    fn at(&self) -> u64 {
        self.now.since(BEGAN).as_secs()
    }

    fn count(&mut self, app: &str, path: &'static str, calls: u64, kind: Kind, troubled: u64) {
        let counted = self.counted.entry((app.into(), path)).or_default();
        counted.calls += calls;
        counted.troubled[kind as usize] += troubled;
    }

    fn look(&mut self) {
        self.now = self.now.plus(Duration::from_secs(LOOK));
        let counted = self.counted.clone();
        for counted in self.counted.values_mut() {
            counted.addresses.clear();
        }
        let at = self.at();
        self.told.extend(self.detector.observe(self.now, counted).into_iter().map(|told| (at, told)));
    }

    /// Looks for so many seconds; before each look `of` says how many calls the n-th second had,
    /// and how many with trouble.
    fn run(&mut self, seconds: u64, path: &'static str, kind: Kind, of: impl Fn(u64) -> (u64, u64)) {
        for _ in 0..seconds / LOOK {
            for second in self.at()..self.at() + LOOK {
                let (calls, troubled) = of(second);
                self.count("shop", path, calls, kind, troubled);
            }
            self.look();
        }
    }

    /// When each began or was over, and which.
    fn turns(&self) -> Vec<(u64, bool)> {
        self.told.iter().map(|(at, told)| (*at, told.ended.is_some())).collect()
    }
}

#[test]
fn a_burst_is_told_within_half_a_minute_and_so_is_its_end() {
    // Calls a second, percent with trouble; when it is told at the latest.
    for (calls, percent, latest) in [
        (100, 38, 10),
        (100, 15, 16),
        (100, 12, 16),
        (100, 10, 20),
        (20, 12, 16),
        (20, 10, 20),
        (10, 10, 20),
        (2, 50, 16),
        (1, 38, 28),
    ] {
        let mut day = Day::new();
        let share = |second: u64| (second + 1) * calls * percent / 100 - second * calls * percent / 100;
        day.run(300, SEND, Kind::Busy, |_| (calls, 0));
        day.run(600, SEND, Kind::Busy, |second| (calls, share(second)));
        day.run(600, SEND, Kind::Busy, |_| (calls, 0));
        let turns = day.turns();
        let [(began, false), (ended, true)] = turns[..] else { panic!("{calls}, {percent} %: {turns:?}") };
        assert!((300..=300 + latest).contains(&began), "{calls}, {percent} %: {began}");
        assert!((926..=930).contains(&ended), "{calls}, {percent} %: {ended}");
        let (_, over) = &day.told[1];
        let said = over.troubled * 100 / over.calls;
        assert!(said.abs_diff(percent) <= 2, "{calls}, {percent} %: {over:?}");
        assert_eq!(over.since.since(BEGAN).as_secs() / 10, 30, "{over:?}");
        assert!(over.ended.is_some_and(|ended| ended.since(BEGAN).as_secs() <= 902), "{over:?}");
    }
}

/// A fixed sequence below 10,000 that looks random.
fn random() -> impl FnMut() -> u64 {
    let mut state = 7_u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 10_000
    }
}

#[test]
fn a_share_that_comes_at_random_is_told_within_half_a_minute_of_its_first_call() {
    let mut random = random();
    // Calls a second, and percent with trouble, from about eight calls a second on.
    for (calls, percent) in [(10, 12), (20, 11), (20, 15), (100, 11), (100, 18), (500, 11)] {
        for kind in [Kind::Busy, Kind::Timeout] {
            let mut day = Day::new();
            day.run(300, SEND, kind, |_| (calls, 0));
            for _ in 0..60 / LOOK {
                let troubled = (0..calls * LOOK).filter(|_| random() < percent * 100).count() as u64;
                day.count("shop", SEND, calls * LOOK, kind, troubled);
                day.look();
            }
            let turns = day.turns();
            let [(began, false)] = turns[..] else { panic!("{calls}, {percent} %: {turns:?}") };
            assert!((300..=330).contains(&began), "{calls}, {percent} %: {began}");
        }
    }
}

#[test]
fn an_endpoint_that_is_seldom_called_and_fails_altogether_is_told_of_within_half_a_minute() {
    // Seconds between two calls.
    for pace in [1, 2, 3, 4, 5] {
        let mut day = Day::new();
        let calls = |second: u64| u64::from(second.is_multiple_of(pace));
        day.run(600, SEND, Kind::Busy, |second| (calls(second), 0));
        day.run(300, SEND, Kind::Busy, |second| (calls(second), calls(second)));
        day.run(300, SEND, Kind::Busy, |second| (calls(second), 0));
        let turns = day.turns();
        let [(began, false), (ended, true)] = turns[..] else { panic!("each {pace} s: {turns:?}") };
        assert!((600..=630).contains(&began), "each {pace} s: {began}");
        assert!((920..=932).contains(&ended), "each {pace} s: {ended}");
    }
}

#[test]
fn an_ordinary_background_is_no_alarm_within_an_hour_at_any_pace() {
    let mut random = random();
    for calls in [1, 2, 5, 8, 10, 14, 17, 24, 30, 60, 120, 500] {
        // Of the rules that look at half a minute none is met by chance at 1 %; what callers are to
        // blame for isn't counted at all.
        for background in [0, 50, 100] {
            let mut day = Day::new();
            for _ in 0..3_600 / LOOK {
                let troubled = (0..calls).filter(|_| random() < background).count() as u64;
                day.count("shop", SEND, calls, Kind::Busy, troubled);
                day.look();
            }
            assert_eq!(day.told, [], "{calls} calls a look, {background} of 10,000");
        }
    }
}

#[test]
fn an_ordinary_background_is_no_alarm_for_days() {
    let mut random = random();
    // Calls a look, and how many of 10,000 have trouble.
    for (calls, background) in [(1, 100), (4, 100), (20, 100), (200, 100), (60, 300)] {
        let mut day = Day::new();
        let days = if calls > 50 { 1 } else { 5 };
        for _ in 0..days * 86_400 / LOOK {
            let troubled = (0..calls).filter(|_| random() < background).count() as u64;
            day.count("shop", SEND, calls, Kind::Busy, troubled);
            day.look();
        }
        assert_eq!(day.told, [], "{calls} calls a look, {background} of 10,000");
    }
}

#[test]
fn an_endpoint_that_is_seldom_called_is_told_of_after_six_failures() {
    let mut day = Day::new();
    day.run(1200, SEND, Kind::Timeout, |second| (u64::from(second % 40 == 0), u64::from(second % 40 == 0)));
    let turns = day.turns();
    let [(began, false)] = turns[..] else { panic!("{turns:?}") };
    assert!((200..=204).contains(&began), "{began}");
    // Two calls that go well are not enough, five minutes of them are.
    day.run(600, SEND, Kind::Timeout, |second| (u64::from(second % 40 == 0), 0));
    let turns = day.turns();
    let [_, (ended, true)] = turns[..] else { panic!("{turns:?}") };
    assert!((1400..=1560).contains(&ended), "{ended}");
}

#[test]
fn trouble_ends_when_nobody_calls_any_more() {
    let mut day = Day::new();
    day.run(60, SEND, Kind::Unreachable, |_| (5, 5));
    day.run(600, SEND, Kind::Unreachable, |_| (0, 0));
    let turns = day.turns();
    let [(began, false), (ended, true)] = turns[..] else { panic!("{turns:?}") };
    assert!(began <= 4 && (380..=400).contains(&ended), "{turns:?}");
    let (_, over) = &day.told[1];
    assert!(over.silent, "{over:?}");
    let words = shown(over);
    assert_eq!(
        words.to(English),
        "no calls to /cgi-bin/message/template/send for 5 minutes; before that, WeChat was unreachable, or closed \
         the connection early, for 300 of 300 calls from 17:03 to 17:04"
    );
    assert_eq!(
        words.to(Chinese),
        "已有 5 分钟没有调用 /cgi-bin/message/template/send，是否恢复尚不清楚；此前 17:03 至 17:04 的 300 \
         次调用中，有 300 次连不上微信或连接中断"
    );
    // One call shows it.
    day.run(60, SEND, Kind::Unreachable, |_| (5, 5));
    day.run(600, SEND, Kind::Unreachable, |second| (u64::from(second == 800), 0));
    let [.., (_, over)] = &day.told[..] else { panic!("{:?}", day.told) };
    assert!(day.told.len() == 4 && over.ended.is_some() && !over.silent, "{:?}", day.told);
    assert!(shown(over).to(English).contains(" has recovered: "), "{over:?}");
}

#[test]
fn a_few_calls_that_go_well_by_chance_end_nothing() {
    let mut random = random();
    for (calls, percent) in [(1, 20), (2, 15), (1, 50), (5, 12)] {
        let mut day = Day::new();
        for _ in 0..1_800 / LOOK {
            let troubled = (0..calls * LOOK).filter(|_| random() < percent * 100).count() as u64;
            day.count("shop", SEND, calls * LOOK, Kind::Busy, troubled);
            day.look();
        }
        assert_eq!(day.turns().len(), 1, "{calls}, {percent} %: {:?}", day.turns());
    }
}

#[test]
fn a_share_about_the_threshold_begins_once() {
    let mut day = Day::new();
    day.run(1800, SEND, Kind::ServerError, |second| (10, u64::from(second % 40 < 20) * 2));
    assert_eq!(day.turns().len(), 1, "{:?}", day.turns());
}

#[test]
fn bursts_that_follow_each_other_are_told_as_one_after_the_first_and_later_ones_are_another() {
    let mut day = Day::new();
    let burst = |second: u64| (20, u64::from(second % 50 < 10) * 10);
    day.run(600, SEND, Kind::Busy, burst);
    assert_eq!(day.turns().len(), 3, "{:?}", day.turns());
    day.run(600, SEND, Kind::Busy, |_| (20, 0));
    day.run(20, SEND, Kind::Busy, |_| (20, 20));
    day.run(300, SEND, Kind::Busy, |_| (20, 0));
    let turns = day.turns();
    let over: Vec<_> = turns.iter().map(|(_, over)| *over).collect();
    assert_eq!(over, [false, true, false, true, false, true], "{turns:?}");
    // The one that came back within a minute takes a minute, the others half of that.
    assert!((34..=40).contains(&turns[1].0), "{turns:?}");
    assert!((605..=625).contains(&turns[3].0), "{turns:?}");
    assert!((1_246..=1_250).contains(&turns[5].0), "{turns:?}");
}

#[test]
fn an_address_is_told_of_at_once_and_ends_when_calls_go_well() {
    let mut day = Day::new();
    day.count("shop", SEND, 1, Kind::NotWhitelisted, 1);
    let counted = day.counted.get_mut(&(Arc::from("shop"), SEND)).expect("counted");
    counted.addresses = vec!["203.0.113.7".parse().expect("an address")];
    day.look();
    let [(2, trouble)] = &day.told[..] else { panic!("{:?}", day.told) };
    let words = begun(std::slice::from_ref(trouble));
    assert!(words.to(English).starts_with(
        "WeChat has refused this machine's address 203.0.113.7 (40164; WeCom: 60020) on calls to \
         /cgi-bin/message/template/send since 17:03: add it to the IP whitelist"
    ));
    let chinese = words.to(Chinese);
    assert!(chinese.contains("拒绝本机 IP 203.0.113.7 调用") && chinese.contains("IP 白名单"));
    let verdict = day.detector.verdict(&day.detector.going_on());
    assert_eq!(verdict.blame, Blame::Settings);
    assert!(verdict.words.to(English).starts_with("it is the IP whitelist in WeChat's console: shop: "));
    // It is refused each hour, and nobody changed anything.
    for _ in 0..6 {
        day.run(3_598, SEND, Kind::NotWhitelisted, |_| (0, 0));
        day.count("shop", SEND, 1, Kind::NotWhitelisted, 1);
        day.look();
    }
    assert_eq!(day.told.len(), 1, "{:?}", day.told);
    day.run(340, SEND, Kind::NotWhitelisted, |second| (u64::from(second % 60 == 0), 0));
    let [_, (_, over)] = &day.told[..] else { panic!("{:?}", day.told) };
    assert_eq!((over.calls, over.troubled), (7, 7));
}

#[test]
fn it_says_how_the_others_do_and_whose_trouble_it_is() {
    let cases: [(&[Beside], Others, Blame, &str); 4] = [
        (&[], Others::Silent, Blame::Path, "; no other endpoint was called"),
        (&[("shop", INFO, 0)], Others::Well, Blame::Wechat, "; other endpoints are fine"),
        (&[("shop", INFO, 5)], Others::Too(50), Blame::Path, "; other endpoints too, 50%"),
        (
            &[("shop", INFO, 5), ("game", INFO, 0)],
            Others::Too(50),
            Blame::Wechat,
            "; other endpoints too, 50%; other apps are fine (and 1 more)",
        ),
    ];
    for (beside, others, blame, end) in cases {
        let mut day = Day::new();
        for _ in 0..4 {
            day.count("shop", SEND, 20, Kind::Timeout, 12);
            for (app, path, troubled) in beside {
                day.count(app, path, 10, Kind::Timeout, *troubled);
            }
            day.look();
        }
        let going_on = day.detector.going_on();
        assert_eq!((going_on[0].endpoint, going_on[0].others), (SEND, others));
        let verdict = day.detector.verdict(&going_on);
        assert_eq!(verdict.blame, blame, "{}", verdict.words);
        let said = verdict.words.to(English);
        assert!(said.ends_with(end) || said.contains(&format!("{end} (and")), "{said}");
        assert!(
            said.contains(
                "WeChat has not responded in time to 60% of calls to /cgi-bin/message/template/send"
            )
        );
    }
}

#[test]
fn every_kind_has_its_sentences_in_both_languages() {
    let mut said = std::collections::BTreeSet::new();
    for kind in Kind::ALL {
        let trouble = |endpoint, troubled, silent| Trouble {
            app: "shop".into(),
            endpoint,
            kind,
            since: BEGAN,
            ended: Some(BEGAN.plus(Duration::from_secs(21 * 60))),
            silent,
            calls: 1210,
            troubled,
            others: Others::Well,
            addresses: Vec::new(),
        };
        let many = [SEND, INFO, "other", "/a"].map(|endpoint| trouble(endpoint, 460, false));
        let silent = [SEND, INFO].map(|endpoint| trouble(endpoint, 460, true));
        for words in [
            begun(&many[..1]),
            over(&many[..1]),
            over(&silent[..1]),
            begun(&many),
            over(&many),
            over(&silent),
        ] {
            let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            assert!(chinese(words.to(Chinese)), "{words:?}");
            assert!(kind == Kind::NotWhitelisted || !chinese(words.to(English)), "{words:?}");
            assert!(words.to(English).contains(SEND) && words.to(Chinese).contains(SEND), "{words:?}");
            assert!(said.insert(words.to(English).to_owned()), "said twice");
        }
        assert_eq!(shown(&many[0]), over(&many[..1]));
        assert!(kind.over().starts_with(kind.as_str()));
    }
    let one = Trouble {
        app: "shop".into(),
        endpoint: SEND,
        kind: Kind::Busy,
        since: BEGAN,
        ended: None,
        silent: false,
        calls: 1210,
        troubled: 460,
        others: Others::Well,
        addresses: Vec::new(),
    };
    let words = shown(&one);
    assert_eq!(
        words.to(English),
        "WeChat has returned -1 for 38% of calls to /cgi-bin/message/template/send since 17:03; other endpoints are fine"
    );
    assert_eq!(
        words.to(Chinese),
        "17:03 起，微信对 /cgi-bin/message/template/send 的 38% 调用返回 -1（系统繁忙）；其他接口正常"
    );
    let over = over(&[Trouble { ended: Some(BEGAN.plus(Duration::from_secs(21 * 60))), ..one }]);
    assert_eq!(
        over.to(English),
        "/cgi-bin/message/template/send has recovered: WeChat returned -1 for 460 of 1210 calls from 17:03 to 17:24"
    );
    assert_eq!(
        over.to(Chinese),
        "/cgi-bin/message/template/send 已恢复正常：17:03 至 17:24 的 1210 次调用中，有 460 次微信返回 -1"
    );
}

#[test]
fn a_clock_that_is_stepped_begins_and_ends_nothing() {
    let mut day = Day::new();
    day.run(120, SEND, Kind::Busy, |_| (100, 1));
    for step in [7_200_000, -10_800_000, 1_000] {
        day.now = Timestamp(day.now.0 + step);
        day.count("shop", SEND, 100, Kind::Busy, 1);
        day.look();
    }
    assert_eq!(day.told, []);
    for _ in 0..10 {
        day.count("shop", SEND, 100, Kind::Busy, 50);
        day.look();
    }
    assert_eq!(day.told.len(), 1, "{:?}", day.told);
    day.now = Timestamp(day.now.0 - 3_600_000);
    day.count("shop", SEND, 100, Kind::Busy, 50);
    day.look();
    assert_eq!(day.told.len(), 1, "{:?}", day.told);
    let calm = |day: &mut Day, looks: usize| {
        for _ in 0..looks {
            day.count("shop", SEND, 100, Kind::Busy, 0);
            day.look();
        }
    };
    calm(&mut day, 10);
    assert_eq!(day.told.len(), 1, "{:?}", day.told);
    day.now = Timestamp(day.now.0 - 3_600_000);
    calm(&mut day, 20);
    assert_eq!(day.told.len(), 2, "over, though the clock was set back: {:?}", day.told);
    day.now = Timestamp(day.now.0 - 3_600_000);
    for _ in 0..10 {
        day.count("shop", SEND, 100, Kind::Busy, 50);
        day.look();
    }
    assert_eq!(day.told.len(), 3, "begun, though the clock was set back: {:?}", day.told);
}

#[test]
fn the_metric_says_1_while_it_lasts_0_afterwards_and_nothing_of_the_well() {
    let mut day = Day::new();
    let exposed = |day: &Day| {
        let mut out = Exposition::new(Dialect::Prometheus);
        day.detector.expose(&mut out);
        let lines = out.finish();
        lines.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    day.run(60, INFO, Kind::Busy, |second| (10, u64::from(second == 0)));
    day.run(60, SEND, Kind::Busy, |_| (10, 5));
    let sample =
        |value| format!("wxgate_upstream_trouble{{app=\"shop\",endpoint=\"{SEND}\",kind=\"busy\"}} {value}");
    assert_eq!(exposed(&day), [sample(1)]);
    day.run(120, SEND, Kind::Busy, |_| (10, 0));
    assert_eq!(exposed(&day), [sample(0)]);
    assert_eq!(day.detector.past().count(), 1);
}

#[test]
fn an_app_that_is_not_configured_any_more_is_forgotten() {
    let mut day = Day::new();
    day.run(20, SEND, Kind::Busy, |_| (10, 5));
    assert_eq!(day.detector.going_on().len(), 1);
    let counted = std::mem::take(&mut day.counted);
    day.look();
    assert_eq!((day.detector.going_on().len(), day.told.len()), (0, 1));
    // Back again, what was counted long ago isn't new.
    day.counted = counted;
    day.run(20, SEND, Kind::Busy, |_| (10, 0));
    assert_eq!(day.told.len(), 1, "{:?}", day.told);
}

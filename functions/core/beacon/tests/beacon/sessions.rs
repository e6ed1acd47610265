use tidegate_beacon::{CLAIM_MS, Collector, Report, Viewer, Window};
use tidegate_stream::{InstanceId, StreamId};

use crate::player::Player;

pub(crate) const START_MS: u64 = 1_790_000_040_000;

pub(crate) fn demo() -> StreamId {
    StreamId::parse("demo").unwrap()
}

pub(crate) fn viewer(unique: u64) -> Viewer {
    Viewer { unique: Some(unique), country: Some("DE".into()), device: "desktop", edge: "a".into(), ..Viewer::default() }
}

/// Everything that an instance has counted: its minutes added up.
pub(crate) fn drain(collector: &mut Collector, now_ms: u64) -> Window {
    let mut all = Window::default();
    // Far enough for the open minute to be over.
    let mut now_ms = now_ms + 120_000;
    while let Some(put) = collector.next(now_ms, true) {
        collector.done(true, now_ms);
        now_ms += 30_000;
        let report = Report::decode(&put.bytes).unwrap();
        report.windows.iter().filter(|(stream, _)| *stream == demo()).for_each(|(_, window)| all.merge(window));
    }
    all
}

fn collector() -> Collector {
    Collector::new(InstanceId(1), "a".into())
}

fn watched(window: &Window) -> u64 {
    window.all.cells.watched(START_MS - 600_000, START_MS + 3_600_000).0
}

#[test]
fn a_claim_that_comes_true_is_what_was_played_and_no_more() {
    let mut collector = collector();
    let mut player = Player::new("a".into(), 3000);
    let mut now = START_MS;
    player.become_('s', now, "");
    player.spend(800);
    now += 800;
    player.become_('p', now, ",msd=800");
    for _ in 0..4 {
        collector.count(&demo(), &player.lines.join("\n"), &viewer(1), 1, now);
        player.lines.clear();
        player.spend(30_000);
        now += 30_000;
        player.tell("t", now, "");
    }
    player.become_('e', now, "");
    collector.count(&demo(), &player.lines.join("\n"), &viewer(1), 1, now);
    let window = drain(&mut collector, now);
    assert_eq!((watched(&window), window.all.played_ms), (120_000, 120_000));
    assert_eq!((window.all.attempts, window.all.plays, window.all.exits_before_start), (1, 1, 0));
    assert_eq!(window.all.kilobits, 3000 * 120);
    assert_eq!(window.startup_ms.at(500), Some(803), "800 within 1 %");
    assert_eq!(window.all.cells, window.by[0].first().unwrap().1.tally.cells);
}

#[test]
fn a_viewer_that_is_gone_without_a_word_counts_until_the_claim_ends() {
    let mut collector = collector();
    let mut player = Player::new("a".into(), 3000);
    player.become_('p', START_MS, ",msd=1");
    collector.count(&demo(), &player.lines.join("\n"), &viewer(1), 1, START_MS);
    let window = drain(&mut collector, START_MS);
    assert_eq!(watched(&window), CLAIM_MS);
    assert_eq!(window.all.cells.viewers_milli(START_MS), 1000);
    assert_eq!(window.all.cells.viewers_milli(START_MS + 50_000), 0, "it is gone before a minute is over");
}

#[test]
fn the_sum_is_the_same_whichever_edge_hears_which_line() {
    let told: Vec<(u64, String)> = {
        let mut player = Player::new("a".into(), 1200);
        let mut now = START_MS;
        let mut told = Vec::new();
        for (state, ms) in [('s', 700), ('p', 30_000), ('r', 1500), ('p', 12_000), ('a', 20_000), ('p', 29_000), ('e', 0)] {
            player.become_(state, now, if told.len() == 1 { ",msd=700" } else { "" });
            told.push((now, player.lines.pop().unwrap()));
            player.spend(ms);
            now += ms;
        }
        told
    };
    for edges in [1, 2, 3, 7] {
        let mut collectors: Vec<Collector> = (0..edges).map(|n| Collector::new(InstanceId(n), n.to_string())).collect();
        // Every line comes twice, the second time late, as a player that has no answer sends it again.
        for (at, (now, line)) in told.iter().enumerate() {
            let collector = &mut collectors[at % edges as usize];
            collector.count(&demo(), line, &viewer(1), 1, *now);
            let again = collector.count(&demo(), line, &viewer(1), 1, now + 400);
            assert_eq!(again.repeated, 1);
        }
        let mut all = Window::default();
        collectors.iter_mut().for_each(|collector| all.merge(&drain(collector, START_MS + 100_000)));
        assert_eq!((watched(&all), all.all.played_ms, all.all.stalled_ms, all.all.stalls), (71_000, 71_000, 1500, 1), "{edges} edges");
        assert_eq!((all.all.attempts, all.all.plays, all.uniques.estimate()), (1, 1, 1), "{edges} edges");
    }
}

#[test]
fn players_that_only_say_in_which_state_they_are_are_counted_by_it() {
    let mut collector = collector();
    let line = |event: &str, state: &str, number: u32, ms: u64| {
        format!("e={event},sid=\"x\",sn={number},sta={state},ts={},br=(900)", 1_000_000 + ms)
    };
    for (number, (event, state, ms)) in [
        ("ps", "s", 0),
        ("ps", "p", 1000),
        ("t", "p", 31_000),
        ("ps", "r", 40_000),
        ("ps", "p", 42_000),
        ("t", "p", 61_000),
        ("ps", "e", 62_000),
    ]
    .into_iter()
    .enumerate()
    {
        collector.count(&demo(), &line(event, state, number as u32, ms), &viewer(1), 1, START_MS + ms);
    }
    let window = drain(&mut collector, START_MS + 62_000);
    assert_eq!((window.all.played_ms, window.all.stalled_ms, window.all.stalls), (59_000, 2000, 1));
    assert_eq!((watched(&window), window.all.plays, window.all.attempts), (59_000, 1, 1));
}

#[test]
fn sessions_that_never_show_a_picture_have_failed_or_were_left() {
    let mut collector = collector();
    let count = |collector: &mut Collector, lines: &str| collector.count(&demo(), lines, &viewer(1), 1, START_MS);
    count(&mut collector, "e=ps,sid=\"left\",sn=0,sta=s,ts=1\ne=ps,sid=\"left\",sn=1,sta=e,ts=900,com.tidegate-since=\"899 0 0 0 0\"");
    count(
        &mut collector,
        "e=ps,sid=\"failed\",sn=0,sta=s,ts=1\ne=ps,sid=\"failed\",sn=1,sta=f,ts=2\ne=e,sid=\"failed\",sn=2,sta=f,ts=2,ec=(\"decode\")",
    );
    count(&mut collector, "e=ps,sid=\"seen\",sn=0,sta=p,ts=1,msd=900\ne=ps,sid=\"seen\",sn=1,sta=e,ts=900");
    let window = drain(&mut collector, START_MS);
    let all = &window.all;
    assert_eq!((all.attempts, all.plays, all.exits_before_start, all.start_failures, all.errors), (3, 1, 1, 1, 1));
    assert_eq!(window.errors, [("decode".to_owned(), 1)]);
}

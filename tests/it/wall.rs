//! The page of twelve cameras: every tile has its rate, and on a slow link all have their share.

use crate::{
    browser::{Browser, page},
    camfeed::{Folder, run},
    grid::serve,
    tcp_proxy::{Rules, TcpProxy},
};

/// Counts what each tile paints, and notes the greatest age that its picture reaches, at each animation frame.
const MEASURE: &str = "window.measured = {}; window.began = performance.now(); (function look() { \
    document.querySelectorAll('.tile').forEach((tile) => { \
        const one = measured[tile.id] = measured[tile.id] || { painted: 0, age: 0, sequence: '' }; \
        const { sequence } = tile.querySelector('canvas').dataset; \
        if (sequence !== one.sequence) { one.painted += 1; one.sequence = sequence; } \
        const age = parseFloat(tile.querySelector('.age').textContent); \
        if (age > one.age) one.age = age; }); \
    requestAnimationFrame(look); })();";

/// Pictures a second of the tile that has fewest, and of the one that has most; and the greatest age of any, s.
fn measured(browser: &mut Browser, seconds: u32) -> (f64, f64, f64) {
    browser.eval(MEASURE);
    browser.wait(&format!(
        "performance.now() - window.began > {seconds} * 1000"
    ));
    let measured = browser.eval("[performance.now() - began, Object.values(measured)]");
    let time = measured[0].as_f64().expect("ms") / 1000.0;
    let tiles = measured[1].as_array().expect("a list");
    assert_eq!(tiles.len(), 12);
    let of = |name: &str| -> Vec<f64> {
        let values = tiles.iter().map(|tile| tile[name].as_f64());
        values.map(|value| value.expect("a number")).collect()
    };
    let rates: Vec<f64> = of("painted").iter().map(|count| count / time).collect();
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rates.iter().copied().fold(0.0, f64::max);
    (least, most, of("age").into_iter().fold(0.0, f64::max))
}

#[test]
fn twelve_cameras_have_their_rate_and_share_a_slow_link() {
    // 20 kB a picture, which a file gives without an encoder's work.
    let folder = Folder::new();
    let film = folder.file("film.avi");
    let picture = "testsrc2=size=640x360:rate=10,noise=alls=10:allf=t";
    let made = run(
        "ffmpeg",
        &[
            "-v", "error", "-f", "lavfi", "-i", picture, "-t", "10", "-c:v", "mjpeg", "-q:v", "9",
            &film,
        ],
    );
    assert!(made.status.success());
    let bytes = std::fs::metadata(&film).expect("made").len() / 100;
    assert!((15_000..30_000).contains(&bytes), "{bytes} bytes a picture");
    let cameras: Vec<_> = (1..=12).map(|number| format!("c{number}={film}")).collect();
    let cameras: Vec<_> = cameras.iter().map(String::as_str).collect();
    let camfeed = serve(&cameras);
    let rules = Rules {
        bytes_per_second: Some(100e6),
        ..Rules::default()
    };
    let link = TcpProxy::to(camfeed.address, rules);
    let mut browser = Browser::open(&page(link.address, "/"));
    browser.wait_state("live");
    let (least, most, age) = measured(&mut browser, 10);
    println!("fast link: {least:.2} to {most:.2} pictures a second of 10, at most {age} s old");
    assert!(
        least > 5.0,
        "a machine that is busy may lose some, not half: {least}"
    );
    let megabit = 1e6 / 8.0;
    link.set_pace(Some(4.0 * megabit));
    // Until what was on its way is through.
    browser.wait("!window.slowed ? (window.slowed = performance.now(), false) : performance.now() - slowed > 3000");
    let (least, most, age) = measured(&mut browser, 15);
    println!("4 Mbit/s: {least:.2} to {most:.2} pictures a second, at most {age} s old");
    assert!(least > 0.7 * most, "one starves: {least} of {most}");
    assert!(age < 3.0, "a queue has formed: {age} s old");
}

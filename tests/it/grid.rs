//! The page of several cameras: all of them over one connection, one of them large on demand, and each told of
//! as honestly as a single one.

use crate::{
    auth::{TOKEN, secret},
    browser::{Browser, Chromium, Driver, Firefox, Scripts, WebKit, page},
    camfeed::{Camfeed, Folder, SOON, eventually},
    engines::{engines, is_one_viewer_with_a_user_in_its_address},
    fakecam::FakeCamera,
    http::get,
};
use rustix::process::Signal;
use serde_json::{Value, json};

engines! {
    chromium: Chromium,
    firefox: Firefox,
    webkit: WebKit,
    {
        all_cameras_are_live_over_one_connection,
        keys_and_clicks_show_one_camera_large,
        a_camera_that_is_gone_says_why_in_its_tile,
        without_javascript_five_cameras_show_and_all_are_linked,
        a_token_alone_loads_the_page_of_all,
        the_page_of_all_with_a_user_in_its_address_is_one_viewer,
    }
}

/// Runs camfeed with a test pattern for each name, `NAME=SOURCE` for another source.
fn arguments(cameras: &[&str]) -> Vec<String> {
    let each = cameras.iter().flat_map(|camera| {
        let source = match camera.contains('=') {
            true => (*camera).to_owned(),
            false => format!("{camera}=test:320x180@15"),
        };
        ["--camera".to_owned(), source]
    });
    each.collect()
}

/// A camfeed with these cameras.
pub fn serve(cameras: &[&str]) -> Camfeed {
    let arguments = arguments(cameras);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    Camfeed::start(&arguments)
}

fn state(camfeed: &Camfeed) -> Value {
    serde_json::from_slice(&get(camfeed.address, "/state").body).expect("JSON")
}

/// Which cameras each viewer watches.
fn watched(camfeed: &Camfeed) -> Vec<Vec<String>> {
    let state = state(camfeed);
    let viewers = state["viewers"].as_array().expect("a list");
    let cameras = viewers.iter().map(|viewer| viewer["cameras"].clone());
    cameras
        .map(|cameras| serde_json::from_value(cameras).expect("names"))
        .collect()
}

/// Waits until there is one viewer, of these cameras; none for no camera.
#[track_caller]
fn wait_watched(camfeed: &Camfeed, cameras: &[&str]) {
    let expected = match cameras {
        [] => Vec::new(),
        _ => vec![cameras.to_vec()],
    };
    let mut seen = Vec::new();
    let is_so = eventually(SOON, || {
        seen = watched(camfeed);
        seen == expected
    });
    assert!(is_so, "watched: {seen:?}, not {expected:?}");
}

/// The state of the tiles, by their order.
const STATES: &str =
    "Array.from(document.querySelectorAll('.tile'), (tile) => tile.dataset.state).join()";

/// Which camera is large; '' for none.
const LARGE: &str = "(() => { const shown = Array.from(document.querySelectorAll('.tile:not([hidden])')); \
    return document.querySelector('#wall.large') && shown.length === 1 ? shown[0].id : ''; })()";

fn wait_states<D: Driver>(browser: &mut Browser<D>, states: &str) {
    browser.wait(&format!("{STATES} === '{states}'"));
}

fn wait_large<D: Driver>(browser: &mut Browser<D>, name: &str) {
    let id = match name {
        "" => String::new(),
        name => format!("tile-{name}"),
    };
    browser.wait(&format!("{LARGE} === '{id}'"));
}

/// Waits until the tile's picture is another one than now.
fn wait_moving<D: Driver>(browser: &mut Browser<D>, name: &str) {
    let sequence = format!("document.querySelector('#tile-{name} canvas').dataset.sequence");
    let first = browser.eval(&sequence);
    browser.wait(&format!(
        "{sequence} !== undefined && {sequence} !== '{}'",
        first.as_str().unwrap_or("")
    ));
}

fn open<D: Driver>(camfeed: &Camfeed) -> Browser<D> {
    let mut browser = Browser::<D>::open_in(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser
}

fn all_cameras_are_live_over_one_connection<D: Driver>() {
    let names = ["a", "b", "c", "d", "e"];
    let camfeed = serve(&names);
    let mut browser = open::<D>(&camfeed);
    wait_states(&mut browser, "live,live,live,live,live");
    for name in names {
        wait_moving(&mut browser, name);
        browser.wait(&format!(
            "/^\\d\\.\\d s old$/.test(document.querySelector('#tile-{name} .age').textContent)"
        ));
    }
    assert_eq!(watched(&camfeed), [names]);
    browser.wait("document.getElementById('label').textContent === 'All live'");
    let order =
        "Array.from(document.querySelectorAll('.tag b'), (name) => name.textContent).join()";
    assert_eq!(browser.eval(order), "a,b,c,d,e");
    // The pictures are the cameras' own.
    let size =
        "Array.from(document.querySelectorAll('.tile canvas'), (it) => it.width + 'x' + it.height)";
    assert_eq!(browser.eval(size), json!(vec!["320x180"; 5]));
}

fn keys_and_clicks_show_one_camera_large<D: Driver>() {
    let camfeed = serve(&["a", "b", "c"]);
    let mut browser = open::<D>(&camfeed);
    for (key, large) in [
        ("2", "b"),
        ("ArrowRight", "c"),
        ("ArrowRight", "a"),
        ("ArrowLeft", "c"),
        ("9", "c"),
        ("1", "a"),
        ("Escape", ""),
        ("3", "c"),
    ] {
        browser.key(key);
        wait_large(&mut browser, large);
    }
    wait_watched(&camfeed, &["c"]);
    browser.wait_state("live");
    browser.wait("document.getElementById('name').textContent === 'c'");
    let own = "document.getElementById('own').href";
    assert_eq!(browser.eval(own), page(camfeed.address, "/c/"));
    wait_moving(&mut browser, "c");
    browser.click("next");
    wait_large(&mut browser, "a");
    browser.click("back");
    wait_large(&mut browser, "");
    wait_watched(&camfeed, &["a", "b", "c"]);
    browser.click("tile-b");
    wait_large(&mut browser, "b");
}

fn a_camera_that_is_gone_says_why_in_its_tile<D: Driver>() {
    let camfeed = serve(&["a", "gone=/dev/video99", "c"]);
    let mut browser = Browser::<D>::open_in(&page(camfeed.address, "/"));
    wait_states(&mut browser, "live,offline,live");
    browser.wait(
        "document.querySelector('#tile-gone .why strong').textContent === 'The camera is gone'",
    );
    browser
        .wait("/no such device/.test(document.querySelector('#tile-gone .why span').textContent)");
    browser.wait("/^Camera offline/.test(document.querySelector('#tile-gone .label').textContent)");
    // As the button of the tile says it to who does not see it.
    browser.wait("/^gone: Camera offline. .*no such device/.test(document.querySelector('#tile-gone button').textContent)");
    browser.wait("document.getElementById('label').textContent === '2 of 3 live'");
    browser.wait("/^2 of 3 live – ./.test(document.title)");
    browser.wait("/^gone: Camera offline. .*no such device/.test(document.getElementById('announce').textContent)");
    browser.key("2");
    wait_large(&mut browser, "gone");
    browser.wait_state("offline");
}

fn without_javascript_five_cameras_show_and_all_are_linked<D: Driver>() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let camfeed = serve(&names);
    let mut browser = Browser::<D>::start_with(Scripts::Off);
    browser.go(&page(camfeed.address, "/"));
    let shown =
        "Array.from(document.querySelectorAll('noscript img'), (it) => it.naturalWidth).join()";
    browser.wait(&format!("{shown} === '320,320,320,320,320'"));
    assert_eq!(watched(&camfeed).len(), 5);
    let links =
        "Array.from(document.querySelectorAll('noscript a'), (it) => it.getAttribute('href'))";
    let expected: Vec<_> = names
        .iter()
        .flat_map(|name| [format!("{name}/"), format!("{name}/snapshot.jpg")])
        .collect();
    assert_eq!(browser.eval(links), json!(expected));
    let is_seen = "document.querySelectorAll('noscript a')[11].getBoundingClientRect().height > 8";
    assert_eq!(browser.eval(is_seen), true);
}

fn a_token_alone_loads_the_page_of_all<D: Driver>() {
    let folder = Folder::new();
    let path = secret(&folder, "token", TOKEN);
    let mut arguments = arguments(&["a", "b"]);
    arguments.extend(["--token-file".to_owned(), path]);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let camfeed = Camfeed::start(&arguments);
    let mut browser = Browser::<D>::open_in(&page(camfeed.address, &format!("/?token={TOKEN}")));
    browser.wait_state("live");
    browser.wait("getComputedStyle(document.body).margin === '0px'");
    browser.wait("getComputedStyle(document.getElementById('wall')).display === 'flex'");
    browser.key("2");
    wait_large(&mut browser, "b");
    // To the camera's own page, and back.
    browser.eval("document.getElementById('own').click()");
    browser.wait(&format!(
        "location.pathname + location.search === '/b/?token={TOKEN}'"
    ));
    browser.wait_state("live");
    browser.eval("document.querySelector('#tools a').click()");
    browser.wait(&format!(
        "location.pathname + location.search === '/?token={TOKEN}'"
    ));
    // The last view is remembered.
    wait_large(&mut browser, "b");
    browser.wait_state("live");
    assert_eq!(camfeed.count_log("wrong password"), 0);
}

fn the_page_of_all_with_a_user_in_its_address_is_one_viewer<D: Driver>() {
    let folder = Folder::new();
    let path = secret(&folder, "password", "ann:secret");
    for more in [&[][..], &["--password-file".to_owned(), path]] {
        let arguments = [&arguments(&["a", "b"]), more].concat();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let camfeed = Camfeed::start(&arguments);
        is_one_viewer_with_a_user_in_its_address::<D>(&camfeed);
    }
}

#[test]
fn a_hidden_page_asks_for_nothing() {
    let camfeed = serve(&["a", "b"]);
    let mut browser: Browser = open(&camfeed);
    wait_watched(&camfeed, &["a", "b"]);
    browser.hide();
    wait_watched(&camfeed, &[]);
    browser.wait(&format!("{STATES} === 'hidden,hidden'"));
    browser.show();
    wait_watched(&camfeed, &["a", "b"]);
    wait_states(&mut browser, "live,live");
}

#[test]
fn tiles_out_of_sight_ask_for_nothing() {
    let names: Vec<_> = (1..=16).map(|at| format!("c{at}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let camfeed = serve(&names);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    wait_watched(&camfeed, &names);
    // A phone's window has two columns, and scrolls.
    browser.resize(390, 420);
    let rows = |from: usize, to: usize| &names[from..to];
    wait_watched(&camfeed, rows(0, 8));
    browser.eval("document.getElementById('scroller').scrollTo(0, 1e6)");
    wait_watched(&camfeed, rows(8, 16));
    browser.wait("document.getElementById('tile-c16').dataset.state === 'live'");
    browser.wait("document.getElementById('tile-c1').dataset.state === 'hidden'");
    // They count as live as the server says.
    browser.wait("document.getElementById('label').textContent === 'All live'");
}

#[test]
fn few_cameras_are_asked_for_at_full_rate_and_many_at_ten() {
    let camfeed = serve(&["a", "b", "c", "d", "e"]);
    let mut browser: Browser = open(&camfeed);
    browser.import(&["streams"]);
    assert_eq!(browser.eval("link.fps"), 10);
    browser.key("1");
    wait_watched(&camfeed, &["a"]);
    browser.wait("link.fps === 0");
    browser.wait("/^1[45]/.test(document.getElementById('fps').textContent)");
}

#[test]
fn the_last_view_is_remembered() {
    let camfeed = serve(&["a", "b", "c"]);
    let url = page(camfeed.address, "/");
    let mut browser: Browser = open(&camfeed);
    for (key, large, cameras) in [("2", "b", &["b"][..]), ("Escape", "", &["a", "b", "c"])] {
        browser.key(key);
        wait_large(&mut browser, large);
        browser.go("about:blank");
        wait_watched(&camfeed, &[]);
        browser.go(&url);
        wait_large(&mut browser, large);
        wait_watched(&camfeed, cameras);
        browser.wait_state("live");
    }
}

/// Keeps what the page saves in place of downloads.
const KEEP_SAVED: &str = "(() => { window.saved = []; URL.createObjectURL = (blob) => '#' + blob.size; \
    HTMLAnchorElement.prototype.click = function () { saved.push(this.download + this.hash); }; })()";

#[test]
fn a_snapshot_is_of_each_camera_or_of_the_large_one() {
    let camfeed = serve(&["a", "gone=/dev/video99", "c"]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    wait_states(&mut browser, "live,offline,live");
    browser.eval(KEEP_SAVED);
    browser.key("s");
    browser.wait("saved.length === 2");
    let names = "saved.slice().sort().map((name) => name.replace(/-\\d.*#\\d{4,}$/, '')).join()";
    assert_eq!(browser.eval(names), "camfeed-a,camfeed-c");
    browser.wait(
        "/^Saved 2 snapshots\\nNo snapshot of gone: .*no such device/.test(document.getElementById('toast').textContent)",
    );
    browser.key("3");
    browser.eval("saved.length = 0");
    browser.click("snapshot");
    browser.wait("saved.length === 1 && saved[0].startsWith('camfeed-c-')");
    browser.wait("/^Saved camfeed-c-/.test(document.getElementById('toast').textContent)");
}

/// Notes from now on, at each frame that the browser draws, the greatest age of a picture in a tile that is
/// called live. The clock of the server is the browser's.
const WATCH: &str = "(() => { window.worst = 0; \
    const look = () => { \
        for (const tile of wall.tiles) if (['live', 'slow'].includes(tile.item.dataset.state) && tile.painted) { \
            worst = Math.max(worst, Date.now() / 1000 - tile.painted.timestamp); } \
        requestAnimationFrame(look); }; look(); })()";

/// As the single page: see `page_honesty`.
const MOST_LIVE_SECONDS: f64 = 2.2;

#[test]
fn a_camera_that_fails_is_told_of_in_its_tile_while_the_others_are_live() {
    let camera = FakeCamera::new("");
    let mut arguments = arguments(&["a", "usb=/dev/video0", "c"]);
    arguments.extend(["--camera-timeout", "2"].map(str::to_owned));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let camfeed = camera.serve(&arguments);
    let mut browser: Browser = open(&camfeed);
    wait_states(&mut browser, "live,live,live");
    browser.import(&["wall"]);
    browser.eval(WATCH);
    // The others go on from where they were.
    browser.eval(
        "(() => { window.others = new Set(); new MutationObserver((all) => all.forEach(({ target }) => { \
            if (target.id !== 'tile-usb') others.add(target.dataset.state); })) \
            .observe(document.getElementById('wall'), { subtree: true, attributes: true, attributeFilter: ['data-state'] }); })()",
    );
    for (fault, state) in [
        ("plugged no", "offline"),
        ("fault hang", "offline"),
        ("fault freeze", "frozen"),
    ] {
        camera.set(fault);
        wait_states(&mut browser, &format!("live,{state},live"));
        let why = "document.querySelector('#tile-usb .why').textContent";
        let words = match fault {
            "fault freeze" => "same picture",
            "fault hang" => "no picture",
            _ => "gone",
        };
        browser.wait(&format!("/{words}/i.test({why})"));
        wait_moving(&mut browser, "a");
        wait_moving(&mut browser, "c");
        camera.set("");
        wait_states(&mut browser, "live,live,live");
        wait_moving(&mut browser, "usb");
    }
    assert_eq!(
        browser.eval("Array.from(others).filter((state) => state !== 'live').join()"),
        ""
    );
    let worst = browser.eval("worst").as_f64().expect("a number");
    assert!(worst > 0.0 && worst < MOST_LIVE_SECONDS, "{worst} s");
}

#[test]
fn without_the_server_every_tile_says_so() {
    let camfeed = serve(&["a", "b", "c"]);
    let address = camfeed.address.to_string();
    let mut browser: Browser = open(&camfeed);
    browser.import(&["wall"]);
    browser.eval(WATCH);
    // Stopped: it is silent, and its connections stand.
    camfeed.signal(Signal::STOP);
    wait_states(&mut browser, "reconnecting,reconnecting,reconnecting");
    browser.wait(
        "/No answer from the server/.test(document.querySelector('#tile-b .why').textContent)",
    );
    let worst = browser.eval("worst").as_f64().expect("a number");
    assert!(worst > 0.0 && worst < MOST_LIVE_SECONDS, "{worst} s");
    camfeed.signal(Signal::CONT);
    wait_states(&mut browser, "live,live,live");
    // Killed, and another comes in its place, with other cameras.
    drop(camfeed);
    wait_states(&mut browser, "reconnecting,reconnecting,reconnecting");
    browser.wait("document.getElementById('label').textContent === 'Reconnecting…'");
    let arguments = arguments(&["b", "c", "d", "e"]);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let camfeed = Camfeed::start_at(&address, &arguments);
    wait_states(&mut browser, "live,live,live,live");
    wait_watched(&camfeed, &["b", "c", "d", "e"]);
}

#[test]
fn the_page_of_one_camera_becomes_that_of_all_when_another_joins() {
    let one = serve(&["a"]);
    let address = one.address.to_string();
    let mut browser: Browser = open(&one);
    let own = browser.open_window(&page(one.address, "/a/"));
    browser.in_window(&own, |browser| {
        browser.wait_state("live");
        browser.eval("window.isAsBefore = true");
    });
    browser.import(&["server"]);
    browser.wait("(server.report.cameras || []).length === 1");
    drop(one);
    browser.wait_state("reconnecting");
    let arguments = arguments(&["a", "b"]);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let _two = Camfeed::start_at(&address, &arguments);
    wait_states(&mut browser, "live,live");
    browser.in_window(&own, |browser| {
        browser.wait_state("live");
        assert_eq!(browser.eval("isAsBefore"), true);
    });
}

#[test]
fn the_page_of_all_becomes_that_of_one_when_no_other_is_left() {
    let two = serve(&["a", "b"]);
    let address = two.address.to_string();
    let mut browser: Browser = open(&two);
    drop(two);
    browser.wait_state("reconnecting");
    let _one = Camfeed::start_at(&address, &["--source", "test", "--name", "Front door"]);
    browser.wait("document.querySelector('.tile') === null && document.title === 'Front door'");
    browser.wait_state("live");
}

#[test]
fn the_page_of_a_camera_that_a_restart_left_out_says_so() {
    let both = serve(&["a", "b"]);
    let address = both.address.to_string();
    let mut browser: Browser = Browser::open(&page(both.address, "/b/"));
    browser.wait_state("live");
    browser.import(&["server"]);
    drop(both);
    browser.wait_state("reconnecting");
    let arguments = arguments(&["a", "c"]);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let _others = Camfeed::start_at(&address, &arguments);
    browser.wait(
        "document.getElementById('notice-text').textContent === \
        'there is no camera b; there are: a, c'",
    );
    // It is an answer: the page does not say that there is none.
    let silence = "(async () => { server.heardAt = -1e6; \
        await refusal(await ask('state')); return performance.now() - server.heardAt; })()";
    let silence = browser.eval(silence).as_f64().expect("a number");
    assert!(silence < 1e6, "{silence} ms");
}

#[test]
fn a_tab_in_the_background_has_its_cameras_name() {
    let camfeed = serve(&["a", "b"]);
    let mut browser = Browser::start();
    browser.minimize(true);
    browser.go(&page(camfeed.address, "/b/"));
    browser.wait_state("hidden");
    assert_eq!(browser.eval("document.title"), "Resting – b");
}

#[test]
fn the_page_of_a_stand_in_becomes_that_of_the_camera_that_comes() {
    let fake = FakeCamera::new("plugged no\n");
    let camfeed = fake.serve(&["--source", "all"]);
    let mut browser: Browser = Browser::open(&page(camfeed.address, "/test/"));
    browser.wait("document.title === 'No camera – test'");
    fake.set("name Kiyo\nformat mjpg\n");
    browser.wait("location.pathname === '/' && document.title === 'kiyo'");
    browser.wait_state("live");
}

#[test]
fn the_keyboard_alone_reaches_everything() {
    let camfeed = serve(&["a", "b", "c", "d"]);
    let mut browser: Browser = open(&camfeed);
    browser.resize(1000, 700);
    let focused = "(() => { const it = document.activeElement; return it.closest('.tile') ? it.closest('.tile').id : it.id; })()";
    let mut order = Vec::new();
    for _ in 0..6 {
        browser.key("Tab");
        order.push(browser.eval(focused));
    }
    assert_eq!(
        json!(order),
        json!([
            "tile-a",
            "tile-b",
            "tile-c",
            "tile-d",
            "snapshot",
            "fullscreen"
        ])
    );
    // The arrows go as the tiles stand: two in a row.
    browser.eval("document.querySelector('#tile-a button').focus()");
    for (key, tile) in [
        ("ArrowRight", "b"),
        ("ArrowDown", "d"),
        ("ArrowDown", "d"),
        ("ArrowLeft", "c"),
        ("ArrowUp", "a"),
        ("ArrowDown", "c"),
    ] {
        browser.key(key);
        assert_eq!(browser.eval(focused), format!("tile-{tile}"), "{key}");
    }
    browser.key("Enter");
    wait_large(&mut browser, "c");
    assert_eq!(browser.eval(focused), "back");
    for id in ["previous", "next", "snapshot", "fullscreen", "own"] {
        browser.key("Tab");
        assert_eq!(browser.eval(focused), id);
    }
    // Back on the tile that it came from.
    browser.key("Escape");
    wait_large(&mut browser, "");
    assert_eq!(browser.eval(focused), "tile-c");
    // Each says what it is.
    let words = "Array.from(document.querySelectorAll('.tile button, #tools button'), \
        (it) => it.textContent.trim() || it.title).filter((words) => !words.trim()).length";
    assert_eq!(browser.eval(words), 0);
    browser.wait("document.querySelector('#tile-a button').textContent === 'a: Live'");
}

/// How much of the window the tiles cover, how wide the narrowest is, and whether one is beside the window.
const COVERED: &str = "(() => { const room = document.getElementById('scroller'); \
    const boxes = Array.from(document.querySelectorAll('.tile'), (it) => it.getBoundingClientRect()); \
    const area = boxes.reduce((sum, box) => sum + box.width * box.height, 0); \
    return [area / room.clientWidth / room.clientHeight, Math.min.apply(null, boxes.map((box) => box.width)), \
        boxes.some((box) => box.left < -0.5 || box.right > innerWidth + 0.5), room.scrollHeight > room.clientHeight + 1]; })()";

fn room(browser: &mut Browser) -> (f64, f64) {
    let size = "(() => { const room = document.getElementById('scroller'); \
        return [room.offsetWidth, room.clientHeight]; })()";
    serde_json::from_value(browser.eval(size)).expect("numbers")
}

#[test]
fn the_wall_fills_the_window() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    for count in [2, 3, 4, 5, 6, 9, 12] {
        let camfeed = serve(&names[..count]);
        let mut browser = Browser::open(&page(camfeed.address, "/"));
        browser.resize(1280, 720);
        browser.wait(&format!(
            "document.querySelectorAll('.tile').length === {count}"
        ));
        browser.wait_state("live");
        let covered: (f64, f64, bool, bool) =
            serde_json::from_value(browser.eval(COVERED)).expect("numbers");
        println!("{count}: {covered:?}");
        // As much as any number of columns of 16:9 pictures does, but for the gaps between them.
        let (width, height) = room(&mut browser);
        let most = (1..=count)
            .map(|columns| {
                let rows = count.div_ceil(columns) as f64;
                let wide = (width / columns as f64).min(16.0 / 9.0 * height / rows);
                count as f64 * wide * wide * 9.0 / 16.0 / width / height
            })
            .fold(0.0, f64::max);
        assert!(covered.0 >= 0.97 * most, "{count}: {covered:?} of {most}");
        assert!(!covered.2 && !covered.3, "{count}: {covered:?}");
        browser.resize(390, 844);
        browser.wait(&format!("{COVERED}[1] >= 180 && !{COVERED}[2]"));
    }
}

#[test]
fn a_small_tile_has_room_for_state_and_age_beside_the_longest_name() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|letter| letter.repeat(32));
    let names: Vec<_> = names.iter().map(String::as_str).chain(["i"]).collect();
    let camfeed = serve(&names);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.resize(390, 700);
    browser.wait("document.querySelector('#wall.small') !== null");
    // Cut off are: the tag by its tile, its last word by the tag, and the state.
    let cut = "Array.from(document.querySelectorAll('.tile[data-state=live]'), (tile) => { \
        const [tag, label, age] = ['.tag', '.label', '.age'].map((name) => tile.querySelector(name)); \
        const [outer, inner] = [tag, age].map((element) => element.getBoundingClientRect().right); \
        return [outer > tile.getBoundingClientRect().right, inner > outer, label.scrollWidth > label.clientWidth]; })";
    browser.wait(&format!("{cut}.length >= 2"));
    let cut: Vec<[bool; 3]> = serde_json::from_value(browser.eval(cut)).expect("a list");
    assert!(cut.iter().flatten().all(|is_cut| !is_cut), "{cut:?}");
}

#[test]
fn a_window_of_all_takes_one_place_of_five() {
    let camfeed = serve(&["a", "b", "c"]);
    let url = page(camfeed.address, "/");
    let mut browser = Browser::open(&url);
    browser.wait_state("live");
    let windows: Vec<_> = (0..5)
        .map(|_| {
            let window = browser.open_window(&page(camfeed.address, "/a/"));
            browser.in_window(&window, |browser| {
                browser.wait(
                    "document.body && ['live', 'full'].includes(document.body.dataset.state)",
                );
            });
            window
        })
        .collect();
    let mut full = Vec::new();
    for window in &windows {
        let state = "document.body.dataset.state === 'full'";
        full.push(browser.in_window(window, |browser| browser.eval(state)));
    }
    assert_eq!(json!(full), json!([false, false, false, false, true]));
    assert_eq!(browser.eval(STATES), "live,live,live");
}

#[test]
fn the_way_to_all_stands_on_the_page_of_one_among_several_only() {
    let mut named = arguments(&["a", "b"]);
    named.extend(["--name", "All"].map(str::to_owned));
    let named: Vec<_> = named.iter().map(String::as_str).collect();
    let several = Camfeed::start(&named);
    let one = serve(&["a"]);
    let ways = |camfeed: &Camfeed, path| {
        let page = get(camfeed.address, path).text();
        (
            page.matches("href=\"../\"").count(),
            page.matches("href=\"../\" hidden").count(),
        )
    };
    assert_eq!(ways(&several, "/a/"), (2, 0));
    assert_eq!(ways(&one, "/a/"), (2, 2));
    assert_eq!(ways(&one, "/"), (2, 2));
    let title = |path| {
        let page = get(several.address, path).text();
        let (_, rest) = page.split_once("<title>").expect("a title");
        rest.split('<').next().expect("it ends").to_owned()
    };
    assert_eq!(
        (title("/b/"), title("/")),
        ("b".to_owned(), "All".to_owned())
    );
}

//! The page's files, and what is put into them.

use super::*;

fn named(name: &str) -> &'static Page {
    PAGES
        .iter()
        .find(|page| page.name == name)
        .expect("it is one of them")
}

fn text(page: &Page, token: Option<&str>) -> String {
    String::from_utf8(page.body_with(token).into_owned()).expect("UTF-8")
}

/// The modules that `script` imports.
fn imports(script: &str) -> Vec<&'static str> {
    let names = PAGES.iter().map(|page| page.name);
    let is_imported = |name: &&str| {
        let link = format!("'./{name}'");
        script.contains(&format!("from {link}")) || script.contains(&format!("import {link}"))
    };
    names.filter(is_imported).collect()
}

/// `files`, and all that they import.
fn with_imports(files: &[&'static str]) -> Vec<&'static str> {
    let mut all = files.to_vec();
    let mut at = 0;
    while let Some(name) = all.get(at) {
        for other in imports(&text(named(name), None)) {
            if !all.contains(&other) {
                all.push(other);
            }
        }
        at += 1;
    }
    all
}

/// Of the page `name`: all that it links to, in this order.
fn links_of(html: &str) -> Vec<&str> {
    html.split(['<', ' ', '>'])
        .filter(|word| word.starts_with("href=") || word.starts_with("src="))
        .collect()
}

#[test]
fn every_link_and_import_carries_the_token_on() {
    let token = Some("abc");
    let index = named(PAGE).body_with(token);
    let index = with_way_to_all(index, token).into_owned();
    let grid = named(GRID).body_with(token);
    let grid = with_cameras(grid, &["garden", "Shed_2"], token).into_owned();
    for (html, least) in [(index, 15), (grid, 18)] {
        let html = String::from_utf8(html).expect("UTF-8");
        let links = links_of(&html);
        assert!(links.len() >= least, "{links:?}");
        // A script fills in the address of the page of the camera that is shown large.
        for link in links.iter().filter(|link| **link != "href=\"\"") {
            assert!(link.ends_with("?token=abc\""), "{link}");
        }
    }
    let mut imports = 0;
    for page in PAGES.iter().filter(|page| page.name.ends_with(".js")) {
        for line in text(page, Some("abc"))
            .lines()
            .filter(|line| line.starts_with("import "))
        {
            assert!(line.ends_with(".js?token=abc';"), "{}: {line}", page.name);
            imports += 1;
        }
        assert_eq!(*page.body_with(None), *page.body);
    }
    assert!(imports > 10, "{imports}");
}

#[test]
fn every_script_is_loaded_ahead() {
    let mut loaded = Vec::new();
    for (page, scripts) in [
        (PAGE, ["begin.js", "main.js"]),
        (GRID, ["begin-all.js", "grid.js"]),
    ] {
        let html = text(named(page), None);
        let scripts = with_imports(&scripts);
        for name in &scripts {
            let link = format!("<link rel=\"modulepreload\" href=\"static/{name}\">");
            assert!(html.contains(&link), "no {link} in {page}");
        }
        assert_eq!(
            html.matches("modulepreload").count(),
            scripts.len(),
            "{page}"
        );
        loaded.extend(scripts);
    }
    // The ticker is a worker, which few pages need.
    let is_module = |name: &str| name.ends_with(".js") && name != "ticker.js";
    for page in PAGES.iter().filter(|page| is_module(page.name)) {
        assert!(loaded.contains(&page.name), "nobody needs {}", page.name);
    }
}

/// With a user in the page's address, Chromium and WebKit take a script of the page and an import of the
/// same file for two modules, and run both.
#[test]
fn no_script_of_a_page_is_imported() {
    for page in [PAGE, GRID] {
        let html = text(named(page), None);
        let scripts: Vec<_> = PAGES
            .iter()
            .map(|page| page.name)
            .filter(|name| html.contains(&format!("src=\"static/{name}\"")))
            .collect();
        assert_eq!(scripts.len(), html.matches("<script").count(), "{page}");
        let imported = PAGES.iter().flat_map(|page| imports(&text(page, None)));
        for name in imported {
            assert!(!scripts.contains(&name), "{name} of {page}");
        }
    }
}

/// A browser has six connections. The first six files are all that the stream needs; five more
/// leave a connection for it, which is then asked for.
#[test]
fn the_stream_is_asked_for_while_the_rest_loads() {
    for (page, needed) in [
        (PAGE, &["style.css", "begin.js"][..]),
        (GRID, &["style.css", "begin-all.js"]),
    ] {
        let html = text(named(page), None);
        let files: Vec<_> = html
            .match_indices("href=\"static/")
            .map(|(at, start)| html[at + start.len()..].split('"').next().expect("quoted"))
            .filter(|name| *name != "icon.svg")
            .collect();
        assert!(files.len() <= 11, "{files:?}");
        let needed = with_imports(needed);
        assert!(needed.len() > 3, "{needed:?}");
        assert!(
            needed.iter().all(|name| files[..6].contains(name)),
            "{needed:?} {files:?}"
        );
        // A browser that loads nothing ahead asks for all of them at once.
        let at_once = imports(&text(named(needed[1]), None)).len();
        assert_eq!(at_once, needed.len() - 2, "{needed:?}");
    }
}

#[test]
fn the_page_of_all_names_the_cameras_and_shows_five_without_a_script() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let body = with_cameras(named(GRID).body_with(None), &names, None);
    let html = String::from_utf8(body.into_owned()).expect("UTF-8");
    assert!(html.contains("<body class=\"of-all\" data-cameras=\"a b c d e f g\">"));
    let (_, rest) = html.split_once("<noscript>").expect("it has one");
    let (plain, _) = rest.split_once("</noscript>").expect("it ends");
    assert_eq!(plain.matches("<img ").count(), MOST_PLAIN_STREAMS);
    for (at, name) in names.iter().enumerate() {
        let image = format!("<img src=\"{name}/stream\" alt=\"{name}\">");
        assert_eq!(plain.contains(&image), at < MOST_PLAIN_STREAMS, "{name}");
        assert!(plain.contains(&format!("href=\"{name}/\"")), "{name}");
        assert!(
            plain.contains(&format!("href=\"{name}/snapshot.jpg\"")),
            "{name}"
        );
    }
}

#[test]
fn the_page_of_one_camera_leads_to_all_only_where_there_are_several() {
    let alone = text(named(PAGE), None);
    let links = |html: &str| html.matches("href=\"../").count();
    assert_eq!((links(&alone), alone.matches(WAY_TO_ALL).count()), (2, 2));
    let one_of_many = with_way_to_all(named(PAGE).body_with(None), None);
    let one_of_many = String::from_utf8(one_of_many.into_owned()).expect("UTF-8");
    assert_eq!(
        (links(&one_of_many), one_of_many.matches(WAY_TO_ALL).count()),
        (2, 0)
    );
}

#[test]
fn a_page_has_one_address_and_its_short_ones() {
    for (path, name, of_all) in [
        ("/", Some("index.html"), Some("grid.html")),
        ("/index.html", Some("index.html"), Some("grid.html")),
        ("/static/index.html", None, None),
        ("/static/grid.html", None, None),
        ("/grid.html", None, None),
        ("/favicon.ico", Some("icon.svg"), Some("icon.svg")),
        ("/static/main.js", Some("main.js"), Some("main.js")),
        ("/static/grid.js", Some("grid.js"), Some("grid.js")),
        ("/main.js", None, None),
        ("/static/", None, None),
    ] {
        let found = |is_of_all| find(path, is_of_all).map(|page| page.name);
        assert_eq!((found(false), found(true)), (name, of_all), "{path}");
    }
}

#[test]
fn a_browser_gets_gzip_when_it_says_so() {
    for (accepted, takes) in [
        (&["gzip, deflate"][..], true),
        (&["deflate", "br;q=1.0, GZIP ; q=0.2"], true),
        (&["gzip;q=0"], false),
        (&["identity"], false),
        (&["x-gzip-like, *"], false),
        (&[], false),
    ] {
        assert_eq!(
            accepts_gzip(accepted.iter().copied()),
            takes,
            "{accepted:?}"
        );
    }
    let mut plain = Vec::new();
    let mut decoder = flate2::write::GzDecoder::new(&mut plain);
    let packed = gzip(b"a page").expect("there is a thread");
    decoder.write_all(&packed).expect("it is gzip");
    decoder.finish().expect("whole");
    assert_eq!(plain, b"a page");
}

#[test]
fn another_body_has_another_etag() {
    assert_eq!(etag(b"a"), etag(b"a"));
    assert_ne!(etag(b"a"), etag(b"b"));
}

#[test]
fn the_page_has_the_cameras_name_as_its_title() {
    let (index, script) = (named("index.html"), named("main.js"));
    for (name, title) in [
        ("Garden", "<title>Garden</title>"),
        (
            "<b>&amp;</title>",
            "<title>&lt;b&gt;&amp;amp;&lt;/title&gt;</title>",
        ),
        ("$1 \\0", "<title>$1 \\0</title>"),
    ] {
        let body = index.titled(index.body_with(None), name).into_owned();
        let text = String::from_utf8(body).expect("UTF-8");
        assert_eq!(text.matches("<title>").count(), 1);
        assert!(text.contains(title), "{name}");
        let rest = text.replace(title, TITLE);
        assert_eq!(rest.as_bytes(), index.body, "{name}: nothing else changes");
    }
    let same = script.titled(script.body_with(None), "x");
    assert_eq!(*same, *script.body);
}

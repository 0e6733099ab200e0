//! How addresses, pipelines and the words of others are shown.

use super::*;

#[test]
fn of_an_address_scheme_host_and_port_are_shown() {
    for (url, shown) in [
        ("http://cam", "http://cam"),
        ("http://cam:8080/", "http://cam:8080"),
        ("http://cam:8080", "http://cam:8080"),
        ("http://cam/live/SECRET", "http://cam/…"),
        ("http://cam:8080/x?usr=ann&pwd=SECRET", "http://cam:8080/…"),
        ("http://cam?pwd=SECRET", "http://cam/…"),
        ("http://cam#SECRET", "http://cam/…"),
        (
            "http://cam/user=admin&password=SECRET&channel=1",
            "http://cam/…",
        ),
        ("http://cam/x?pwd=p@SECRET", "http://cam/…"),
        ("http://cam/x y\r\nSECRET", "http://cam/…"),
        ("HTTP://Cam:81/SECRET", "HTTP://Cam:81/…"),
        ("rtsp://ann:SECRET@cam:554/1", "rtsp://cam:554/…"),
        ("rtsp://SECRET@cam", "rtsp://cam"),
        ("http://ann:p@SECRET@cam/", "http://cam"),
        ("http://ann:%40SECRET@10.0.0.7/a@b", "http://10.0.0.7/…"),
        (
            "http://10.0.0.7:80/x?mail=ann@SECRET",
            "http://10.0.0.7:80/…",
        ),
        (
            "http://[fe80::1%25eth0]:8080/x?SECRET",
            "http://[fe80::1]:8080/…",
        ),
        ("http://ann:SECRET@[::1]/", "http://[::1]"),
        ("udp://@239.0.0.1:1234?key=SECRET", "udp://239.0.0.1:1234/…"),
        (
            "http://b\u{fc}ro-cam_1.local/SECRET",
            "http://b\u{fc}ro-cam_1.local/…",
        ),
    ] {
        assert_eq!(shown_url(url), shown, "{url}");
    }
}

#[test]
fn a_host_that_is_not_sure_is_not_shown() {
    for url in [
        "http://ann:SECRET",
        "http://ann:SECRET/word@cam/",
        "http://ann:12/SECRET@cam/",
        "http://ann:12#SECRET@cam/",
        "http://ann:12?SECRET@cam/",
        "http://SECRET/word@cam/",
        "http://ann:p@SECRET/word@cam/",
        "http://ann:p@SECRET?word@cam/",
        "http://cam;SECRET/x",
        "http://cam\\SECRET@x",
        "http://cam SECRET/",
        "http://cam\tSECRET",
        "http://SECRET%40cam/",
        "http://fe80::SECRET/",
        "http://[SECRET]/",
        "http://[::1]SECRET/",
        "http://cam:99999/SECRET",
        "http://:80/SECRET",
        "http://@/SECRET",
        "http://",
    ] {
        assert_eq!(shown_url(url), "http://…", "{url}");
    }
    for text in [
        "SECRET",
        "ann:SECRET@http://cam/",
        "://SECRET",
        "=SECRET://cam",
    ] {
        assert_eq!(shown_url(text), "…", "{text}");
    }
}

#[test]
fn of_a_pipeline_the_elements_are_shown() {
    for (pipeline, shown) in [
        ("videotestsrc", "gst:videotestsrc"),
        (
            "rtspsrc location=rtsp://ann:SECRET@cam/x latency=0 ! rtph264depay ! avdec_h264 ! appsink",
            "gst:rtspsrc ! rtph264depay ! avdec_h264 ! appsink",
        ),
        (
            "souphttpsrc user-id=ann user-pw = SECRET ! image/jpeg,x=SECRET ! jpegdec",
            "gst:souphttpsrc ! jpegdec",
        ),
        (
            "souphttpsrc user-pw=\"a ! SECRET ! b\\\" SECRET\" ! jpegdec",
            "gst:souphttpsrc ! jpegdec",
        ),
        (
            "souphttpsrc user-pw='a \" ! SECRET' ! x",
            "gst:souphttpsrc ! x",
        ),
        (
            "souphttpsrc user-pw=a\\ ! SECRET ! x",
            "gst:souphttpsrc ! x",
        ),
        ("a b=c'd pw=\"p' ! SECRET ! q\" ! x", "gst:a"),
        (
            "a location=http://cam?pwd=\"p ! SECRET ! q\" ! x",
            "gst:a ! x",
        ),
        ("souphttpsrc user-pw=a SECRET ! x", "gst:souphttpsrc ! x"),
        ("souphttpsrc user-pw=\"a ! SECRET", "gst:souphttpsrc"),
        (
            "a name=t ! b t. ! ( c SECRET=x ) ! bin.( d SECRET=x )",
            "gst:a ! b ! c ! d",
        ),
        ("http://cam/x?pwd=SECRET", "gst:…"),
        ("\"SECRET\" ! b", "gst:b"),
        ("", "gst:…"),
    ] {
        assert_eq!(shown_pipeline(pipeline), shown, "{pipeline}");
    }
}

#[test]
fn neither_form_shows_the_text() {
    let text = SourceText::url("http://cam/x?pwd=SECRET");
    assert_eq!(format!("{text} {text:?}"), "http://cam/… http://cam/…");
    assert_eq!(text.secret(), "http://cam/x?pwd=SECRET");
}

#[test]
fn a_word_in_the_wrong_place_is_shown_without_its_secrets() {
    for (word, shown) in [
        ("tset", "tset"),
        ("--sorce", "--sorce"),
        ("/dev/video0", "/dev/video0"),
        ("./a@b.avi", "./a@b.avi"),
        ("http://cam/SECRET", "http://cam/…"),
        (" http://cam/SECRET", "http://cam/…"),
        ("ann:SECRET@http://cam", "…"),
        ("--source=http://cam/SECRET", "--source=http://cam/…"),
        ("--source=gst:a b=SECRET", "--source=gst:a"),
        ("--source=ann:SECRET@cam", "--source=…"),
        ("gst:a b=SECRET", "gst:a"),
        ("location=rtsp://ann:SECRET@cam/x", "…"),
        ("user-pw=SECRET", "user-pw=…"),
        ("pwd=SECRET&x", "pwd=…"),
        ("ann:SECRET@cam/x", "…"),
        ("file://http://SECRET", "file://…"),
        ("http:cam/SECRET", "…"),
        ("http:/ann:SECRET@cam/SECRET", "…"),
        ("cam:8080/SECRET", "cam:8080/…"),
        ("octopi:80", "octopi:80"),
        ("pi.local", "pi.local"),
        ("pi.local/SECRET", "pi.local/…"),
        ("./x.y/film", "./x.y/film"),
        ("film.mp4", "film.mp4"),
        ("pi.local:8080?token=SECRET", "pi.local:8080/…"),
        ("192.168.1.20/?token=SECRET", "192.168.1.20/…"),
        ("192.168.1.20:80/x@SECRET", "…"),
        ("ann:SECRET@cam.lan:8080", "…"),
        ("ann:1234@cam.lan:8080", "…"),
        ("ann.smith:SECRET", "…"),
        ("cam/x?pwd=SECRET", "…"),
        ("rtsp://", "rtsp://"),
        ("http://mainsail.local/", "http://mainsail.local/"),
        ("test:640x480@1000", "test:640x480@1000"),
        ("test:@1000", "test:@1000"),
        ("test:SECRET@cam", "…"),
        ("test:1234@10.0.0.1", "…"),
        ("test:SIZE", "test:SIZE"),
        ("quality:", "quality:"),
        ("//ann:SECRET", "…"),
    ] {
        assert_eq!(shown_word(word), shown, "{word}");
    }
}

#[test]
fn what_others_say_is_passed_on_without_addresses() {
    for (text, shown) in [
        (
            "cannot open /none/such.avi: no such file or directory",
            "cannot open /none/such.avi: no such file or directory",
        ),
        (
            "cannot open http://cam/x?pwd=SECRET: connection refused (is it on?)",
            "cannot open http://cam/…: connection refused (is it on?)",
        ),
        ("http://cam:8080/…: it ends", "http://cam:8080/…: it ends"),
        ("at (`rtsp://a:SECRET@cam`)", "at (`rtsp://cam`)"),
        ("/user=admin&password=SECRET is not there", "… is not there"),
        ("gst:a ! b: no element \"b\"", "gst:…"),
        ("gst:a ! b: it ends", "gst:a ! b: it ends"),
        (
            "cannot open gst:a user-pw=\"x SECRET y\" ! b: it ends",
            "cannot open gst:…",
        ),
        (
            "user:password@ before the host or ?token=… behind the path lets in",
            "user:password@ before the host or ?token=… behind the path lets in",
        ),
    ] {
        assert_eq!(shown_words(text), shown, "{text}");
    }
}

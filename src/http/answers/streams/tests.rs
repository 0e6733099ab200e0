use super::*;
use crate::{
    config::{Config, args},
    feed::frame::CaptureTime,
};

/// Cameras of these names; one that is called nothing has no addresses of its own.
fn cameras(names: &[&str]) -> Cameras {
    let config = Config::from(args::parse(&["--source", "test"]).expect("good"));
    let mut cameras = names.iter().map(|name| camera(name));
    let all = Cameras::new(config.cameras.name.clone(), cameras.next().expect("one"));
    cameras.for_each(|camera| all.add(camera));
    all
}

fn camera(name: &str) -> Arc<Camera> {
    let config = Config::from(args::parse(&["--source", "test"]).expect("good"));
    let mut config = config.cameras.first().clone();
    if !name.is_empty() {
        config.name = argh::FromArgValue::from_arg_value(name).expect("a name");
        config.is_addressed = true;
    }
    Arc::new(Camera::new(config))
}

fn publish(cameras: &Cameras, index: usize) {
    publish_aged(cameras, index, Duration::ZERO);
}

fn publish_aged(cameras: &Cameras, index: usize, age: Duration) {
    let camera = &cameras.all()[index];
    let captured = CaptureTime::before_now(age);
    let fill = |out: &mut Vec<u8>| out.extend_from_slice(b"JPEG");
    let frame = Frame::live(camera.next_sequence(), captured, 4, fill);
    camera.slot.publish(frame);
}

/// Sends what is due; its camera's index and how many it missed. `None` when nothing is.
fn send(rotation: &mut Rotation<'_>, now: Instant) -> Option<(usize, u64)> {
    rotation.open(now);
    let News::Newer(index) = rotation.look()? else {
        panic!("nothing else comes here");
    };
    let (index, frame) = rotation.newest(index).expect("it is newer");
    Some((index, rotation.note_sent(index, frame, now)))
}

#[test]
fn the_camera_that_was_sent_longest_ago_comes_next() {
    let cameras = cameras(&["a", "b", "c"]);
    let mut rotation = Rotation::new(&cameras, None, None);
    let now = Instant::now();
    let mut order = Vec::new();
    // The link takes a part while the first camera gives ten frames, the second one, the third none but
    // at the start and at the end.
    publish(&cameras, 2);
    for number in 0..8 {
        (0..10).for_each(|_| publish(&cameras, 0));
        publish(&cameras, 1);
        if number == 5 {
            publish(&cameras, 2);
        }
        order.push(send(&mut rotation, now).expect("due").0);
    }
    assert_eq!(order, [0, 1, 2, 0, 1, 2, 0, 1]);
    // When all is sent but one camera's newest, that is what comes.
    assert_eq!(send(&mut rotation, now).map(|sent| sent.0), Some(0));
    assert_eq!(send(&mut rotation, now), None);
    publish(&cameras, 1);
    assert_eq!(send(&mut rotation, now), Some((1, 0)));
}

#[test]
fn what_came_and_went_is_missed() {
    let cameras = cameras(&["a", "b"]);
    let mut rotation = Rotation::new(&cameras, None, None);
    let now = Instant::now();
    publish(&cameras, 0);
    publish(&cameras, 1);
    assert_eq!(send(&mut rotation, now), Some((0, 0)));
    assert_eq!(send(&mut rotation, now), Some((1, 0)));
    (0..4).for_each(|_| publish(&cameras, 0));
    assert_eq!(send(&mut rotation, now), Some((0, 3)));
    let (index, frame) = rotation.last().expect("sent");
    assert_eq!((index, frame.sequence()), (0, 5));
}

#[test]
fn a_pace_is_each_cameras_own() {
    let cameras = cameras(&["a", "b"]);
    let start = Instant::now();
    let mut rotation = Rotation::new(&cameras, None, Some(Pace::new(0.5, start)));
    publish(&cameras, 0);
    assert_eq!(send(&mut rotation, start), Some((0, 0)));
    (0..3).for_each(|_| publish(&cameras, 0));
    assert_eq!(send(&mut rotation, start), None, "not before its moment");
    publish(&cameras, 1);
    assert_eq!(send(&mut rotation, start), Some((1, 0)));
    let opens_at = rotation.opens_at().expect("both are closed");
    assert!(opens_at > start + Duration::from_secs(1));
    assert_eq!(send(&mut rotation, opens_at), None, "old frames are past");
    publish(&cameras, 0);
    assert_eq!(
        send(&mut rotation, opens_at),
        Some((0, 0)),
        "unwanted, not missed"
    );
}

#[test]
fn a_frame_of_a_pace_that_was_looked_at_late_is_sent_all_the_same() {
    let cameras = cameras(&["a"]);
    let long_ago = Instant::now()
        .checked_sub(Duration::from_secs(10))
        .expect("later");
    let mut rotation = Rotation::new(&cameras, None, Some(Pace::new(1.0, long_ago)));
    publish(&cameras, 0);
    assert_eq!(send(&mut rotation, long_ago), Some((0, 0)));
    publish_aged(
        &cameras,
        0,
        Duration::from_secs(9) + Duration::from_millis(500),
    );
    publish_aged(&cameras, 0, Duration::from_secs(5));
    // Of the two that came meanwhile the second came when the pace had place.
    assert_eq!(send(&mut rotation, Instant::now()), Some((0, 0)));
}

#[test]
fn only_chosen_cameras_are_watched_and_only_while_it_lasts() {
    let cameras = cameras(&["a", "B", "c"]);
    let both = chosen("C, b,c", &cameras).expect("they are there");
    let names: Vec<_> = both
        .iter()
        .map(|camera| camera.config.name.as_str())
        .collect();
    assert_eq!(names, ["c", "B"]);
    let rotation = Rotation::new(&cameras, Some(both), None);
    let watched = || {
        let all = cameras.all();
        let watched = all.iter().map(|camera| camera.slot.is_watched());
        watched.collect::<Vec<_>>()
    };
    assert_eq!(watched(), [false, true, true]);
    cameras.add(camera("d"));
    assert_eq!(rotation.look(), None, "it was not chosen");
    drop(rotation);
    assert_eq!(watched(), [false; 4]);
}

#[test]
fn names_that_are_none_are_refused() {
    let cameras = cameras(&["a", "b"]);
    for (names, status, said) in [
        (
            "a,attic",
            404,
            "there is no camera `attic`; there are: a, b\n",
        ),
        (
            "",
            400,
            "cameras=``: allowed are names of cameras, with commas between them\n",
        ),
        (
            ", ,",
            400,
            "cameras=`, ,`: allowed are names of cameras, with commas between them\n",
        ),
    ] {
        let refusal = chosen(names, &cameras).expect_err(names);
        assert_eq!(refusal.status(), status, "{names}");
        assert_eq!(String::from_utf8_lossy(refusal.body()), said);
    }
}

#[test]
fn the_only_camera_is_asked_for_by_what_stands_before_its_parts() {
    let only = cameras(&[""]);
    let name = shown_name(&only.first());
    assert_eq!(head_of(&only.first()), format!("X-Camera: {name}\r\n"));
    let found = chosen(&name, &only).expect("it is there");
    assert!(Arc::ptr_eq(&found[0], &only.first()));
    assert!(chosen("attic", &only).is_err());
}

#[test]
fn a_camera_that_is_added_joins() {
    let cameras = cameras(&["a"]);
    let viewers = crate::feed::viewers::Viewers::new(1);
    let admission = viewers.admit(1, "peer".to_owned(), cameras.all().to_vec());
    let admission = admission.expect("a place");
    let mut rotation = Rotation::new(&cameras, None, None);
    let waiter = cameras.waiter();
    let far = Instant::now() + Duration::from_secs(60);
    std::thread::scope(|scope| {
        scope.spawn(|| cameras.add(camera("b")));
        let news = waiter.wait_until(far, || rotation.look());
        assert_eq!(news, Some(News::Joined));
    });
    rotation.join(&admission);
    let watched = admission.viewer.cameras();
    let names = watched.iter().map(|camera| camera.config.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["a", "b"]);
    assert!(admission.viewer.watches(&cameras.all()[1]));
    std::thread::scope(|scope| {
        scope.spawn(|| publish(&cameras, 1));
        let news = waiter.wait_until(far, || rotation.look());
        assert_eq!(news, Some(News::Newer(1)));
    });
    cameras.first().slot.close();
    assert_eq!(rotation.look(), Some(News::Closed));
}

#[test]
fn what_takes_the_place_of_a_stand_in_is_named_to_those_who_watch_that() {
    let cameras = cameras(&["test"]);
    let viewers = crate::feed::viewers::Viewers::new(2);
    let admission = viewers.admit(1, "peer".to_owned(), cameras.all().to_vec());
    let admission = admission.expect("a place");
    let stand_in = cameras.first();
    for chosen in [None, Some(vec![Arc::clone(&stand_in)])] {
        let mut rotation = Rotation::new(&cameras, chosen, None);
        let first = Camera::new(camera("c920").config.clone()).in_place_of(&stand_in);
        cameras.replace_first(Arc::new(first));
        assert_eq!(rotation.look(), Some(News::Joined));
        rotation.join(&admission);
        assert_eq!(rotation.channels.len(), 1);
        assert_eq!(rotation.channels[0].head, "X-Camera: c920\r\n");
        assert_eq!(rotation.look(), None);
        assert!(admission.viewer.watches(&cameras.first()));
    }
}

#[test]
fn a_part_begins_with_the_cameras_name() {
    let head = |camera| Channel::new(camera, None).head;
    assert_eq!(head(camera("Front_Door-2")), "X-Camera: Front_Door-2\r\n");
    assert_eq!(
        head(camera("-a-")),
        "X-Camera: -a-\r\n",
        "an address, as it is"
    );
    for (name, plain) in [
        ("Gärten hinten", "G-rten-hinten"),
        ("庭", "camera"),
        ("a\"b", "a-b"),
    ] {
        let args = args::parse(&["--source", "test", "--name", name]).expect("good");
        let only = Camera::new(Config::from(args).cameras.first().clone());
        assert_eq!(head(Arc::new(only)), format!("X-Camera: {plain}\r\n"));
    }
}

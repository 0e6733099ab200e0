//! The stream of several cameras in one answer: each part says in `X-Camera` whose it is.
//!
//! A browser has six connections per server: twelve cameras on a page need one. The newest frame of each is
//! sent, in turns: next comes the camera that was sent longest ago and has a newer frame. So a slow link
//! shows all of them less often, none of them late, and nobody queues.

use crate::{
    feed::{
        camera::Camera, cameras::Cameras, frame::Frame, multipart, slot::Watch, viewers::Admission,
    },
    http::{
        answers::{
            pace::Pace,
            sign_of_life::{self, SignsOfLife},
            viewing::{LastSent, Viewing, seen_before},
        },
        app::App,
        net::{
            connection::{Connection, Written},
            viewer_backlog::ViewerBacklog,
        },
        query::wrong,
        request::Request,
        response::Response,
        scope::no_camera,
    },
};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// A viewer that was behind is looked at again after this long: a small picture is through a slow link by
/// then, and another camera's is due.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A slow viewer is sent no more than this: the frames of several cameras come faster than the
/// acknowledgements that tell of its backlog.
const SLOW_BYTES_PER_SECOND: f64 = 2e6;

/// A viewer's stream that was admitted and has not begun.
#[derive(Debug)]
pub struct Streams {
    /// Those that were asked for by name; `None` for all there are and will be.
    chosen: Option<Vec<Arc<Camera>>>,
    viewing: Viewing,
}

/// Admits a viewer of the cameras it asks for, or says why not.
///
/// # Errors
///
/// As [`Viewing::admit`].
pub fn answer(request: &Request, app: &App) -> Result<Streams, Response> {
    let chosen = match request.target.query.get("cameras") {
        Some(names) => Some(chosen(&names, &app.cameras)?),
        None => None,
    };
    let watched = chosen.clone();
    let watched = watched.unwrap_or_else(|| app.cameras.all().to_vec());
    let viewing = Viewing::admit(request, app, watched)?;
    Ok(Streams { chosen, viewing })
}

/// The cameras of these names, each once.
fn chosen(names: &str, cameras: &Cameras) -> Result<Vec<Arc<Camera>>, Response> {
    let mut chosen: Vec<Arc<Camera>> = Vec::new();
    for name in names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        // The only one, without addresses of its own, is known by what stands before its parts.
        let only = || {
            Some(cameras.first())
                .filter(|only| only.address().is_none() && shown_name(only) == name)
        };
        let camera = cameras.named(name).or_else(only);
        let camera = camera.ok_or_else(|| Response::text(404, no_camera(name, cameras)))?;
        if !chosen.iter().any(|other| Arc::ptr_eq(other, &camera)) {
            chosen.push(camera);
        }
    }
    if chosen.is_empty() {
        let allowed = "are names of cameras, with commas between them";
        return Err(Response::text(400, wrong("cameras", names, allowed)));
    }
    Ok(chosen)
}

impl Streams {
    /// Streams to the viewer until it leaves or the program ends.
    pub fn run(self, connection: Connection, request: &Request, app: &App) {
        let Streams { chosen, viewing } = self;
        let feed = |connection: &Connection, admission: &Admission, pace, signs| {
            let rotation = Rotation::new(&app.cameras, chosen, pace);
            feed(connection, admission, rotation, signs)
        };
        viewing.run(connection, request, app, feed);
    }
}

/// Writes parts to a viewer until it is gone (an error) or the program ends.
fn feed(
    connection: &Connection,
    admission: &Admission,
    mut rotation: Rotation<'_>,
    mut signs: SignsOfLife,
) -> io::Result<()> {
    let waiter = rotation.cameras.waiter();
    let mut backlog = ViewerBacklog::default();
    let mut sign_at = Instant::now() + sign_of_life::INTERVAL;
    // How the part that is due will have been written.
    let mut outcome = Written::AtOnce;
    loop {
        rotation.join(admission);
        rotation.open(Instant::now());
        let opens_at = rotation.opens_at().unwrap_or(sign_at);
        let news = waiter.wait_until(opens_at.min(sign_at), || rotation.look());
        let due = match news {
            Some(News::Closed) => {
                let farewell = multipart::CLOSE.as_bytes();
                return connection.write_all(farewell).map(drop);
            }
            Some(News::Joined) => continue,
            Some(News::Newer(index)) => Some(index),
            None if Instant::now() >= sign_at => None,
            None => continue,
        };
        if !backlog.may_send(|| Some((connection.tcp_info()?, Instant::now()))) {
            rotation.wait_closed(Instant::now() + LOOK_AGAIN);
            continue;
        }
        let Some((index, frame)) = due.map_or_else(|| rotation.last(), |at| rotation.newest(at))
        else {
            sign_at = Instant::now() + sign_of_life::INTERVAL;
            continue;
        };
        let line = if due.is_none() { signs.line() } else { None };
        let whole = (rotation.channels[index].head.as_bytes(), frame.part());
        let (head, part) = line.map_or(whole, |line| (line, &[]));
        let Some(sent) = connection.try_write_both(head, part)? else {
            // By the time it takes bytes, another may come first, and have a newer frame.
            connection.wait_writable()?;
            outcome = Written::Waiting;
            continue;
        };
        let written = outcome.max(connection.write_rest(head, part, sent)?);
        outcome = Written::AtOnce;
        let (bytes, now) = (head.len() + part.len(), Instant::now());
        backlog.note_sent(written, now);
        if due.is_some() {
            sign_at = signs.after_frame(now);
            let missed = rotation.note_sent(index, frame, now);
            admission.note_frame(bytes, missed, now);
        } else {
            sign_at = now + sign_of_life::INTERVAL;
            admission.note_repeat(bytes);
        }
        if backlog.is_slow() {
            let pause = bytes as f64 / SLOW_BYTES_PER_SECOND;
            rotation.wait_closed(now + Duration::from_secs_f64(pause));
        }
    }
}

/// What a viewer of several cameras waits for.
#[derive(Debug, PartialEq, Eq)]
enum News {
    /// The program ends.
    Closed,
    /// There is one more camera.
    Joined,
    /// The channel whose frame comes next.
    Newer(usize),
}

/// The cameras that one viewer watches, and whose part comes next.
#[derive(Debug)]
struct Rotation<'a> {
    cameras: &'a Cameras,
    /// Cameras that are added are watched, too.
    is_of_all: bool,
    channels: Vec<Channel>,
    /// As of which of the list's changes they are.
    changes: usize,
    /// How often each is sent.
    pace: Option<Pace>,
    /// Parts with new frames so far.
    parts: u64,
}

/// One camera, as one viewer gets it.
#[derive(Debug)]
struct Channel {
    camera: Arc<Camera>,
    _watch: Watch,
    /// Stands before each of its parts.
    head: String,
    pace: Option<Pace>,
    /// The pace has place for a frame.
    is_open: bool,
    /// The newest sequence that is not wanted any more.
    seen: u64,
    last: Option<LastSent>,
    /// Which part that was; 0 before the first.
    turn: u64,
}

impl<'a> Rotation<'a> {
    /// Of those that were `chosen`, or of all, each at `pace`.
    fn new(
        cameras: &'a Cameras,
        chosen: Option<Vec<Arc<Camera>>>,
        pace: Option<Pace>,
    ) -> Rotation<'a> {
        let is_of_all = chosen.is_none();
        let changes = cameras.changes(is_of_all);
        let chosen = chosen.unwrap_or_else(|| cameras.all().to_vec());
        let channels = chosen
            .into_iter()
            .map(|camera| Channel::new(camera, pace.clone()));
        Rotation {
            cameras,
            is_of_all,
            channels: channels.collect(),
            changes,
            pace,
            parts: 0,
        }
    }

    fn has_joined(&self) -> bool {
        self.cameras.changes(self.is_of_all) != self.changes
    }

    /// Takes in the cameras that came, be it in place of another one.
    fn join(&mut self, admission: &Admission) {
        if !self.has_joined() {
            return;
        }
        self.changes = self.cameras.changes(self.is_of_all);
        for camera in &*self.cameras.all() {
            let own = |channel: &&mut Channel| channel.camera.has_slot_of(camera);
            if let Some(channel) = self.channels.iter_mut().find(own) {
                channel.follow(camera);
                continue;
            }
            if !self.is_of_all {
                continue;
            }
            admission.also_watches(Arc::clone(camera));
            let channel = Channel::new(Arc::clone(camera), self.pace.clone());
            self.channels.push(channel);
        }
    }

    /// Opens the channels whose pace has place for a frame again.
    fn open(&mut self, now: Instant) {
        self.channels
            .iter_mut()
            .for_each(|channel| channel.open(now));
    }

    /// When the next of those that are not open opens.
    fn opens_at(&self) -> Option<Instant> {
        let closed = self.channels.iter().filter(|channel| !channel.is_open);
        closed
            .filter_map(|channel| Some(channel.pace.as_ref()?.opens_at()))
            .min()
    }

    /// What has come meanwhile. Nothing is locked.
    fn look(&self) -> Option<News> {
        if self
            .channels
            .iter()
            .any(|channel| channel.camera.slot.is_closed())
        {
            return Some(News::Closed);
        }
        if self.has_joined() {
            return Some(News::Joined);
        }
        let newer = (0..self.channels.len()).filter(|&index| self.channels[index].has_newer());
        newer
            .min_by_key(|&index| self.channels[index].turn)
            .map(News::Newer)
    }

    /// The newest frame of a channel, with its index.
    fn newest(&self, index: usize) -> Option<(usize, Arc<Frame>)> {
        Some((index, self.channels[index].camera.slot.latest()?))
    }

    /// The frame that was sent last, with the index of its channel; `None` before the first.
    fn last(&self) -> Option<(usize, Arc<Frame>)> {
        let channels = self.channels.iter().enumerate();
        let (index, channel) = channels.max_by_key(|(_, channel)| channel.turn)?;
        Some((index, Arc::clone(&channel.last.as_ref()?.frame)))
    }

    /// Notes that `frame` of a channel was sent at `now`; gives how many it missed.
    fn note_sent(&mut self, index: usize, frame: Arc<Frame>, now: Instant) -> u64 {
        self.parts += 1;
        self.channels[index].note_sent(frame, self.parts, now)
    }

    /// Waits until `deadline` whatever is published, or for the end of the program.
    fn wait_closed(&self, deadline: Instant) {
        if let Some(channel) = self.channels.first() {
            channel.camera.slot.wait_closed(deadline);
        }
    }
}

impl Channel {
    fn new(camera: Arc<Camera>, pace: Option<Pace>) -> Channel {
        Channel {
            head: head_of(&camera),
            _watch: camera.slot.watch(),
            pace,
            is_open: true,
            seen: seen_before(&camera.slot),
            last: None,
            turn: 0,
            camera,
        }
    }

    /// From now on its frames are those of `camera`, which has its slot.
    fn follow(&mut self, camera: &Arc<Camera>) {
        if !Arc::ptr_eq(&self.camera, camera) {
            self.camera = Arc::clone(camera);
            self.head = head_of(camera);
        }
    }

    fn has_newer(&self) -> bool {
        self.is_open && self.camera.slot.newest_sequence() > self.seen
    }

    /// Opens if its pace has place for a frame again. Frames that passed meanwhile are not missed: nobody
    /// wanted them. One that was taken since the pace had place is wanted, however late it is looked at.
    fn open(&mut self, now: Instant) {
        let opens_at = self.pace.as_ref().map(Pace::opens_at);
        let Some(opens_at) = opens_at.filter(|&at| !self.is_open && at <= now) else {
            return;
        };
        self.is_open = true;
        let Some(newest) = self.camera.slot.latest() else {
            return;
        };
        let is_wanted = newest.captured().at >= opens_at;
        self.seen = self.seen.max(newest.sequence() - u64::from(is_wanted));
        if let Some(last) = &mut self.last {
            last.unwanted = self.seen - last.frame.sequence();
        }
    }

    /// Notes that `frame` was sent at `now` as part number `turn`; gives how many it missed.
    fn note_sent(&mut self, frame: Arc<Frame>, turn: u64, now: Instant) -> u64 {
        let missed = self
            .last
            .as_ref()
            .map_or(0, |last| last.missed_until(&frame));
        if let Some(pace) = &mut self.pace {
            pace.sent(now, self.camera.stats.rate.per_second(now));
            self.is_open = false;
        }
        self.seen = frame.sequence();
        self.turn = turn;
        self.last = Some(LastSent { frame, unwanted: 0 });
        missed
    }
}

/// What stands before each part of `camera`.
fn head_of(camera: &Camera) -> String {
    format!("X-Camera: {}\r\n", shown_name(camera))
}

/// What it is called there; without addresses of its own, by its name in plain letters.
fn shown_name(camera: &Camera) -> String {
    let plain = || Some(camera.config.name.plain()).filter(|plain| !plain.is_empty());
    let own = camera.address().map(str::to_owned);
    own.or_else(plain).unwrap_or_else(|| "camera".to_owned())
}

#[cfg(test)]
mod tests;

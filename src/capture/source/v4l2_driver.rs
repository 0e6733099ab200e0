//! What the driver of a camera says of its pictures and OpenCV does not: how their lines lie, and how
//! much of one came.
//!
//! OpenCV keeps the layout it found when it opened the camera, and fills up what a short picture lacks
//! with the picture before. The driver is asked through OpenCV's own descriptor, for `uvcvideo` tells
//! nobody else. Whatever cannot be asked is `None`.

use crate::{capture::source::v4l2_devices, config::Size};
use std::{
    fs,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, RawFd},
        unix::fs::MetadataExt,
    },
    path::Path,
};

/// `V4L2_BUF_TYPE_VIDEO_CAPTURE` and `V4L2_MEMORY_MMAP`, as OpenCV streams.
const CAPTURE: u32 = 1;
const MMAP: u32 = 1;

/// `V4L2_BUF_FLAG_QUEUED` and `_DONE`: the driver has the buffer. `_ERROR`: it may be broken.
const WITH_DRIVER: u32 = 0x2 | 0x4;
const ERROR: u32 = 0x40;

/// As many buffers as a queue can have.
const MOST_BUFFERS: u32 = 32;

/// The numbers of the questions in linux/videodev2.h.
const G_FMT: u64 = 4;
const QUERYBUF: u64 = 9;
const G_PARM: u64 = 21;
const TRY_FMT: u64 = 64;

/// How a camera's pictures lie in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureLayout {
    /// V4L2's code.
    pub format: String,
    /// In pixels.
    pub size: Size,
    /// Bytes from one line to the next; 0 of JPEGs.
    pub line_bytes: u32,
}

/// How much of a picture came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// Its bytes, of which OpenCV's picture has always enough.
    pub bytes: u32,
    /// Its driver says that it may be broken.
    pub may_be_broken: bool,
}

/// `struct v4l2_format` and `struct v4l2_buffer` in words, as a 64-bit Linux has them; another one has
/// no answer.
type RawFormat = [u32; 52];
type RawBuffer = [u32; 22];

/// `struct v4l2_streamparm` in words.
type RawParameters = [u32; 51];

/// OpenCV's descriptor of an open camera; good as long as OpenCV has it open.
#[derive(Debug)]
pub struct Driver(RawFd);

impl Driver {
    /// The one that OpenCV has opened of `node` since `before`; see [`descriptors`].
    pub fn opened_since(before: &[RawFd], node: &Path) -> Option<Driver> {
        let mut new = descriptors(node);
        new.retain(|descriptor| !before.contains(descriptor));
        let mut new = new.into_iter().map(Driver);
        new.find(|driver| driver.buffer(0).is_some())
    }

    /// How its pictures lie at present.
    pub fn layout(&self) -> Option<PictureLayout> {
        layout(self.0, G_FMT, [0; 52])
    }

    /// How much came of the picture that OpenCV has grabbed and not yet retrieved.
    pub fn filled(&self) -> Option<Filled> {
        (0..MOST_BUFFERS)
            .map_while(|index| self.buffer(index))
            .find(|(_, flags)| flags & WITH_DRIVER == 0)
            .map(|(bytes, flags)| Filled {
                bytes,
                may_be_broken: flags & ERROR != 0,
            })
    }

    /// The bytes in a buffer, and its flags.
    fn buffer(&self, index: u32) -> Option<(u32, u32)> {
        let mut buffer: RawBuffer = [0; 22];
        (buffer[0], buffer[1], buffer[15]) = (index, CAPTURE, MMAP);
        ask(self.0, QUERYBUF, &mut buffer).then_some((buffer[2], buffer[3]))
    }
}

/// The descriptors of this process that are open on `node`.
pub fn descriptors(node: &Path) -> Vec<RawFd> {
    let (Ok(node), Ok(open)) = (fs::metadata(node), fs::read_dir("/proc/self/fd")) else {
        return Vec::new();
    };
    open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&descriptor| device_of(descriptor) == Some(node.rdev()))
        .collect()
}

/// How the camera's pictures would lie if it were asked for `size`, and which size that would be.
pub fn layout_if_asked(node: &Path, format: &str, size: Size) -> Option<PictureLayout> {
    let node = linuxvideo::Device::open(node).ok()?;
    let mut code = [b' '; 4];
    for (letter, byte) in code.iter_mut().zip(format.bytes()) {
        *letter = byte;
    }
    let mut asked: RawFormat = [0; 52];
    asked[2..5].copy_from_slice(&[size.width, size.height, u32::from_le_bytes(code)]);
    layout(node.as_raw_fd(), TRY_FMT, asked)
}

/// The pictures a second that the camera was last asked for.
pub fn rate(node: &linuxvideo::Device) -> Option<f64> {
    let mut parameters: RawParameters = [0; 51];
    parameters[0] = CAPTURE;
    let has_answer = ask(node.as_raw_fd(), G_PARM, &mut parameters);
    let [_, _, _, seconds, pictures, ..] = parameters;
    (has_answer && seconds > 0 && pictures > 0).then(|| f64::from(pictures) / f64::from(seconds))
}

fn layout(descriptor: RawFd, question: u64, mut format: RawFormat) -> Option<PictureLayout> {
    format[0] = CAPTURE;
    let has_answer = ask(descriptor, question, &mut format);
    let [_, _, width, height, code, _, line_bytes, ..] = format;
    has_answer.then(|| PictureLayout {
        format: v4l2_devices::fourcc_text(code),
        size: Size { width, height },
        line_bytes,
    })
}

/// Asks the driver; false where it has no answer.
#[expect(unsafe_code, reason = "questions that linuxvideo does not ask")]
fn ask<const WORDS: usize>(descriptor: RawFd, question: u64, about: &mut [u32; WORDS]) -> bool {
    // _IOWR('V', question, size).
    let request = 3 << 30 | (4 * WORDS as u64) << 16 | u64::from(b'V') << 8 | question;
    // SAFETY: the request says the size of what the kernel reads and writes, which is that of `about`. A
    // descriptor that was closed, or is no camera's, has no answer.
    unsafe { libc::ioctl(descriptor, request as _, about.as_mut_ptr()) == 0 }
}

/// The number of the device that a descriptor is open on.
#[expect(unsafe_code, reason = "the descriptor is OpenCV's, or anybody's")]
fn device_of(descriptor: RawFd) -> Option<u64> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills `stat` whole, or fails, as for a descriptor that was closed meanwhile.
    let stat = unsafe {
        if libc::fstat(descriptor, stat.as_mut_ptr()) != 0 {
            return None;
        }
        stat.assume_init()
    };
    (stat.st_mode & libc::S_IFMT == libc::S_IFCHR).then_some(stat.st_rdev)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_has_no_answer() {
        let null = fs::File::open("/dev/null").expect("there");
        let path = Path::new("/dev/null");
        assert!(descriptors(path).contains(&null.as_raw_fd()));
        assert!(Driver::opened_since(&[], path).is_none());
        let driver = Driver(null.as_raw_fd());
        assert_eq!((driver.layout(), driver.filled()), (None, None));
        assert!(descriptors(Path::new("/dev/none")).is_empty());
    }
}

//! What GStreamer itself says of a pipeline: before OpenCV opens it, and of the pictures that come.
//!
//! OpenCV starts whatever parses of a text: with an element missing it waits half a minute for
//! pictures of the rest, and says no more than that none came. It says nothing of a picture's format
//! either: NV12 comes as a grey picture of one and a half times the height. GStreamer knows both. It
//! is in the process already, as OpenCV's own library, so its functions are looked up there; where
//! OpenCV was built without it there is nothing to ask.
//!
//! Its words may repeat any piece of the text, passwords too, so what is said here is made of the
//! error's kind and of names alone.

#![expect(
    unsafe_code,
    reason = "GStreamer is C, and only there once it is loaded"
)]

use crate::config::{elements, properties};
use std::{
    cell::RefCell,
    env,
    ffi::{CStr, CString, c_char, c_int, c_uint, c_ulong, c_void},
    ptr::{self, NonNull},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// `GST_PARSE_FLAG_FATAL_ERRORS`: no pipeline at all rather than a part of one.
const FATAL_ERRORS: c_int = 1;

/// What OpenCV's sink takes first, and what is served of it.
const SERVED: &CStr = c"video/x-raw,format={BGR,GRAY8};image/jpeg";

/// An error as GLib hands it over.
#[repr(C)]
struct GError {
    domain: u32,
    code: c_int,
    message: *const c_char,
}

/// A value as GLib hands it over: its type, and two words.
#[repr(C)]
struct GValue {
    _kind: usize,
    _data: [u64; 2],
}

type Pointer = *mut c_void;
type Hook = extern "C" fn(Pointer, c_uint, *const GValue, Pointer) -> c_int;
type Probe = extern "C" fn(Pointer, Pointer, Pointer) -> c_int;
type Destroy = extern "C" fn(Pointer);
type Handler = extern "C" fn(*const c_char, c_int, *const c_char, Pointer);

/// Says nothing of what GLib complains of: it repeats names and values of the pipeline.
extern "C" fn say_nothing(_: *const c_char, _: c_int, _: *const c_char, _: Pointer) {}

// The kinds of `GstParseError` that are told apart.
const SYNTAX: c_int = 0;
const NO_SUCH_ELEMENT: c_int = 1;
const NO_SUCH_PROPERTY: c_int = 2;
const LINK: c_int = 3;
const COULD_NOT_SET_PROPERTY: c_int = 4;

/// `GST_PAD_PROBE_TYPE_BUFFER`, and `GST_PAD_PROBE_REMOVE`: one look is enough.
const BUFFER: c_uint = 1 << 4;
const REMOVE: c_int = 2;

/// Marks a size as that of a buffer that tells where its lines are; no buffer is so large.
const HAS_META: u64 = 1 << 63;

/// Looks functions up once, by the names and types that the headers of GStreamer 1 and GLib 2 give
/// them; what is found may be called as long as the process lives.
macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        #[derive(Clone, Copy)]
        struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            fn find() -> Option<Functions> {
                // SAFETY: loads nothing, and runs no code: the library is in the process or it is not.
                let library = unsafe {
                    let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD;
                    libc::dlopen(c"libgstreamer-1.0.so.0".as_ptr(), flags)
                };
                if library.is_null() {
                    return None;
                }
                // GLib, which it needs, is found through it.
                let find = |name: &str| {
                    let name = CString::new(name).ok()?;
                    // SAFETY: the library is loaded, and stays so with OpenCV.
                    NonNull::new(unsafe { libc::dlsym(library, name.as_ptr()) })
                };
                Some(Functions {
                    $($name: {
                        let found = find(stringify!($name))?.as_ptr();
                        // SAFETY: the function of that name has that type, in all of GStreamer 1.
                        unsafe {
                            std::mem::transmute::<
                                Pointer,
                                unsafe extern "C" fn($($argument),*) $(-> $result)?,
                            >(found)
                        }
                    },)*
                })
            }
        }
    };
}

functions! {
    gst_init: fn(*mut c_int, *mut *mut *mut c_char);
    gst_parse_launch_full: fn(*const c_char, Pointer, c_int, *mut *mut GError) -> Pointer;
    gst_object_unref: fn(Pointer);
    gst_object_get_name: fn(Pointer) -> *mut c_char;
    gst_bin_get_type: fn() -> usize;
    gst_element_get_factory: fn(Pointer) -> Pointer;
    gst_element_get_static_pad: fn(Pointer, *const c_char) -> Pointer;
    gst_pad_get_current_caps: fn(Pointer) -> Pointer;
    gst_pad_add_probe: fn(Pointer, c_uint, Probe, Pointer, Destroy) -> c_ulong;
    gst_pad_probe_info_get_buffer: fn(Pointer) -> Pointer;
    gst_buffer_get_size: fn(Pointer) -> usize;
    gst_buffer_get_meta: fn(Pointer, usize) -> Pointer;
    g_type_from_name: fn(*const c_char) -> usize;
    gst_pad_peer_query_caps: fn(Pointer, Pointer) -> Pointer;
    gst_caps_from_string: fn(*const c_char) -> Pointer;
    gst_caps_to_string: fn(Pointer) -> *mut c_char;
    gst_caps_can_intersect: fn(Pointer, Pointer) -> c_int;
    gst_mini_object_unref: fn(Pointer);
    gst_parse_error_quark: fn() -> u32;
    g_log_set_default_handler: fn(Handler, Pointer) -> Pointer;
    g_error_free: fn(*mut GError);
    g_free: fn(Pointer);
    g_type_class_ref: fn(usize) -> Pointer;
    g_signal_lookup: fn(*const c_char, usize) -> c_uint;
    g_signal_add_emission_hook: fn(c_uint, u32, Hook, Pointer, Pointer) -> c_ulong;
    g_value_get_object: fn(*const GValue) -> Pointer;
}

/// The library, initialised and with a hook on every element that is added to a pipeline; `None`
/// where there is none.
fn library() -> Option<&'static Functions> {
    static LIBRARY: OnceLock<Option<Functions>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let library = Functions::find()?;
        // SAFETY: `gst_init` may be called by any thread, any number of times, without arguments. The
        // class is kept for ever, so that its signal is there; the hook is a function, and is never
        // removed.
        unsafe {
            if env::var_os("G_MESSAGES_DEBUG").is_none() {
                // Any thread may set it at any time; it never goes away.
                (library.g_log_set_default_handler)(say_nothing, ptr::null_mut());
            }
            (library.gst_init)(ptr::null_mut(), ptr::null_mut());
            let bin = (library.gst_bin_get_type)();
            (library.g_type_class_ref)(bin);
            let signal = (library.g_signal_lookup)(c"element-added".as_ptr(), bin);
            let none = ptr::null_mut();
            (library.g_signal_add_emission_hook)(signal, 0, note_sink, none, none);
        }
        Some(library)
    });
    library.as_ref()
}

thread_local! {
    /// The sinks and converters that pipelines made by this thread have got; `None` while nobody wants
    /// to know.
    static SINKS: RefCell<Option<Vec<Sink>>> = const { RefCell::new(None) };
}

/// Called by GLib in whichever thread adds an element to a bin: the last value. Always stays.
extern "C" fn note_sink(_: Pointer, count: c_uint, values: *const GValue, _: Pointer) -> c_int {
    // A thread that is about to end has no place for it, and wants none.
    let _ = SINKS.try_with(|sinks| {
        let mut sinks = sinks.borrow_mut();
        let (Some(sinks), Some(library)) = (sinks.as_mut(), library()) else {
            return;
        };
        // SAFETY: GLib gives `count` values, the last of which holds an element that lives during the
        // call.
        let element = unsafe { (library.g_value_get_object)(values.add(count as usize - 1)) };
        let is_sink = match kind(library, element).as_deref() {
            Some("appsink") => true,
            Some("videoconvert") => false,
            _ => return,
        };
        // SAFETY: as above; the sink gives the reference back.
        let pad = unsafe { (library.gst_element_get_static_pad)(element, c"sink".as_ptr()) };
        sinks.extend(NonNull::new(pad).map(|pad| Sink::watching(library, pad, is_sink)));
    });
    1
}

/// What an element is, such as `appsink`.
fn kind(library: &Functions, element: Pointer) -> Option<String> {
    // SAFETY: the element lives; its factory lives as long as the process.
    unsafe {
        let factory = (library.gst_element_get_factory)(element);
        if factory.is_null() {
            return None;
        }
        take_text(library, (library.gst_object_get_name)(factory))
    }
}

/// A text that GLib has given away.
///
/// # Safety
///
/// `text` is null, or ends with a zero and is ours to free.
unsafe fn take_text(library: &Functions, text: *mut c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as promised.
    unsafe {
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        (library.g_free)(text.cast());
        Some(owned)
    }
}

/// Looks at the first buffer that comes to a pad; `data` is the number it is noted in.
extern "C" fn note_buffer(_: Pointer, info: Pointer, data: Pointer) -> c_int {
    let Some(library) = library() else {
        return REMOVE;
    };
    // SAFETY: GLib gives what `Sink::watching` gave it, which lives until `forget_buffer`, and the
    // buffer lives during the call. A type that nobody has registered is 0, which no meta has.
    unsafe {
        let noted = &*data.cast::<AtomicU64>();
        let buffer = (library.gst_pad_probe_info_get_buffer)(info);
        if !buffer.is_null() {
            let kind = (library.g_type_from_name)(c"GstVideoMetaAPI".as_ptr());
            let has_meta = kind != 0 && !(library.gst_buffer_get_meta)(buffer, kind).is_null();
            let size = (library.gst_buffer_get_size)(buffer) as u64;
            noted.store(
                size | if has_meta { HAS_META } else { 0 },
                Ordering::Relaxed,
            );
        }
    }
    REMOVE
}

/// The probe is gone.
extern "C" fn forget_buffer(data: Pointer) {
    // SAFETY: the reference that `Sink::watching` gave away, given back once.
    drop(unsafe { Arc::from_raw(data.cast::<AtomicU64>()) });
}

/// Where pictures go in: the end of a pipeline, which OpenCV reads, or a converter.
#[derive(Debug)]
pub struct Sink {
    pad: NonNull<c_void>,
    /// Not a converter, which puts up with whatever a buffer tells of itself.
    is_end: bool,
    /// Bytes of the first buffer; 0 before it came.
    buffer: Arc<AtomicU64>,
    /// The caps seen last, held so that no others can have their address.
    known: Option<(NonNull<c_void>, Caps)>,
}

// SAFETY: pads and caps are counted atomically and may be asked by any thread.
unsafe impl Send for Sink {}

impl Sink {
    /// A pad whose first buffer is looked at.
    fn watching(library: &Functions, pad: NonNull<c_void>, is_end: bool) -> Sink {
        let buffer = Arc::new(AtomicU64::new(0));
        let data = Arc::into_raw(Arc::clone(&buffer)).cast_mut().cast();
        // SAFETY: the pad is ours, and the data lives until `forget_buffer`.
        unsafe {
            (library.gst_pad_add_probe)(pad.as_ptr(), BUFFER, note_buffer, data, forget_buffer);
        }
        Sink {
            pad,
            is_end,
            buffer,
            known: None,
        }
    }

    /// Bytes of the first buffer that came here, unless whoever reads it is told where its lines are
    /// and listens: a converter does, and OpenCV from 4.10 on.
    pub fn untold_bytes(&self, opencv_listens: bool) -> Option<usize> {
        let noted = self.buffer.load(Ordering::Relaxed);
        let is_told = noted & HAS_META != 0 && (!self.is_end || opencv_listens);
        usize::try_from(noted & !HAS_META)
            .ok()
            .filter(|bytes| *bytes > 0 && !is_told)
    }

    /// What comes now; `None` before anything came.
    pub fn caps(&mut self) -> Option<&Caps> {
        let library = library()?;
        // SAFETY: the pad is ours. What comes back is ours to give back.
        let current = unsafe { (library.gst_pad_get_current_caps)(self.pad.as_ptr()) };
        let current = NonNull::new(current)?;
        if self
            .known
            .as_ref()
            .is_some_and(|(known, _)| *known == current)
        {
            // SAFETY: one reference too many.
            unsafe { (library.gst_mini_object_unref)(current.as_ptr()) };
        } else {
            let caps = Caps::read(library, current);
            self.forget();
            self.known = Some((current, caps));
        }
        self.known.as_ref().map(|(_, caps)| caps)
    }

    /// What whoever stands before it may give, as far as is known before the start; `None` when that
    /// may be served as it is.
    fn misfit(&self, library: &Functions) -> Option<Caps> {
        // SAFETY: the pad is ours, the text ends with a zero, and what comes back is given back.
        unsafe {
            let given = (library.gst_pad_peer_query_caps)(self.pad.as_ptr(), ptr::null_mut());
            let served = (library.gst_caps_from_string)(SERVED.as_ptr());
            let given = NonNull::new(given)?;
            let fits = (library.gst_caps_can_intersect)(given.as_ptr(), served) != 0;
            let caps = Caps::read(library, given);
            (library.gst_mini_object_unref)(given.as_ptr());
            (library.gst_mini_object_unref)(served);
            (!fits && caps.0 != "EMPTY").then_some(caps)
        }
    }

    fn forget(&mut self) {
        if let (Some(library), Some((known, _))) = (library(), self.known.take()) {
            // SAFETY: it is ours, and this is its last use.
            unsafe { (library.gst_mini_object_unref)(known.as_ptr()) };
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.forget();
        if let Some(library) = library() {
            // SAFETY: the pad is ours, and this is its last use.
            unsafe { (library.gst_object_unref)(self.pad.as_ptr()) };
        }
    }
}

/// What pictures are, in GStreamer's words: `video/x-raw, format=(string)NV12, width=(int)320, …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps(pub String);

impl Caps {
    fn read(library: &Functions, caps: NonNull<c_void>) -> Caps {
        // SAFETY: the caps live during the call, and the text is given away.
        let text = unsafe { take_text(library, (library.gst_caps_to_string)(caps.as_ptr())) };
        Caps(text.unwrap_or_default())
    }

    /// Such as `video/x-raw`.
    pub fn media(&self) -> &str {
        self.0.split([',', ';']).next().unwrap_or_default().trim()
    }

    /// One field, such as `width`; `None` where it is not there, or not one value.
    pub fn field(&self, name: &str) -> Option<&str> {
        let first = self.0.split(';').next().unwrap_or_default();
        let value = first.split(", ").find_map(|field| {
            field
                .trim()
                .strip_prefix(name)?
                .strip_prefix("=(")?
                .split_once(')')
        });
        value
            .map(|(_, value)| value)
            .filter(|value| !value.starts_with(['{', '[']))
    }
}

/// Runs `open`, which opens a pipeline, and gives its one sink, and its converters.
pub fn sink_of<T>(open: impl FnOnce() -> T) -> (T, Option<Sink>, Vec<Sink>) {
    library();
    SINKS.set(Some(Vec::new()));
    let opened = open();
    let noted = SINKS.take().unwrap_or_default();
    let (mut ends, converters): (Vec<_>, Vec<_>) = noted.into_iter().partition(|sink| sink.is_end);
    let end = ends.pop().filter(|_| ends.is_empty());
    (opened, end, converters)
}

/// Why the pipeline `text` cannot be made, else what is known already to come of it that is not
/// served as it is. Nothing is started and no device opened.
pub fn examine(pipeline_text: &str) -> Result<Option<Caps>, String> {
    let (Some(library), Ok(text)) = (library(), CString::new(pipeline_text)) else {
        return Ok(None);
    };
    let mut error: *mut GError = ptr::null_mut();
    let (pipeline, sink, _) = sink_of(|| {
        // SAFETY: the text ends with a zero; `error` is null, as the parser wants it.
        unsafe {
            let context = ptr::null_mut();
            (library.gst_parse_launch_full)(text.as_ptr(), context, FATAL_ERRORS, &raw mut error)
        }
    });
    let misfit = sink.and_then(|sink| sink.misfit(library));
    if !pipeline.is_null() {
        // SAFETY: it is ours, and was never started.
        unsafe { (library.gst_object_unref)(pipeline) };
    }
    if error.is_null() {
        return Ok(misfit);
    }
    // SAFETY: an error that was set holds a message; it is ours to free, once.
    let (message, code) = unsafe {
        let message = CStr::from_ptr((*error).message)
            .to_string_lossy()
            .into_owned();
        let is_parse_error = (*error).domain == (library.gst_parse_error_quark)();
        let code = is_parse_error.then_some((*error).code);
        (library.g_error_free)(error);
        (message, code)
    };
    let said = in_our_words(pipeline_text, code, &message);
    Err(format!("GStreamer refuses the pipeline: {said}"))
}

/// What GStreamer's `message` of kind `code` says, with the names in it that may be shown.
fn in_our_words(pipeline: &str, code: Option<c_int>, message: &str) -> String {
    let (elements, properties) = (elements(pipeline), properties(pipeline));
    let mut named = elements.iter().filter(|name| is_in(message, name, true));
    let property = properties.iter().find(|name| is_in(message, name, false));
    let property = property.map_or(String::new(), |name| format!(" \"{name}\""));
    let within = |element: Option<&&str>| {
        element.map_or(String::new(), |name| format!(" in element \"{name}\""))
    };
    match code {
        Some(SYNTAX) => "syntax error".to_owned(),
        Some(NO_SUCH_ELEMENT) => match elements.iter().find(|name| is_in(message, name, false)) {
            Some(name) => format!("no element \"{name}\" ({})", advice(name)),
            None => "no element of that name (a value with spaces needs quotes)".to_owned(),
        },
        Some(NO_SUCH_PROPERTY) => format!("no property{property}{}", within(named.next())),
        Some(COULD_NOT_SET_PROPERTY) => {
            let within = within(named.next());
            format!("could not set property{property}{within} to its value")
        }
        Some(LINK) => match (named.next(), named.next()) {
            (Some(one), Some(other)) => format!("could not link {one} to {other}"),
            _ => "could not link two of its elements".to_owned(),
        },
        _ => "it does not understand it (gst-launch-1.0 with the same text says why)".to_owned(),
    }
}

/// True when `message` has `name` as a word of its own, perhaps with the number of an element of that
/// kind behind it.
fn is_in(message: &str, name: &str, with_number: bool) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    message.match_indices(name).any(|(at, _)| {
        let before = message.as_bytes()[..at].last();
        let behind = &message.as_bytes()[at + name.len()..];
        let digits = behind
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let behind = behind.get(if with_number { digits } else { 0 });
        !before.is_some_and(is_part) && !behind.is_some_and(is_part)
    })
}

/// An element that is not there comes with a package, whose name is known for those that people ask
/// for most.
fn advice(element: &str) -> &'static str {
    match element {
        "libcamerasrc" => "sudo apt install gstreamer1.0-libcamera",
        "bayer2rgb" => "sudo apt install gstreamer1.0-plugins-bad",
        _ => "apt search gstreamer1.0 names packages with more",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_of_a_missing_element_is_named() {
        let said = |name: &str| {
            let message = format!("no element \"{name}\"");
            in_our_words(name, Some(NO_SUCH_ELEMENT), &message)
        };
        let advice = said("libcamerasrc");
        assert!(advice.contains("gstreamer1.0-libcamera"), "{advice}");
        let advice = said("other");
        assert!(advice.contains("apt search"), "{advice}");
    }

    #[test]
    fn names_are_said_and_values_are_not() {
        let pipeline =
            "souphttpsrc pasword=SECRET user-pw=my SECRET ! fakesrc name=SECRET ! fakesink";
        for (code, message, said) in [
            (0, "syntax error", "syntax error"),
            (
                0,
                "unexpected reference \"SECRET\" - ignoring",
                "syntax error",
            ),
            (
                1,
                "no element \"SECRET\"",
                "no element of that name (a value with spaces needs quotes)",
            ),
            (
                1,
                "kein Element »fakesink«",
                "no element \"fakesink\" (apt search gstreamer1.0 names packages with more)",
            ),
            (
                2,
                "no property \"pasword\" in element \"souphttpsrc0\"",
                "no property \"pasword\" in element \"souphttpsrc\"",
            ),
            (
                2,
                "no property \"SECRET\" in element \"SECRET\"",
                "no property",
            ),
            (
                3,
                "could not link souphttpsrc0 to fakesink0, SECRET",
                "could not link souphttpsrc to fakesink",
            ),
            (
                3,
                "could not link SECRET to x",
                "could not link two of its elements",
            ),
            (
                4,
                "could not set property \"user-pw\" in element \"souphttpsrc12\" to \"SECRET\"",
                "could not set property \"user-pw\" in element \"souphttpsrc\" to its value",
            ),
        ] {
            assert_eq!(
                in_our_words(pipeline, Some(code), message),
                said,
                "{message}"
            );
        }
        assert!(!in_our_words(pipeline, None, "SECRET").contains("SECRET"));
    }

    #[test]
    fn caps_are_read_by_their_fields() {
        let caps = Caps("video/x-raw, format=(string)NV12, width=(int)320".to_owned());
        assert_eq!(caps.media(), "video/x-raw");
        assert_eq!(caps.field("format"), Some("NV12"));
        assert_eq!(caps.field("width"), Some("320"));
        assert_eq!(caps.field("height"), None);
        let caps = Caps("video/x-raw, format=(string){ RGB, NV12 }; image/png".to_owned());
        assert_eq!(caps.media(), "video/x-raw");
        assert_eq!(caps.field("format"), None);
        let caps = Caps("image/png; video/x-raw, format=(string)RGB".to_owned());
        assert_eq!((caps.media(), caps.field("format")), ("image/png", None));
    }
}

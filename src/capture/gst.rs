//! What GStreamer itself says of a pipeline's text, before OpenCV opens it.
//!
//! OpenCV starts whatever parses of a text: with an element missing it waits half a minute for
//! pictures of the rest, and says no more than that none came. GStreamer knows at once. It is in the
//! process already, as OpenCV's own library, so its parser is looked up there; where OpenCV was built
//! without it there is nothing to ask, and OpenCV has the word.
//!
//! Its words may repeat any piece of the text, passwords too, so what is said here is made of the
//! error's kind and of names alone.

use crate::config::{elements, properties};
use std::{
    env,
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr,
};

/// `GST_PARSE_FLAG_FATAL_ERRORS`: no pipeline at all rather than a part of one.
const FATAL_ERRORS: c_int = 1;

/// An error as GLib hands it over.
#[repr(C)]
struct GError {
    domain: u32,
    code: c_int,
    message: *const c_char,
}

type Init = unsafe extern "C" fn(*mut c_int, *mut *mut *mut c_char);
type Parse =
    unsafe extern "C" fn(*const c_char, *mut c_void, c_int, *mut *mut GError) -> *mut c_void;
type Unref = unsafe extern "C" fn(*mut c_void);
type Free = unsafe extern "C" fn(*mut GError);
type Domain = unsafe extern "C" fn() -> u32;
type Handler = extern "C" fn(*const c_char, c_int, *const c_char, *mut c_void);
type SetHandler = unsafe extern "C" fn(Handler, *mut c_void) -> *mut c_void;

/// Says nothing of what GLib complains of: it repeats names and values of the pipeline.
extern "C" fn say_nothing(_: *const c_char, _: c_int, _: *const c_char, _: *mut c_void) {}

// The kinds of `GstParseError` that are told apart.
const SYNTAX: c_int = 0;
const NO_SUCH_ELEMENT: c_int = 1;
const NO_SUCH_PROPERTY: c_int = 2;
const LINK: c_int = 3;
const COULD_NOT_SET_PROPERTY: c_int = 4;

/// Why the pipeline of that text cannot be made; `None` when it can, or when nobody can tell. Nothing
/// is started and no device opened.
#[expect(
    unsafe_code,
    reason = "GStreamer is C, and only there once it is loaded"
)]
pub fn complaint(pipeline_text: &str) -> Option<String> {
    let text = CString::new(pipeline_text).ok()?;
    // SAFETY: loads nothing, and runs no code: the library is in the process or it is not.
    let library = unsafe {
        let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD;
        libc::dlopen(c"libgstreamer-1.0.so.0".as_ptr(), flags)
    };
    if library.is_null() {
        return None;
    }
    // SAFETY: the library is loaded, and stays so with OpenCV.
    let find = |name: &CStr| unsafe {
        let found = libc::dlsym(library, name.as_ptr());
        (!found.is_null()).then_some(found)
    };
    let init = find(c"gst_init")?;
    let parse = find(c"gst_parse_launch_full")?;
    let unref = find(c"gst_object_unref")?;
    let free = find(c"g_error_free")?;
    let domain = find(c"gst_parse_error_quark")?;
    let set_handler = find(c"g_log_set_default_handler")?;
    // SAFETY: these are the functions of those names, with the types that gst.h, gstparse.h,
    // gstobject.h, gerror.h and gmessages.h give them, the same in all of GStreamer 1.
    let (init, parse, unref, free, domain, set_handler) = unsafe {
        (
            std::mem::transmute::<*mut c_void, Init>(init),
            std::mem::transmute::<*mut c_void, Parse>(parse),
            std::mem::transmute::<*mut c_void, Unref>(unref),
            std::mem::transmute::<*mut c_void, Free>(free),
            std::mem::transmute::<*mut c_void, Domain>(domain),
            std::mem::transmute::<*mut c_void, SetHandler>(set_handler),
        )
    };
    let mut error: *mut GError = ptr::null_mut();
    if env::var_os("G_MESSAGES_DEBUG").is_none() {
        // SAFETY: any thread may set it at any time; it never goes away.
        unsafe { set_handler(say_nothing, ptr::null_mut()) };
    }
    // SAFETY: `gst_init` may be called by any thread, any number of times, without arguments; the
    // text ends with a zero; `error` is null, as the parser wants it.
    let pipeline = unsafe {
        init(ptr::null_mut(), ptr::null_mut());
        parse(text.as_ptr(), ptr::null_mut(), FATAL_ERRORS, &raw mut error)
    };
    if !pipeline.is_null() {
        // SAFETY: it is ours, and was never started.
        unsafe { unref(pipeline) };
    }
    if error.is_null() {
        return None;
    }
    // SAFETY: an error that was set holds a message; it is ours to free, once.
    let (message, code) = unsafe {
        let message = CStr::from_ptr((*error).message)
            .to_string_lossy()
            .into_owned();
        let code = ((*error).domain == domain()).then_some((*error).code);
        free(error);
        (message, code)
    };
    let said = in_our_words(pipeline_text, code, &message);
    Some(format!("GStreamer refuses the pipeline: {said}"))
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

/// An element that is not there comes with a package, whose name is known for the one that people
/// ask for most.
fn advice(element: &str) -> &'static str {
    match element {
        "libcamerasrc" => "sudo apt install gstreamer1.0-libcamera",
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
}

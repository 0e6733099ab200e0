//! What GStreamer itself says of a pipeline's text, before OpenCV opens it.
//!
//! OpenCV starts whatever parses of a text: with an element missing it waits half a minute for
//! pictures of the rest, and says no more than that none came. GStreamer knows at once. It is in the
//! process already, as OpenCV's own library, so its parser is looked up there; where OpenCV was built
//! without it there is nothing to ask, and OpenCV has the word.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr,
};

/// `GST_PARSE_FLAG_FATAL_ERRORS`: no pipeline at all rather than a part of one.
const FATAL_ERRORS: c_int = 1;

/// An error as GLib hands it over.
#[repr(C)]
struct GError {
    _domain: u32,
    _code: c_int,
    message: *const c_char,
}

type Init = unsafe extern "C" fn(*mut c_int, *mut *mut *mut c_char);
type Parse =
    unsafe extern "C" fn(*const c_char, *mut c_void, c_int, *mut *mut GError) -> *mut c_void;
type Unref = unsafe extern "C" fn(*mut c_void);
type Free = unsafe extern "C" fn(*mut GError);

/// Why the pipeline `text` cannot be made; `None` when it can, or when nobody can tell. Nothing is
/// started and no device opened.
#[expect(
    unsafe_code,
    reason = "GStreamer is C, and only there once it is loaded"
)]
pub fn complaint(text: &str) -> Option<String> {
    let text = CString::new(text).ok()?;
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
    // SAFETY: these are the functions of those names, with the types that gst.h, gstparse.h,
    // gstobject.h and gerror.h give them, the same in all of GStreamer 1.
    let (init, parse, unref, free) = unsafe {
        (
            std::mem::transmute::<*mut c_void, Init>(init),
            std::mem::transmute::<*mut c_void, Parse>(parse),
            std::mem::transmute::<*mut c_void, Unref>(unref),
            std::mem::transmute::<*mut c_void, Free>(free),
        )
    };
    let mut error: *mut GError = ptr::null_mut();
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
    let message = unsafe {
        let message = CStr::from_ptr((*error).message)
            .to_string_lossy()
            .into_owned();
        free(error);
        message
    };
    Some(with_advice(message))
}

/// An element that is not there comes with a package, whose name is known for the one that people
/// ask for most.
fn with_advice(message: String) -> String {
    if message.contains("\"libcamerasrc\"") {
        return message + " (sudo apt install gstreamer1.0-libcamera)";
    }
    if message.starts_with("no element") {
        return message + " (apt search gstreamer1.0 names packages with more)";
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_of_a_missing_element_is_named() {
        let advice = with_advice("no element \"libcamerasrc\"".to_owned());
        assert!(advice.contains("gstreamer1.0-libcamera"), "{advice}");
        let advice = with_advice("no element \"other\"".to_owned());
        assert!(advice.contains("apt search"), "{advice}");
    }
}

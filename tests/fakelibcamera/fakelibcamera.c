/* A stand-in for libcamera's GStreamer plugin, for tests where no camera module is: an element `libcamerasrc` and a
 * device provider `libcameraprovider` with the names, properties, formats and complaints of the real ones, and faults
 * on demand.
 *
 *     cc -shared -fPIC -O2 -o DIR/libgstlibcamera.so fakelibcamera.c \
 *         $(pkg-config --cflags --libs gstreamer-video-1.0 gstreamer-base-1.0)
 *     GST_PLUGIN_PATH=DIR GST_REGISTRY=DIR/registry FAKE_LIBCAMERA=/tmp/t/state gst-launch-1.0 libcamerasrc ! fakesink
 *
 * Used by tests/it (fake_libcamera.rs; list.c is for it too). Must never touch a real device, never be in a release.
 *
 * Order of the light: state.h (what the cameras are to be), controls.h (the properties), picture.h (what they see), and
 * below the element, the provider and the plugin.
 *
 * Environment:
 *   FAKE_LIBCAMERA      the state file. Without: the default camera, and nothing wrong with it.
 *   FAKE_LIBCAMERA_LOG  a file to which each event is appended: `open ID`, `caps CAPS`, `refused CAPS` (the answer was
 *                       not what downstream accepts), `set NAME=VALUE`, `ignored NAME=VALUE` (the camera has no lens),
 *                       `hang opening`, `hang running`, `error KIND`, `eos`, `close ID`
 *   FAKE_LIBCAMERA_OLD  1: libcamera 0.3.2; or the version to imitate, such as 0.4.0. Before 0.4 there are no controls
 *                       but `auto-focus-mode`, before 0.5 no `exposure-time-mode` and `analogue-gain-mode`, before 0.5.2
 *                       no properties of devices. Defaults to 0.7.1. GStreamer's registry keeps the plugin's version:
 *                       each has to have a registry of its own.
 *
 * The state file is read whenever something depends on it, at the latest 10 ms after it changed. It has words, apart by
 * white space. Replace it by rename.
 *   camera=ID     there is such a camera; several may be given. Without: /base/soc/i2c0mux/i2c@1/imx219@10
 *   none          there is no camera
 *   busy, busy=ID another program has them all, or this one. So is a camera that another element has open
 *   open_ms=N     opening takes so long
 *   list_ms=N     and so does saying which cameras there are
 *   hang_open     the format is never agreed on, until the pipeline is stopped
 *   hang          no more pictures come
 *   eos           the stream ends
 *   error=KIND    an error on the bus and no more pictures, not even an end of stream: busy, forbidden, memory, start,
 *                 configure, negotiation. Without KIND: start. The first two hit the opening only
 *   refuse        the same as error=negotiation
 *   clamp=F       no rate above F pictures a second: the answer to a higher one has F
 *   adjust=WxH    the answer has this size, whatever was asked for
 *   limited       no full range: the answer has colorimetry 2:4:16:3
 *   bt709         no full range: the answer has colorimetry bt709
 *   told          an answer that is refused is an error on the bus (sizes, from libcamera 0.5.2 on)
 *   stride=N      rows begin at multiples of N bytes
 *   meta          and GstVideoMeta says so (the real one copies into tight rows for who does not know that)
 *
 * The answer to downstream's caps follows the real one: the rate is that of the first structure (30 when it has none),
 * the size and the format are those of the structure nearest to 1920x1080, the first format in the order of their codes
 * when there are several. Downstream may refuse it; then nothing more comes and nothing is said, but with `told`.
 * Without a colorimetry asked for it is bt709, as on a Raspberry Pi. A picture's time is a frame before its delivery.
 *
 * Not there: JPEG, several streams, buffers of libcamera's own, multi-memory buffers, hot plugging.
 */
#include <gst/base/gstpushsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include "state.h"
#include "controls.h"
#include "picture.h"

#define DEFAULT_WIDTH 1920
#define DEFAULT_HEIGHT 1080
#define DEFAULT_RATE 30
#define DEFAULT_FORMAT "I420"
#define LEAST_SIZE 32

/* As libcamerasrc offers them: sorted by the codes of DRM's formats. */
static const char *const FORMATS[] = { "GRAY8", "NV21", "NV12", "I420", "YV12", "RGBx",
				       "BGRx",  "RGB",  "BGR",  "YVYU", "YUY2", "UYVY" };

/* The element. Its type has the real one's name, which names elements in messages. */

typedef struct {
	GstPushSrc parent;
	char *name;                  /* the property; guarded by the object's lock, as `values` is */
	GValue values[N_CONTROLS];   /* what was set; the others are empty */
	int old_focus;               /* auto-focus-mode */
	char *id;                    /* of the camera that is open */
	int lock;                    /* what holds it for us, see take() */
	GstVideoInfo info;           /* what was negotiated */
	int align;                   /* of rows, 0 for tight ones */
	gint count;                  /* pictures since it was opened */
	gint64 due;                  /* when the next one is ready, microseconds */
	gint is_playing;             /* the pipeline has been started */
	gint is_stopping;            /* a picture is not to be waited for */
} GstLibcameraSrc;
typedef struct {
	GstPushSrcClass parent;
} GstLibcameraSrcClass;

GType gst_libcamera_src_get_type(void);
G_DEFINE_TYPE(GstLibcameraSrc, gst_libcamera_src, GST_TYPE_PUSH_SRC)

enum {
	PROPERTY_NAME = 1,
	PROPERTY_OLD_FOCUS,
	PROPERTY_CONTROLS
};

/* The camera that is meant: the open one, the named one, or the first. "" when there is none. */
static char *camera_of(GstLibcameraSrc *self)
{
	if (self->id)
		return g_strdup(self->id);
	if (self->name)
		return g_strdup(self->name);
	g_auto(GStrv) ids = cameras();
	return g_strdup(ids[0] ? ids[0] : "");
}

static const Sensor *own_sensor(GstLibcameraSrc *self)
{
	g_autofree char *id = camera_of(self);
	return sensor_of(id);
}

static void set_property(GObject *object, guint number, const GValue *value, GParamSpec *spec)
{
	GstLibcameraSrc *self = (GstLibcameraSrc *)object;
	GST_OBJECT_LOCK(self);
	if (number == PROPERTY_NAME) {
		g_free(self->name);
		self->name = g_value_dup_string(value);
	} else {
		g_autofree char *text = gst_value_serialize(value);
		if (number == PROPERTY_OLD_FOCUS) {
			self->old_focus = g_value_get_enum(value);
			note("set %s=%s", spec->name, text);
		} else if (is_of_lens(&CONTROLS[number - PROPERTY_CONTROLS]) && !own_sensor(self)->has_lens) {
			note("ignored %s=%s", spec->name, text);
		} else if (CONTROLS[number - PROPERTY_CONTROLS].kind == RECTANGLE && gst_value_array_get_size(value) != 4) {
			note("ignored %s=%s", spec->name, text);
		} else {
			GValue *own = &self->values[number - PROPERTY_CONTROLS];
			if (!G_IS_VALUE(own))
				g_value_init(own, G_PARAM_SPEC_VALUE_TYPE(spec));
			g_value_copy(value, own);
			note("set %s=%s", spec->name, text);
		}
	}
	GST_OBJECT_UNLOCK(self);
}

/* What was set, or what a camera reports with its pictures; before the first one that is nothing. */
static void get_property(GObject *object, guint number, GValue *value, GParamSpec *spec)
{
	GstLibcameraSrc *self = (GstLibcameraSrc *)object;
	GST_OBJECT_LOCK(self);
	if (number == PROPERTY_NAME)
		g_value_set_string(value, self->name);
	else if (number == PROPERTY_OLD_FOCUS)
		g_value_set_enum(value, self->old_focus);
	else {
		const Control *control = &CONTROLS[number - PROPERTY_CONTROLS];
		const GValue *own = &self->values[number - PROPERTY_CONTROLS];
		const Sensor *sensor = own_sensor(self);
		gboolean is_reported = g_atomic_int_get(&self->count) > 0 && (sensor->has_lens || !is_of_lens(control));
		if (G_IS_VALUE(own))
			g_value_copy(own, value);
		else if (is_reported)
			report(control, value, sensor);
		else
			g_param_value_set_default(spec, value);
	}
	GST_OBJECT_UNLOCK(self);
}

/* The value set for a control, or NULL; the object's lock is held. */
static const GValue *value_of(GstLibcameraSrc *self, const char *name)
{
	for (int i = 0; i < N_CONTROLS; i++)
		if (!strcmp(CONTROLS[i].name, name) && G_IS_VALUE(&self->values[i]))
			return &self->values[i];
	return NULL;
}

static void finalize(GObject *object)
{
	GstLibcameraSrc *self = (GstLibcameraSrc *)object;
	g_free(self->name);
	for (int i = 0; i < N_CONTROLS; i++)
		if (G_IS_VALUE(&self->values[i]))
			g_value_unset(&self->values[i]);
	G_OBJECT_CLASS(gst_libcamera_src_parent_class)->finalize(object);
}

/* Blocks until the pipeline is stopped; a pause is not enough. */
static void wait_for_stop(GstLibcameraSrc *self)
{
	while (!GST_PAD_IS_FLUSHING(GST_BASE_SRC_PAD(self)))
		g_usleep(5000);
}

/* Blocks until the pipeline plays, as libcamerasrc does nothing before; false when it is stopped instead. */
static gboolean wait_for_start(GstLibcameraSrc *self)
{
	while (!g_atomic_int_get(&self->is_playing)) {
		if (GST_PAD_IS_FLUSHING(GST_BASE_SRC_PAD(self)))
			return FALSE;
		g_usleep(1000);
	}
	return TRUE;
}

/* Puts an error on the bus, in libcamerasrc's own words. */
static void complain(GstLibcameraSrc *self, const char *kind)
{
	g_autofree char *id = camera_of(self);
	note("error %s", kind);
	if (!strcmp(kind, "busy"))
		GST_ELEMENT_ERROR(self, RESOURCE, BUSY, ("Camera '%s' is already in use.", id),
				  ("libcamera::Camera::acquire() failed: %s", g_strerror(EBUSY)));
	else if (!strcmp(kind, "forbidden")) {
		/* The real one says this on stderr only, and then knows no camera. */
		g_printerr("ERROR DmaBufAllocator dma_buf_allocator.cpp:120 Could not open any dma-buf provider\n");
		GST_ELEMENT_ERROR(self, RESOURCE, OPEN_READ_WRITE, ("Could not open any dma-buf provider"),
				  ("%s", g_strerror(EACCES)));
	} else if (!strcmp(kind, "memory"))
		GST_ELEMENT_ERROR(self, RESOURCE, NO_SPACE_LEFT, ("Failed to allocate memory"),
				  ("gst_libcamera_allocator_new() failed."));
	else if (!strcmp(kind, "configure"))
		GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("Failed to configure camera: %s", g_strerror(ENOMEM)),
				  ("Camera::configure() failed with error code %i", -ENOMEM));
	else if (!strcmp(kind, "focus"))
		GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("Failed to enable auto focus"),
				  ("AfMode not supported by this camera"));
	else if (!strcmp(kind, "negotiation"))
		GST_ELEMENT_FLOW_ERROR(self, GST_FLOW_NOT_NEGOTIATED);
	else
		GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("Failed to start the camera: %s", g_strerror(ENOMEM)),
				  ("Camera.start() failed with error code %i", -ENOMEM));
}

/* The error that the state file asks for, or NULL. */
static char *asked_error(void)
{
	char *kind = NULL;
	if (asks("refuse"))
		return g_strdup("negotiation");
	if (asks_value("error", &kind) && !*kind) {
		g_free(kind);
		return g_strdup("start");
	}
	return kind;
}

static gboolean is_of_opening(const char *kind)
{
	return !strcmp(kind, "busy") || !strcmp(kind, "forbidden");
}

static gboolean open_camera(GstLibcameraSrc *self)
{
	int open_ms = asks_number("open_ms");
	if (open_ms)
		g_usleep(open_ms * 1000);
	g_autofree char *id = camera_of(self);
	g_auto(GStrv) ids = cameras();
	if (!*id) {
		note("error none");
		GST_ELEMENT_ERROR(self, RESOURCE, NOT_FOUND, ("Could not find any supported camera on this system."),
				  ("libcamera::CameraMananger::cameras() is empty"));
		return FALSE;
	}
	if (!g_strv_contains((const char *const *)ids, id)) {
		note("error unknown");
		GST_ELEMENT_ERROR(self, RESOURCE, NOT_FOUND, ("Could not find a camera named '%s'.", id),
				  ("libcamera::CameraMananger::get() returned nullptr"));
		return FALSE;
	}
	g_autofree char *error = asked_error(), *busy = NULL;
	if (error && is_of_opening(error)) {
		complain(self, error);
		return FALSE;
	}
	gboolean is_busy = asks_value("busy", &busy) && (!*busy || !strcmp(busy, id));
	self->lock = is_busy ? -1 : take(id);
	if (self->lock == -1) {
		complain(self, "busy");
		return FALSE;
	}
	GST_OBJECT_LOCK(self);
	self->id = g_steal_pointer(&id);
	GST_OBJECT_UNLOCK(self);
	g_atomic_int_set(&self->count, 0);
	note("open %s", self->id);
	return TRUE;
}

static void close_camera(GstLibcameraSrc *self)
{
	if (!self->id)
		return;
	note("close %s", self->id);
	if (self->lock >= 0)
		close(self->lock);
	self->lock = -1;
	GST_OBJECT_LOCK(self);
	g_clear_pointer(&self->id, g_free);
	GST_OBJECT_UNLOCK(self);
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition)
{
	GstLibcameraSrc *self = (GstLibcameraSrc *)element;
	GstStateChangeReturn changed = GST_ELEMENT_CLASS(gst_libcamera_src_parent_class)->change_state(element, transition);
	if (changed == GST_STATE_CHANGE_FAILURE)
		return changed;
	if (transition == GST_STATE_CHANGE_NULL_TO_READY && !open_camera(self))
		return GST_STATE_CHANGE_FAILURE;
	if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
		g_atomic_int_set(&self->is_playing, 1);
	if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
		g_atomic_int_set(&self->is_playing, 0);
	if (transition == GST_STATE_CHANGE_READY_TO_NULL)
		close_camera(self);
	return changed;
}

/* What a sensor gives: each format in any even size. */
static GstCaps *offered(const Sensor *sensor)
{
	GstCaps *caps = gst_caps_new_empty();
	for (guint i = 0; i < G_N_ELEMENTS(FORMATS); i++) {
		g_autofree char *text = g_strdup_printf(
			"video/x-raw,format=%s,width=(int)[%d,%d,2],height=(int)[%d,%d,2]", FORMATS[i], LEAST_SIZE,
			sensor->width, LEAST_SIZE, sensor->height);
		gst_caps_append(caps, gst_caps_from_string(text));
	}
	return caps;
}

static gboolean is_fixed(const GstStructure *structure)
{
	return gst_structure_has_field_typed(structure, "width", G_TYPE_INT) &&
	       gst_structure_has_field_typed(structure, "height", G_TYPE_INT);
}

/* The best of what downstream wants, as libcamerasrc takes it to be; fixed afterwards. */
static GstStructure *chosen(GstCaps *wanted)
{
	GstStructure *best = NULL;
	int best_distance = G_MAXINT;
	gboolean is_best_fixed = FALSE;
	for (guint i = 0; i < gst_caps_get_size(wanted); i++) {
		GstStructure *at = gst_caps_get_structure(wanted, i);
		gboolean is_at_fixed = is_fixed(at);
		int width = 0, height = 0;
		gst_structure_fixate_field_nearest_int(at, "width", DEFAULT_WIDTH);
		gst_structure_fixate_field_nearest_int(at, "height", DEFAULT_HEIGHT);
		gst_structure_get_int(at, "width", &width);
		gst_structure_get_int(at, "height", &height);
		int distance = ABS(width - DEFAULT_WIDTH) + ABS(height - DEFAULT_HEIGHT);
		gboolean is_default = !g_strcmp0(gst_structure_get_string(at, "format"), DEFAULT_FORMAT);
		gboolean is_better = is_at_fixed == is_best_fixed ?
			distance < best_distance || (!is_at_fixed && is_default && distance == best_distance) :
			is_at_fixed;
		if (!best || is_better) {
			best = at;
			best_distance = distance;
			is_best_fixed = is_at_fixed;
		}
	}
	return best;
}

/* What the camera says it will give for what downstream wants. */
static GstCaps *answer(GstCaps *wanted)
{
	int rate = DEFAULT_RATE, per = 1, width = 0, height = 0;
	gst_structure_get_fraction(gst_caps_get_structure(wanted, 0), "framerate", &rate, &per);
	int most = asks_number("clamp");
	if (most > 0 && rate > most * per) {
		rate = most;
		per = 1;
	}
	GstStructure *structure = chosen(wanted);
	const char *format = gst_structure_get_string(structure, "format");
	gst_structure_get_int(structure, "width", &width);
	gst_structure_get_int(structure, "height", &height);
	g_autofree char *size = NULL;
	if (asks_value("adjust", &size))
		sscanf(size, "%dx%d", &width, &height);
	const char *colorimetry = gst_structure_get_string(structure, "colorimetry");
	if (strstr(format, "RGB") || strstr(format, "BGR"))
		colorimetry = "sRGB";
	else if (asks("limited"))
		colorimetry = "2:4:16:3";
	else if (asks("bt709") || !colorimetry)
		colorimetry = "bt709";
	return gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, format, "width", G_TYPE_INT, width, "height",
				   G_TYPE_INT, height, "framerate", GST_TYPE_FRACTION, rate, per, "colorimetry",
				   G_TYPE_STRING, colorimetry, "interlace-mode", G_TYPE_STRING, "progressive", NULL);
}

/* Agrees with downstream on a format, once. Whatever goes wrong, it comes back only when the pipeline is stopped:
 * GStreamer's own source would complain on the bus and end the stream. */
static gboolean negotiate(GstBaseSrc *base)
{
	GstLibcameraSrc *self = (GstLibcameraSrc *)base;
	GstPad *pad = GST_BASE_SRC_PAD(base);
	if (gst_pad_has_current_caps(pad))
		return TRUE;
	if (!wait_for_start(self))
		return FALSE;
	g_autofree char *error = NULL;
	if (asks("hang_open")) {
		note("hang opening");
		wait_for_stop(self);
		return FALSE;
	}
	const Sensor *sensor = own_sensor(self);
	g_autoptr(GstCaps) offer = offered(sensor);
	g_autoptr(GstCaps) wanted = gst_pad_peer_query_caps(pad, offer);
	if (!wanted || gst_caps_is_empty(wanted))
		error = g_strdup("negotiation");
	else {
		wanted = gst_caps_make_writable(wanted);
		g_autoptr(GstCaps) caps = answer(wanted);
		g_autofree char *text = gst_caps_to_string(caps);
		gst_video_info_from_caps(&self->info, caps);
		if (!gst_pad_peer_query_accept_caps(pad, caps)) {
			note("refused %s", text);
			if (asks("told"))
				complain(self, "negotiation");
			wait_for_stop(self);
			return FALSE;
		}
		gst_base_src_set_caps(base, caps);
		note("caps %s", text);
		self->align = asks_number("stride");
		self->due = 0;
		error = self->old_focus && !sensor->has_lens ? g_strdup("focus") : asked_error();
	}
	if (!error || is_of_opening(error))
		return TRUE;
	complain(self, error);
	wait_for_stop(self);
	return FALSE;
}

/* Waits until a picture is due and the state file lets it come; false when the pipeline is stopped. */
static gboolean wait_for_picture(GstLibcameraSrc *self, gint64 period)
{
	gint64 now = g_get_monotonic_time();
	gboolean hangs = FALSE;
	if (self->due < now - period)
		self->due = now;
	self->due += period;
	for (;;) {
		if (g_atomic_int_get(&self->is_stopping))
			return FALSE;
		if (asks("hang")) {
			if (!hangs)
				note("hang running");
			hangs = TRUE;
		} else if (now >= self->due)
			return TRUE;
		g_usleep(CLAMP(self->due - now, 1000, 10000));
		now = g_get_monotonic_time();
	}
}

/* The negotiated format with rows as an ISP aligns them. */
static GstVideoInfo aligned(const GstLibcameraSrc *self)
{
	GstVideoInfo info = self->info;
	if (self->align <= 1)
		return info;
	int first = (info.stride[0] + self->align - 1) / self->align * self->align;
	gsize offset = 0;
	for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(&info); i++) {
		info.stride[i] = i == 0 || GST_VIDEO_INFO_N_PLANES(&info) == 2 ? first : first / 2;
		info.offset[i] = offset;
		offset += (gsize)info.stride[i] * GST_VIDEO_SUB_SCALE(info.finfo->h_sub[i ? 1 : 0], info.height);
	}
	info.size = offset;
	return info;
}

static void paint(GstLibcameraSrc *self, GstVideoFrame *frame)
{
	const Sensor *sensor = own_sensor(self);
	View view = { 0, sensor->width, sensor->width };
	double brightness = 0;
	GST_OBJECT_LOCK(self);
	const GValue *set = value_of(self, "brightness");
	if (set)
		brightness = g_value_get_float(set);
	const GValue *crop = value_of(self, "scaler-crop");
	if (crop) {
		view.left = g_value_get_int(gst_value_array_get_value(crop, 0));
		view.width = g_value_get_int(gst_value_array_get_value(crop, 2));
	}
	GST_OBJECT_UNLOCK(self);
	draw(frame, g_atomic_int_get(&self->count), brightness, view);
}

/* The sensor's time: one frame before the picture is delivered. */
static void set_time(GstLibcameraSrc *self, GstBuffer *buffer, gint64 period)
{
	GstClock *clock = gst_element_get_clock(GST_ELEMENT(self));
	if (!clock)
		return;
	GstClockTime now = gst_clock_get_time(clock) - gst_element_get_base_time(GST_ELEMENT(self));
	GstClockTime age = period * GST_USECOND;
	GST_BUFFER_PTS(buffer) = now > age ? now - age : 0;
	gst_object_unref(clock);
}

static GstFlowReturn create(GstPushSrc *push, GstBuffer **out)
{
	GstLibcameraSrc *self = (GstLibcameraSrc *)push;
	gint64 period = G_USEC_PER_SEC / DEFAULT_RATE;
	if (GST_VIDEO_INFO_FPS_N(&self->info) > 0)
		period = G_USEC_PER_SEC * GST_VIDEO_INFO_FPS_D(&self->info) / GST_VIDEO_INFO_FPS_N(&self->info);
	if (!wait_for_picture(self, period))
		return GST_FLOW_FLUSHING;
	if (asks("eos")) {
		note("eos");
		return GST_FLOW_EOS;
	}
	g_autofree char *error = asked_error();
	if (error && !is_of_opening(error)) {
		complain(self, error);
		wait_for_stop(self);
		return GST_FLOW_FLUSHING;
	}
	GstVideoInfo info = aligned(self);
	GstBuffer *buffer = gst_buffer_new_allocate(NULL, info.size, NULL);
	GstVideoMeta *meta = gst_buffer_add_video_meta_full(buffer, 0, GST_VIDEO_INFO_FORMAT(&info), info.width,
							    info.height, GST_VIDEO_INFO_N_PLANES(&info), info.offset,
							    info.stride);
	GstVideoFrame frame;
	if (!gst_video_frame_map(&frame, &info, buffer, GST_MAP_WRITE))
		return GST_FLOW_ERROR;
	paint(self, &frame);
	gst_video_frame_unmap(&frame);
	if (!asks("meta"))
		gst_buffer_remove_meta(buffer, (GstMeta *)meta);
	set_time(self, buffer, period);
	GST_BUFFER_OFFSET(buffer) = g_atomic_int_add(&self->count, 1);
	*out = buffer;
	return GST_FLOW_OK;
}

static gboolean unlock(GstBaseSrc *base)
{
	g_atomic_int_set(&((GstLibcameraSrc *)base)->is_stopping, 1);
	return TRUE;
}

static gboolean unlock_stop(GstBaseSrc *base)
{
	g_atomic_int_set(&((GstLibcameraSrc *)base)->is_stopping, 0);
	return TRUE;
}

static gboolean is_seekable(GstBaseSrc *base)
{
	(void)base;
	return FALSE;
}

static void gst_libcamera_src_class_init(GstLibcameraSrcClass *class)
{
	GObjectClass *object = G_OBJECT_CLASS(class);
	GstElementClass *element = GST_ELEMENT_CLASS(class);
	GstBaseSrcClass *base = GST_BASE_SRC_CLASS(class);
	object->set_property = set_property;
	object->get_property = get_property;
	object->finalize = finalize;
	g_object_class_install_property(
		object, PROPERTY_NAME,
		g_param_spec_string("camera-name", "Camera Name", "Select by name which camera to use.", NULL,
				    G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
	if (is_since(0, 1, 0) && !is_since(0, 4, 0))
		g_object_class_install_property(object, PROPERTY_OLD_FOCUS, spec_of(&FOCUS_BEFORE_0_4));
	for (int i = 0; i < N_CONTROLS; i++)
		if (is_since(0, CONTROLS[i].since, 0))
			g_object_class_install_property(object, PROPERTY_CONTROLS + i, spec_of(&CONTROLS[i]));
	gst_element_class_set_static_metadata(element, "libcamera Source", "Source/Video",
					      "Linux Camera source using libcamera (a stand-in)", "camfeed");
	g_autoptr(GstCaps) caps = gst_caps_from_string("video/x-raw; image/jpeg");
	gst_element_class_add_pad_template(element, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
	element->change_state = change_state;
	base->negotiate = negotiate;
	base->unlock = unlock;
	base->unlock_stop = unlock_stop;
	base->is_seekable = is_seekable;
	GST_PUSH_SRC_CLASS(class)->create = create;
}

static void gst_libcamera_src_init(GstLibcameraSrc *self)
{
	self->lock = -1;
	gst_base_src_set_live(GST_BASE_SRC(self), TRUE);
	gst_base_src_set_format(GST_BASE_SRC(self), GST_FORMAT_TIME);
}

/* The provider. */

typedef struct {
	GstDevice parent;
	char *id;
} GstLibcameraDevice;
typedef struct {
	GstDeviceClass parent;
} GstLibcameraDeviceClass;

GType gst_libcamera_device_get_type(void);
G_DEFINE_TYPE(GstLibcameraDevice, gst_libcamera_device, GST_TYPE_DEVICE)

static GstElement *create_element(GstDevice *device, const char *name)
{
	GstElement *element = gst_element_factory_make("libcamerasrc", name);
	g_object_set(element, "camera-name", ((GstLibcameraDevice *)device)->id, NULL);
	return element;
}

static void finalize_device(GObject *object)
{
	g_free(((GstLibcameraDevice *)object)->id);
	G_OBJECT_CLASS(gst_libcamera_device_parent_class)->finalize(object);
}

static void gst_libcamera_device_class_init(GstLibcameraDeviceClass *class)
{
	G_OBJECT_CLASS(class)->finalize = finalize_device;
	GST_DEVICE_CLASS(class)->create_element = create_element;
}

static void gst_libcamera_device_init(GstLibcameraDevice *self)
{
	(void)self;
}

typedef struct {
	GstDeviceProvider parent;
} GstLibcameraProvider;
typedef struct {
	GstDeviceProviderClass parent;
} GstLibcameraProviderClass;

GType gst_libcamera_provider_get_type(void);
G_DEFINE_TYPE(GstLibcameraProvider, gst_libcamera_provider, GST_TYPE_DEVICE_PROVIDER)

static GstDevice *device_of(const char *id)
{
	static const int sizes[][2] = { { 640, 480 }, { 1280, 720 }, { 1920, 1080 } };
	g_autoptr(GstCaps) caps = gst_caps_new_empty();
	for (guint f = 0; f < G_N_ELEMENTS(FORMATS); f++)
		for (guint s = 0; s < G_N_ELEMENTS(sizes); s++)
			gst_caps_append_structure(
				caps, gst_structure_new("video/x-raw", "format", G_TYPE_STRING, FORMATS[f], "width",
							G_TYPE_INT, sizes[s][0], "height", G_TYPE_INT, sizes[s][1], NULL));
	gst_caps_append(caps, offered(sensor_of(id)));
	g_autofree char *model = model_of(id);
	g_autoptr(GstStructure) properties = NULL;
	if (is_since(0, 5, 2))
		properties = gst_structure_new("camera-properties", "api.libcamera.Model", G_TYPE_STRING, model,
					       "api.libcamera.Location", G_TYPE_STRING, "CameraLocationExternal",
					       "api.libcamera.Rotation", G_TYPE_INT, 180, NULL);
	GstLibcameraDevice *device =
		g_object_new(gst_libcamera_device_get_type(), "display-name", id, "caps", caps, "device-class",
			     "Source/Video", "properties", properties, NULL);
	device->id = g_strdup(id);
	return GST_DEVICE(device);
}

static GList *probe(GstDeviceProvider *provider)
{
	(void)provider;
	g_usleep((gulong)asks_number("list_ms") * 1000);
	GList *devices = NULL;
	g_auto(GStrv) ids = cameras();
	for (char **id = ids; *id; id++)
		devices = g_list_append(devices, g_object_ref_sink(device_of(*id)));
	return devices;
}

static void gst_libcamera_provider_class_init(GstLibcameraProviderClass *class)
{
	GstDeviceProviderClass *provider = GST_DEVICE_PROVIDER_CLASS(class);
	provider->probe = probe;
	gst_device_provider_class_set_static_metadata(provider, "libcamera Device Provider", "Source/Video",
						      "List camera device using libcamera (a stand-in)", "camfeed");
}

static void gst_libcamera_provider_init(GstLibcameraProvider *self)
{
	(void)self;
}

/* The plugin. GST_PLUGIN_DEFINE would fix its version. */

static gboolean init(GstPlugin *plugin)
{
	GType element = gst_libcamera_src_get_type(), provider = gst_libcamera_provider_get_type();
	return gst_element_register(plugin, "libcamerasrc", GST_RANK_PRIMARY, element) &&
	       gst_device_provider_register(plugin, "libcameraprovider", GST_RANK_PRIMARY, provider);
}

const GstPluginDesc *gst_plugin_libcamera_get_desc(void);
const GstPluginDesc *gst_plugin_libcamera_get_desc(void)
{
	static GstPluginDesc desc = {
		GST_VERSION_MAJOR, GST_VERSION_MINOR, "libcamera", "libcamera capture plugin (a stand-in)", init, NULL,
		"LGPL", "libcamera", "camfeed", "https://libcamera.org", NULL, GST_PADDING_INIT
	};
	desc.version = version_text();
	return &desc;
}

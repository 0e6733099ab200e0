/* The controls of the fake camera modules: which properties the element has, by libcamera's version. */
#include <gst/gst.h>

typedef enum {
	FLOAT,
	INT,
	BOOLEAN,
	CHOICE,
	FLOATS,
	RECTANGLE
} Kind;

/* A property from libcamera `since` on, 0.`since`. Until it is set, a running camera reports `reported`. */
typedef struct {
	const char *name, *type;
	Kind kind;
	int since;
	double reported;
	GEnumValue choices[9];
} Control;

#define PLAIN(name, kind, reported) { name, NULL, kind, 4, reported, { { 0 } } }

static const Control CONTROLS[] = {
	PLAIN("ae-enable", BOOLEAN, 1),
	PLAIN("exposure-value", FLOAT, 0),
	PLAIN("exposure-time", INT, 9987),
	PLAIN("analogue-gain", FLOAT, 1.5),
	PLAIN("ae-flicker-period", INT, 0),
	PLAIN("brightness", FLOAT, 0),
	PLAIN("contrast", FLOAT, 1),
	PLAIN("saturation", FLOAT, 1),
	PLAIN("sharpness", FLOAT, 1),
	PLAIN("digital-gain", FLOAT, 1),
	PLAIN("gamma", FLOAT, 2.2),
	PLAIN("awb-enable", BOOLEAN, 1),
	PLAIN("colour-gains", FLOATS, 0),
	PLAIN("lens-position", FLOAT, 1),
	PLAIN("scaler-crop", RECTANGLE, 0),
	{ "ae-metering-mode", "AeMeteringMode", CHOICE, 4, 0,
	  { { 0, "Centre-weighted metering mode.", "centre-weighted" },
	    { 1, "Spot metering mode.", "spot" },
	    { 2, "Matrix metering mode.", "matrix" },
	    { 3, "Custom metering mode.", "custom" } } },
	{ "ae-constraint-mode", "AeConstraintMode", CHOICE, 4, 0,
	  { { 0, "Default constraint mode.", "normal" },
	    { 1, "Highlight constraint mode.", "highlight" },
	    { 2, "Shadows constraint mode.", "shadows" },
	    { 3, "Custom constraint mode.", "custom" } } },
	{ "ae-exposure-mode", "AeExposureMode", CHOICE, 4, 0,
	  { { 0, "Default exposure mode.", "normal" },
	    { 1, "Exposure mode allowing only short exposure times.", "short" },
	    { 2, "Exposure mode allowing long exposure times.", "long" },
	    { 3, "Custom exposure mode.", "custom" } } },
	{ "awb-mode", "AwbMode", CHOICE, 4, 0,
	  { { 0, "Search over the whole colour temperature range.", "auto" },
	    { 1, "Incandescent AWB lamp mode.", "incandescent" },
	    { 2, "Tungsten AWB lamp mode.", "tungsten" },
	    { 3, "Fluorescent AWB lamp mode.", "fluorescent" },
	    { 4, "Indoor AWB lighting mode.", "indoor" },
	    { 5, "Daylight AWB lighting mode.", "daylight" },
	    { 6, "Cloudy AWB lighting mode.", "cloudy" },
	    { 7, "Custom AWB mode.", "custom" } } },
	{ "af-mode", "AfMode", CHOICE, 4, 0,
	  { { 0, "The AF algorithm is in manual mode.", "manual" },
	    { 1, "The AF algorithm is in auto mode.", "auto" },
	    { 2, "The AF algorithm is in continuous mode.", "continuous" } } },
	{ "af-range", "AfRange", CHOICE, 4, 0,
	  { { 0, "A wide range of focus distances.", "normal" },
	    { 1, "Only close distances.", "macro" },
	    { 2, "The full range of focus distances.", "full" } } },
	{ "af-speed", "AfSpeed", CHOICE, 4, 0,
	  { { 0, "Move the lens at its usual speed.", "normal" }, { 1, "Move the lens more quickly.", "fast" } } },
	{ "af-metering", "AfMetering", CHOICE, 4, 0,
	  { { 0, "The AF algorithm chooses the window.", "auto" },
	    { 1, "The AF algorithm uses the AfWindows.", "windows" } } },
	{ "exposure-time-mode", "ExposureTimeMode", CHOICE, 5, 0,
	  { { 0, "The exposure time is calculated.", "auto" }, { 1, "The exposure time is fixed.", "manual" } } },
	{ "analogue-gain-mode", "AnalogueGainMode", CHOICE, 5, 0,
	  { { 0, "The analogue gain is calculated.", "auto" }, { 1, "The analogue gain is fixed.", "manual" } } },
};
#define N_CONTROLS ((int)G_N_ELEMENTS(CONTROLS))

/* The only one before 0.4; the first versions have none. */
static const Control FOCUS_BEFORE_0_4 = {
	"auto-focus-mode", "AfModeEnum", CHOICE, 1, 0,
	{ { 0, "AfModeManual", "manual-focus" },
	  { 1, "AfModeAuto", "automatic-auto-focus" },
	  { 2, "AfModeContinuous", "continuous-auto-focus" } }
};

/* True for a control that only a camera with a lens has. */
static gboolean is_of_lens(const Control *control)
{
	return g_str_has_prefix(control->name, "af-") || g_str_has_prefix(control->name, "lens-");
}

static GParamSpec *spec_of(const Control *control)
{
	const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_CONTROLLABLE;
	const char *name = control->name;
	GParamSpec *element;
	switch (control->kind) {
	case FLOAT:
		return g_param_spec_float(name, name, name, -G_MAXFLOAT, G_MAXFLOAT, 0, flags);
	case INT:
		return g_param_spec_int(name, name, name, G_MININT, G_MAXINT, 0, flags);
	case BOOLEAN:
		return g_param_spec_boolean(name, name, name, FALSE, flags);
	case CHOICE:
		return g_param_spec_enum(name, name, name, g_enum_register_static(control->type, control->choices), 0, flags);
	case FLOATS:
		element = g_param_spec_float("value", "value", "value", -G_MAXFLOAT, G_MAXFLOAT, 0, flags);
		return gst_param_spec_array(name, name, name, element, flags);
	case RECTANGLE:
		element = g_param_spec_int("rectangle-value", "value", "x, y, width or height", G_MININT, G_MAXINT, 0, flags);
		return gst_param_spec_array(name, name, name, element, flags);
	}
	g_assert_not_reached();
}

/* Puts the rectangle into an array of four. */
static void set_rectangle(GValue *array, const int rectangle[4])
{
	for (int i = 0; i < 4; i++) {
		GValue number = G_VALUE_INIT;
		g_value_init(&number, G_TYPE_INT);
		g_value_set_int(&number, rectangle[i]);
		gst_value_array_append_and_take_value(array, &number);
	}
}

/* What a running camera reports of a control that nobody has set. */
static void report(const Control *control, GValue *value, const Sensor *sensor)
{
	switch (control->kind) {
	case FLOAT:
		g_value_set_float(value, control->reported);
		break;
	case INT:
		g_value_set_int(value, control->reported);
		break;
	case BOOLEAN:
		g_value_set_boolean(value, control->reported != 0);
		break;
	case CHOICE:
		g_value_set_enum(value, control->reported);
		break;
	case FLOATS:
		break;
	case RECTANGLE:
		set_rectangle(value, (int[]){ 0, 0, sensor->width, sensor->height });
		break;
	}
}

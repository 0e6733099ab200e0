/* What the fake camera modules are to be: the version, the state file, the cameras, the log. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DEFAULT_CAMERA "/base/soc/i2c0mux/i2c@1/imx219@10"

/* A sensor's whole size, and whether its lens can be moved. */
typedef struct {
	const char *model;
	int width, height;
	gboolean has_lens;
} Sensor;

/* The first is taken for those that are not here. */
static const Sensor SENSORS[] = {
	{ "imx219", 3280, 2464, FALSE },
	{ "ov5647", 2592, 1944, FALSE },
	{ "imx477", 4056, 3040, FALSE },
	{ "imx296", 1456, 1088, FALSE },
	{ "imx708", 4608, 2592, TRUE },
	{ "imx519", 4656, 3496, TRUE },
	{ "ov64a40", 9248, 6944, TRUE },
};

/* The version that is imitated, as text. */
static const char *version_text(void)
{
	const char *old = g_getenv("FAKE_LIBCAMERA_OLD");
	if (!old)
		return "0.7.1";
	return strchr(old, '.') ? old : "0.3.2";
}

/* True when the imitated version is at least this one. */
static gboolean is_since(int major, int minor, int patch)
{
	int own[3] = { 0 };
	sscanf(version_text(), "%d.%d.%d", &own[0], &own[1], &own[2]);
	if (own[0] != major)
		return own[0] > major;
	if (own[1] != minor)
		return own[1] > minor;
	return own[2] >= patch;
}

/* The words of the state file as it is now; none when there is no file. */
static GStrv state_words(void)
{
	const char *path = g_getenv("FAKE_LIBCAMERA");
	g_autofree char *text = NULL;
	if (path)
		g_file_get_contents(path, &text, NULL, NULL);
	return g_strsplit_set(text ? text : "", " \t\r\n", -1);
}

/* True when the state file has `word` or `word=VALUE`; then *value, if asked for, is "" or VALUE. */
static gboolean asks_value(const char *word, char **value)
{
	g_auto(GStrv) words = state_words();
	size_t length = strlen(word);
	for (char **at = words; *at; at++) {
		if (strncmp(*at, word, length) || ((*at)[length] && (*at)[length] != '='))
			continue;
		if (value)
			*value = g_strdup((*at)[length] ? *at + length + 1 : "");
		return TRUE;
	}
	return FALSE;
}

static gboolean asks(const char *word)
{
	return asks_value(word, NULL);
}

/* The number of `word=N`, or 0. */
static int asks_number(const char *word)
{
	g_autofree char *value = NULL;
	return asks_value(word, &value) ? atoi(value) : 0;
}

/* The ids of the cameras there are. */
static GStrv cameras(void)
{
	GPtrArray *ids = g_ptr_array_new();
	if (!asks("none")) {
		g_auto(GStrv) words = state_words();
		for (char **at = words; *at; at++)
			if (g_str_has_prefix(*at, "camera="))
				g_ptr_array_add(ids, g_strdup(*at + strlen("camera=")));
		if (!ids->len)
			g_ptr_array_add(ids, g_strdup(DEFAULT_CAMERA));
	}
	g_ptr_array_add(ids, NULL);
	return (GStrv)g_ptr_array_free(ids, FALSE);
}

/* The sensor's name in a camera's id: what stands behind its last `/`, up to the `@`. */
static char *model_of(const char *id)
{
	const char *last = strrchr(id, '/');
	char *model = g_strdup(last ? last + 1 : id);
	char *address = strchr(model, '@');
	if (address)
		*address = 0;
	return model;
}

static const Sensor *sensor_of(const char *id)
{
	g_autofree char *model = model_of(id);
	for (guint i = 0; i < G_N_ELEMENTS(SENSORS); i++)
		if (g_str_has_prefix(model, SENSORS[i].model))
			return &SENSORS[i];
	return &SENSORS[0];
}

/* Appends a line to the log. */
static void note(const char *format, ...)
{
	const char *path = g_getenv("FAKE_LIBCAMERA_LOG");
	int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
	if (file < 0)
		return;
	va_list list;
	va_start(list, format);
	g_autofree char *text = g_strdup_vprintf(format, list);
	va_end(list);
	/* One write: lines of several processes do not mix. */
	g_autofree char *line = g_strconcat(text, "\n", NULL);
	if (write(file, line, strlen(line)) < 0)
		g_printerr("fakelibcamera: no log: %s\n", g_strerror(errno));
	close(file);
}

/* Takes a camera for itself, against other programs and other elements. The descriptor that holds it, -1 when
 * somebody else has it, -2 without a state file to lock beside. */
static int take(const char *id)
{
	const char *path = g_getenv("FAKE_LIBCAMERA");
	if (!path)
		return -2;
	g_autofree char *name = g_strdelimit(g_strdup(id), "/", '_');
	g_autofree char *lock = g_strdup_printf("%s.lock.%s", path, name);
	int file = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (file >= 0 && flock(file, LOCK_EX | LOCK_NB)) {
		close(file);
		file = -1;
	}
	return file;
}

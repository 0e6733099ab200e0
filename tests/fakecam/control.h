/* What the fake cameras are to be (the control file) and where they show (the device tree).
 *
 * Included by fakecam.c only. `refresh` is called, with the lock held, by every path call that
 * names a camera and by the camera thread each 20 ms; it costs one stat() while nothing
 * changes. The tree under $FAKECAM_ROOT holds an empty file per device node, links by id and
 * by path, and sysfs names; all processes with the same root keep it true together, under a
 * file lock. Must never touch the real /dev or /sys, nor anything outside the root.
 */

#define MAX_CAMERAS 4
#define MAX_SIZES 16
#define MAX_RATES 16
#define MAX_FORMATS 8

/* A file of the tree that stands for a device node has this modification time, and the node's
 * number in the nanoseconds: stat() on it, by whatever name, can then tell a character device. */
#define NODE_MTIME 1446267954

enum fault {
	FAULT_NONE, FAULT_HANG, FAULT_EIO, FAULT_SLOW, FAULT_TRUNCATED, FAULT_GARBAGE, FAULT_EMPTY, FAULT_NODHT,
	FAULT_PADDING, FAULT_EOILOSS, FAULT_FREEZE, FAULT_HUGE, FAULT_ERRFLAG, FAULT_DROP,
	FAULT_NOEOI, FAULT_UNEVEN,
};
static const char *const FAULT_NAMES[] = {
	"none", "hang", "eio", "slow", "truncated", "garbage", "empty", "nodht",
	"padding", "eoiloss", "freeze", "huge", "errflag", "drop",
	"noeoi", "uneven",
};

struct size { int w, h; };

/* What a camera may offer. `bits` of a pixel on a line; 0 for JPEGs and films. 4:2:0 formats have the
 * colours of each two pixels by two behind the lines. */
struct format {
	const char *name;
	uint32_t fourcc;
	const char *description;
	int bits;
	bool is_420;
};
static const struct format FORMATS[] = {
	{"yuyv", V4L2_PIX_FMT_YUYV, "YUYV 4:2:2", 16, false},
	{"mjpg", V4L2_PIX_FMT_MJPEG, "Motion-JPEG", 0, false},
	{"uyvy", V4L2_PIX_FMT_UYVY, "UYVY 4:2:2", 16, false},
	{"nv12", V4L2_PIX_FMT_NV12, "Y/UV 4:2:0", 8, true},
	{"nv21", V4L2_PIX_FMT_NV21, "Y/VU 4:2:0", 8, true},
	{"yu12", V4L2_PIX_FMT_YUV420, "Planar YUV 4:2:0", 8, true},
	{"yv12", V4L2_PIX_FMT_YVU420, "Planar YVU 4:2:0", 8, true},
	{"rgb3", V4L2_PIX_FMT_RGB24, "24-bit RGB 8-8-8", 24, false},
	{"bgr3", V4L2_PIX_FMT_BGR24, "24-bit BGR 8-8-8", 24, false},
	{"xr24", V4L2_PIX_FMT_XBGR32, "32-bit BGRX 8-8-8-8", 32, false},
	{"grey", V4L2_PIX_FMT_GREY, "8-bit Greyscale", 8, false},
	{"y10", V4L2_PIX_FMT_Y10, "10-bit Greyscale", 16, false},
	{"y12", V4L2_PIX_FMT_Y12, "12-bit Greyscale", 16, false},
	{"y16", V4L2_PIX_FMT_Y16, "16-bit Greyscale", 16, false},
	{"ba81", V4L2_PIX_FMT_SBGGR8, "8-bit Bayer BGBG/GRGR", 8, false},
	{"gbrg", V4L2_PIX_FMT_SGBRG8, "8-bit Bayer GBGB/RGRG", 8, false},
	{"rgbp", V4L2_PIX_FMT_RGB565, "16-bit RGB 5-6-5", 16, false},
	{"yvyu", V4L2_PIX_FMT_YVYU, "YVYU 4:2:2", 16, false},
	{"grbg", V4L2_PIX_FMT_SGRBG8, "8-bit Bayer GRGR/BGBG", 8, false},
	{"rggb", V4L2_PIX_FMT_SRGGB8, "8-bit Bayer RGRG/GBGB", 8, false},
	{"h264", V4L2_PIX_FMT_H264, "H.264", 0, false},
	{"hevc", V4L2_PIX_FMT_HEVC, "HEVC", 0, false},
};

/* The calls that can be made to fail, and with what. */
enum call { CALL_S_FMT, CALL_STREAMON, CALL_DQBUF, CALLS };
static const char *const CALL_KEYS[CALLS] = {"fail_s_fmt", "fail_streamon", "fail_dqbuf"};
static const struct { const char *name; int number; } ERRNOS[] = {
	{"no", 0}, {"ENOSPC", ENOSPC}, {"EBUSY", EBUSY}, {"EACCES", EACCES}, {"EIO", EIO}, {"EPROTO", EPROTO},
	{"EPIPE", EPIPE}, {"ENODEV", ENODEV}, {"EINVAL", EINVAL},
};

static const struct format *format_of(uint32_t fourcc)
{
	for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++)
		if (FORMATS[i].fourcc == fourcc)
			return &FORMATS[i];
	return NULL;
}

/* One camera's section of the control file. What a file does not say has its default. */
struct settings {
	bool exists, plugged, forbidden, metadata_node;
	int node;
	int generation;     /* another number is an unplug and a replug, however quick */
	int busy;           /* 0 no; 1 another program streams: S_FMT, REQBUFS…; 2 open() too */
	enum fault fault;
	int fault_every;    /* the fault hits each N-th frame */
	double fps;         /* the true pace, whatever was negotiated; 0 = as negotiated */
	int nformats;
	uint32_t formats[MAX_FORMATS]; /* in this order */
	int line_padding;   /* bytes behind each line of a raw picture */
	int line_align;     /* lines of a raw picture begin at multiples of it */
	bool patches;       /* six fields of colour instead of bars */
	struct size stream_size; /* of the frames from now on, whatever was negotiated; 0x0: as negotiated */
	int lead_bytes;     /* before a JPEG's SOI */
	bool lead_line;     /* the same: CR LF */
	int fail[CALLS];    /* errno of each call; 0: it works */
	int slow_ms, padding_bytes, padding_value, open_ms, start_ms, latency_ms;
	int port;           /* of the USB bus; 0: the camera's index and one */
	int bandwidth;      /* bytes a second that the bus has left; 0: enough */
	int nsizes, nrates;
	struct size sizes[MAX_SIZES];
	double rates[MAX_RATES];
	char name[32], serial[16], driver[16];
};

static struct settings settings[MAX_CAMERAS];
static char root[512], control_path[512];

static void default_settings(struct settings *s, int i)
{
	memset(s, 0, sizeof *s);
	*s = (struct settings){
		.exists = i < atoi(env_or("FAKECAM_COUNT", "1")), .plugged = true, .node = i, .fault_every = 1,
		.nformats = 2, .formats = {V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_MJPEG}, .slow_ms = 2000, .padding_bytes = 512,
		.line_align = 1,
		.nsizes = 3, .sizes = {{640, 480}, {1280, 720}, {1920, 1080}},
		.nrates = 4, .rates = {30, 15, 10, 5},
	};
	snprintf(s->name, sizeof s->name, "Fake Camera");
	snprintf(s->serial, sizeof s->serial, "%04d", i + 1);
	snprintf(s->driver, sizeof s->driver, "uvcvideo");
}

static bool yes(const char *v)
{
	return !strcmp(v, "yes") || !strcmp(v, "1") || !strcmp(v, "true");
}

/* One `key value` line. False when the key or its value is not known. */
static bool set_one(struct settings *s, const char *key, const char *v)
{
	static const struct { const char *key; size_t at; int min; } INTS[] = {
		{"node", offsetof(struct settings, node), 0},
		{"generation", offsetof(struct settings, generation), INT_MIN},
		{"fault_every", offsetof(struct settings, fault_every), 1},
		{"slow_ms", offsetof(struct settings, slow_ms), 1},
		{"padding_bytes", offsetof(struct settings, padding_bytes), 0},
		{"line_padding", offsetof(struct settings, line_padding), 0},
		{"line_align", offsetof(struct settings, line_align), 1},
		{"padding_value", offsetof(struct settings, padding_value), 0},
		{"open_ms", offsetof(struct settings, open_ms), 0},
		{"start_ms", offsetof(struct settings, start_ms), 0},
		{"latency_ms", offsetof(struct settings, latency_ms), 0},
		{"port", offsetof(struct settings, port), 1},
		{"bandwidth", offsetof(struct settings, bandwidth), 0},
	};
	static const struct { const char *key; size_t at; } BOOLS[] = {
		{"plugged", offsetof(struct settings, plugged)},
		{"forbidden", offsetof(struct settings, forbidden)},
		{"metadata_node", offsetof(struct settings, metadata_node)},
	};
	char *end;

	for (size_t i = 0; i < sizeof INTS / sizeof *INTS; i++)
		if (!strcmp(key, INTS[i].key)) {
			long n = strtol(v, &end, 0);
			if (end == v || n < INTS[i].min || n > INT_MAX)
				return false;
			*(int *)((char *)s + INTS[i].at) = (int)n;
			return true;
		}
	for (size_t i = 0; i < sizeof BOOLS / sizeof *BOOLS; i++)
		if (!strcmp(key, BOOLS[i].key)) {
			*(bool *)((char *)s + BOOLS[i].at) = yes(v);
			return true;
		}
	for (int i = 0; i < CALLS; i++)
		if (!strcmp(key, CALL_KEYS[i])) {
			for (size_t k = 0; k < sizeof ERRNOS / sizeof *ERRNOS; k++)
				if (!strcmp(v, ERRNOS[k].name)) {
					s->fail[i] = ERRNOS[k].number;
					return true;
				}
			return false;
		}
	if (!strcmp(key, "busy")) {
		s->busy = !strcmp(v, "open") ? 2 : yes(v);
	} else if (!strcmp(key, "fault")) {
		for (size_t i = 0; i < sizeof FAULT_NAMES / sizeof *FAULT_NAMES; i++)
			if (!strcmp(v, FAULT_NAMES[i])) {
				s->fault = (enum fault)i;
				return true;
			}
		return false;
	} else if (!strcmp(key, "eio_every")) {
		s->fault = FAULT_EIO;
		s->fault_every = atoi(v) > 0 ? atoi(v) : 1;
	} else if (!strcmp(key, "fps")) {
		s->fps = strtod(v, &end);
		return end != v && s->fps >= 0 && s->fps <= 1000;
	} else if (!strcmp(key, "format")) {
		char list[256], *save = NULL;
		snprintf(list, sizeof list, "%s", strcmp(v, "both") ? v : "yuyv,mjpg");
		s->nformats = 0;
		for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
			size_t k = 0;
			while (k < sizeof FORMATS / sizeof *FORMATS && strcmp(name, FORMATS[k].name))
				k++;
			if (k == sizeof FORMATS / sizeof *FORMATS || s->nformats == MAX_FORMATS)
				return false;
			s->formats[s->nformats++] = FORMATS[k].fourcc;
		}
		return s->nformats > 0;
	} else if (!strcmp(key, "sizes")) {
		struct size z;
		int used;
		for (s->nsizes = 0; s->nsizes < MAX_SIZES && sscanf(v, "%dx%d%n", &z.w, &z.h, &used) == 2;) {
			if (z.w < 16 || z.h < 16 || z.w > 8192 || z.h > 8192)
				return false;
			s->sizes[s->nsizes++] = z;
			v += used + (v[used] == ',');
		}
		return s->nsizes > 0 && !*v;
	} else if (!strcmp(key, "stream_size")) {
		struct size *z = &s->stream_size;
		return sscanf(v, "%dx%d", &z->w, &z->h) == 2 && z->w >= 16 && z->h >= 16 && z->w <= 8192 && z->h <= 8192;
	} else if (!strcmp(key, "picture")) {
		s->patches = !strcmp(v, "patches");
		return s->patches || !strcmp(v, "bars");
	} else if (!strcmp(key, "lead")) {
		s->lead_line = !strcmp(v, "line");
		s->lead_bytes = s->lead_line ? 0 : (int)strtol(v, &end, 10);
		return s->lead_line || (end != v && s->lead_bytes >= 0 && s->lead_bytes <= 4096);
	} else if (!strcmp(key, "driver")) {
		snprintf(s->driver, sizeof s->driver, "%.15s", v);
	} else if (!strcmp(key, "rates")) {
		for (s->nrates = 0; s->nrates < MAX_RATES; v = end + (*end == ',')) {
			double r = strtod(v, &end);
			if (end == v)
				break;
			if (r <= 0 || r > 1000)
				return false;
			s->rates[s->nrates++] = r;
		}
		return s->nrates > 0 && !*v;
	} else if (!strcmp(key, "name")) {
		snprintf(s->name, sizeof s->name, "%.31s", v);
	} else if (!strcmp(key, "serial")) {
		snprintf(s->serial, sizeof s->serial, "%.15s", v);
	} else {
		return false;
	}
	return true;
}

/* Reads the whole text. `camera N` opens the section of another camera; `#` begins a comment. */
static void parse_control(char *text)
{
	struct settings next[MAX_CAMERAS];
	int cam = 0;
	char *save = NULL;

	for (int i = 0; i < MAX_CAMERAS; i++)
		default_settings(&next[i], i);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char key[32], value[256];
		char *hash = strchr(line, '#');
		if (hash)
			*hash = 0;
		int n = sscanf(line, " %31s %255[^\r\n]", key, value);
		if (n <= 0)
			continue;
		if (n == 2)
			for (size_t l = strlen(value); l && isspace((unsigned char)value[l - 1]);)
				value[--l] = 0;
		if (n == 2 && !strcmp(key, "camera") && atoi(value) >= 0 && atoi(value) < MAX_CAMERAS) {
			cam = atoi(value);
			next[cam].exists = true;
		} else if (n != 2 || !set_one(&next[cam], key, value)) {
			complain("control file: not understood: `%s`", line);
		}
	}
	for (int i = 0; i < MAX_CAMERAS; i++)
		if (!next[i].exists)
			next[i].plugged = false;
	memcpy(settings, next, sizeof settings);
}

/* ---- the tree ------------------------------------------------------------------------ */

static const char *in_root(char *buf, size_t n, const char *fmt, ...)
{
	va_list ap;
	size_t used = (size_t)snprintf(buf, n, "%s/", root);
	va_start(ap, fmt);
	vsnprintf(buf + used, n - used, fmt, ap);
	va_end(ap);
	return buf;
}
#define AT(...) in_root((char[1024]){0}, 1024, __VA_ARGS__)

static void write_file(const char *path, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	int fd = (int)k_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	if (k_write(fd, text, (size_t)n) < 0)
		complain("cannot write `%s`", path);
	k_close(fd);
}

/* What one camera looks like from outside; kept in the tree, so that every process can tell
 * what stands there from what should. */
struct face {
	int plugged, node, generation, metadata_node, port;
	char serial[16], name[32];
};

static void face_of(struct face *f, const struct settings *s, int cam)
{
	memset(f, 0, sizeof *f);
	f->plugged = s->plugged;
	if (!f->plugged)
		return;
	f->node = s->node;
	f->generation = s->generation;
	f->port = s->port ? s->port : cam + 1;
	f->metadata_node = s->metadata_node;
	memcpy(f->serial, s->serial, sizeof f->serial);
	memcpy(f->name, s->name, sizeof f->name);
}

/* The USB device and its interface, and the node's link to that, as sysfs has them. */
static void add_usb(const struct face *f, int node)
{
	char target[128];
	static const char *const DIRS[] = {"", "/platform", "/platform/fake", "/platform/fake/usb1"};
	for (size_t i = 0; i < sizeof DIRS / sizeof *DIRS; i++)
		mkdir(AT("sys/devices%s", DIRS[i]), 0755);
	mkdir(AT("sys/devices/platform/fake/usb1/1-%d", f->port), 0755);
	mkdir(AT("sys/devices/platform/fake/usb1/1-%d/1-%d:1.0", f->port, f->port), 0755);
	unlink(AT("sys/devices/platform/fake/usb1/1-%d/serial", f->port));
	if (strcmp(f->serial, "none"))
		write_file(AT("sys/devices/platform/fake/usb1/1-%d/serial", f->port), "%s\n", f->serial);
	snprintf(target, sizeof target, "../../../devices/platform/fake/usb1/1-%d/1-%d:1.0", f->port, f->port);
	if (symlink(target, AT("sys/class/video4linux/video%d/device", node))) {} /* may be there already */
}

static void add_node(int node, int index, const struct face *f)
{
	struct timespec t[2] = {{.tv_sec = NODE_MTIME, .tv_nsec = node}, {.tv_sec = NODE_MTIME, .tv_nsec = node}};
	/* The node must appear whole, and as IN_CREATE for those who watch: made aside, then linked. */
	int fd = (int)k_open(AT(".node"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd >= 0) {
		futimens(fd, t);
		k_close(fd);
	}
	mkdir(AT("sys/class/video4linux/video%d", node), 0755);
	write_file(AT("sys/class/video4linux/video%d/name", node), "%s\n", f->name);
	add_usb(f, node);
	write_file(AT("sys/class/video4linux/video%d/index", node), "%d\n", index);
	write_file(AT("sys/class/video4linux/video%d/dev", node), "81:%d\n", node);
	write_file(AT("sys/class/video4linux/video%d/uevent", node), "MAJOR=81\nMINOR=%d\nDEVNAME=video%d\n", node, node);
	char target[64];
	snprintf(target, sizeof target, "../../class/video4linux/video%d", node);
	if (symlink(target, AT("sys/dev/char/81:%d", node))) {} /* may be there already */
	unlink(AT("dev/video%d", node));
	if (link(AT(".node"), AT("dev/video%d", node)))
		complain("cannot make `%s`", AT("dev/video%d", node));
	unlink(AT(".node"));
}

static void remove_node(int node)
{
	unlink(AT("dev/video%d", node));
	unlink(AT("sys/dev/char/81:%d", node));
	unlink(AT("sys/class/video4linux/video%d/name", node));
	unlink(AT("sys/class/video4linux/video%d/device", node));
	unlink(AT("sys/class/video4linux/video%d/index", node));
	unlink(AT("sys/class/video4linux/video%d/dev", node));
	unlink(AT("sys/class/video4linux/video%d/uevent", node));
	rmdir(AT("sys/class/video4linux/video%d", node));
}

static void change_links(const struct face *f, bool add)
{
	const char *serial = strcmp(f->serial, "none") ? f->serial : "";
	for (int index = 0; index <= f->metadata_node; index++) {
		char target[32];
		const char *id = AT("dev/v4l/by-id/usb-Fake_Camera%s%s-video-index%d", *serial ? "_" : "", serial, index);
		const char *port = AT("dev/v4l/by-path/platform-fake-usb-0:%d:1.0-video-index%d", f->port, index);
		snprintf(target, sizeof target, "../../video%d", f->node + index);
		if (add) { /* a leftover is no harm */
			if (symlink(target, id) || symlink(target, port)) {}
		} else {
			unlink(id);
			unlink(port);
		}
	}
}

/* Names the rest of the real /dev in the tree's, so that a listing shows it all. */
static void link_real_devices(void)
{
	DIR *dir = CALL(opendir)("/dev");
	for (struct dirent *e; dir && (e = CALL(readdir)(dir));) {
		char target[300];
		if (e->d_name[0] == '.' || !strncmp(e->d_name, "video", 5) || !strcmp(e->d_name, "v4l"))
			continue;
		snprintf(target, sizeof target, "/dev/%s", e->d_name);
		if (symlink(target, AT("dev/%s", e->d_name))) {}
	}
	if (dir)
		CALL(closedir)(dir);
}

/* Makes the tree show what the settings say. */
static void sync_tree(void)
{
	struct face now[MAX_CAMERAS], want[MAX_CAMERAS];
	for (char *p = root + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			mkdir(root, 0777);
			*p = '/';
		}
	mkdir(root, 0777);
	int lock = (int)k_open(AT(".lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (lock < 0) {
		complain("cannot use FAKECAM_ROOT `%s`: %s", root, strerror(errno));
		return;
	}
	flock(lock, LOCK_EX);
	memset(now, 0, sizeof now);
	if (k_read(lock, now, sizeof now) != sizeof now) {
		memset(now, 0, sizeof now);
		static const char *const DIRS[] = {"dev", "sys", "sys/class", "sys/class/video4linux", "sys/dev", "sys/dev/char"};
		for (size_t i = 0; i < sizeof DIRS / sizeof *DIRS; i++)
			mkdir(AT("%s", DIRS[i]), 0755);
		link_real_devices();
	}
	for (int i = 0; i < MAX_CAMERAS; i++)
		face_of(&want[i], &settings[i], i);
	for (int i = 0; i < MAX_CAMERAS; i++)
		if (now[i].plugged && memcmp(&now[i], &want[i], sizeof want[i])) {
			change_links(&now[i], false);
			for (int k = 0; k <= now[i].metadata_node; k++)
				remove_node(now[i].node + k);
			rmdir(AT("dev/v4l/by-id"));
			rmdir(AT("dev/v4l/by-path"));
			rmdir(AT("dev/v4l"));
		}
	for (int i = 0; i < MAX_CAMERAS; i++)
		if (want[i].plugged && memcmp(&now[i], &want[i], sizeof want[i])) {
			mkdir(AT("dev/v4l"), 0755);
			mkdir(AT("dev/v4l/by-id"), 0755);
			mkdir(AT("dev/v4l/by-path"), 0755);
			for (int k = 0; k <= want[i].metadata_node; k++)
				add_node(want[i].node + k, k, &want[i]);
			change_links(&want[i], true);
		}
	if (memcmp(now, want, sizeof want) && syscall(SYS_pwrite64, lock, want, sizeof want, 0L) < 0)
		complain("cannot write `%s`", AT(".lock"));
	k_close(lock);
}

/* ---- noticing changes ------------------------------------------------------------------ */

static void settings_changed(const struct settings *before); /* v4l2.h */

/* Re-reads the control file if it changed. A file found empty, the same file as before, is someone
 * in the middle of writing and changes nothing; a missing or another empty one means the defaults. */
static void refresh(void)
{
	static struct stat seen;
	static bool first = true, fresh;
	static char last[8192];
	struct stat st;
	char text[sizeof last] = "";

	if (!first && !*control_path)
		return;
	if (!*control_path || k_stat(control_path, &st))
		memset(&st, 0, sizeof st);
	/* Two writes within one tick of the kernel's clock look alike: a young file is read again. */
	if (!first && !fresh && st.st_mtim.tv_sec == seen.st_mtim.tv_sec && st.st_mtim.tv_nsec == seen.st_mtim.tv_nsec
	    && st.st_ino == seen.st_ino && st.st_size == seen.st_size)
		return;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	fresh = st.st_ino && now.tv_sec - st.st_mtim.tv_sec < 2;
	bool same_file = st.st_ino == seen.st_ino;
	seen = st;
	if (st.st_ino) {
		int fd = (int)k_open(control_path, O_RDONLY | O_CLOEXEC, 0);
		long n = fd < 0 ? -1 : k_read(fd, text, sizeof text - 1);
		if (fd >= 0)
			k_close(fd);
		if (n < 0 || (n == 0 && !first && same_file))
			return;
		text[n] = 0;
	}
	if (!first && !strcmp(text, last))
		return;
	first = false;
	struct settings before[MAX_CAMERAS];
	memcpy(before, settings, sizeof before);
	strcpy(last, text);
	parse_control(text);
	settings_changed(before);
	sync_tree();
}

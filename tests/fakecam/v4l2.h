/* The fake camera behind an open file: buffers, the frame clock, and every V4L2 ioctl.
 *
 * Included by fakecam.c only. The model is uvcvideo on videobuf2. An open file is the read end
 * of a pipe, a real kernel object, so poll, select and epoll work with it among real ones: one
 * byte stands in the pipe exactly while the kernel would call the device readable (a finished
 * buffer, or not streaming, which is POLLERR), and the write end is closed when the camera is
 * pulled out (POLLHUP). One thread per process fills buffers and looks at the control file.
 * All of it under the one lock. Must never deliver into a buffer that is not queued.
 */

#define MAX_BUFFERS 32
#define MAX_FDS 65536
#define CONTROL_PERIOD_NS 20000000LL

enum state { DEQUEUED, QUEUED, DONE, DONE_EIO };

struct buffer {
	enum state state;
	bool mapped;
	uint8_t *user; /* USERPTR only */
	size_t user_len;
	uint32_t used, seq, flags;
	uint64_t mono_us;
};

struct fifo {
	uint8_t at[MAX_BUFFERS];
	int n;
};

struct camera {
	bool plugged;
	uint32_t fourcc;
	int w, h;
	double rate;            /* negotiated frames per second */
	int32_t values[32];     /* of CONTROLS, by index */
	struct file *owner;     /* who may set formats and stream */
	int lock_fd;            /* the same between processes, while there is an owner */
};

struct file {
	int refs;               /* descriptors, and calls under way */
	int cam, index;         /* index 1: the metadata node, which never captures */
	int wfd;                /* the pipe's write end; -1 once the camera is gone */
	bool token;             /* the byte stands in the pipe */
	bool gone, streaming;
	uint32_t memory;
	int nbuffers, memfd;
	uint8_t *base;          /* of all mmap buffers */
	size_t stride;
	struct buffer buf[MAX_BUFFERS];
	struct fifo in, done;
	uint32_t seq;
	int64_t next_ns;        /* CLOCK_MONOTONIC of the next frame */
	bool frozen;
	struct shot shot;       /* the last one, for `freeze` */
	uint8_t *bars;          /* or frames of $FAKECAM_RAW, this many */
	uint32_t raw_frames;
	unsigned long delivered, lost;
	struct file *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below, settings and ring */
static pthread_cond_t wake;                               /* the thread's: something began */
static bool wake_ready, thread_runs;
static struct camera cameras[MAX_CAMERAS];
static struct file *files;                                /* all open ones */
static struct file *_Atomic fdtab[MAX_FDS];               /* read without the lock as a first test */
static pid_t owner_pid;                                   /* whose fdtab this is */
static atomic_int open_files, gone_files;                 /* 0: poll and select need no second look */

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* ---- readiness --------------------------------------------------------------------------- */

/* Makes the pipe say what the file is. `fd` is a descriptor of it, or -1 where a byte can only
 * have to be added. */
static void mirror(struct file *f, int fd)
{
	bool ready = f->done.n || !f->streaming;
	char c = 0;
	if (f->wfd < 0)
		return;
	if (ready && !f->token)
		f->token = k_write(f->wfd, &c, 1) == 1;
	else if (!ready && f->token && fd >= 0)
		f->token = k_read(fd, &c, 1) != 1;
}

/* What the kernel would answer poll() with. */
static short events_of(const struct file *f, short wanted)
{
	if (f->gone)
		return (short)(POLLERR | POLLHUP | (wanted & POLLPRI));
	if (!f->streaming)
		return POLLERR;
	return f->done.n ? (short)(wanted & (POLLIN | POLLRDNORM)) : 0;
}

/* ---- buffers ------------------------------------------------------------------------------- */

static void push(struct fifo *q, int i)
{
	q->at[q->n++] = (uint8_t)i;
}

static int pop(struct fifo *q)
{
	int i = q->at[0];
	memmove(q->at, q->at + 1, (size_t)--q->n);
	return i;
}

static void stop(struct file *f)
{
	if (f->streaming)
		event("streamoff camera=%d delivered=%lu lost=%lu", f->cam, f->delivered, f->lost);
	f->streaming = false;
	f->in.n = f->done.n = 0;
	for (int i = 0; i < f->nbuffers; i++)
		f->buf[i].state = DEQUEUED;
	free(f->bars);
	f->bars = NULL;
	mirror(f, -1);
}

static void free_buffers(struct file *f)
{
	if (f->base)
		k_munmap(f->base, f->stride * (size_t)f->nbuffers);
	if (f->memfd >= 0)
		k_close(f->memfd);
	f->base = NULL;
	f->memfd = -1;
	f->nbuffers = 0;
	memset(f->buf, 0, sizeof f->buf);
}

/* One file at a time may set formats and stream, in all processes. */
static int own(struct file *f)
{
	struct camera *c = &cameras[f->cam];
	if (settings[f->cam].busy || (c->owner && c->owner != f))
		return -EBUSY;
	if (c->owner == f)
		return 0;
	c->lock_fd = high_fd((int)k_open(AT(".owner%d", f->cam), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
	if (c->lock_fd >= 0 && flock(c->lock_fd, LOCK_EX | LOCK_NB)) {
		k_close(c->lock_fd);
		return -EBUSY;
	}
	c->owner = f;
	return 0;
}

static void disown(struct file *f)
{
	struct camera *c = &cameras[f->cam];
	if (c->owner != f)
		return;
	c->owner = NULL;
	if (c->lock_fd >= 0)
		k_close(c->lock_fd);
}

/* Frees the file when its last descriptor and its last call are done. */
static void put_file(struct file *f)
{
	if (--f->refs)
		return;
	stop(f);
	free_buffers(f);
	disown(f);
	event("close camera=%d", f->cam);
	if (f->wfd >= 0)
		k_close(f->wfd);
	for (struct file **p = &files; *p; p = &(*p)->next)
		if (*p == f) {
			*p = f->next;
			break;
		}
	atomic_fetch_sub(&open_files, 1);
	if (f->gone)
		atomic_fetch_sub(&gone_files, 1);
	free(f);
}

static struct file *file_of(int fd)
{
	return fd >= 0 && fd < MAX_FDS ? atomic_load_explicit(&fdtab[fd], memory_order_acquire) : NULL;
}

/* The file of a descriptor, kept alive until put_file; NULL if it is none of ours. */
static struct file *get_file(int fd)
{
	struct file *f = file_of(fd);
	if (f)
		f->refs++;
	return f;
}

static void pull_out(struct file *f)
{
	if (f->gone)
		return;
	stop(f);
	disown(f);
	f->gone = true;
	atomic_fetch_add(&gone_files, 1);
	if (f->wfd >= 0)
		k_close(f->wfd);
	f->wfd = -1;
}

/* ---- frames -------------------------------------------------------------------------------- */

static int64_t interval_ns(const struct file *f, bool slow)
{
	const struct settings *s = &settings[f->cam];
	if (slow)
		return s->slow_ms * 1000000LL;
	return (int64_t)(1e9 / (s->fps > 0 ? s->fps : cameras[f->cam].rate));
}

/* Bytes from one line to the next; 0 for JPEGs. */
static size_t line_bytes(const struct settings *s, uint32_t fourcc, int w)
{
	int bits = format_of(fourcc)->bits;
	size_t line = (size_t)w * (size_t)bits / 8 + (size_t)s->line_padding, align = (size_t)s->line_align;
	return bits ? (line + align - 1) / align * align : 0;
}

/* A frame is due: it goes into the oldest queued buffer, or is lost. */
static void tick(struct file *f)
{
	const struct settings *s = &settings[f->cam];
	const struct camera *c = &cameras[f->cam];
	bool hit = s->fault && (f->seq + 1) % (uint32_t)s->fault_every == 0;
	enum fault fault = hit ? s->fault : FAULT_NONE;
	uint64_t mono_us = (uint64_t)(f->next_ns / 1000 - s->latency_ms * 1000LL);
	uint32_t seq = f->seq++;

	f->next_ns += interval_ns(f, fault == FAULT_SLOW);
	if (fault == FAULT_HANG || fault == FAULT_DROP || !f->in.n) {
		f->lost++;
		return;
	}
	int i = pop(&f->in);
	struct buffer *b = &f->buf[i];
	uint8_t *dst = f->memory == V4L2_MEMORY_USERPTR ? b->user : f->base + f->stride * (size_t)i;
	size_t cap = f->memory == V4L2_MEMORY_USERPTR ? b->user_len : f->stride;

	if (s->fault != FAULT_FREEZE)
		f->frozen = false;
	if (!f->frozen) {
		uint64_t ahead_us = (uint64_t)(now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC)) / 1000;
		f->shot = (struct shot){seq, mono_us, mono_us + ahead_us};
		f->frozen = fault == FAULT_FREEZE;
	}
	b->seq = seq;
	b->mono_us = mono_us;
	b->flags = fault == FAULT_ERRFLAG ? V4L2_BUF_FLAG_ERROR : 0;
	b->state = fault == FAULT_EIO ? DONE_EIO : DONE;
	b->used = 0;
	size_t lead = s->lead_line ? 2 : (size_t)s->lead_bytes;
	if (b->state == DONE && c->fourcc == V4L2_PIX_FMT_MJPEG && lead < cap) {
		memcpy(dst, "\r\n", 2);
		if (!s->lead_line)
			memset(dst, 0, lead);
		b->used = (uint32_t)(lead + compose_mjpg(dst + lead, cap - lead, c->w, c->h, &f->shot, fault,
			s->padding_bytes, s->padding_value));
	} else if (b->state == DONE)
		b->used = (uint32_t)compose_raw(dst, cap, format_of(c->fourcc), c->w, c->h, line_bytes(s, c->fourcc, c->w),
			f->bars, f->raw_frames, &f->shot, fault);
	f->delivered += b->state == DONE;
	push(&f->done, i);
	mirror(f, -1);
}

/* Runs until the process ends; started when a camera is first opened or /dev first watched. */
static void *camera_thread(void *unused)
{
	int64_t next_look = 0;
	prctl(PR_SET_NAME, "fakecam");
	prctl(PR_SET_TIMERSLACK, 1);
	pthread_mutex_lock(&lock);
	for (;;) {
		int64_t now = now_ns(CLOCK_MONOTONIC);
		if (now >= next_look) {
			refresh();
			next_look = now + (*control_path ? CONTROL_PERIOD_NS : 1000000000LL);
		}
		int64_t until = next_look;
		for (struct file *f = files; f; f = f->next) {
			if (!f->streaming)
				continue;
			if (now - f->next_ns > 2000000000LL) { /* the process was stopped: nobody filled buffers */
				int64_t gap = (now - f->next_ns) / interval_ns(f, false);
				f->next_ns += gap * interval_ns(f, false);
				f->seq += (uint32_t)gap;
				f->lost += (unsigned long)gap;
			}
			while (f->streaming && f->next_ns <= now)
				tick(f);
			if (f->next_ns < until)
				until = f->next_ns;
		}
		struct timespec t = {until / 1000000000LL, until % 1000000000LL};
		pthread_cond_timedwait(&wake, &lock, &t);
	}
	return unused;
}

/* With the lock held. */
static void start_thread(void)
{
	pthread_t id;
	pthread_attr_t attr;
	sigset_t all, old;

	if (thread_runs)
		return;
	if (!wake_ready) {
		pthread_condattr_t a;
		pthread_condattr_init(&a);
		pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
		pthread_cond_init(&wake, &a);
		wake_ready = true;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	sigfillset(&all); /* the program's signals are the program's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	thread_runs = !pthread_create(&id, &attr, camera_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!thread_runs)
		complain("cannot start the camera thread: no frames will come");
}

/* ---- controls ------------------------------------------------------------------------------ */

struct control {
	uint32_t id, type;
	const char *name;
	int32_t min, max, step, def;
	const char *const *menu; /* NULL entries are not offered */
};

static const char *const MENU_POWER[] = {"Disabled", "50 Hz", "60 Hz"};
static const char *const MENU_EXPOSURE[] = {NULL, "Manual Mode", NULL, "Aperture Priority Mode"};

#define INT V4L2_CTRL_TYPE_INTEGER
#define BOOL V4L2_CTRL_TYPE_BOOLEAN
#define MENU V4L2_CTRL_TYPE_MENU
#define CLASS V4L2_CTRL_TYPE_CTRL_CLASS
static const struct control CONTROLS[] = { /* ascending ids */
	{V4L2_CID_USER_CLASS, CLASS, "User Controls", 0, 0, 0, 0, NULL},
	{V4L2_CID_BRIGHTNESS, INT, "Brightness", 0, 255, 1, 128, NULL},
	{V4L2_CID_CONTRAST, INT, "Contrast", 0, 255, 1, 32, NULL},
	{V4L2_CID_SATURATION, INT, "Saturation", 0, 100, 1, 64, NULL},
	{V4L2_CID_HUE, INT, "Hue", -180, 180, 1, 0, NULL},
	{V4L2_CID_AUTO_WHITE_BALANCE, BOOL, "White Balance, Automatic", 0, 1, 1, 1, NULL},
	{V4L2_CID_GAMMA, INT, "Gamma", 90, 150, 1, 120, NULL},
	{V4L2_CID_GAIN, INT, "Gain", 0, 255, 1, 0, NULL},
	{V4L2_CID_POWER_LINE_FREQUENCY, MENU, "Power Line Frequency", 0, 2, 1, 1, MENU_POWER},
	{V4L2_CID_WHITE_BALANCE_TEMPERATURE, INT, "White Balance Temperature", 2800, 6500, 10, 4600, NULL},
	{V4L2_CID_SHARPNESS, INT, "Sharpness", 0, 7, 1, 2, NULL},
	{V4L2_CID_BACKLIGHT_COMPENSATION, INT, "Backlight Compensation", 0, 2, 1, 1, NULL},
	{V4L2_CID_CAMERA_CLASS, CLASS, "Camera Controls", 0, 0, 0, 0, NULL},
	{V4L2_CID_EXPOSURE_AUTO, MENU, "Auto Exposure", 0, 3, 1, 3, MENU_EXPOSURE},
	{V4L2_CID_EXPOSURE_ABSOLUTE, INT, "Exposure Time, Absolute", 3, 2047, 1, 250, NULL},
	{V4L2_CID_EXPOSURE_AUTO_PRIORITY, BOOL, "Exposure, Dynamic Framerate", 0, 1, 1, 0, NULL},
	{V4L2_CID_FOCUS_ABSOLUTE, INT, "Focus, Absolute", 0, 250, 5, 0, NULL},
	{V4L2_CID_FOCUS_AUTO, BOOL, "Focus, Automatic Continuous", 0, 1, 1, 1, NULL},
};
#define NCONTROLS ((int)(sizeof CONTROLS / sizeof *CONTROLS))

/* Index of a control, or -1. With V4L2_CTRL_FLAG_NEXT_CTRL: of the first one after the id. */
static int find_control(uint32_t id)
{
	uint32_t flags = id & (V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND);
	id &= ~(V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND);
	if (flags == V4L2_CTRL_FLAG_NEXT_COMPOUND)
		return -1;
	for (int i = 0; i < NCONTROLS; i++)
		if (flags ? CONTROLS[i].id > id : CONTROLS[i].id == id)
			return i;
	return -1;
}

static int32_t value_of(const struct camera *c, uint32_t id)
{
	int i = find_control(id);
	return i < 0 ? 0 : c->values[i];
}

static uint32_t flags_of(const struct camera *c, int i)
{
	uint32_t id = CONTROLS[i].id;
	if (CONTROLS[i].type == CLASS)
		return V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_WRITE_ONLY;
	if ((id == V4L2_CID_WHITE_BALANCE_TEMPERATURE && value_of(c, V4L2_CID_AUTO_WHITE_BALANCE))
	    || (id == V4L2_CID_EXPOSURE_ABSOLUTE && value_of(c, V4L2_CID_EXPOSURE_AUTO) != 1)
	    || (id == V4L2_CID_FOCUS_ABSOLUTE && value_of(c, V4L2_CID_FOCUS_AUTO)))
		return V4L2_CTRL_FLAG_INACTIVE;
	return 0;
}

static int get_control(const struct camera *c, uint32_t id, int32_t *value)
{
	int i = find_control(id & V4L2_CTRL_ID_MASK);
	if (i < 0)
		return -EINVAL;
	if (CONTROLS[i].type == CLASS)
		return -EACCES;
	*value = c->values[i];
	return 0;
}

/* As uvcvideo: numbers are clamped, menu entries must exist. */
static int set_control(struct camera *c, int cam, uint32_t id, int32_t *value, bool apply)
{
	int i = find_control(id & V4L2_CTRL_ID_MASK);
	const struct control *k = &CONTROLS[i < 0 ? 0 : i];
	if (i < 0)
		return -EINVAL;
	if (k->type == CLASS)
		return -EACCES;
	if (k->type == MENU) {
		if (*value < k->min || *value > k->max)
			return -ERANGE;
		if (!k->menu[*value])
			return -EINVAL;
	} else {
		int32_t v = *value < k->min ? k->min : *value > k->max ? k->max : *value;
		*value = k->type == BOOL ? *value != 0 : k->min + (v - k->min + k->step / 2) / k->step * k->step;
	}
	if (apply) {
		c->values[i] = *value;
		event("control camera=%d id=0x%08x value=%d", cam, k->id, *value);
	}
	return 0;
}

enum ext { EXT_GET, EXT_TRY, EXT_SET };

/* All are looked at before one is set, as the kernel does; error_idx = count says that none was. */
static int ext_controls(struct camera *c, int cam, struct v4l2_ext_controls *a, enum ext what)
{
	uint32_t which = a->which;
	if ((which >= V4L2_CTRL_WHICH_REQUEST_VAL) || (which == V4L2_CTRL_WHICH_DEF_VAL && what != EXT_GET))
		return -EINVAL;
	for (int pass = what == EXT_SET ? EXT_TRY : (int)what; pass <= (int)what; pass++)
		for (uint32_t i = 0; i < a->count; i++) {
			struct v4l2_ext_control *x = &a->controls[i];
			int32_t v = x->value;
			int r = which && which != V4L2_CTRL_WHICH_DEF_VAL && which != V4L2_CTRL_ID2WHICH(x->id) ? -EINVAL
				: pass == EXT_GET ? get_control(c, x->id, &v) : set_control(c, cam, x->id, &v, pass == EXT_SET);
			if (!r && which == V4L2_CTRL_WHICH_DEF_VAL)
				v = CONTROLS[find_control(x->id)].def;
			a->error_idx = what == EXT_TRY ? i : a->count;
			if (r)
				return r;
			if (pass != EXT_TRY || what == EXT_TRY)
				x->value = v;
		}
	a->error_idx = a->count;
	return 0;
}

/* ---- formats ------------------------------------------------------------------------------- */

static bool offers(const struct settings *s, uint32_t fourcc)
{
	for (int i = 0; i < s->nformats; i++)
		if (s->formats[i] == fourcc)
			return true;
	return false;
}

/* The k-th offered format; 0 past the last. */
static uint32_t format_at(const struct settings *s, uint32_t k)
{
	return k < (uint32_t)s->nformats ? s->formats[k] : 0;
}

static void fill_format(const struct settings *s, struct v4l2_pix_format *p, uint32_t fourcc, int w, int h)
{
	const struct format *format = format_of(fourcc);
	memset(p, 0, sizeof *p);
	p->width = (uint32_t)w;
	p->height = (uint32_t)h;
	p->pixelformat = fourcc;
	p->field = V4L2_FIELD_NONE;
	p->bytesperline = (uint32_t)line_bytes(s, fourcc, w);
	p->sizeimage = format->bits ? (uint32_t)raw_bytes(format, w, h, p->bytesperline) : p->width * p->height * 2;
	p->colorspace = V4L2_COLORSPACE_SRGB;
	p->priv = V4L2_PIX_FMT_PRIV_MAGIC;
}

/* What uvcvideo makes of a wish: an unknown format becomes the first, a size the nearest; or the one
 * that the frames have now. */
static void adjust(const struct settings *s, struct v4l2_pix_format *p)
{
	uint32_t fourcc = offers(s, p->pixelformat) ? p->pixelformat : format_at(s, 0);
	int64_t best = INT64_MAX;
	struct size at = s->stream_size.w ? s->stream_size : s->sizes[0];
	for (int i = 0; !s->stream_size.w && i < s->nsizes; i++) {
		int64_t w = s->sizes[i].w, h = s->sizes[i].h;
		int64_t cw = w < p->width ? w : p->width, ch = h < p->height ? h : p->height;
		int64_t off = w * h + (int64_t)p->width * p->height - 2 * cw * ch;
		if (off < best) {
			best = off;
			at = s->sizes[i];
		}
	}
	fill_format(s, p, fourcc, at.w, at.h);
}

static struct v4l2_fract interval_of(double rate)
{
	uint32_t num = 1, den = (uint32_t)(rate + 0.5);
	if (rate != (double)den)
		for (num = 1000, den = (uint32_t)(rate * 1000 + 0.5); num % 2 == 0 && den % 2 == 0; num /= 2)
			den /= 2;
	return (struct v4l2_fract){num, den};
}

static double nearest_rate(const struct settings *s, struct v4l2_fract t)
{
	double best = s->rates[0];
	if (!t.numerator || !t.denominator)
		return best;
	for (int i = 1; i < s->nrates; i++) {
		double want = (double)t.numerator / t.denominator;
		if (fabs(1 / s->rates[i] - want) < fabs(1 / best - want))
			best = s->rates[i];
	}
	return best;
}

/* A camera fresh from the plug. */
static void plug_in(int cam)
{
	struct camera *c = &cameras[cam];
	const struct settings *s = &settings[cam];
	c->plugged = true;
	c->fourcc = format_at(s, 0);
	struct size size = s->stream_size.w ? s->stream_size : s->sizes[0];
	c->w = size.w;
	c->h = size.h;
	c->rate = s->rates[0];
	for (int i = 0; i < NCONTROLS; i++)
		c->values[i] = CONTROLS[i].def;
}

/* Makes what the frames of the size are made of. */
static void make_pictures(struct file *f)
{
	const struct camera *c = &cameras[f->cam];
	if (c->fourcc == V4L2_PIX_FMT_MJPEG) {
		jpeg_of(c->w, c->h, 0);
		return;
	}
	free(f->bars);
	f->bars = load_raw(even(c->w), c->h, &f->raw_frames);
	if (!f->bars && settings[f->cam].patches)
		f->bars = make_patches(even(c->w), c->h, &f->raw_frames);
	if (!f->bars)
		f->bars = make_bars(even(c->w), c->h);
}

static void settings_changed(const struct settings *before)
{
	for (int i = 0; i < MAX_CAMERAS; i++) {
		const struct settings *a = &before[i], *b = &settings[i];
		if (cameras[i].plugged && (!b->plugged || a->node != b->node || a->generation != b->generation)) {
			cameras[i].plugged = false;
			event("unplug camera=%d", i);
			for (struct file *f = files; f; f = f->next)
				if (f->cam == i)
					pull_out(f);
		}
		if (b->plugged && !cameras[i].plugged) {
			plug_in(i);
			if (a->exists) /* else the process has only begun to look */
				event("plug camera=%d node=%d", i, b->node);
		}
		struct camera *c = &cameras[i];
		if (b->stream_size.w && (b->stream_size.w != c->w || b->stream_size.h != c->h)) {
			c->w = b->stream_size.w;
			c->h = b->stream_size.h;
			for (struct file *f = files; f; f = f->next)
				if (f->cam == i && f->streaming)
					make_pictures(f);
			event("size camera=%d size=%dx%d", i, c->w, c->h);
		}
		if (a->exists && a->fault != b->fault)
			event("fault camera=%d %s", i, FAULT_NAMES[b->fault]);
	}
}

/* ---- ioctls --------------------------------------------------------------------------------- */

static void fill_buffer(const struct file *f, struct v4l2_buffer *v, uint32_t i)
{
	const struct buffer *b = &f->buf[i];
	uint32_t type = v->type;
	memset(v, 0, sizeof *v);
	v->type = type;
	v->index = i;
	v->memory = f->memory;
	v->field = V4L2_FIELD_NONE;
	v->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_SOE | b->flags;
	if (b->mapped)
		v->flags |= V4L2_BUF_FLAG_MAPPED;
	if (b->state == QUEUED)
		v->flags |= V4L2_BUF_FLAG_QUEUED;
	else if (b->state != DEQUEUED)
		v->flags |= V4L2_BUF_FLAG_DONE;
	v->bytesused = b->used;
	v->sequence = b->seq;
	v->timestamp.tv_sec = (time_t)(b->mono_us / 1000000);
	v->timestamp.tv_usec = (suseconds_t)(b->mono_us % 1000000);
	v->length = (uint32_t)f->stride;
	if (f->memory == V4L2_MEMORY_USERPTR) {
		v->m.userptr = (unsigned long)b->user;
		if (b->user_len)
			v->length = (uint32_t)b->user_len;
	} else {
		v->m.offset = (uint32_t)(f->stride * i);
	}
}

static int request_buffers(struct file *f, struct v4l2_requestbuffers *r)
{
	struct camera *c = &cameras[f->cam];
	struct v4l2_pix_format p;
	if (r->memory != V4L2_MEMORY_MMAP && r->memory != V4L2_MEMORY_USERPTR)
		return -EINVAL;
	int e = own(f);
	if (e)
		return e;
	if (f->streaming)
		return -EBUSY;
	free_buffers(f);
	r->flags = 0;
	memset(r->reserved, 0, sizeof r->reserved);
	r->capabilities = V4L2_BUF_CAP_SUPPORTS_MMAP | V4L2_BUF_CAP_SUPPORTS_USERPTR | V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS;
	if (!r->count) {
		disown(f);
		return 0;
	}
	if (r->count > MAX_BUFFERS)
		r->count = MAX_BUFFERS;
	fill_format(&settings[f->cam], &p, c->fourcc, c->w, c->h);
	f->stride = (p.sizeimage + 4095u) & ~4095u;
	f->memory = r->memory;
	f->nbuffers = (int)r->count;
	if (f->memory == V4L2_MEMORY_USERPTR) {
		f->stride = p.sizeimage;
		return 0;
	}
	size_t all = f->stride * (size_t)f->nbuffers;
	f->memfd = high_fd(memfd_create("fakecam", MFD_CLOEXEC));
	if (f->memfd >= 0 && !ftruncate(f->memfd, (off_t)all)) {
		void *m = (void *)k_mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);
		f->base = m == MAP_FAILED ? NULL : m;
	}
	if (f->base)
		return 0;
	f->stride = 0; /* nothing is mapped: free_buffers must not unmap */
	free_buffers(f);
	return -ENOMEM;
}

static int queue_buffer(struct file *f, struct v4l2_buffer *v)
{
	if (v->index >= (uint32_t)f->nbuffers || v->memory != f->memory)
		return -EINVAL;
	struct buffer *b = &f->buf[v->index];
	if (b->state != DEQUEUED)
		return -EINVAL;
	if (f->memory == V4L2_MEMORY_USERPTR) {
		if (v->length < f->stride || !v->m.userptr)
			return -EINVAL;
		b->user = (uint8_t *)v->m.userptr;
		b->user_len = v->length;
	}
	b->state = QUEUED;
	b->flags = 0;
	push(&f->in, (int)v->index);
	fill_buffer(f, v, v->index);
	return 0;
}

/* Blocks, with the lock released, unless the descriptor is O_NONBLOCK. */
static int dequeue_buffer(struct file *f, int fd, struct v4l2_buffer *v)
{
	for (;;) {
		if (f->gone)
			return -ENODEV;
		if (!f->streaming || v->memory != f->memory)
			return -EINVAL;
		if (f->done.n) {
			int i = pop(&f->done);
			mirror(f, fd);
			int e = f->buf[i].state == DONE_EIO ? EIO : settings[f->cam].fail[CALL_DQBUF];
			if (e) { /* the buffer stays with the camera */
				f->buf[i].state = QUEUED;
				push(&f->in, i);
				return -e;
			}
			f->buf[i].state = DEQUEUED;
			fill_buffer(f, v, (uint32_t)i);
			return 0;
		}
		if (k_fcntl(fd, F_GETFL, 0) & O_NONBLOCK)
			return -EAGAIN;
		struct pollfd p = {.fd = fd, .events = POLLIN};
		pthread_mutex_unlock(&lock);
		int n = (int)k_ppoll(&p, 1), e = errno;
		pthread_mutex_lock(&lock);
		if (n < 0 && e == EINTR)
			return -EINTR;
	}
}

static int stream_on(struct file *f, int fd)
{
	struct camera *c = &cameras[f->cam];
	if (settings[f->cam].busy || (c->owner && c->owner != f))
		return -EBUSY;
	if (!f->nbuffers)
		return -EINVAL;
	if (f->streaming)
		return 0;
	if (settings[f->cam].fail[CALL_STREAMON])
		return -settings[f->cam].fail[CALL_STREAMON];
	double needed = c->w * (double)c->h * c->rate * (format_of(c->fourcc)->bits ? format_of(c->fourcc)->bits / 8.0 : 0.25);
	if (settings[f->cam].bandwidth && needed > settings[f->cam].bandwidth) {
		event("nospace camera=%d format=%.4s size=%dx%d rate=%g", f->cam, (char *)&c->fourcc, c->w, c->h, c->rate);
		return -ENOSPC;
	}
	make_pictures(f);
	f->streaming = true;
	f->seq = 0;
	f->frozen = false;
	f->delivered = f->lost = 0;
	f->next_ns = now_ns(CLOCK_MONOTONIC) + settings[f->cam].start_ms * 1000000LL + interval_ns(f, false);
	mirror(f, fd);
	pthread_cond_signal(&wake);
	event("streamon camera=%d format=%.4s size=%dx%d rate=%g buffers=%d", f->cam, (char *)&c->fourcc, c->w, c->h,
	      c->rate, f->nbuffers);
	return 0;
}

static int enum_sizes(const struct settings *s, struct v4l2_frmsizeenum *e)
{
	if (!offers(s, e->pixel_format) || e->index >= (uint32_t)s->nsizes)
		return -EINVAL;
	memset(e->reserved, 0, sizeof e->reserved);
	e->type = V4L2_FRMSIZE_TYPE_DISCRETE;
	e->discrete.width = (uint32_t)s->sizes[e->index].w;
	e->discrete.height = (uint32_t)s->sizes[e->index].h;
	return 0;
}

static int enum_intervals(const struct settings *s, struct v4l2_frmivalenum *e)
{
	bool known = false;
	for (int i = 0; i < s->nsizes; i++)
		known |= (uint32_t)s->sizes[i].w == e->width && (uint32_t)s->sizes[i].h == e->height;
	if (!known || !offers(s, e->pixel_format) || e->index >= (uint32_t)s->nrates)
		return -EINVAL;
	memset(e->reserved, 0, sizeof e->reserved);
	e->type = V4L2_FRMIVAL_TYPE_DISCRETE;
	e->discrete = interval_of(s->rates[e->index]);
	return 0;
}

static int query_capabilities(const struct file *f, struct v4l2_capability *q)
{
	const struct settings *s = &settings[f->cam];
	memset(q, 0, sizeof *q);
	snprintf((char *)q->driver, sizeof q->driver, "%s", s->driver);
	snprintf((char *)q->card, sizeof q->card, "%s", s->name);
	snprintf((char *)q->bus_info, sizeof q->bus_info, "usb-fake-%d", s->port ? s->port : f->cam + 1);
	q->version = 6 << 16 | 1 << 8;
	q->device_caps = (f->index ? V4L2_CAP_META_CAPTURE : V4L2_CAP_VIDEO_CAPTURE) | V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT;
	q->capabilities = V4L2_CAP_VIDEO_CAPTURE | (s->metadata_node ? V4L2_CAP_META_CAPTURE : 0u) | V4L2_CAP_STREAMING
		| V4L2_CAP_EXT_PIX_FORMAT | V4L2_CAP_DEVICE_CAPS;
	return 0;
}

/* With the lock held. Returns 0 or a negated errno. */
static int v4l2_ioctl(struct file *f, int fd, unsigned request, void *arg)
{
	struct settings *s = &settings[f->cam];
	struct camera *c = &cameras[f->cam];
	uint32_t type = arg ? *(uint32_t *)arg : 0; /* where the struct begins with one */
	bool capture = type == V4L2_BUF_TYPE_VIDEO_CAPTURE && !f->index;
	int e;

	if (f->gone)
		return -ENODEV;
	if (!arg)
		return _IOC_DIR(request) == _IOC_NONE ? -ENOTTY : -EFAULT;
	switch (request) {
	case VIDIOC_QUERYCAP:
		return query_capabilities(f, arg);

	case VIDIOC_ENUM_FMT: {
		struct v4l2_fmtdesc *a = arg;
		uint32_t k = a->index;
		type = a->type;
		uint32_t fourcc = type == V4L2_BUF_TYPE_VIDEO_CAPTURE && !f->index ? format_at(s, k) : 0;
		if (!fourcc)
			return -EINVAL;
		memset(a, 0, sizeof *a);
		a->index = k;
		a->type = type;
		a->pixelformat = fourcc;
		a->flags = format_of(fourcc)->bits ? 0 : V4L2_FMT_FLAG_COMPRESSED;
		snprintf((char *)a->description, sizeof a->description, "%s", format_of(fourcc)->description);
		return 0;
	}
	case VIDIOC_ENUM_FRAMESIZES:
		return f->index ? -ENOTTY : enum_sizes(s, arg);
	case VIDIOC_ENUM_FRAMEINTERVALS:
		return f->index ? -ENOTTY : enum_intervals(s, arg);

	case VIDIOC_G_FMT:
		if (!capture)
			return -EINVAL;
		fill_format(s, &((struct v4l2_format *)arg)->fmt.pix, c->fourcc, c->w, c->h);
		return 0;
	case VIDIOC_TRY_FMT:
		if (!capture)
			return -EINVAL;
		adjust(s, &((struct v4l2_format *)arg)->fmt.pix);
		return 0;
	case VIDIOC_S_FMT: {
		struct v4l2_pix_format *p = &((struct v4l2_format *)arg)->fmt.pix;
		if (!capture)
			return -EINVAL;
		if ((e = own(f)))
			return e;
		if (s->fail[CALL_S_FMT])
			return -s->fail[CALL_S_FMT];
		if (f->nbuffers)
			return -EBUSY;
		adjust(s, p);
		c->fourcc = p->pixelformat;
		c->w = (int)p->width;
		c->h = (int)p->height;
		return 0;
	}
	case VIDIOC_G_PARM:
	case VIDIOC_S_PARM: {
		struct v4l2_streamparm *a = arg;
		if (!capture)
			return -EINVAL;
		if (request == VIDIOC_S_PARM) {
			if ((e = own(f)))
				return e;
			if (f->streaming)
				return -EBUSY;
			c->rate = nearest_rate(s, a->parm.capture.timeperframe);
		}
		memset(&a->parm, 0, sizeof a->parm);
		a->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
		a->parm.capture.timeperframe = interval_of(c->rate);
		return 0;
	}
	case VIDIOC_ENUMINPUT: {
		struct v4l2_input *a = arg;
		if (a->index)
			return -EINVAL;
		memset(a, 0, sizeof *a);
		snprintf((char *)a->name, sizeof a->name, "Camera 1");
		a->type = V4L2_INPUT_TYPE_CAMERA;
		return 0;
	}
	case VIDIOC_G_INPUT:
		*(int *)arg = 0;
		return 0;
	case VIDIOC_S_INPUT:
		return *(int *)arg ? -EINVAL : 0;
	case VIDIOC_G_PRIORITY:
		*(uint32_t *)arg = V4L2_PRIORITY_DEFAULT;
		return 0;
	case VIDIOC_S_PRIORITY:
		return 0;

	case VIDIOC_REQBUFS:
		return ((struct v4l2_requestbuffers *)arg)->type == V4L2_BUF_TYPE_VIDEO_CAPTURE && !f->index
			? request_buffers(f, arg) : -EINVAL;
	case VIDIOC_QUERYBUF:
	case VIDIOC_QBUF:
	case VIDIOC_DQBUF: {
		struct v4l2_buffer *a = arg;
		if (a->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || f->index)
			return -EINVAL;
		if (c->owner && c->owner != f)
			return -EBUSY;
		if (request == VIDIOC_QBUF)
			return queue_buffer(f, a);
		if (request == VIDIOC_DQBUF)
			return dequeue_buffer(f, fd, a);
		if (a->index >= (uint32_t)f->nbuffers)
			return -EINVAL;
		fill_buffer(f, a, a->index);
		return 0;
	}
	case VIDIOC_STREAMON:
		return capture ? stream_on(f, fd) : -EINVAL;
	case VIDIOC_STREAMOFF:
		if (!capture)
			return -EINVAL;
		stop(f);
		return 0;

	case VIDIOC_QUERYCTRL: {
		struct v4l2_queryctrl *a = arg;
		int i = find_control(a->id);
		if (i < 0)
			return -EINVAL;
		memset(a, 0, sizeof *a);
		*a = (struct v4l2_queryctrl){.id = CONTROLS[i].id, .type = CONTROLS[i].type, .minimum = CONTROLS[i].min,
			.maximum = CONTROLS[i].max, .step = CONTROLS[i].step, .default_value = CONTROLS[i].def, .flags = flags_of(c, i)};
		snprintf((char *)a->name, sizeof a->name, "%s", CONTROLS[i].name);
		return 0;
	}
	case VIDIOC_QUERY_EXT_CTRL: {
		struct v4l2_query_ext_ctrl *a = arg;
		int i = find_control(a->id);
		if (i < 0)
			return -EINVAL;
		memset(a, 0, sizeof *a);
		a->id = CONTROLS[i].id;
		a->type = CONTROLS[i].type;
		snprintf(a->name, sizeof a->name, "%s", CONTROLS[i].name);
		a->minimum = CONTROLS[i].min;
		a->maximum = CONTROLS[i].max;
		a->step = (uint64_t)CONTROLS[i].step;
		a->default_value = CONTROLS[i].def;
		a->flags = flags_of(c, i);
		a->elem_size = 4;
		a->elems = 1;
		return 0;
	}
	case VIDIOC_QUERYMENU: {
		struct v4l2_querymenu *a = arg;
		int i = find_control(a->id);
		if (i < 0 || !CONTROLS[i].menu || a->index > (uint32_t)CONTROLS[i].max || !CONTROLS[i].menu[a->index])
			return -EINVAL;
		snprintf((char *)a->name, sizeof a->name, "%s", CONTROLS[i].menu[a->index]);
		a->reserved = 0;
		return 0;
	}
	case VIDIOC_G_CTRL: {
		struct v4l2_control *a = arg;
		return get_control(c, a->id, &a->value);
	}
	case VIDIOC_S_CTRL: {
		struct v4l2_control *a = arg;
		return set_control(c, f->cam, a->id, &a->value, true);
	}
	case VIDIOC_G_EXT_CTRLS:
		return ext_controls(c, f->cam, arg, EXT_GET);
	case VIDIOC_TRY_EXT_CTRLS:
		return ext_controls(c, f->cam, arg, EXT_TRY);
	case VIDIOC_S_EXT_CTRLS:
		return ext_controls(c, f->cam, arg, EXT_SET);

	case VIDIOC_SUBSCRIBE_EVENT:
	case VIDIOC_UNSUBSCRIBE_EVENT:
		return -EINVAL;
	case VIDIOC_DQEVENT:
		return -ENOENT;
	default:
		return -ENOTTY;
	}
}

/* ---- opening ---------------------------------------------------------------------------------- */

/* Opens the device node of that number. Returns a descriptor, or -1 with errno. */
static int open_node(int node, int flags)
{
	int cam = -1, index = 0, p[2], delay_ms = 0;
	struct file *f = NULL;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < MAX_CAMERAS; i++)
		for (int k = 0; k <= settings[i].metadata_node; k++)
			if (cameras[i].plugged && settings[i].node + k == node) {
				cam = i;
				index = k;
			}
	errno = cam < 0 ? ENOENT : settings[cam].forbidden ? EACCES : settings[cam].busy == 2 ? EBUSY : 0;
	if (errno)
		goto fail;
	delay_ms = settings[cam].open_ms;
	f = calloc(1, sizeof *f);
	if (!f || syscall(SYS_pipe2, p, O_CLOEXEC) < 0)
		goto fail;
	if (p[0] >= MAX_FDS) {
		k_close(p[0]);
		k_close(p[1]);
		errno = EMFILE;
		goto fail;
	}
	*f = (struct file){.refs = 1, .cam = cam, .index = index, .wfd = high_fd(p[1]), .memfd = -1, .next = files};
	if (!(flags & O_CLOEXEC))
		k_fcntl(p[0], F_SETFD, 0);
	if (flags & O_NONBLOCK)
		k_fcntl(p[0], F_SETFL, O_NONBLOCK);
	files = f;
	atomic_fetch_add(&open_files, 1);
	start_thread();
	mirror(f, -1);
	event("open camera=%d node=%d", cam, node);
	pthread_mutex_unlock(&lock);

	struct timespec t = {delay_ms / 1000, delay_ms % 1000 * 1000000L};
	if (delay_ms)
		nanosleep(&t, NULL);
	pthread_mutex_lock(&lock);
	struct file *stale = atomic_exchange(&fdtab[p[0]], f); /* closed by a raw system call */
	if (stale)
		put_file(stale);
	pthread_mutex_unlock(&lock);
	return p[0];
fail:
	if (cam >= 0)
		event("open camera=%d node=%d errno=%d", cam, node, errno);
	pthread_mutex_unlock(&lock);
	free(f);
	return -1;
}

/* A descriptor is about to be closed or overwritten. */
static void forget(int fd)
{
	pthread_mutex_lock(&lock);
	struct file *f = atomic_exchange(&fdtab[fd], NULL);
	if (f)
		put_file(f);
	pthread_mutex_unlock(&lock);
}

/* A child of fork() has no camera thread. What it inherited is dead to it (ENODEV) and, above
 * all, must not keep the parent's pipes open. */
static void after_fork(void)
{
	for (struct file *f = files; f; f = f->next) {
		if (f->base) /* shared with the parent: only its own mapping goes */
			k_munmap(f->base, f->stride * (size_t)f->nbuffers);
		f->base = NULL;
		f->streaming = false;
		pull_out(f);
	}
	owner_pid = getpid();
	thread_runs = wake_ready = false; /* not destroyed: it would wait for the parent's thread */
	pthread_mutex_init(&lock, NULL);
}

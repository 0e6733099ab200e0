/* A fake V4L2 camera for tests, as a library to preload: unmodified programs (camfeed, OpenCV,
 * ffmpeg, ustreamer, v4l2-ctl) find /dev/video0 and stream from it, where no camera is, no
 * kernel module can be loaded and nobody is root. It can be pulled out, hang, and lie.
 *
 *     cc -shared -fPIC -O2 -o libfakecam.so fakecam.c -ldl -lpthread
 *     FAKECAM_CONTROL=/tmp/t/control LD_PRELOAD=$PWD/libfakecam.so ffmpeg -f v4l2 -i /dev/video0 …
 *
 * Used by tests/it and by selfcheck.sh. Must never touch a real device, never cost a program
 * that opens no camera more than a few comparisons a call, never be in a release.
 *
 * Order of the light: control.h (what the camera is to be; the device tree), pictures.h (what
 * stands in a buffer), v4l2.h (buffers, frame clock, ioctls), and below the libc calls that
 * are answered instead of libc.
 *
 * Environment, read once:
 *   FAKECAM_CONTROL  the control file; re-read within 20 ms of a change. Without: the defaults.
 *   FAKECAM_FRAMES   JPEG files and folders, colon-separated: the MJPG ring, by size. Made by
 *                    make_frames.sh. A size without any gets a small built-in mosaic.
 *   FAKECAM_RAW      a folder with files `WxH.yuyv`: the YUYV frames of that size, one after the
 *                    other. A size without any gets scrolling bars.
 *   FAKECAM_ROOT     the tree that stands for /dev/video*, /dev/v4l, /sys/class/video4linux
 *                    (made when first needed). Defaults to /tmp/fakecam-UID/HASH of the control
 *                    path. Programs that share it see one camera: one owner, one unplug.
 *   FAKECAM_LOG      a file to which each event is appended: `mono_us pid event key=value…`
 *                    (open, close, streamon, streamoff with delivered= and lost=, plug, unplug,
 *                    fault, control).
 *   FAKECAM_NO_INOTIFY  set: no inotify instance is left (EMFILE).
 *   FAKECAM_COUNT    cameras, 1 to 4. Defaults to 1; `camera N` in the control file adds too.
 *
 * The control file is the whole state, not a change: what it leaves out has its default. One
 * `key value` a line, `#` comments, a later line wins. Replace it by rename, or in one write: a
 * file cut to nothing in place is taken for one being written, and changes nothing.
 *   camera N            what follows is about camera N (0 to 3)
 *   plugged yes|no      yes          no: nodes gone, POLLHUP, every ioctl ENODEV, open ENOENT
 *   node N              the camera's index    another number: an unplug and a replug there
 *   generation N        0            another number: an unplug and a replug, however quick
 *   busy yes|no|open    no           yes: S_FMT, S_PARM, REQBUFS, STREAMON fail with EBUSY; open: open too
 *   forbidden yes|no    no           open fails with EACCES
 *   format NAME,…       yuyv,mjpg    what the camera offers, in this order: V4L2's code in lower case (FORMATS
 *                       in control.h has those there are); `both` is the default
 *   line_padding N      0            bytes behind each line of a raw picture, which bytesperline tells
 *   line_align N        1            the lines of a raw picture begin at multiples of N bytes: narrow ones are padded
 *   picture NAME        bars         bars: scrolling; patches: red, green, blue above white, black, grey, and each
 *                       second frame upside down. Not of JPEGs
 *   sizes WxH,…         640x480,1280x720,1920x1080     the first is the default
 *   stream_size WxH                  the frames and G_FMT have this size from now on, whatever was negotiated
 *   rates R,…           30,15,10,5   frames per second offered; the first is the default
 *   fps R               0            the true pace, whatever was negotiated (0: as negotiated)
 *   fault NAME          none         see below
 *   fault_every N       1            the fault hits each N-th frame only
 *   eio_every N                      the same as `fault eio` and `fault_every N`
 *   slow_ms N           2000         of `fault slow`
 *   padding_bytes N, padding_value N   512, 0        of `fault padding`
 *   open_ms N           0            open() takes this long
 *   start_ms N          0            the first frame after STREAMON is this late
 *   fail_s_fmt, fail_streamon, fail_dqbuf NAME   no   the call fails with ENOSPC, EBUSY, EACCES, EIO, EPROTO, EPIPE,
 *                       ENODEV or EINVAL (DQBUF: once a frame)
 *   lead N|line         0            N zero bytes, or an empty line (CR LF), before a JPEG's SOI
 *   driver NAME         uvcvideo     what QUERYCAP calls the driver, such as unicam or rp1-cfe
 *   latency_ms N        0            a frame's time is this long before it is delivered
 *   metadata_node yes|no  no         a second node, N+1, that captures no pictures, as UVC cameras have
 *   port N              the index + 1   of USB bus 1 (/sys/devices/platform/fake/usb1/1-N)
 *   bandwidth N         0            bytes a second that the bus has left (0: enough). A raw picture needs its bytes, a
 *                       JPEG a quarter of a byte a pixel; where that is too much STREAMON fails with ENOSPC
 *   name TEXT, serial TEXT           Fake Camera, 0001   (/dev/v4l/by-id/usb-Fake_Camera_0001-video-index0); serial
 *                       none: it has none
 * Faults: hang (no frame is ever finished), drop (the frame is lost; hang of each N-th), eio (DQBUF
 * fails with EIO once a frame), slow (a frame each slow_ms), truncated (cut in the scan data; each
 * fourth right after the headers), errflag (truncated, and V4L2_BUF_FLAG_ERROR says so), garbage
 * (random bytes), empty (bytesused 0), nodht (no Huffman tables), padding (after EOI), eoiloss (the
 * last 1 to 3 bytes missing), noeoi (the last 2), uneven (whole; by turns 1, 2 or 3 bytes less than a
 * multiple of 4, and just that: OpenCV up to 4.10 then loses as many of the latter), freeze (the same bytes for ever), huge (valid, as large as the buffer).
 *
 * True age: an MJPG frame carries, right after SOI, a COM segment
 * `fakecam seq=N mono_us=N unix_us=N`; a YUYV frame has sequence and time in black and white blocks
 * along its top (see compose_yuyv), and so has every other raw one; read_stamp.py reads both. mono_us is v4l2_buffer.timestamp.
 *
 * Not there: raw system calls (Go, libv4l2's own), glob(3), reads, DMABUF/EXPBUF, CREATE_BUFS, events,
 * udev. An open camera costs up to four descriptors (three of them from 200 up), one thread a process.
 */
#undef _FORTIFY_SOURCE
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/videodev2.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#if __SIZEOF_POINTER__ != 8
#error "struct stat and off_t are taken to be the kernel's: 64-bit Linux only"
#endif

/* libc's own function, behind ours; found when first called, which may be before our constructors. */
static void *behind(void *_Atomic *at, const char *name)
{
	void *p = atomic_load_explicit(at, memory_order_relaxed);
	if (!p)
		atomic_store_explicit(at, p = dlsym(RTLD_NEXT, name), memory_order_relaxed);
	return p;
}
#define CALL(name) ((__typeof__(&name))behind(&real_##name, #name))
#define BEHIND(name) static void *_Atomic real_##name

BEHIND(opendir);
BEHIND(readdir);
BEHIND(closedir);
BEHIND(realpath);

/* For ourselves: the kernel, past our own functions of the same name. */
#define k_open(path, flags, mode) syscall(SYS_openat, AT_FDCWD, path, flags, mode)
#define k_close(fd) syscall(SYS_close, fd)
#define k_read(fd, p, n) syscall(SYS_read, fd, p, n)
#define k_write(fd, p, n) syscall(SYS_write, fd, p, n)
#define k_fcntl(fd, cmd, arg) syscall(SYS_fcntl, fd, cmd, arg)
#define k_fstat(fd, st) syscall(SYS_fstat, fd, st)
#define k_stat(path, st) syscall(SYS_newfstatat, AT_FDCWD, path, st, 0)
#define k_mmap(p, n, prot, flags, fd, at) syscall(SYS_mmap, p, n, prot, flags, fd, at)
#define k_munmap(p, n) syscall(SYS_munmap, p, n)
#define k_ppoll(p, n) syscall(SYS_ppoll, p, n, NULL, NULL, 0)

static const char *env_or(const char *name, const char *otherwise)
{
	const char *v = getenv(name);
	return v ? v : otherwise;
}

static void complain(const char *fmt, ...)
{
	char text[600] = "fakecam: ";
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text + 9, sizeof text - 10, fmt, ap);
	va_end(ap);
	strcat(text, "\n");
	if (k_write(2, text, strlen(text)) < 0) {} /* nobody to tell */
}

/* One line into $FAKECAM_LOG. Keeps errno. */
static void event(const char *fmt, ...)
{
	static const char *path;
	char text[400];
	int e = errno;
	if (!path)
		path = strdup(env_or("FAKECAM_LOG", ""));
	if (path && *path) {
		struct timespec t;
		va_list ap;
		clock_gettime(CLOCK_MONOTONIC, &t);
		int n = snprintf(text, sizeof text, "%lld %d ", t.tv_sec * 1000000LL + t.tv_nsec / 1000, getpid());
		va_start(ap, fmt);
		n += vsnprintf(text + n, sizeof text - (size_t)n - 1, fmt, ap);
		va_end(ap);
		text[n++] = '\n';
		int fd = (int)k_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
		if (fd >= 0 && k_write(fd, text, (size_t)n) < 0)
			complain("cannot write FAKECAM_LOG");
		if (fd >= 0)
			k_close(fd);
	}
	errno = e;
}

/* Moves a descriptor of ours out of the range in which programs close everything. */
static int high_fd(int fd)
{
	int high = fd < 0 ? -1 : (int)k_fcntl(fd, F_DUPFD_CLOEXEC, 200);
	if (high < 0)
		return fd;
	k_close(fd);
	return high;
}

#include "control.h"
#include "pictures.h"
#include "v4l2.h"

/* ---- which paths are ours ---------------------------------------------------------------- */

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void in_parent(void) { pthread_mutex_unlock(&lock); }

static void begin(void)
{
	owner_pid = getpid();
	const char *control = env_or("FAKECAM_CONTROL", ""), *r = env_or("FAKECAM_ROOT", "");
	uint64_t hash = 0;
	for (const char *p = control; *p; p++)
		hash = random_of(hash ^ (uint8_t)*p);
	snprintf(control_path, sizeof control_path, "%s", control);
	snprintf(root, sizeof root, "%s", r);
	if (!*r)
		snprintf(root, sizeof root, "/tmp/fakecam-%d/%08x", (int)getuid(), (unsigned)hash);
	while (*root && root[strlen(root) - 1] == '/')
		root[strlen(root) - 1] = 0;
	pthread_atfork(before_fork, in_parent, after_fork);
}

/* Makes settings and tree current. Keeps errno. */
static void look(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int e = errno;
	pthread_once(&once, begin);
	pthread_mutex_lock(&lock);
	refresh();
	pthread_mutex_unlock(&lock);
	errno = e;
}

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

static bool is_video_name(const char *s)
{
	if (strncmp(s, "video", 5) || !isdigit((unsigned char)s[5]))
		return false;
	for (s += 5; isdigit((unsigned char)*s);)
		s++;
	return !*s;
}

#define REDIRECT_MAX 1024

/* The path to use instead: itself, or in `buf` the one in the tree. `listing`: /dev too. */
static const char *redirect(const char *path, char *buf, bool listing)
{
	__asm__("" : "+r"(path)); /* headers promise it is not NULL; Rust's std probes with NULL */
	if (!path || path[0] != '/' || (path[1] != 'd' && path[1] != 's'))
		return path;
	if (path[1] == 'd'
	    ? !((!strncmp(path, "/dev/video", 10) && is_video_name(path + 5)) || below(path, "/dev/v4l")
		|| (listing && (!strcmp(path, "/dev") || !strcmp(path, "/dev/"))))
	    : !(below(path, "/sys/class/video4linux") || !strncmp(path, "/sys/dev/char/81:", 17)))
		return path;
	look();
	return snprintf(buf, REDIRECT_MAX, "%s%s", root, path) < REDIRECT_MAX ? buf : path;
}

/* The node's number if the file stands for one, else -1. */
static int node_of(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_mtim.tv_sec == NODE_MTIME && !st->st_size && st->st_mtim.tv_nsec < 100000
		? (int)st->st_mtim.tv_nsec : -1;
}

/* ---- open, close, dup ------------------------------------------------------------------- */

#define EXPORT __attribute__((visibility("default")))

/* O_PATH and O_DIRECTORY opens, and all that is no camera, go to libc. */
static bool open_camera(int dirfd, const char *path, int flags, int *result)
{
	struct stat st;
	const char *base;
	__asm__("" : "+r"(path));
	if (!path || flags & (O_PATH | O_DIRECTORY))
		return false;
	if (path[0] == '/' && strncmp(path, root, strlen(root)))
		return false;
	if (path[0] != '/') { /* found while walking the tree */
		base = strrchr(path, '/');
		if (!*root || !is_video_name(base ? base + 1 : path))
			return false;
	}
	if (!*root || syscall(SYS_newfstatat, dirfd, path, &st, flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0) || node_of(&st) < 0)
		return false;
	*result = open_node(node_of(&st), flags);
	return true;
}

static mode_t mode_arg(int flags, va_list ap)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t) : 0;
}

static int open_any(int dirfd, const char *path, int flags, mode_t mode, int (*libc)(int, const char *, int, ...))
{
	char buf[REDIRECT_MAX];
	struct stat st;
	int fd, e = errno;
	const char *p = redirect(path, buf, false);
	if (open_camera(dirfd, p, flags, &fd)) {
		if (fd >= 0)
			errno = e;
		return fd;
	}
	fd = libc(dirfd, p, flags, mode);
	if (p == buf && fd >= 0 && !(flags & (O_PATH | O_DIRECTORY)) && !k_fstat(fd, &st) && node_of(&st) >= 0) {
		k_close(fd); /* plugged in since open_camera looked */
		fd = open_node(node_of(&st), flags);
	}
	return fd;
}

BEHIND(openat);
BEHIND(openat64);
#define OPEN_BODY(dirfd, libc)                                        \
	va_list ap;                                                    \
	va_start(ap, flags);                                           \
	mode_t mode = mode_arg(flags, ap);                             \
	va_end(ap);                                                    \
	return open_any(dirfd, path, flags, mode, CALL(libc));

EXPORT int open(const char *path, int flags, ...) { OPEN_BODY(AT_FDCWD, openat) }
EXPORT int open64(const char *path, int flags, ...) { OPEN_BODY(AT_FDCWD, openat64) }
EXPORT int openat(int dirfd, const char *path, int flags, ...) { OPEN_BODY(dirfd, openat) }
EXPORT int openat64(int dirfd, const char *path, int flags, ...) { OPEN_BODY(dirfd, openat64) }

EXPORT int __open_2(const char *path, int flags) { return open_any(AT_FDCWD, path, flags, 0, CALL(openat)); }
EXPORT int __open64_2(const char *path, int flags) { return open_any(AT_FDCWD, path, flags, 0, CALL(openat64)); }
EXPORT int __openat_2(int dirfd, const char *path, int flags) { return open_any(dirfd, path, flags, 0, CALL(openat)); }
EXPORT int __openat64_2(int dirfd, const char *path, int flags) { return open_any(dirfd, path, flags, 0, CALL(openat64)); }

BEHIND(fopen);
EXPORT FILE *fopen(const char *path, const char *mode)
{
	char buf[REDIRECT_MAX];
	return CALL(fopen)(redirect(path, buf, false), mode);
}

BEHIND(fopen64);
EXPORT FILE *fopen64(const char *path, const char *mode)
{
	char buf[REDIRECT_MAX];
	return CALL(fopen64)(redirect(path, buf, false), mode);
}

/* False also in a vfork()ed child, which stands in its parent's memory: it must not forget what
 * its parent has open. */
static bool is_ours(int fd)
{
	return file_of(fd) && getpid() == owner_pid;
}

BEHIND(close);
EXPORT int close(int fd)
{
	if (is_ours(fd))
		forget(fd);
	return CALL(close)(fd);
}

/* A new descriptor of the same open file. */
static int share(int fd, int copy)
{
	if (copy < 0 || copy >= MAX_FDS || fd == copy)
		return copy;
	pthread_mutex_lock(&lock);
	struct file *old = atomic_exchange(&fdtab[copy], get_file(fd));
	if (old)
		put_file(old);
	pthread_mutex_unlock(&lock);
	return copy;
}

BEHIND(dup);
EXPORT int dup(int fd)
{
	int copy = CALL(dup)(fd);
	return is_ours(fd) ? share(fd, copy) : copy;
}

BEHIND(dup2);
EXPORT int dup2(int fd, int copy)
{
	int r = CALL(dup2)(fd, copy);
	return is_ours(fd) || is_ours(copy) ? share(fd, r) : r;
}

BEHIND(dup3);
EXPORT int dup3(int fd, int copy, int flags)
{
	int r = CALL(dup3)(fd, copy, flags);
	return is_ours(fd) || is_ours(copy) ? share(fd, r) : r;
}

BEHIND(fcntl);
BEHIND(fcntl64);
#define FCNTL_BODY(libc)                                                                      \
	va_list ap;                                                                            \
	va_start(ap, cmd);                                                                     \
	void *arg = va_arg(ap, void *);                                                        \
	va_end(ap);                                                                            \
	int r = CALL(libc)(fd, cmd, arg);                                                      \
	return (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC) && is_ours(fd) ? share(fd, r) : r;

EXPORT int fcntl(int fd, int cmd, ...) { FCNTL_BODY(fcntl) }
EXPORT int fcntl64(int fd, int cmd, ...) { FCNTL_BODY(fcntl64) }

/* ---- the device itself -------------------------------------------------------------------- */

BEHIND(ioctl);
EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	va_start(ap, request);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	if (!file_of(fd) || _IOC_TYPE((unsigned)request) != 'V')
		return CALL(ioctl)(fd, request, arg);

	pthread_mutex_lock(&lock);
	struct file *f = get_file(fd);
	int r = f ? v4l2_ioctl(f, fd, (unsigned)request, arg) : -EBADF;
	if (f)
		put_file(f);
	pthread_mutex_unlock(&lock);
	if (!r)
		return 0;
	errno = -r;
	return -1;
}

static void *map(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	void *p = MAP_FAILED;
	pthread_mutex_lock(&lock);
	struct file *f = file_of(fd);
	size_t i = f && f->stride ? (size_t)offset / f->stride : 0;
	errno = EINVAL;
	if (f && f->gone) {
		errno = ENODEV;
	} else if (f && f->base && i < (size_t)f->nbuffers && (size_t)offset % f->stride == 0 && n <= f->stride) {
		p = (void *)k_mmap(at, n, prot, flags, f->memfd, offset);
		if (p != MAP_FAILED)
			f->buf[i].mapped = true;
	}
	pthread_mutex_unlock(&lock);
	return p;
}

BEHIND(mmap);
EXPORT void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	return file_of(fd) ? map(at, n, prot, flags, fd, offset) : CALL(mmap)(at, n, prot, flags, fd, offset);
}

BEHIND(mmap64);
EXPORT void *mmap64(void *at, size_t n, int prot, int flags, int fd, off64_t offset)
{
	return file_of(fd) ? map(at, n, prot, flags, fd, offset) : CALL(mmap64)(at, n, prot, flags, fd, offset);
}

/* uvcvideo streams only; and the byte in the pipe is ours. */
BEHIND(read);
EXPORT ssize_t read(int fd, void *p, size_t n)
{
	if (file_of(fd)) {
		errno = EINVAL;
		return -1;
	}
	return CALL(read)(fd, p, n);
}

/* ---- waiting: the pipe does it; here only what a pipe cannot say --------------------------- */

static int look_again(struct pollfd *p, nfds_t n, int ready)
{
	if (ready <= 0 || !atomic_load(&open_files))
		return ready;
	for (nfds_t i = 0; i < n; i++) {
		if (!p[i].revents || p[i].revents & POLLNVAL || !file_of(p[i].fd))
			continue;
		pthread_mutex_lock(&lock);
		struct file *f = file_of(p[i].fd);
		short now = f ? events_of(f, p[i].events) : 0;
		pthread_mutex_unlock(&lock);
		if (now) /* else it was ready a moment ago: let that stand */
			p[i].revents = now;
	}
	return ready;
}

BEHIND(poll);
EXPORT int poll(struct pollfd *p, nfds_t n, int timeout)
{
	return look_again(p, n, CALL(poll)(p, n, timeout));
}

BEHIND(ppoll);
EXPORT int ppoll(struct pollfd *p, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	return look_again(p, n, CALL(ppoll)(p, n, timeout, mask));
}

EXPORT int __poll_chk(struct pollfd *p, nfds_t n, int timeout, size_t size)
{
	if (size / sizeof *p < n)
		abort();
	return poll(p, n, timeout);
}

EXPORT int __ppoll_chk(struct pollfd *p, nfds_t n, const struct timespec *timeout, const sigset_t *mask, size_t size)
{
	if (size / sizeof *p < n)
		abort();
	return ppoll(p, n, timeout, mask);
}

/* Since Linux 4.20 a device that is gone is exceptional too (EPOLLPRI); a pipe never is. Sets are
 * read and written only up to n, as the kernel does: they may be shorter than an fd_set. */
static int add_gone(int n, const fd_set *wanted, fd_set *got, int ready)
{
	for (int fd = 0; fd < n && fd < FD_SETSIZE; fd++)
		if (FD_ISSET(fd, wanted) && file_of(fd)) {
			pthread_mutex_lock(&lock);
			struct file *f = file_of(fd);
			if (f && f->gone && !FD_ISSET(fd, got)) {
				FD_SET(fd, got);
				ready++;
			}
			pthread_mutex_unlock(&lock);
		}
	return ready;
}

static void copy_set(fd_set *to, const fd_set *from, int n)
{
	for (int fd = 0; fd < n && fd < FD_SETSIZE; fd++)
		if (FD_ISSET(fd, from))
			FD_SET(fd, to);
}

#define SELECT_BODY(call)                                                        \
	fd_set wanted;                                                           \
	bool any = e && atomic_load(&open_files);                                \
	FD_ZERO(&wanted);                                                        \
	if (any)                                                                 \
		copy_set(&wanted, e, n);                                         \
	int ready = call;                                                        \
	return any && ready > 0 && atomic_load(&gone_files) ? add_gone(n, &wanted, e, ready) : ready;

BEHIND(select);
EXPORT int select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout)
{
	SELECT_BODY(CALL(select)(n, r, w, e, timeout))
}

BEHIND(pselect);
EXPORT int pselect(int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout, const sigset_t *mask)
{
	SELECT_BODY(CALL(pselect)(n, r, w, e, timeout, mask))
}

/* ---- what stands where: stat, access, links, listings ------------------------------------- */

/* Turns the file that stands for a node, or an open camera's pipe, into a character device. */
#define TO_DEVICE(st, node)                                        \
	do {                                                       \
		(st)->st_mode = S_IFCHR | 0660;                    \
		(st)->st_rdev = makedev(81, (unsigned)(node));     \
	} while (0)

static int node_of_fd(int fd)
{
	int node = -1;
	if (!file_of(fd))
		return -1;
	pthread_mutex_lock(&lock);
	struct file *f = file_of(fd);
	if (f)
		node = settings[f->cam].node + f->index;
	pthread_mutex_unlock(&lock);
	return node;
}

#define DRESS(r, st)                                                            \
	do {                                                                    \
		int dress = r ? -1 : node_of((const struct stat *)(st));        \
		if (dress >= 0)                                                 \
			TO_DEVICE(st, dress);                                   \
	} while (0)

#define STAT(name, T)                                                           \
	BEHIND(name);                                                           \
	EXPORT int name(const char *path, struct T *st)                         \
	{                                                                       \
		char buf[REDIRECT_MAX];                                         \
		int r = CALL(name)(redirect(path, buf, false), st);             \
		DRESS(r, st);                                                   \
		return r;                                                       \
	}
STAT(stat, stat)
STAT(stat64, stat64)
STAT(lstat, stat)
STAT(lstat64, stat64)

#define FSTAT(name, T)                                                          \
	BEHIND(name);                                                           \
	EXPORT int name(int fd, struct T *st)                                   \
	{                                                                       \
		int r = CALL(name)(fd, st), node = node_of_fd(fd);              \
		if (!r && node >= 0)                                            \
			TO_DEVICE(st, node);                                    \
		else                                                            \
			DRESS(r, st);                                           \
		return r;                                                       \
	}
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)

#define FSTATAT(name, T)                                                        \
	BEHIND(name);                                                           \
	EXPORT int name(int fd, const char *path, struct T *st, int flags)      \
	{                                                                       \
		char buf[REDIRECT_MAX];                                         \
		const char *p = redirect(path, buf, false);                     \
		int r = CALL(name)(fd, p, st, flags);                           \
		int node = !r && flags & AT_EMPTY_PATH && p && !*p ? node_of_fd(fd) : -1; \
		if (node >= 0)                                                  \
			TO_DEVICE(st, node);                                    \
		else                                                            \
			DRESS(r, st);                                           \
		return r;                                                       \
	}
FSTATAT(fstatat, stat)
FSTATAT(fstatat64, stat64)

/* The names that programs built against glibc before 2.33 call. */
#define XSTAT(name, T)                                                          \
	int name(int, const char *, struct T *);                                \
	BEHIND(name);                                                           \
	EXPORT int name(int version, const char *path, struct T *st)            \
	{                                                                       \
		char buf[REDIRECT_MAX];                                         \
		int r = CALL(name)(version, redirect(path, buf, false), st);    \
		DRESS(r, st);                                                   \
		return r;                                                       \
	}
XSTAT(__xstat, stat)
XSTAT(__xstat64, stat64)
XSTAT(__lxstat, stat)
XSTAT(__lxstat64, stat64)

#define FXSTAT(name, T)                                                         \
	int name(int, int, struct T *);                                         \
	BEHIND(name);                                                           \
	EXPORT int name(int version, int fd, struct T *st)                      \
	{                                                                       \
		int r = CALL(name)(version, fd, st), node = node_of_fd(fd);     \
		if (!r && node >= 0)                                            \
			TO_DEVICE(st, node);                                    \
		else                                                            \
			DRESS(r, st);                                           \
		return r;                                                       \
	}
FXSTAT(__fxstat, stat)
FXSTAT(__fxstat64, stat64)

BEHIND(statx);
EXPORT int statx(int fd, const char *path, int flags, unsigned mask, struct statx *st)
{
	char buf[REDIRECT_MAX];
	const char *p = redirect(path, buf, false);
	/* Linux 6.18 leaves the time out when it is not asked for (seen: coreutils stat). */
	int r = CALL(statx)(fd, p, flags, mask | STATX_TYPE | STATX_SIZE | STATX_MTIME, st);
	if (r || !p)
		return r;
	int node = flags & AT_EMPTY_PATH && !*p ? node_of_fd(fd) : -1;
	if (node < 0 && S_ISREG(st->stx_mode) && st->stx_mtime.tv_sec == NODE_MTIME && !st->stx_size
	    && st->stx_mtime.tv_nsec < 100000)
		node = (int)st->stx_mtime.tv_nsec;
	if (node >= 0) {
		st->stx_mode = S_IFCHR | 0660;
		st->stx_rdev_major = 81;
		st->stx_rdev_minor = (uint32_t)node;
	}
	return r;
}

static bool is_forbidden(const char *path, int mode)
{
	struct stat st;
	bool no = false;
	if (!(mode & (R_OK | W_OK)) || k_stat(path, &st) || node_of(&st) < 0)
		return false;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < MAX_CAMERAS; i++)
		no |= settings[i].forbidden && (node_of(&st) == settings[i].node || node_of(&st) == settings[i].node + 1);
	pthread_mutex_unlock(&lock);
	errno = EACCES;
	return no;
}

#define ACCESS(name)                                                            \
	BEHIND(name);                                                           \
	EXPORT int name(const char *path, int mode)                             \
	{                                                                       \
		char buf[REDIRECT_MAX];                                         \
		const char *p = redirect(path, buf, false);                     \
		return p == buf && is_forbidden(p, mode) ? -1 : CALL(name)(p, mode); \
	}
ACCESS(access)
ACCESS(eaccess)
ACCESS(euidaccess)

BEHIND(faccessat);
EXPORT int faccessat(int fd, const char *path, int mode, int flags)
{
	char buf[REDIRECT_MAX];
	const char *p = redirect(path, buf, false);
	return p == buf && is_forbidden(p, mode) ? -1 : CALL(faccessat)(fd, p, mode, flags);
}

BEHIND(readlink);
EXPORT ssize_t readlink(const char *path, char *out, size_t n)
{
	char buf[REDIRECT_MAX];
	return CALL(readlink)(redirect(path, buf, false), out, n);
}

BEHIND(readlinkat);
EXPORT ssize_t readlinkat(int fd, const char *path, char *out, size_t n)
{
	char buf[REDIRECT_MAX];
	return CALL(readlinkat)(fd, redirect(path, buf, false), out, n);
}

/* `ls -l` asks for access control lists. */
#define GETXATTR(name)                                                                  \
	BEHIND(name);                                                                   \
	EXPORT ssize_t name(const char *path, const char *attribute, void *value, size_t n) \
	{                                                                               \
		char buf[REDIRECT_MAX];                                                 \
		return CALL(name)(redirect(path, buf, false), attribute, value, n);     \
	}
GETXATTR(getxattr)
GETXATTR(lgetxattr)

/* A real path in the tree is told as the one it stands for. */
static char *without_root(char *path)
{
	char real_root[PATH_MAX];
	size_t n;
	if (!path || !CALL(realpath)(root, real_root))
		return path;
	n = strlen(real_root);
	if (!strncmp(path, real_root, n) && path[n] == '/')
		memmove(path, path + n, strlen(path + n) + 1);
	return path;
}

EXPORT char *realpath(const char *path, char *out)
{
	char buf[REDIRECT_MAX];
	const char *p = redirect(path, buf, false);
	char *r = CALL(realpath)(p, out);
	return p == buf ? without_root(r) : r;
}

EXPORT char *__realpath_chk(const char *path, char *out, size_t n)
{
	if (n < PATH_MAX)
		abort();
	return realpath(path, out);
}

EXPORT char *canonicalize_file_name(const char *path)
{
	return realpath(path, NULL);
}

/* Open listings of the tree, whose entries for nodes must say DT_CHR. */
static DIR *_Atomic listings[16];
static atomic_int nlistings;

EXPORT DIR *opendir(const char *path)
{
	char buf[REDIRECT_MAX];
	const char *p = redirect(path, buf, true);
	DIR *d = CALL(opendir)(p), *none = NULL;
	for (int i = 0; d && p == buf && i < 16; i++, none = NULL)
		if (atomic_compare_exchange_strong(&listings[i], &none, d)) {
			atomic_fetch_add(&nlistings, 1);
			break;
		}
	return d;
}

static bool is_listing(DIR *d, bool remove)
{
	for (int i = 0; atomic_load(&nlistings) && i < 16; i++) {
		DIR *at = d;
		if (remove ? atomic_compare_exchange_strong(&listings[i], &at, NULL) : atomic_load(&listings[i]) == d)
			return true;
	}
	return false;
}

EXPORT int closedir(DIR *d)
{
	if (is_listing(d, true))
		atomic_fetch_sub(&nlistings, 1);
	return CALL(closedir)(d);
}

#define IS_NODE_ENTRY(e) ((e)->d_type == DT_REG && is_video_name((e)->d_name))

EXPORT struct dirent *readdir(DIR *d)
{
	struct dirent *e = CALL(readdir)(d);
	if (e && IS_NODE_ENTRY(e) && is_listing(d, false))
		e->d_type = DT_CHR;
	return e;
}

BEHIND(readdir64);
EXPORT struct dirent64 *readdir64(DIR *d)
{
	struct dirent64 *e = CALL(readdir64)(d);
	if (e && IS_NODE_ENTRY(e) && is_listing(d, false))
		e->d_type = DT_CHR;
	return e;
}

#define SCANDIR(name, T)                                                                                    \
	BEHIND(name);                                                                                       \
	EXPORT int name(const char *path, struct T ***list, int (*filter)(const struct T *),                \
			int (*order)(const struct T **, const struct T **))                                 \
	{                                                                                                   \
		char buf[REDIRECT_MAX];                                                                     \
		const char *p = redirect(path, buf, true);                                                  \
		int n = CALL(name)(p, list, filter, order);                                                 \
		for (int i = 0; p == buf && i < n; i++)                                                     \
			if (IS_NODE_ENTRY((*list)[i]))                                                      \
				(*list)[i]->d_type = DT_CHR;                                                \
		return n;                                                                                   \
	}
SCANDIR(scandir, dirent)
SCANDIR(scandir64, dirent64)

BEHIND(inotify_init1);
EXPORT int inotify_init1(int flags)
{
	if (getenv("FAKECAM_NO_INOTIFY")) {
		errno = EMFILE;
		return -1;
	}
	return CALL(inotify_init1)(flags);
}

/* Somebody waits for a camera to appear: from now on somebody must look. */
BEHIND(inotify_add_watch);
EXPORT int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	char buf[REDIRECT_MAX];
	const char *p = redirect(path, buf, true);
	if (p == buf) {
		pthread_mutex_lock(&lock);
		start_thread();
		pthread_mutex_unlock(&lock);
	}
	return CALL(inotify_add_watch)(fd, p, mask);
}

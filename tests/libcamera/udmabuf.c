/* Stands in for /dev/udmabuf, for libcamera's virtual pipeline on a kernel without it; to be preloaded.
 *
 * The pipeline has the kernel make dma-bufs of memory files. Nothing here needs more of them than that they
 * can be mapped, so each is a copy of its memory file's descriptor.
 *
 * It also paces the pipeline: that gives pictures as fast as it is asked for them, and one that is ready
 * before libcamerasrc 0.4 has noted its request aborts the program. A real camera takes a frame's time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* A frame's time at 30 a second, in microseconds. */
#define FRAME_US 33000

/* The argument after `last`, whether the caller gave one or not. */
#define OPTIONAL(type, value, last) \
	va_list list;               \
	va_start(list, last);       \
	type value = va_arg(list, type); \
	va_end(list)

static const char *real_path(const char *path)
{
	return path && !strcmp(path, "/dev/udmabuf") ? "/dev/null" : path;
}

int open(const char *path, int flags, ...)
{
	OPTIONAL(int, mode, flags);
	return REAL(open)(real_path(path), flags, mode);
}

int open64(const char *path, int flags, ...)
{
	OPTIONAL(int, mode, flags);
	return REAL(open64)(real_path(path), flags, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
	OPTIONAL(void *, argument, request);
	if (request == UDMABUF_CREATE)
		return fcntl(((struct udmabuf_create *)argument)->memfd, F_DUPFD_CLOEXEC, 0);
	int result = REAL(ioctl)(fd, request, argument);
	/* Memory that everybody sees alike needs no flush. */
	return request == DMA_BUF_IOCTL_SYNC ? 0 : result;
}

/* The pipeline maps the buffer of each picture it draws; nothing else maps a memory file to write. */
static void pace(int prot, int flags, int fd)
{
	char link[64], target[64] = "";
	if (fd < 0 || !(flags & MAP_SHARED) || !(prot & PROT_WRITE))
		return;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (readlink(link, target, sizeof target - 1) > 0 && strstr(target, "memfd:"))
		usleep(FRAME_US);
}

void *mmap(void *at, size_t length, int prot, int flags, int fd, off_t offset)
{
	pace(prot, flags, fd);
	return REAL(mmap)(at, length, prot, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int prot, int flags, int fd, off64_t offset)
{
	pace(prot, flags, fd);
	return REAL(mmap64)(at, length, prot, flags, fd, offset);
}

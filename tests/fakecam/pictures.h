/* The fake camera's pictures: what stands in a buffer when a frame is done.
 *
 * Included by fakecam.c only. Called by the camera thread (v4l2.h) with the lock held.
 * MJPG: a ring of JPEG files from $FAKECAM_FRAMES, or, for a size that has none, a coarse
 * mosaic made here. Each frame costs one memcpy; a COM segment with the capture time goes
 * in after SOI. YUYV: frames of a file in $FAKECAM_RAW, scrolling bars or fields of colour, with the
 * time in black and white blocks on top. Every other raw format is made of the YUYV picture, whose
 * width is even. Films (H264, HEVC) are noise.
 * A picture is a pure function of (struct shot, fault, size), so that `freeze` can repeat
 * one to the byte. Must never write past the capacity it is given.
 */

/* What a picture is of. Times in microseconds. */
struct shot {
	uint32_t seq;
	uint64_t mono_us; /* CLOCK_MONOTONIC, the same value as v4l2_buffer.timestamp */
	uint64_t unix_us; /* CLOCK_REALTIME */
};

/* ---- the ring of JPEGs ------------------------------------------------------------ */

struct jpeg {
	uint8_t *data;
	size_t len;
	int w, h;
};

#define MAX_JPEGS 1024
static struct jpeg jpegs[MAX_JPEGS];
static int njpegs;

/* Walks the header segments. Returns the offset of the first byte of scan data, or 0 if
 * this is no baseline/progressive JPEG; fills in the size. */
static size_t jpeg_headers(const uint8_t *d, size_t len, int *w, int *h)
{
	size_t i = 2;
	*w = *h = 0;
	if (len < 4 || d[0] != 0xFF || d[1] != 0xD8)
		return 0;
	while (i + 4 <= len && d[i] == 0xFF) {
		size_t n = (size_t)d[i + 2] << 8 | d[i + 3];
		if (i + 2 + n > len)
			return 0;
		if (d[i + 1] >= 0xC0 && d[i + 1] <= 0xC2 && n >= 8) {
			*h = d[i + 5] << 8 | d[i + 6];
			*w = d[i + 7] << 8 | d[i + 8];
		}
		if (d[i + 1] == 0xDA)
			return *w && *h ? i + 2 + n : 0;
		i += 2 + n;
	}
	return 0;
}

static void load_jpeg(const char *path)
{
	struct stat st;
	int fd = (int)k_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (!k_fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && njpegs < MAX_JPEGS) {
		struct jpeg *j = &jpegs[njpegs];
		j->len = (size_t)st.st_size;
		j->data = malloc(j->len);
		if (j->data && k_read(fd, j->data, j->len) == (long)j->len && jpeg_headers(j->data, j->len, &j->w, &j->h))
			njpegs++;
		else
			free(j->data);
	}
	k_close(fd);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* $FAKECAM_FRAMES: files and folders, separated by colons; a folder's files in name order. */
static void load_jpegs(void)
{
	static bool loaded;
	char list[4096], *save = NULL;
	if (loaded)
		return;
	loaded = true;
	snprintf(list, sizeof list, "%s", env_or("FAKECAM_FRAMES", ""));
	for (char *p = strtok_r(list, ":", &save); p; p = strtok_r(NULL, ":", &save)) {
		DIR *dir = CALL(opendir)(p);
		if (!dir) {
			load_jpeg(p);
			continue;
		}
		char *names[MAX_JPEGS];
		int n = 0;
		for (struct dirent *e; n < MAX_JPEGS && (e = CALL(readdir)(dir));) {
			char full[1024];
			if (snprintf(full, sizeof full, "%s/%s", p, e->d_name) < (int)sizeof full && e->d_name[0] != '.')
				names[n++] = strdup(full);
		}
		CALL(closedir)(dir);
		qsort(names, (size_t)n, sizeof *names, by_name);
		for (int i = 0; i < n; i++) {
			load_jpeg(names[i]);
			free(names[i]);
		}
	}
	if (*env_or("FAKECAM_FRAMES", "") && !njpegs)
		complain("no JPEG found in FAKECAM_FRAMES; using built-in mosaics");
}

/* ---- the built-in mosaic: a JPEG of DC coefficients only --------------------------- */

/* The payload of the DHT segment with the four tables of ITU T.81 annex K, which every MJPEG
 * decoder must assume when a camera sends none. */
static const uint8_t STANDARD_DHT[416] = {
	0x00, 0x00, 0x01, 0x05, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x01, 0x00, 0x03,
	0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
	0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x00, 0x02, 0x01, 0x03, 0x03,
	0x02, 0x04, 0x03, 0x05, 0x05, 0x04, 0x04, 0x00, 0x00, 0x01, 0x7d, 0x01, 0x02, 0x03, 0x00, 0x04,
	0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81,
	0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82,
	0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36,
	0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56,
	0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76,
	0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95,
	0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3,
	0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca,
	0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7,
	0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0x11, 0x00, 0x02,
	0x01, 0x02, 0x04, 0x04, 0x03, 0x04, 0x07, 0x05, 0x04, 0x04, 0x00, 0x01, 0x02, 0x77, 0x00, 0x01,
	0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22,
	0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62,
	0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28,
	0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a,
	0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a,
	0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
	0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
	0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
	0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3,
	0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
};

struct bits {
	uint8_t *p;
	uint32_t acc;
	int n;
};

static void put(struct bits *b, uint32_t value, int count)
{
	b->acc = b->acc << count | (value & ((1u << count) - 1));
	for (b->n += count; b->n >= 8;) {
		uint8_t byte = (uint8_t)(b->acc >> (b->n -= 8));
		*b->p++ = byte;
		if (byte == 0xFF)
			*b->p++ = 0;
	}
}

/* Canonical codes of one table: `t` points at its 16 counts. */
static void huffman(const uint8_t *t, uint16_t code[256], uint8_t size[256])
{
	uint16_t c = 0;
	const uint8_t *v = t + 16;
	for (int l = 1; l <= 16; l++, c <<= 1)
		for (int i = 0; i < t[l - 1]; i++, v++) {
			code[*v] = c++;
			size[*v] = (uint8_t)l;
		}
}

static const uint8_t *segment(uint8_t **p, uint8_t marker, const void *body, size_t n)
{
	*(*p)++ = 0xFF;
	*(*p)++ = marker;
	*(*p)++ = (uint8_t)((n + 2) >> 8);
	*(*p)++ = (uint8_t)(n + 2);
	memcpy(*p, body, n);
	return *p += n;
}

/* One 4:2:2 baseline JPEG, each 8x8 block one flat colour; `k` shifts the pattern. */
static bool make_mosaic(struct jpeg *j, int w, int h, int k)
{
	int mx = (w + 15) / 16, my = (h + 7) / 8, last[3] = {0};
	uint16_t code[4][256];
	uint8_t size[4][256], dqt[65], *p;
	const uint8_t *t = STANDARD_DHT;
	const uint8_t sof[] = {8, (uint8_t)(h >> 8), (uint8_t)h, (uint8_t)(w >> 8), (uint8_t)w,
			       3, 1, 0x21, 0, 2, 0x11, 0, 3, 0x11, 0};
	const uint8_t sos[] = {3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0};

	p = j->data = malloc(1024 + (size_t)mx * (size_t)my * 24);
	if (!p)
		return false;
	for (int i = 0; i < 4; i++) {
		huffman(t + 1, code[i], size[i]);
		t += 17 + (i < 2 ? 12 : 162);
	}
	*p++ = 0xFF;
	*p++ = 0xD8;
	memset(dqt, 8, sizeof dqt); /* all quantizers 8: a DC coefficient is then value - 128 */
	dqt[0] = 0;
	segment(&p, 0xDB, dqt, sizeof dqt);
	segment(&p, 0xC4, STANDARD_DHT, sizeof STANDARD_DHT);
	segment(&p, 0xC0, sof, sizeof sof);
	segment(&p, 0xDA, sos, sizeof sos);

	struct bits b = {.p = p};
	for (int y = 0; y < my; y++)
		for (int x = 0; x < mx; x++)
			for (int i = 0; i < 4; i++) { /* Y Y Cb Cr */
				int comp = i < 2 ? 0 : i - 1, tab = comp ? 1 : 0;
				int v = comp == 0 ? ((2 * x + i) * 5 + y * 3 + k * 11) % 200 - 100
				      : comp == 1 ? (x * 7 + k * 3) % 160 - 80
						  : (y * 7 - k * 3 + 480) % 160 - 80;
				int d = v - last[comp], n = 0;
				last[comp] = v;
				for (int a = abs(d); a; a >>= 1)
					n++;
				put(&b, code[tab][n], size[tab][n]);
				if (n)
					put(&b, (uint32_t)(d < 0 ? d - 1 : d), n);
				put(&b, code[2 + tab][0], size[2 + tab][0]); /* end of block */
			}
	put(&b, 0x7F, 7);
	p = b.p;
	*p++ = 0xFF;
	*p++ = 0xD9;
	j->len = (size_t)(p - j->data);
	j->w = w;
	j->h = h;
	return true;
}

/* The JPEG number `seq` of this size. NULL only when memory ran out. */
static const struct jpeg *jpeg_of(int w, int h, uint32_t seq)
{
	int n = 0;
	load_jpegs();
	for (int i = 0; i < njpegs; i++)
		n += jpegs[i].w == w && jpegs[i].h == h;
	if (!n)
		for (; n < 16 && njpegs < MAX_JPEGS && make_mosaic(&jpegs[njpegs], w, h, n); n++)
			njpegs++;
	if (!n)
		return NULL;
	int want = (int)(seq % (uint32_t)n);
	for (int i = 0; i < njpegs; i++)
		if (jpegs[i].w == w && jpegs[i].h == h && want-- == 0)
			return &jpegs[i];
	return NULL;
}

/* ---- composing ---------------------------------------------------------------------- */

/* Cheap, and the same for the same frame: splitmix64. */
static uint64_t random_of(uint64_t x)
{
	x += 0x9E3779B97F4A7C15u;
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
	x = (x ^ x >> 27) * 0x94D049BB133111EBu;
	return x ^ x >> 31;
}

static size_t fill_random(uint8_t *dst, size_t n, uint32_t seq)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t r = random_of((uint64_t)seq << 32 | i);
		memcpy(dst + i, &r, n - i < 8 ? n - i : 8);
	}
	return n;
}

#define UNEVEN_STEP 1024 /* of `fault uneven`: pictures of about the same length get the same */

/* Copies the JPEG into dst with the time inside and the fault applied. Returns its length. */
static size_t compose_mjpg(uint8_t *dst, size_t cap, int w, int h, const struct shot *s,
			   enum fault fault, int pad, int pad_byte)
{
	const struct jpeg *j = jpeg_of(w, h, s->seq);
	char text[128 + UNEVEN_STEP];
	int n = snprintf(text, sizeof text, "fakecam seq=%u mono_us=%014llu unix_us=%llu", s->seq,
			 (unsigned long long)s->mono_us, (unsigned long long)s->unix_us);
	uint64_t r = random_of(s->seq);

	if (!j || fault == FAULT_EMPTY || j->len + sizeof text + 128 > cap)
		return 0;
	if (fault == FAULT_UNEVEN) { /* spaces fill each second one up to a round length, the others nearly */
		size_t len = j->len + 4 + (size_t)n + 3;
		size_t fill = 3 + (UNEVEN_STEP - len % UNEVEN_STEP) % UNEVEN_STEP;
		if (s->seq % 2 == 0)
			fill -= 1 + s->seq / 2 % 3;
		memset(text + n, ' ', fill);
		n += (int)fill;
	}
	if (fault == FAULT_GARBAGE)
		return fill_random(dst, j->len, s->seq);

	uint8_t *p = dst;
	*p++ = 0xFF;
	*p++ = 0xD8;
	segment(&p, 0xFE, text, (size_t)n);
	if (fault == FAULT_HUGE) { /* valid, and as large as the buffer: filled up with comments */
		static uint8_t filler[65533];
		while ((size_t)(p - dst) + j->len + sizeof filler + 4 <= cap)
			segment(&p, 0xFE, filler, sizeof filler);
	}
	size_t from = 2;
	if (fault == FAULT_NODHT)
		while (from + 4 <= j->len && j->data[from] == 0xFF && j->data[from + 1] != 0xDA) {
			size_t len = 2 + ((size_t)j->data[from + 2] << 8 | j->data[from + 3]);
			if (j->data[from + 1] != 0xC4) {
				memcpy(p, j->data + from, len);
				p += len;
			}
			from += len;
		}
	memcpy(p, j->data + from, j->len - from);
	p += j->len - from;

	size_t len = (size_t)(p - dst);
	if (fault == FAULT_TRUNCATED || fault == FAULT_ERRFLAG) {
		int iw, ih;
		size_t scan = jpeg_headers(dst, len, &iw, &ih);
		return r % 4 ? scan + r / 4 % (len - scan - 2) : scan; /* each 4th: headers only */
	}
	if (fault == FAULT_EOILOSS)
		return len - 1 - s->seq % 3;
	if (fault == FAULT_NOEOI)
		return len - 2;
	if (fault == FAULT_PADDING) {
		size_t room = cap - len;
		size_t more = (size_t)pad < room ? (size_t)pad : room;
		memset(p, pad_byte, more);
		len += more;
	}
	return len;
}

/* The width of the YUYV picture of which one of this width is made. */
static int even(int w)
{
	return w + w % 2;
}

/* 40 bits, most significant first, as a row of blocks; white 1 (Y 235), black 0 (Y 16). */
static void stamp_row(uint8_t *dst, int w, int row, int block, uint64_t bits)
{
	for (int y = row * block; y < (row + 1) * block; y++)
		for (int x = 0; x < 40 * block; x++) {
			uint8_t *px = dst + ((size_t)y * (size_t)w + (size_t)x) * 2;
			px[0] = bits >> (39 - x / block) & 1 ? 235 : 16;
			px[1] = 128;
		}
}

/* The picture that compose_yuyv scrolls: eight bars under a ramp. Caller frees. */
static uint8_t *make_bars(int w, int h)
{
	static const uint8_t uv[8][2] = {{128, 128}, {16, 146}, {166, 16}, {54, 34},
					 {202, 222}, {90, 240}, {240, 110}, {128, 128}};
	uint8_t *bars = malloc((size_t)w * (size_t)h * 2);
	for (int y = 0; bars && y < h; y++)
		for (int x = 0; x < w; x++) {
			uint8_t *px = bars + ((size_t)y * (size_t)w + (size_t)x) * 2;
			px[0] = (uint8_t)(16 + (219 * y / h + 30 * (x * 8 / w)) % 220);
			px[1] = uv[x * 8 / w][x & 1];
		}
	return bars;
}

/* Six fields, three beside each other: red, green, blue above white, black, grey; and a second frame with
 * the rows exchanged, so that a picture of parts of two frames shows. Caller frees. */
static uint8_t *make_patches(int w, int h, uint32_t *count)
{
	static const uint8_t yuv[6][3] = {{81, 90, 240}, {145, 54, 34}, {41, 240, 110},
					  {235, 128, 128}, {16, 128, 128}, {126, 128, 128}};
	size_t len = (size_t)w * (size_t)h * 2;
	uint8_t *frames = malloc(len * 2);
	*count = frames ? 2 : 0;
	for (int i = 0; frames && i < 2; i++)
		for (int y = 0; y < h; y++)
			for (int x = 0; x < w; x++) {
				/* Both pixels of a pair have one colour. */
				const uint8_t *field = yuv[(x & ~1) * 3 / w + 3 * ((y * 2 >= h) ^ i)];
				uint8_t *px = frames + (size_t)i * len + ((size_t)y * (size_t)w + (size_t)x) * 2;
				px[0] = field[0];
				px[1] = field[1 + (x & 1)];
			}
	return frames;
}

/* The frames in $FAKECAM_RAW/WxH.yuyv, one after the other; NULL when there is none. Caller frees. */
static uint8_t *load_raw(int w, int h, uint32_t *count)
{
	char path[1024];
	struct stat st;
	size_t len = (size_t)w * (size_t)h * 2, got = 0;
	uint8_t *raw = NULL;

	*count = 0;
	snprintf(path, sizeof path, "%s/%dx%d.yuyv", env_or("FAKECAM_RAW", ""), w, h);
	int fd = *env_or("FAKECAM_RAW", "") ? (int)k_open(path, O_RDONLY | O_CLOEXEC, 0) : -1;
	if (fd < 0)
		return NULL;
	if (!k_fstat(fd, &st) && (size_t)st.st_size >= len && (raw = malloc((size_t)st.st_size))) {
		for (long n; got < (size_t)st.st_size && (n = k_read(fd, raw + got, (size_t)st.st_size - got)) > 0;)
			got += (size_t)n;
		*count = (uint32_t)(got / len);
	}
	k_close(fd);
	if (!*count) {
		free(raw);
		raw = NULL;
	}
	return raw;
}

/* Frame number `seq` of the `count` in `raw`; without any, the bars scrolled by 4 rows a frame.
 * Over it three rows of blocks:
 *   row 0: 0xA5, sequence (32 bits)   row 1: mono_us mod 2^40   row 2: row 0 xor row 1
 * Blocks are 16x16 from 640 pixels of width on, else 8x8 (none under 320x24). */
static size_t compose_yuyv(uint8_t *dst, size_t cap, int w, int h, const uint8_t *bars,
			   uint32_t count, const struct shot *s)
{
	size_t line = (size_t)w * 2, len = line * (size_t)h;
	size_t shift = (size_t)s->seq * 4 % (size_t)h;
	int block = w >= 640 ? 16 : 8;
	if (len > cap || !bars)
		return 0;
	if (count) {
		memcpy(dst, bars + s->seq % count * len, len);
	} else {
		memcpy(dst, bars + shift * line, len - shift * line);
		memcpy(dst + len - shift * line, bars, shift * line);
	}
	if (w >= 40 * block && h >= 3 * block) {
		uint64_t a = 0xA5ULL << 32 | s->seq, b = s->mono_us & 0xFFFFFFFFFFULL;
		stamp_row(dst, w, 0, block, a);
		stamp_row(dst, w, 1, block, b);
		stamp_row(dst, w, 2, block, a ^ b);
	}
	return len;
}

/* A byte of a colour from 16..235 and its colour differences, as ITU BT.601 has it. */
static uint8_t colour(int y, double more)
{
	double c = 1.164384 * (y - 16) + more;
	return (uint8_t)(c < 0 ? 0 : c > 255 ? 255 : c + 0.5);
}

/* Blue, green, red of the pixel at x of a YUYV line. */
static void bgr_of(const uint8_t *yuyv, int x, uint8_t bgr[3])
{
	int y = yuyv[x * 2], u = yuyv[x / 2 * 4 + 1] - 128, v = yuyv[x / 2 * 4 + 3] - 128;
	bgr[0] = colour(y, 2.017232 * u);
	bgr[1] = colour(y, -0.391762 * u - 0.812968 * v);
	bgr[2] = colour(y, 1.596027 * v);
}

/* One line of a format that has a line of pixels for each of the picture's. */
static void line_of(uint8_t *dst, const uint8_t *yuyv, uint32_t fourcc, int w, int row)
{
	for (int x = 0; x < w; x++) {
		uint8_t bgr[3];
		uint16_t wide;
		bgr_of(yuyv, x, bgr);
		uint8_t grey = colour(yuyv[x * 2], 0);
		switch (fourcc) {
		case V4L2_PIX_FMT_RGB24:
			for (int i = 0; i < 3; i++)
				dst[x * 3 + i] = bgr[2 - i];
			break;
		case V4L2_PIX_FMT_BGR24:
			memcpy(dst + x * 3, bgr, 3);
			break;
		case V4L2_PIX_FMT_XBGR32:
			memcpy(dst + x * 4, bgr, 3);
			dst[x * 4 + 3] = 0;
			break;
		case V4L2_PIX_FMT_UYVY:
			dst[x * 2] = yuyv[x * 2 + 1];
			dst[x * 2 + 1] = yuyv[x * 2];
			break;
		case V4L2_PIX_FMT_GREY:
			dst[x] = grey;
			break;
		case V4L2_PIX_FMT_Y10:
		case V4L2_PIX_FMT_Y12:
		case V4L2_PIX_FMT_Y16:
			wide = (uint16_t)(grey * 257 >> (fourcc == V4L2_PIX_FMT_Y10 ? 6 : fourcc == V4L2_PIX_FMT_Y12 ? 4 : 0));
			memcpy(dst + x * 2, &wide, 2);
			break;
		case V4L2_PIX_FMT_SBGGR8:
			dst[x] = bgr[row % 2 + x % 2];
			break;
		case V4L2_PIX_FMT_SGBRG8:
			dst[x] = bgr[row % 2 ? 2 - x % 2 : 1 - x % 2];
			break;
		case V4L2_PIX_FMT_SGRBG8:
			dst[x] = bgr[row % 2 ? x % 2 : 1 + x % 2];
			break;
		case V4L2_PIX_FMT_SRGGB8:
			dst[x] = bgr[2 - row % 2 - x % 2];
			break;
		case V4L2_PIX_FMT_YVYU:
			dst[x * 2] = yuyv[x * 2];
			dst[x * 2 + 1] = yuyv[(x ^ 1) * 2 + 1];
			break;
		case V4L2_PIX_FMT_RGB565:
			wide = (uint16_t)(bgr[2] >> 3 << 11 | bgr[1] >> 2 << 5 | bgr[0] >> 3);
			memcpy(dst + x * 2, &wide, 2);
			break;
		default: /* YUYV, and the Y of 4:2:0 */
			if (format_of(fourcc)->bits == 8)
				dst[x] = yuyv[x * 2];
			else
				memcpy(dst + x * 2, yuyv + x * 2, 2);
		}
	}
}

/* The colours of a 4:2:0 format, behind its lines: those of every other line, an odd last one too.
 * Returns their bytes; writes none without `dst`. `wide` is the even width of `yuyv`. */
static size_t colours_of(uint8_t *dst, const uint8_t *yuyv, uint32_t fourcc, int w, int wide, int h, size_t line)
{
	bool v_first = fourcc == V4L2_PIX_FMT_NV21 || fourcc == V4L2_PIX_FMT_YVU420;
	bool mixed = fourcc == V4L2_PIX_FMT_NV12 || fourcc == V4L2_PIX_FMT_NV21;
	size_t rows = ((size_t)h + 1) / 2, columns = ((size_t)w + 1) / 2;
	size_t bytes = line == (size_t)w ? columns : line / 2; /* of one colour, to the next line */
	for (size_t row = 0; dst && row < rows; row++)
		for (size_t x = 0; x < columns; x++)
			for (size_t i = 0; i < 2; i++) { /* U, then V */
				size_t plane = v_first ? 1 - i : i;
				size_t at = mixed ? row * bytes * 2 + x * 2 + plane : (plane * rows + row) * bytes + x;
				dst[at] = yuyv[row * 2 * (size_t)wide * 2 + x * 4 + 1 + i * 2];
			}
	return rows * bytes * 2;
}

/* Bytes of a raw picture with lines of `line` bytes. */
static size_t raw_bytes(const struct format *format, int w, int h, size_t line)
{
	return line * (size_t)h + (format->is_420 ? colours_of(NULL, NULL, format->fourcc, w, w, h, line) : 0);
}

/* A raw picture of any format, with lines of `line` bytes, made of the YUYV one. */
static size_t compose_raw(uint8_t *dst, size_t cap, const struct format *format, int w, int h, size_t line,
			  const uint8_t *bars, uint32_t count, const struct shot *s, enum fault fault)
{
	int wide = even(w);
	size_t len = raw_bytes(format, w, h, line), plain = (size_t)wide * 2 * (size_t)h;
	if (len > cap || fault == FAULT_EMPTY)
		return 0;
	if (!format->bits || fault == FAULT_GARBAGE)
		return fill_random(dst, format->bits ? len : cap / 8, s->seq);
	uint8_t *yuyv = format->fourcc == V4L2_PIX_FMT_YUYV && line == plain / (size_t)h ? dst : malloc(plain);
	bool is_made = yuyv && compose_yuyv(yuyv, plain, wide, h, bars, count, s);
	if (yuyv != dst) {
		for (int y = 0; is_made && y < h; y++)
			line_of(dst + (size_t)y * line, yuyv + (size_t)y * (size_t)wide * 2, format->fourcc, w, y);
		if (is_made && format->is_420)
			colours_of(dst + line * (size_t)h, yuyv, format->fourcc, w, wide, h, line);
		free(yuyv);
	}
	if (!is_made || (fault != FAULT_TRUNCATED && fault != FAULT_ERRFLAG))
		return is_made ? len : 0;
	size_t cut = random_of(s->seq) % len;
	memset(dst + cut, 0x5A, len - cut); /* what never came cannot be read */
	return cut;
}

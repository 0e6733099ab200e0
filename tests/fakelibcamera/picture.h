/* What the fake camera modules see: eight bars of known colours, and a square that moves. */
#include <gst/video/video.h>
#include <string.h>

#define BARS 8
#define SQUARE 16 /* pixels, each way */
#define STEP 8 /* pixels that the square moves to the right with each picture */

/* Red, green, blue, 0 to 255, from left to right. None is at an end: a range taken for the other one shows. */
static const int COLOURS[BARS][3] = {
	{ 224, 224, 224 }, { 224, 224, 32 }, { 32, 224, 224 }, { 32, 224, 32 },
	{ 224, 32, 224 },  { 224, 32, 32 },  { 32, 32, 224 },  { 32, 32, 32 },
};

/* The part of the sensor's width that a picture shows. */
typedef struct {
	int left, width, whole;
} View;

/* One component of a colour, as the negotiated colorimetry has it: red, green, blue, or Y, U, V. */
static guint8 component(const int rgb[3], int which, const GstVideoInfo *info)
{
	if (GST_VIDEO_INFO_IS_RGB(info))
		return rgb[which];
	double kr = 0.299, kb = 0.114;
	gst_video_color_matrix_get_Kr_Kb(info->colorimetry.matrix, &kr, &kb);
	gboolean is_full = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255;
	double light = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
	double value;
	if (which == 0)
		value = is_full ? light : 16 + light * 219 / 255;
	else {
		double colour = which == 1 ? (rgb[2] - light) / (2 - 2 * kb) : (rgb[0] - light) / (2 - 2 * kr);
		value = 128 + (is_full ? colour : colour * 224 / 255);
	}
	return CLAMP(value + 0.5, 0, 255);
}

/* Draws picture number `count` with `brightness` of -1 to 1. */
static void draw(GstVideoFrame *frame, guint64 count, double brightness, View view)
{
	const GstVideoInfo *info = &frame->info;
	gboolean is_rgb = GST_VIDEO_INFO_IS_RGB(info);
	gboolean is_limited = !is_rgb && info->colorimetry.range != GST_VIDEO_COLOR_RANGE_0_255;
	int turned = is_limited ? 16 + 235 : 255;
	int left = count * STEP % info->width, top = info->height / 2;
	int bars[BARS][3];
	for (int bar = 0; bar < BARS; bar++)
		for (int c = 0; c < 3; c++)
			bars[bar][c] = CLAMP(COLOURS[bar][c] + (int)(brightness * 128), 0, 255);
	for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS(frame); c++) {
		int width = GST_VIDEO_FRAME_COMP_WIDTH(frame, c), step = GST_VIDEO_FRAME_COMP_PSTRIDE(frame, c);
		guint8 *row = GST_VIDEO_FRAME_COMP_DATA(frame, c);
		for (int x = 0; x < width; x++) {
			gint64 at = view.left + (gint64)x * view.width / width;
			int bar = CLAMP(at * BARS / view.whole, 0, BARS - 1);
			row[x * step] = component(bars[bar], c % 3, info);
		}
	}
	for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(frame); plane++) {
		int height = GST_VIDEO_SUB_SCALE(info->finfo->h_sub[plane ? 1 : 0], info->height);
		int stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane);
		guint8 *data = GST_VIDEO_FRAME_PLANE_DATA(frame, plane);
		for (int y = 1; y < height; y++)
			memcpy(data + (gsize)y * stride, data, stride);
	}
	/* The square is the negative; of YUV only in its light. */
	for (guint c = 0; c < (is_rgb ? 3 : 1); c++) {
		int step = GST_VIDEO_FRAME_COMP_PSTRIDE(frame, c), stride = GST_VIDEO_FRAME_COMP_STRIDE(frame, c);
		guint8 *data = GST_VIDEO_FRAME_COMP_DATA(frame, c);
		for (int y = top; y < MIN(top + SQUARE, info->height); y++)
			for (int x = left; x < MIN(left + SQUARE, info->width); x++) {
				guint8 *pixel = data + (gsize)y * stride + (gsize)x * step;
				*pixel = CLAMP(turned - *pixel, 0, 255);
			}
	}
}

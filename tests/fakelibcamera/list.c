/* Lists the cameras that libcamera's device provider knows, as a program sees them: a line `ID MODEL` each, `-` for no
 * model. Ends with 2 when there is no provider.
 *
 *     cc -o list list.c $(pkg-config --cflags --libs gstreamer-1.0)
 */
#include <gst/gst.h>
#include <stdio.h>

int main(int count, char **words)
{
	gst_init(&count, &words);
	GstDeviceProvider *provider = gst_device_provider_factory_get_by_name("libcameraprovider");
	if (!provider)
		return 2;
	GList *devices = gst_device_provider_get_devices(provider);
	for (GList *at = devices; at; at = at->next) {
		g_autofree char *name = gst_device_get_display_name(at->data);
		g_autoptr(GstStructure) properties = gst_device_get_properties(at->data);
		const char *model = properties ? gst_structure_get_string(properties, "api.libcamera.Model") : NULL;
		printf("%s %s\n", name, model ? model : "-");
	}
	g_list_free_full(devices, gst_object_unref);
	gst_object_unref(provider);
	return 0;
}

/*
 * A recorder that replays an MP4 file by ONVIF's rules: GStreamer's RTSP server with its ONVIF classes. Run by
 * onvif-recorder.ts, as
 *
 *   onvif-recorder FILE SECONDS
 *
 * SECONDS: when the file's first frame was taken, since 1900 (as in NTP). Says {"event": "ready", "port": N} on stdout, and
 * ends with its stdin.
 */

#include <gst/gst.h>
#include <gst/rtsp-server/rtsp-onvif-client.h>
#include <gst/rtsp-server/rtsp-onvif-media-factory.h>
#include <gst/rtsp-server/rtsp-onvif-media.h>
#include <gst/rtsp-server/rtsp-onvif-server.h>
#include <gst/rtsp-server/rtsp-server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const gchar *file_path;
/* Nanoseconds since 1900. */
static GstClockTime recorded_at;

/* Media whose position 0 has a time of the day. */

typedef GstRTSPOnvifMedia RecordedMedia;
typedef GstRTSPOnvifMediaClass RecordedMediaClass;
GType recorded_media_get_type (void);
G_DEFINE_TYPE (RecordedMedia, recorded_media, GST_TYPE_RTSP_ONVIF_MEDIA)

static gdouble
seconds_of (GstClockTime time)
{
  return time > recorded_at ? (gdouble) (time - recorded_at) / GST_SECOND : 0;
}

static void
from_clock (GstRTSPTime * time, GstClockTime at)
{
  if (time->type == GST_RTSP_TIME_UTC) {
    time->type = GST_RTSP_TIME_SECONDS;
    time->seconds = seconds_of (at);
  }
}

static void
to_clock (GstRTSPTime * time, GstRTSPTime2 * date)
{
  GDateTime *epoch, *utc;

  if (time->type != GST_RTSP_TIME_SECONDS)
    return;
  epoch = g_date_time_new_utc (1900, 1, 1, 0, 0, 0);
  /* g_date_time_add takes microseconds. */
  utc = g_date_time_add (epoch, (GTimeSpan) (recorded_at / 1000 + time->seconds * G_USEC_PER_SEC));
  date->year = g_date_time_get_year (utc);
  date->month = g_date_time_get_month (utc);
  date->day = g_date_time_get_day_of_month (utc);
  time->type = GST_RTSP_TIME_UTC;
  time->seconds = g_date_time_get_hour (utc) * 3600 + g_date_time_get_minute (utc) * 60 + g_date_time_get_seconds (utc);
  g_date_time_unref (utc);
  g_date_time_unref (epoch);
}

static gboolean
recorded_media_convert_range (GstRTSPMedia * media, GstRTSPTimeRange * range, GstRTSPRangeUnit unit)
{
  GstClockTime min, max;

  (void) media;
  if (range->unit == unit)
    return TRUE;
  if (range->unit == GST_RTSP_RANGE_CLOCK && unit == GST_RTSP_RANGE_NPT) {
    if (!gst_rtsp_range_get_times (range, &min, &max))
      return FALSE;
    from_clock (&range->min, min);
    from_clock (&range->max, max);
  } else if (range->unit == GST_RTSP_RANGE_NPT && unit == GST_RTSP_RANGE_CLOCK) {
    to_clock (&range->min, &range->min2);
    to_clock (&range->max, &range->max2);
  } else {
    return FALSE;
  }
  range->unit = unit;
  return TRUE;
}

static void
recorded_media_class_init (RecordedMediaClass * klass)
{
  GST_RTSP_MEDIA_CLASS (klass)->convert_range = recorded_media_convert_range;
}

static void
recorded_media_init (RecordedMedia * media)
{
  (void) media;
}

/* What makes them: the file's video, and its sound where that is asked for, with the replay extension on their packets. */

typedef GstRTSPOnvifMediaFactory RecordedFactory;
typedef GstRTSPOnvifMediaFactoryClass RecordedFactoryClass;
GType recorded_factory_get_type (void);
G_DEFINE_TYPE (RecordedFactory, recorded_factory, GST_TYPE_RTSP_ONVIF_MEDIA_FACTORY)

/* Puts a payloader, and what stamps its packets, behind the element of this name. */
static void
add_payloader (GstElement * bin, const gchar * parser_name, const gchar * name, const gchar * launch)
{
  GstElement *parser, *payloader, *stamp;
  gchar *text;

  text = g_strconcat (launch, " ! rtponviftimestamp name=stamp set-e-bit=true set-t-bit=true", NULL);
  payloader = gst_parse_bin_from_description (text, TRUE, NULL);
  g_free (text);
  if (payloader == NULL)
    g_error ("A GStreamer element is missing.");
  gst_object_set_name (GST_OBJECT (payloader), name);
  stamp = gst_bin_get_by_name (GST_BIN (payloader), "stamp");
  g_object_set (stamp, "ntp-offset", recorded_at, NULL);
  gst_object_unref (stamp);
  parser = gst_bin_get_by_name (GST_BIN (bin), parser_name);
  gst_bin_add (GST_BIN (bin), payloader);
  gst_element_link (parser, payloader);
  gst_object_unref (parser);
}

static GstElement *
recorded_factory_create_element (GstRTSPMediaFactory * factory, const GstRTSPUrl * url)
{
  GstElement *bin, *source;
  gboolean has_sound;

  (void) factory;
  has_sound = g_str_has_suffix (url->abspath, "/sound");
  bin = gst_parse_launch (has_sound
      ? "( filesrc name=source ! qtdemux name=demux demux.video_0 ! queue ! h264parse name=video "
      "demux.audio_0 ! queue ! avdec_aac ! audioconvert ! audioresample ! audio/x-raw,rate=8000,channels=1 "
      "! mulawenc name=audio )"
      : "( filesrc name=source ! qtdemux ! h264parse name=video )", NULL);
  if (bin == NULL)
    g_error ("A GStreamer element is missing.");
  source = gst_bin_get_by_name (GST_BIN (bin), "source");
  g_object_set (source, "location", file_path, NULL);
  gst_object_unref (source);
  add_payloader (bin, "video", "pay0", "rtph264pay pt=96 config-interval=-1");
  if (has_sound)
    add_payloader (bin, "audio", "pay1", "rtppcmupay pt=0");
  return bin;
}

static void
recorded_factory_class_init (RecordedFactoryClass * klass)
{
  GST_RTSP_MEDIA_FACTORY_CLASS (klass)->create_element = recorded_factory_create_element;
}

static void
recorded_factory_init (RecordedFactory * factory)
{
  (void) factory;
}

static gboolean
end_with_stdin (GIOChannel * channel, GIOCondition condition, gpointer data)
{
  (void) channel;
  (void) condition;
  (void) data;
  exit (0);
}

static void
tell (GstRTSPClient * client, GstRTSPContext * context, gpointer method)
{
  gchar *range = NULL;

  (void) client;
  gst_rtsp_message_get_header (context->request, GST_RTSP_HDR_RANGE, &range, 0);
  printf ("{\"event\": \"request\", \"method\": \"%s\", \"range\": \"%s\"}\n", (const char *) method, range ? range : "");
  fflush (stdout);
}

static void
on_client (GstRTSPServer * server, GstRTSPClient * client, gpointer data)
{
  (void) server;
  (void) data;
  g_signal_connect (client, "play-request", G_CALLBACK (tell), (gpointer) "PLAY");
}

int
main (int argc, char **argv)
{
  GstRTSPServer *server;
  GstRTSPMountPoints *mounts;
  GstRTSPMediaFactory *factory;
  const gchar *paths[] = { "/recording", "/sound" };
  guint i;

  gst_init (&argc, &argv);
  if (argc != 3) {
    fprintf (stderr, "Usage: %s FILE SECONDS\n", argv[0]);
    return 2;
  }
  file_path = argv[1];
  recorded_at = g_ascii_strtoull (argv[2], NULL, 10) * GST_SECOND;

  server = gst_rtsp_onvif_server_new ();
  gst_rtsp_server_set_address (server, "127.0.0.1");
  gst_rtsp_server_set_service (server, "0");
  g_signal_connect (server, "client-connected", G_CALLBACK (on_client), NULL);
  mounts = gst_rtsp_server_get_mount_points (server);
  for (i = 0; i < G_N_ELEMENTS (paths); i++) {
    factory = g_object_new (recorded_factory_get_type (), NULL);
    gst_rtsp_media_factory_set_media_gtype (factory, recorded_media_get_type ());
    gst_rtsp_onvif_media_factory_set_replay_support (GST_RTSP_ONVIF_MEDIA_FACTORY (factory), TRUE);
    gst_rtsp_mount_points_add_factory (mounts, paths[i], factory);
  }
  g_object_unref (mounts);
  if (gst_rtsp_server_attach (server, NULL) == 0) {
    fprintf (stderr, "It cannot listen.\n");
    return 1;
  }
  printf ("{\"event\": \"ready\", \"port\": %d}\n", gst_rtsp_server_get_bound_port (server));
  fflush (stdout);
  g_io_add_watch (g_io_channel_unix_new (0), G_IO_HUP | G_IO_ERR, end_with_stdin, NULL);
  g_main_loop_run (g_main_loop_new (NULL, FALSE));
  return 0;
}

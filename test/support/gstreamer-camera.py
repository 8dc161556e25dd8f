"""A camera made of GStreamer's RTSP server, run by gstreamer-camera.ts.

Takes one argument, the JSON of gstreamer-camera.ts's CameraConfiguration; says what happens as JSON lines on stdout, the
first being {"event": "ready", "port": N}; ends with the process that started it.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time

import gi

for name in ('Gst', 'GstApp', 'GstRtsp', 'GstRtspServer'):
    gi.require_version(name, '1.0')
from gi.repository import Gio, GLib, Gst, GstApp, GstRtsp, GstRtspServer  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from picture_clock import PictureClock  # noqa: E402

ROLE = 'viewer'
SCROLL_FRAMES = 40
LEAST_PAUSE_NS = 500_000_000
AAC_ENCODERS = {
    'avenc_aac': 'avenc_aac bitrate={bitrate}',
    'voaacenc': 'voaacenc bitrate={bitrate}',
    'fdkaacenc': 'fdkaacenc bitrate={bitrate}',
}

# Encoder (None: whichever there is of AAC), parser (None: it needs none), payloader, whose payload type is 97 unless given.
AUDIO_CODECS = {
    'aac': (None, 'aacparse', 'rtpmp4gpay'),
    'latm': (None, 'aacparse', 'rtpmp4apay'),
    # No encoder of HE-AAC here: AAC-LC at 24 kHz, stereo, declared as the core of HE-AAC at 48, which decoders take.
    'he-aac': (None, 'aacparse ! audio/mpeg,stream-format=raw ! capssetter caps=audio/mpeg,codec_data=(buffer)2b118800', 'rtpmp4gpay'),
    'opus': ('opusenc bitrate={bitrate}', 'opusparse', 'rtpopuspay'),
    'pcmu': ('mulawenc', None, 'rtppcmupay pt=0'),
    'pcma': ('alawenc', None, 'rtppcmapay pt=8'),
    'l8': ('capsfilter caps=audio/x-raw,format=U8', None, 'rtpL8pay pt=98'),
    'l16': ('capsfilter caps=audio/x-raw,format=S16BE', None, 'rtpL16pay pt=98'),
    'g722': ('avenc_g722', None, 'rtpg722pay pt=9'),
    'g726': ('avenc_g726 bitrate={bitrate}', None, 'rtpg726pay'),
    'mp3': ('lamemp3enc target=bitrate cbr=true bitrate={kilobits}', 'mpegaudioparse', 'rtpmpapay'),
}
# How the tracks of a file are sent.
FILE_BRANCHES = {
    'video': 'h264parse ! rtph264pay config-interval=-1',
    'h265': 'h265parse ! rtph265pay config-interval=-1 aggregate-mode=zero-latency',
    'jpeg': 'jpegparse ! rtpjpegpay',
    'vp8': 'rtpvp8pay picture-id-mode=15-bit',
    'vp9': 'vp9parse ! rtpvp9pay picture-id-mode=15-bit',
    'audio': 'aacparse ! rtpmp4gpay',
    'latm': 'aacparse ! rtpmp4apay',
    'opus': 'opusparse ! rtpopuspay',
    # Declared as the core of HE-AAC, as above.
    'he-aac': AUDIO_CODECS['he-aac'][1] + ' ! rtpmp4gpay',
    'mp3': 'mpegaudioparse ! rtpmpapay',
    'pcmu': 'rtppcmupay',
    'pcma': 'rtppcmapay',
    'l8': 'rtpL8pay',
    'l16': 'audioconvert ! rtpL16pay',
    'g722': 'rtpg722pay',
    # In the order of bits that belongs to the name.
    'g726': 'rtpg726pay force-aal2=false',
}

print_lock = threading.Lock()


def say(event, **fields):
    with print_lock:
        print(json.dumps({'event': event, **fields}), flush=True)


def end_with_parent():
    """Not even a frozen camera outlives the tests (Linux; elsewhere the end of stdin has to do)."""
    try:
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    except (OSError, AttributeError):
        pass

    def wait():
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


class Backgrounds:
    """Pictures for the clock to be painted on: a scrolling test card, made once for each size."""

    def __init__(self):
        self._lock = threading.Lock()
        self._by_size = {}

    def get(self, clock, width, height):
        with self._lock:
            if (width, height) not in self._by_size:
                self._by_size[width, height] = [clock.prepare(frame) for frame in self._frames(width, height)]
            return self._by_size[width, height]

    @staticmethod
    def _frames(width, height):
        # videotestsrc pads rows to 4 bytes; widths are multiples of 8 here, so planes are contiguous.
        pipeline = Gst.parse_launch(
            f'videotestsrc num-buffers={SCROLL_FRAMES} horizontal-speed={max(1, width // SCROLL_FRAMES)} '
            f'! video/x-raw,format=I420,width={width},height={height} ! appsink name=sink sync=false'
        )
        sink = pipeline.get_by_name('sink')
        pipeline.set_state(Gst.State.PLAYING)
        frames = []
        while (sample := sink.try_pull_sample(10 * Gst.SECOND)) is not None:
            frames.append(sample.get_buffer().extract_dup(0, width * height * 3 // 2))
        pipeline.set_state(Gst.State.NULL)
        return frames


backgrounds = Backgrounds()


def running_time(element):
    clock = element.get_clock()
    return clock.get_time() - element.get_base_time() if clock else 0


def raw_caps(width, height, frame_rate):
    return f'video/x-raw,format=I420,width={width},height={height},framerate={frame_rate}/1'


def sizes_of(video):
    """All sizes that the picture has in turn, as (width, height)."""
    other = video.get('otherSize')
    return [(video['width'], video['height'])] + ([(other['width'], other['height'])] if other else [])


class PaintedSize:
    """Pictures of one size with the clock in them."""

    def __init__(self, width, height, frame_rate):
        self.caps = Gst.Caps.from_string(raw_caps(width, height, frame_rate))
        self._clock = PictureClock(width, height)
        self._pictures = backgrounds.get(self._clock, width, height)

    def paint(self, count):
        return self._clock.paint(self._pictures[count % len(self._pictures)], time.time_ns() / 1e6)


class ClockSource:
    """Feeds one appsrc with frames that carry the time at which each was made, at a steady rate."""

    def __init__(self, appsrc, video, on_start):
        """`on_start` is told the UTC, in milliseconds, of the pipeline's running time 0."""
        self.frame_ns = round(1e9 / video['frameRate'])
        self.sizes = [PaintedSize(width, height, video['frameRate']) for width, height in sizes_of(video)]
        self.frames_of_size = (video.get('otherSize') or {}).get('frames', 1)
        self.count = 0
        self.first_ns = None
        self.first_running_time = 0
        self.on_start = on_start
        appsrc.connect('need-data', self._on_need_data)

    def _on_need_data(self, appsrc, _length):
        # In the streaming thread, which may wait here: one frame is pushed for each call.
        now_ns = time.monotonic_ns()
        if self.first_ns is None:
            self.first_ns = now_ns
            self.first_running_time = running_time(appsrc)
            self.on_start((time.time_ns() - self.first_running_time) / 1e6)
        due_ns = self.first_ns + self.count * self.frame_ns
        if now_ns > due_ns + self.frame_ns:
            # Frozen or starved: what was not seen is not made up for.
            self.count += (now_ns - due_ns) // self.frame_ns
            due_ns = self.first_ns + self.count * self.frame_ns
            # The running time stands still while the pipeline is paused. What is less than that is the machine's slowness.
            stood_ns = self.first_running_time + now_ns - self.first_ns - running_time(appsrc)
            if stood_ns > LEAST_PAUSE_NS:
                self.first_running_time -= stood_ns
        while (wait_ns := due_ns - time.monotonic_ns()) > 0:
            time.sleep(wait_ns / 1e9)
        size = self.sizes[self.count // self.frames_of_size % len(self.sizes)]
        buffer = Gst.Buffer.new_wrapped(size.paint(self.count))
        buffer.pts = self.first_running_time + self.count * self.frame_ns
        buffer.duration = self.frame_ns
        self.count += 1
        appsrc.emit('push-sample', Gst.Sample.new(buffer, size.caps, None, None))


# libvpx at its quickest, as it comes: no frame refers to a later one.
VPX_LAUNCH = (
    '{codec}enc deadline=1 cpu-used=8 lag-in-frames=0 threads=1 end-usage=cbr target-bitrate={bits} '
    'keyframe-max-dist={keyInterval} ! {payloader} name=pay0 pt=96 picture-id-mode=15-bit'
)
VPX_PAYLOADERS = {'vp8': 'rtpvp8pay', 'vp9': 'vp9parse ! rtpvp9pay'}


def video_launch(video):
    caps = raw_caps(video['width'], video['height'], video['frameRate'])
    source = f'appsrc name=clock is-live=true format=time block=false max-buffers=1 caps={caps} '
    if video['codec'] == 'jpeg':
        return f'{source}! jpegenc quality=85 ! rtpjpegpay name=pay0 pt=26'
    if video['codec'] in VPX_PAYLOADERS:
        payloader = VPX_PAYLOADERS[video['codec']]
        return f'{source}! ' + VPX_LAUNCH.format(**video, bits=1000 * video['bitrate'], payloader=payloader)
    # With `avc` the payloader knows the profile, and says so in the SDP; some clients insist on it.
    aggregate = 'zero-latency' if video['aggregate'] else 'none'
    # Without b-adapt nothing but the B-frames themselves makes the encoder wait.
    coding = (
        f'bframes={video["bFrames"]} b-adapt=false b-pyramid=true rc-lookahead=0 sync-lookahead=0 mb-tree=false '
        f'option-string=open-gop={1 if video["openGroups"] else 0}'
        if video['bFrames'] > 0
        else 'tune=zerolatency'
    )
    return (
        f'{source}! x264enc {coding} speed-preset={video["preset"]} bitrate={video["bitrate"]} '
        f'key-int-max={video["keyInterval"]} threads={video["slices"]} sliced-threads=true '
        f'! video/x-h264,profile={video["profile"]},stream-format=avc '
        f'! h264parse config-interval={-1 if video["parameterSets"] == "in-band" else 0} '
        f'! video/x-h264,stream-format=avc '
        f'! rtph264pay name=pay0 pt=96 aggregate-mode={aggregate} '
        f'config-interval={-1 if video["parameterSets"] == "before-every-slice" else 0}'
    )


def audio_launch(audio, index):
    encoder, parser, payloader = AUDIO_CODECS[audio['codec']]
    encoder = encoder or next((line for name, line in AAC_ENCODERS.items() if Gst.ElementFactory.find(name)), None)
    if encoder is None:
        raise RuntimeError('No AAC encoder; expected one of ' + ', '.join(AAC_ENCODERS))
    late = audio['delayMs'] * Gst.MSECOND
    queue = f'! queue min-threshold-time={late} max-size-time=0 max-size-bytes=0 max-size-buffers=0 ' if late else ''
    return (
        f'audiotestsrc name=tone is-live=true wave={audio["wave"]} freq=440 volume=0.2 samplesperbuffer=480 '
        f'! audio/x-raw,rate={audio["sampleRate"]},channels={audio["channels"]} ! audioconvert '
        f'! {encoder.format(bitrate=audio["bitrate"], kilobits=audio["bitrate"] // 1000)} {"! " + parser if parser else ""} {queue}'
        f'! {payloader} name=pay{index}{"" if " pt=" in payloader else " pt=97"}'
    )


def file_launch(file):
    demuxer = 'qtdemux' if file['path'].endswith('.mp4') else 'matroskademux'
    parts = [f'filesrc location="{file["path"]}" ! {demuxer} name=demux']
    for index, kind in enumerate(file['tracks']):
        parts.append(f'demux. ! queue ! {FILE_BRANCHES[kind]} name=pay{index} pt={96 + index}')
    return ' '.join(parts)


def launch_line(mount):
    if mount.get('file'):
        return f'( {file_launch(mount["file"])} )'
    parts = []
    if mount.get('video'):
        parts.append(video_launch(mount['video']))
    if mount.get('audio'):
        parts.append(audio_launch(mount['audio'], len(parts)))
    return f'( {" ".join(parts)} )'


def on_tone_query(_pad, info):
    # audiotestsrc says that it can seek; the server then takes a live medium for a stored one and answers PLAY with 503.
    if info.get_query().type == Gst.QueryType.SEEKING:
        return Gst.PadProbeReturn.DROP
    return Gst.PadProbeReturn.OK


def hold_audio_back(payloader, gap):
    """Drops audio from `fromMs` to `fromMs + forMs`, counted from the first packet; forMs null is for ever."""
    # Behind the payloader, whose first packet the server waits for before it answers DESCRIBE.
    pad = payloader.get_static_pad('src').get_peer()
    state = {'first': None}

    def on_packet(_pad, _info):
        now = time.monotonic() * 1000
        if state['first'] is None:
            state['first'] = now
        since = now - state['first'] - gap['fromMs']
        is_held = since >= 0 and (gap['forMs'] is None or since < gap['forMs'])
        return Gst.PadProbeReturn.DROP if is_held else Gst.PadProbeReturn.OK

    pad.add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, on_packet)


def on_media_configure(_factory, media, mount):
    element = media.get_element()
    appsrc = element.get_by_name('clock')
    if appsrc is not None:
        ClockSource(appsrc, mount['video'], lambda utc: say('start', path=mount['path'], utcMs=utc))
    tone = element.get_by_name('tone')
    if tone is not None:
        tone.get_static_pad('src').add_probe(Gst.PadProbeType.QUERY_UPSTREAM, on_tone_query)
        if mount['audio'].get('gap'):
            payloader = element.get_by_name('pay1' if mount.get('video') else 'pay0')
            media.connect('prepared', lambda _media: hold_audio_back(payloader, mount['audio']['gap']))
    say('media', path=mount['path'])


def make_factory(mount, has_users):
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch_line(mount))
    factory.set_shared(mount['shared'])
    factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP if mount['udpOnly'] else GstRtsp.RTSPLowerTrans.TCP)
    factory.set_latency(mount['latencyMs'])
    factory.connect('media-configure', on_media_configure, mount)
    if has_users:
        permissions = GstRtspServer.RTSPPermissions()
        for permission in ('media.factory.access', 'media.factory.construct'):
            permissions.add_permission_for_role(ROLE, permission, True)
        factory.set_permissions(permissions)
    return factory


def make_auth(configuration):
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string('media.factory.role', ROLE)
    users = configuration['users']
    if users is None:
        auth.set_default_token(token)
    else:
        method = GstRtsp.RTSPAuthMethod.BASIC if users['scheme'] == 'basic' else GstRtsp.RTSPAuthMethod.DIGEST
        auth.set_supported_methods(method)
        auth.set_realm(users['realm'])
        if users['scheme'] == 'basic':
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(users['username'], users['password']), token)
        else:
            auth.add_digest(users['username'], users['password'], token)
    if configuration['tls'] is not None:
        tls = configuration['tls']
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(tls['certificate'], tls['key']))
    return auth


clients = 0


def on_client(_server, client, configuration):
    global clients
    clients += 1
    number = clients
    say('connected', client=number)
    client.connect('closed', lambda _client: say('closed', client=number))

    def report(method):
        def on_request(_client, context):
            url = context.uri
            say('request', client=number, method=method, path=url.abspath if url is not None else None)

        return on_request

    for method in ('options', 'describe', 'setup', 'play', 'pause', 'teardown', 'get-parameter', 'set-parameter'):
        client.connect(f'{method}-request', report(method.upper().replace('-', '_')))
    timeout = configuration['sessionTimeoutSeconds']
    if timeout is not None:
        client.connect('new-session', lambda _client, session: session.set_timeout(timeout))


def main():
    configuration = json.loads(sys.argv[1])
    end_with_parent()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(configuration['host'])
    server.set_service(str(configuration['port']))
    # A thread for each client: one whose request is slow holds up nobody else, as with cameras.
    server.get_thread_pool().set_max_threads(-1)
    if configuration['users'] is not None or configuration['tls'] is not None:
        server.set_auth(make_auth(configuration))
    mounts = server.get_mount_points()
    needs_roles = server.get_auth() is not None
    for mount in configuration['mounts']:
        if mount.get('video') and not mount.get('file'):
            # Before the first viewer, who would pay for it with a late first frame.
            for width, height in sizes_of(mount['video']):
                backgrounds.get(PictureClock(width, height), width, height)
        mounts.add_factory(mount['path'], make_factory(mount, needs_roles))
    server.connect('client-connected', on_client, configuration)
    if server.attach(None) == 0:
        say('failed', reason=f'The port {configuration["port"]} of {configuration["host"]} cannot be listened on.')
        sys.exit(1)

    def forget_dead_sessions():
        server.get_session_pool().cleanup()
        return True

    GLib.timeout_add_seconds(1, forget_dead_sessions)
    say('ready', port=server.get_bound_port())
    GLib.MainLoop().run()


main()

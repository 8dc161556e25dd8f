"""GStreamer's own RTSP client, as quick as it can be made: the floor that players are measured against.

Takes one argument, JSON of gstreamer-client.ts; prints JSON lines:
  {"event": "first", "ms": from starting the pipeline to the first decoded frame}
  {"event": "tick", "ms": wall-clock time in ms at which the camera made a tick}     with sound; exact to 5 ms after 5 s
  {"event": "frames", "frames": [[capture time, arrival time], ...]}      at the end: on SIGTERM, or when stdin closes
"""

import array
import ctypes
import json
import os
import signal
import sys
import threading
import time

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstApp', '1.0')
from gi.repository import GLib, Gst, GstApp  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from picture_clock import cell_size, read_picture_clock  # noqa: E402

TICK_LEVEL = 0.04
SILENCE_NS = 300_000_000

output_lock = threading.Lock()


def say(event, **fields):
    with output_lock:
        print(json.dumps({'event': event, **fields}), flush=True)


class Client:
    def __init__(self, url, with_sound, decodes_video):
        self.frames = []
        self.started = 0.0
        self.decodes_video = decodes_video
        self.offset_ms = None
        self.last_loud_ns = -SILENCE_NS
        branches = [
            # Without a buffer mode of its own it moves each track's times by what it takes for drift: no use for A/V sync.
            f'rtspsrc name=source location={url} latency=0 protocols=tcp' + (' buffer-mode=none' if with_sound else ''),
            'source. ! application/x-rtp,media=video ! rtph264depay ! h264parse ! avdec_h264 '
            '! video/x-raw,format=I420 ! appsink name=pictures sync=false emit-signals=true',
        ]
        if with_sound:
            branches.append(
                'source. ! application/x-rtp,media=audio ! rtpmp4gdepay ! aacparse ! avdec_aac ! audioconvert '
                '! audio/x-raw,format=F32LE,channels=1 ! appsink name=sound sync=false emit-signals=true'
            )
        self.pipeline = Gst.parse_launch(' '.join(branches))
        self.pipeline.get_by_name('pictures').connect('new-sample', self.on_picture)
        if with_sound:
            self.pipeline.get_by_name('sound').connect('new-sample', self.on_sound)

    def start(self):
        self.started = time.monotonic()
        self.pipeline.set_state(Gst.State.PLAYING)

    def on_picture(self, sink):
        arrival = time.time_ns() / 1e6
        sample = sink.emit('pull-sample')
        if not self.frames:
            say('first', ms=(time.monotonic() - self.started) * 1000)
        if not self.decodes_video and len(self.frames) > 500:
            return Gst.FlowReturn.OK
        structure = sample.get_caps().get_structure(0)
        width = structure.get_value('width')
        buffer = sample.get_buffer()
        capture = read_picture_clock(buffer.extract_dup(0, width * 2 * cell_size(width)), width)
        self.frames.append((capture, arrival))
        if capture is not None:
            self.offset_ms = capture - buffer.pts / 1e6
        return Gst.FlowReturn.OK

    def on_sound(self, sink):
        sample = sink.emit('pull-sample')
        buffer = sample.get_buffer()
        rate = sample.get_caps().get_structure(0).get_value('rate')
        samples = array.array('f', buffer.extract_dup(0, buffer.get_size()))
        if not samples or max(max(samples), -min(samples)) < TICK_LEVEL:
            return Gst.FlowReturn.OK
        loud = [i for i, value in enumerate(samples) if abs(value) >= TICK_LEVEL]
        first_ns = buffer.pts + loud[0] * 1_000_000_000 // rate
        if first_ns - self.last_loud_ns > SILENCE_NS and self.offset_ms is not None:
            say('tick', ms=first_ns / 1e6 + self.offset_ms)
        self.last_loud_ns = buffer.pts + loud[-1] * 1_000_000_000 // rate
        return Gst.FlowReturn.OK


def end_with_parent():
    try:
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    except (OSError, AttributeError):
        pass


def main():
    end_with_parent()
    configuration = json.loads(sys.argv[1])
    Gst.init(None)
    loop = GLib.MainLoop()
    client = Client(configuration['url'], configuration['sound'], configuration['pictures'])
    bus = client.pipeline.get_bus()
    bus.add_signal_watch()

    def on_error(_bus, message):
        sys.stderr.write(f'{message.parse_error()[0].message}\n')
        loop.quit()

    bus.connect('message::error', on_error)

    def wait_for_stdin():
        sys.stdin.buffer.read()
        loop.quit()

    threading.Thread(target=wait_for_stdin, daemon=True).start()
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, loop.quit)
    client.start()
    loop.run()
    say('frames', frames=client.frames)
    # A frozen camera would keep a polite end waiting.
    os._exit(0)


main()

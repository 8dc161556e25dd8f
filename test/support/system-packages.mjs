// Checks that the programs which the tests run are there; on Debian and its kin installs what is missing.
//   node test/support/system-packages.mjs

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findChromium, findProgram } from './chromium.mjs';

/** The system's own Python: the one that has the distribution's GObject bindings. */
const python = '/usr/bin/python3';

function succeeds(program, ...args) {
  return spawnSync(program, args, { stdio: 'ignore', timeout: 60_000 }).status === 0;
}

const pythonCan = (code) => existsSync(python) && succeeds(python, '-c', code);
const hasElements = (...names) => names.every((name) => succeeds('gst-inspect-1.0', name));

/** What the tests need: a probe, Debian's packages, and where else to get it. Order matters: later probes use earlier ones. */
const needs = [
  {
    what: 'Chromium or Chrome',
    isPresent: () => findChromium() !== null,
    packages: ['chromium'],
    elsewhere: 'install Chromium or Google Chrome, or set CHROMIUM_PATH to its executable',
  },
  {
    what: 'ffmpeg and ffprobe',
    isPresent: () => findProgram('ffmpeg') !== null && findProgram('ffprobe') !== null,
    packages: ['ffmpeg'],
    elsewhere: 'https://ffmpeg.org/download.html',
  },
  {
    what: 'openssl',
    isPresent: () => findProgram('openssl') !== null,
    packages: ['openssl'],
    elsewhere: 'https://openssl-library.org/source/',
  },
  {
    what: 'HAProxy',
    isPresent: () => findProgram('haproxy') !== null,
    packages: ['haproxy'],
    elsewhere: 'https://www.haproxy.org/',
  },
  {
    what: 'nginx',
    isPresent: () => findProgram('nginx') !== null,
    packages: ['nginx-light'],
    elsewhere: 'https://nginx.org/',
  },
  {
    what: "GStreamer's command line tools",
    isPresent: () => findProgram('gst-inspect-1.0') !== null,
    packages: ['gstreamer1.0-tools'],
    elsewhere: 'https://gstreamer.freedesktop.org/download/',
  },
  {
    what: "GStreamer's RTSP server with its Python bindings, and TLS for it",
    isPresent: () =>
      pythonCan(
        [
          'import gi',
          "for name in ('Gst', 'GstApp', 'GstRtspServer'): gi.require_version(name, '1.0')",
          'from gi.repository import Gio, Gst, GstApp, GstRtspServer',
          'assert Gio.TlsBackend.get_default().supports_tls()',
        ].join('\n'),
      ),
    packages: ['python3-gi', 'gir1.2-gst-rtsp-server-1.0', 'gir1.2-gst-plugins-base-1.0', 'glib-networking'],
    elsewhere: `${python} with PyGObject, and gst-rtsp-server built with introspection`,
  },
  {
    what: 'GStreamer elements of the base and good plug-ins (appsrc, audiotestsrc, rtph264pay, qtdemux, rtspsrc)',
    isPresent: () =>
      hasElements('appsrc', 'audiotestsrc', 'videotestsrc', 'rtph264pay', 'rtpmp4gpay', 'qtdemux', 'rtspsrc'),
    packages: ['gstreamer1.0-plugins-base', 'gstreamer1.0-plugins-good'],
    elsewhere: 'gst-plugins-base and gst-plugins-good',
  },
  {
    what: 'GStreamer elements that code and parse (x264enc, h264parse, aacparse, avenc_aac, avdec_h264)',
    isPresent: () => hasElements('x264enc', 'h264parse', 'aacparse', 'avenc_aac', 'avdec_h264'),
    packages: ['gstreamer1.0-plugins-bad', 'gstreamer1.0-plugins-ugly', 'gstreamer1.0-libav'],
    elsewhere: 'gst-plugins-bad, gst-plugins-ugly and gst-libav',
  },
  {
    what: "GStreamer's element rtspclientsink",
    isPresent: () => hasElements('rtspclientsink'),
    packages: ['gstreamer1.0-rtsp'],
    elsewhere: 'rtspclientsink of gst-rtsp-server',
  },
  {
    what: "a C compiler, and the headers of GStreamer's RTSP server",
    isPresent: () => findProgram('gcc') !== null && succeeds('pkg-config', '--exists', 'gstreamer-rtsp-server-1.0'),
    packages: ['gcc', 'libc6-dev', 'pkg-config', 'libgstrtspserver-1.0-dev'],
    elsewhere: 'gcc, pkg-config and the development files of gst-rtsp-server',
  },
  {
    what: 'a font',
    isPresent: () => findProgram('fc-list') === null || spawnSync('fc-list').stdout?.length > 0,
    packages: ['fonts-dejavu-core'],
    elsewhere: 'any TrueType font, for example DejaVu',
  },
];

const missing = () => needs.filter((need) => !need.isPresent());

/** How this user may run apt-get: directly, through sudo without a password, or not at all. */
function aptCommand() {
  if (findProgram('apt-get') === null) return null;
  if (process.getuid?.() === 0) return ['apt-get'];
  if (findProgram('sudo') !== null && succeeds('sudo', '-n', 'true')) {
    return ['sudo', '-n', 'DEBIAN_FRONTEND=noninteractive', 'apt-get'];
  }
  return null;
}

function apt([program, ...first], ...args) {
  const { status } = spawnSync(program, [...first, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return status === 0;
}

function explain(needed) {
  process.stderr.write('The tests need programs that this machine lacks:\n');
  for (const { what, packages, elsewhere } of needed) {
    process.stderr.write(
      `- ${what}\n    Debian, Ubuntu: apt-get install ${packages.join(' ')}\n    elsewhere: ${elsewhere}\n`,
    );
  }
}

/** Makes sure that everything is there; returns whether it is, after having said what is missing. */
export function ensureSystemPackages() {
  let needed = missing();
  if (needed.length === 0) return true;
  const command = aptCommand();
  if (command !== null) {
    const packages = needed.flatMap((need) => need.packages);
    process.stdout.write(`Installing ${packages.join(' ')}\n`);
    // A stale package list is a worse guess than none, but a mirror that is down need not matter if the packages are cached.
    apt(command, 'update', '-qq');
    apt(command, 'install', '-y', '-qq', '--no-install-recommends', ...packages);
    needed = missing();
    if (needed.length === 0) return true;
  }
  explain(needed);
  return false;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(ensureSystemPackages() ? 0 : 1);

/**
 * Every bound of the shared code and of the two ends, with its unit and its reason. A limit that a user may set has its
 * default here.
 */

// RTSP messages. Peers accept 255 headers of some 2,500 bytes; no camera seen sends a tenth of that.
/** Bytes of a start line or one header line, folded lines included. */
export const MAX_HEADER_LINE_BYTES = 8_192;
/** Header lines of one message. */
export const MAX_HEADERS = 255;
/** Bytes of all the header lines of one message together: an endless header is not a header. */
export const MAX_HEADER_BYTES = 65_536;
/** Bytes of a message's body; SDP with base64 parameter sets stays far below. */
export const MAX_BODY_BYTES = 131_072;
/** Bytes that the reader skips in search of the next message or frame before it gives the peer up as not RTSP. */
export const MAX_RESYNC_BYTES = 1_048_576;

// SDP.
/** Lines of one session description. */
export const MAX_SDP_LINES = 2_000;
/** Characters of one line of a session description; longer lines are ignored. Parameter sets in base64 take some 2,000. */
export const MAX_SDP_LINE_LENGTH = 16_384;
/** Media sections that are looked at; later ones are ignored. */
export const MAX_MEDIA = 32;

// RTP.
/** Bytes of one access unit: H.264 level 5.1's largest frames stay below. */
export const MAX_ACCESS_UNIT_BYTES = 8 * 1_048_576;
/** NAL units of one access unit. */
export const MAX_NAL_UNITS = 256;
/** OBUs of one AV1 temporal unit: frames of several layers, each in many tile groups. */
export const MAX_OBUS = 1_024;
/** Bytes of one document of ONVIF metadata, as sent and, by another such limit, unpacked: hundreds of objects stay below. */
export const MAX_METADATA_BYTES = 1_048_576;
export const MAX_UNPACKED_METADATA_BYTES = 8 * 1_048_576;
/** Documents of metadata that wait for the frame they belong to: seconds of the most talkative cameras. */
export const MAX_WAITING_METADATA = 500;
/** Packets that a server may still send of the old position after it has said where the new one begins: what a socket holds. */
export const MAX_OLD_PACKETS = 3_000;
/** Packets that carry one access unit: the largest one in packets of 512 bytes. Each keeps its chunk of memory alive. */
export const MAX_ACCESS_UNIT_PACKETS = 16_384;
/** Audio access units in one packet: more than fit into an Ethernet frame even at 6 bytes each. */
export const MAX_AUDIO_UNITS_PER_PACKET = 256;
/** A forward jump in sequence numbers up to this is loss; beyond it the sender started anew (RFC 3550, A.1). */
export const MAX_SEQUENCE_DROPOUT = 3_000;
/** A backward jump up to this is a late packet (RFC 3550, A.1). */
export const MAX_SEQUENCE_MISORDER = 100;
/** Interleaved packets held while the PLAY reply is awaited: some servers send first. */
export const MAX_EARLY_PACKETS = 1_024;
/** Bytes of those packets together: a key frame and a second of what follows, at 4K. */
export const MAX_EARLY_BYTES = 8 * 1_048_576;

// RTSP requests.
/** Requests given up (time-out, abort) whose responses may yet come: more are forgotten. */
export const MAX_UNANSWERED_REQUESTS = 16;
/** How often one request is sent again because it was challenged: first challenge, stale nonces. */
export const MAX_AUTHENTICATION_ROUNDS = 4;
/** Requests of a server that are answered in a second: beyond it, it only wants to be answered. */
export const MAX_SERVER_REQUESTS_PER_SECOND = 20;

// Waiting, in milliseconds.
/** For the WebSocket or TCP connection to open. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** For an RTSP response. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** For TEARDOWN's response: nobody waits for a goodbye. */
export const TEARDOWN_TIMEOUT_MS = 1_000;
/** The session time-out when the server names none (RFC 2326, 12.37). */
export const DEFAULT_SESSION_TIMEOUT_MS = 60_000;
/** The least a session time-out is believed: some servers say 0. */
export const MIN_SESSION_TIMEOUT_MS = 5_000;
/** The most a session time-out is believed: timers overflow at 25 days, and routers forget silent connections sooner. */
export const MAX_SESSION_TIMEOUT_MS = 600_000;
/** Between RTCP receiver reports: some cameras end a session that is silent for longer. */
export const RECEIVER_REPORT_INTERVAL_MS = 5_000;

// Both ends.
/** Redirects followed before giving up. */
export const MAX_REDIRECTS = 3;
/** UTF-8 bytes of a WebSocket close reason (RFC 6455, 5.5.1). */
export const MAX_CLOSE_REASON_BYTES = 123;

// The proxy. Its waits end before the page's own (CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS), so that the page learns why.
/** Bytes of one WebSocket message from a viewer: requests and receiver reports, later what a page records. */
export const MAX_VIEWER_MESSAGE_BYTES = 1_048_576;
/** Requests of one viewer that wait for the camera's answers. */
export const MAX_QUEUED_REQUESTS = 32;
/** Addresses of one host name that are tried. */
export const MAX_TARGET_ADDRESSES = 8;
/**
 * Bytes of the memory that one camera's reads go into: the largest frame that is not complete yet (65,539), and as much
 * again. What a busy process finds waiting goes out as one WebSocket message.
 */
export const UPSTREAM_BUFFER_BYTES = 131_072;
/** Bytes kept free before what is read from a camera: the longest head of a WebSocket message from a server (RFC 6455, 5.2). */
export const MESSAGE_HEAD_BYTES = 10;
/** Milliseconds for which a busy proxy lets the beginning of a frame wait for its rest: less than a frame interval. */
export const MAX_HOLD_MS = 8;
/** Milliseconds after which a busy proxy tries again whether letting frames wait is of use. */
export const HOLD_TRIAL_INTERVAL_MS = 10_000;
/** Bytes of a frame's beginning above which it does not wait: one more message for so many costs little. */
export const MAX_HELD_BYTES = 32_768;
/** Bytes waiting for a camera to read above which receiver reports are dropped rather than queued. */
export const MAX_UPSTREAM_BACKLOG_BYTES = 65_536;
/** Bytes waiting for a viewer of a live stream, the kernel's buffers full, above which whole frames are dropped: 1 s at 4 Mbit/s. */
export const LIVE_BACKLOG_BYTES = 524_288;
/** Bytes waiting below which a live stream goes on, at a key frame. */
export const LIVE_RESUME_BYTES = 65_536;
/** Bytes waiting above which not even the rest of a frame or RTCP is sent, nor the viewer's requests are read. */
export const MAX_LIVE_BACKLOG_BYTES = 2_097_152;
/** For a viewer's first request after the WebSocket has opened. */
export const FIRST_REQUEST_TIMEOUT_MS = 10_000;
/** For the TCP and TLS connection to a camera, name look-up included. */
export const UPSTREAM_CONNECT_TIMEOUT_MS = 5_000;
/** For a camera's answer to a request. */
export const CAMERA_RESPONSE_TIMEOUT_MS = 8_000;
/** What is left at least for an answer when a viewer was held before its request could be sent. */
export const MIN_CAMERA_RESPONSE_MS = 2_000;
/** How long a viewer of a camera that is away is held in the hope that it comes back. */
export const VIEWER_HOLD_MS = 8_000;
/** Between two attempts to reach a camera that is away: the first, doubled up to the last. */
export const MIN_PROBE_INTERVAL_MS = 250;
export const MAX_PROBE_INTERVAL_MS = 2_000;
/** Between two attempts with credentials that a camera has rejected: five a few minutes lock accounts. */
export const REJECTED_CREDENTIALS_INTERVAL_MS = 60_000;
/** Without a byte from a camera that plays; sender reports alone come every 5 s or so. */
export const SILENCE_TIMEOUT_MS = 30_000;
/** Log lines that wait for whoever reads them; more are dropped. */
export const MAX_LOG_BACKLOG_BYTES = 1_048_576;
/** For the last log lines to be written when the process ends. */
export const LOG_FLUSH_TIMEOUT_MS = 500;
/** Of what a line of the log says about one thing: names come from tokens, reasons from cameras. */
export const MAX_LOG_FIELD_CHARACTERS = 1_000;
/** Of a worker's line that does not end: what came so far is a line, then. */
export const MAX_LOG_LINE_CHARACTERS = 65_536;
/** From one start of a worker that dies at once to the next; doubled with each time, up to the last. */
export const MIN_WORKER_RESTART_MS = 1_000;
export const MAX_WORKER_RESTART_MS = 30_000;
/** A worker that has run for so long did not die of its settings. */
export const STEADY_WORKER_MS = 60_000;
/** For all workers to say their numbers; of one that is busy for longer, the last ones count. */
export const WORKER_METRICS_TIMEOUT_MS = 2_000;
/** Of a worker that does not answer for so long the viewers get nothing either: another one takes its place. */
export const WORKER_SILENCE_TIMEOUT_MS = 30_000;
/** How often in that time it is asked. */
export const WORKER_PINGS = 5;
/** Beyond what draining takes, for a worker to end by itself. */
export const WORKER_END_GRACE_MS = 2_000;
/** From the word that the proxy goes to the last viewer's close: load balancers notice, and viewers do not come back all at once. */
export const DRAIN_MS = 3_000;
/** The longest of all configured waits: a day. */
export const MAX_TIMEOUT_MS = 86_400_000;
/** Between two pings; a viewer that gave no sign of life in between is gone. */
export const PING_INTERVAL_MS = 15_000;
/** For a WebSocket's closing handshake. */
export const CLOSE_HANDSHAKE_TIMEOUT_MS = 5_000;
/** For all connections together to end in good order when the proxy goes down. */
export const SHUTDOWN_TIMEOUT_MS = 3_000;

/** Channels of sound: what the player's containers and a session description's believable values have. */
export const MAX_AUDIO_CHANNELS = 8;

/** Samples a second that a session description may declare for PCM. */
export const MAX_AUDIO_SAMPLE_RATE = 192_000;

// The proxy's doors.
/** Characters of an access token: a cookie's whole size in browsers. */
export const MAX_TOKEN_LENGTH = 4_096;
/** Names and globs of cameras in one token that are looked at. */
export const MAX_CAMERA_PATTERNS = 1_000;
/** From a token's issue until it is no longer accepted in a URL, which histories and logs keep. */
export const MAX_QUERY_TOKEN_AGE_MS = 60_000;
/** How long a token's signature, once checked, need not be checked again. */
export const TOKEN_CACHE_MS = 10_000;
/** For the verdict whether a viewer may enter; the portal's own answer has half of it. */
export const AUTHORIZATION_TIMEOUT_MS = 8_000;
/** How long the portal's answer is used again for the same viewer and camera. */
export const FORWARD_CACHE_MS = 10_000;
/** Between two questions to the portal about a running connection. */
export const FORWARD_RECHECK_MS = 300_000;
/** Questions to the portal that may be under way at once. */
export const MAX_FORWARD_REQUESTS = 256;
/** Answers of the portal that are kept. */
export const MAX_CACHED_VERDICTS = 10_000;
/** Cameras of one list that are asked about at once. */
export const MAX_LISTING_QUESTIONS = 16;
/** Between two attempts to ask about a running connection when nobody answers, and how long that goes on. */
export const REAUTHORIZATION_RETRY_MS = 10_000;
export const REAUTHORIZATION_GRACE_MS = 60_000;
/** The longest single timer: Node's overflow at 25 days, and clocks are set meanwhile. */
export const MAX_TIMER_MS = 3_600_000;
/** Connections of viewers in all: 100 KB each, in a container of 1 GB. */
export const MAX_CONNECTIONS = 10_000;
/** The same from one address: an office behind one router, each with a wall of cameras. */
export const MAX_CONNECTIONS_PER_ADDRESS = 2_000;
/** New connections a second from one address, and for how many seconds' worth at once: that office after a restart. */
export const MAX_HANDSHAKES_PER_SECOND = 200;
export const HANDSHAKE_BURST_SECONDS = 20;
/** Addresses whose handshakes are counted apart. */
export const MAX_TRACKED_ADDRESSES = 10_000;
/** Messages a second from one viewer: keep-alives and receiver reports are a few, a page that records sends some 100. */
export const MAX_VIEWER_MESSAGES_PER_SECOND = 500;
/** Bytes a second from one viewer: a recording in 4K. */
export const MAX_VIEWER_BYTES_PER_SECOND = 8_388_608;
/** For how many seconds' worth of the last two a viewer may send at once. */
export const VIEWER_BURST_SECONDS = 4;
/** Without a byte from or to a viewer, answers to pings apart: its camera has forgotten it by now. */
export const VIEWER_IDLE_TIMEOUT_MS = 300_000;
/** Bytes of a file with a secret, a key or certificates: a bundle of all public authorities has some 220,000. */
export const MAX_SECRET_BYTES = 1_048_576;
/** Between two looks whether certificate files have changed. */
export const CERTIFICATE_POLL_MS = 10_000;
/** For a TLS handshake of a viewer. */
export const TLS_HANDSHAKE_TIMEOUT_MS = 10_000;

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  forwardedRequestHeaders,
  parseChannels,
  parseSession,
  publicMethods,
  responseTransport,
  rewriteRtpInfo,
} from '../../proxy/camera-headers.js';
import { addQuery, allowedQuery } from '../../proxy/camera-query.js';
import { rewriteSessionDescription } from '../../proxy/sdp-rewrite.js';
import { UrlTable } from '../../proxy/url-table.js';
import { RtspHeaders } from '../../shared/rtsp-message.js';
import { parseSessionDescription } from '../../shared/session-description.js';

const none = { contentBase: null, contentLocation: null };
const url = 'rtsp://10.0.0.7/live';
const publicUrl = (medium: number | null): string => `rtsp://cam/${medium ?? ''}`;

function table(sdp: string, headers: { contentBase?: string } = {}): UrlTable {
  const result = new UrlTable('cam', url);
  result.describe(url, { ...none, ...headers }, parseSessionDescription(sdp));
  return result;
}

describe('the table of URLs', () => {
  const video = 'm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n';

  test('media by their number, joined in the camera’s ways', () => {
    const two = table(`v=0\r\n${video}a=control:trackID=1\r\n${video}a=control:rtsp://192.168.1.9/live/2\r\n`);
    assert.deepEqual(two.urlsOf({ kind: 'medium', index: 0 }), [
      'rtsp://10.0.0.7/live/trackID=1',
      'rtsp://10.0.0.7/trackID=1',
    ]);
    assert.deepEqual(two.urlsOf({ kind: 'medium', index: 1 }), ['rtsp://10.0.0.7/live/2']);
    assert.deepEqual(two.find('rtsp://cam/1'), { kind: 'medium', index: 1 });
    assert.deepEqual(two.find('rtsp://CAM:554/0?x'), { kind: 'medium', index: 0 });
    for (const other of ['rtsp://cam/2', 'rtsp://cam2/0', 'rtsp://cam/0/', 'rtsp://10.0.0.7/0', 'http://cam/0', '/0']) {
      assert.equal(two.find(other), null, other);
    }
  });

  test('the session: a=control, then Content-Base; the request’s URL without them (TP-Link, VStarcam)', () => {
    const session = { kind: 'session', query: '' } as const;
    assert.deepEqual(table(`a=control:*\r\n${video}`, { contentBase: `${url}/` }).urlsOf(session), [`${url}/`]);
    assert.deepEqual(table(`a=control:rtsp://192.168.1.9/all\r\n${video}`).urlsOf(session), ['rtsp://10.0.0.7/all']);
    assert.deepEqual(table(video).urlsOf(session), [url]);
    assert.deepEqual(table(video, { contentBase: `${url}/` }).urlsOf(session), [url, `${url}/`]);
    assert.deepEqual(table(video).find('rtsp://cam'), session);
    assert.deepEqual(table(video).find('rtsp://cam/?a=b'), { kind: 'session', query: 'a=b' });
    assert.deepEqual(table(video).find('*'), session);
  });

  test('what the camera took is asked for from then on', () => {
    const preferred = table(`${video}a=control:trackID=1\r\n`);
    preferred.prefer({ kind: 'medium', index: 0 }, 'rtsp://10.0.0.7/trackID=1');
    assert.deepEqual(preferred.urlsOf({ kind: 'medium', index: 0 }), ['rtsp://10.0.0.7/trackID=1']);
  });

  test('control URLs back to media', () => {
    const two = table(`v=0\r\n${video}a=control:trackID=1\r\n${video}a=control:trackID=2\r\n`);
    assert.equal(two.mediumOf('rtsp://10.0.0.7/live/trackID=2'), 1);
    assert.equal(two.mediumOf('rtsp://192.168.1.9:554/live/trackID=2'), 1);
    assert.equal(two.mediumOf('trackID=1'), 0);
    assert.equal(two.mediumOf('rtsp://10.0.0.7/other'), null);
    assert.equal(two.mediumOf(''), null);
  });
});

describe('session descriptions for viewers', () => {
  const rewrite = (text: string): string => rewriteSessionDescription(text, publicUrl, 'cam');

  test('control lines are put in where they are missing, and once where they are twice', () => {
    assert.equal(
      rewrite('v=0\nm=video 0 RTP/AVP 96\na=control:a\na=control:b\nm=audio 0 RTP/AVP 0'),
      'v=0\r\na=control:rtsp://cam/\r\nm=video 0 RTP/AVP 96\r\na=control:rtsp://cam/0\r\nm=audio 0 RTP/AVP 0\r\na=control:rtsp://cam/1\r\n',
    );
  });

  test('addresses, paths and people do not get through; formats do', () => {
    const text = rewrite(
      [
        'v=0',
        'o=root 3c 7 IN IP4 10.0.0.7',
        'o=',
        's=Session of /live',
        'i=live',
        'u=http://10.0.0.7/',
        'e=admin@10.0.0.7',
        'p=+1 234',
        'c=IN IP6 fd00::7',
        'a=tool:LIVE555',
        'a=x-qt-text-nam:live',
        'a=source-filter: incl IN IP4 * 10.0.0.7',
        'a=x-url:rtsp://10.0.0.7/live',
        'a=x-info:http://user:hunter2@portal/',
        'm=video 0 RTP/AVP 96',
        'b=AS:500',
        'a=rtcp:5001 IN IP4 10.0.0.7',
        'a=rtpmap:96 H265/90000',
        'a=fmtp:96 sprop-vps=QAEMAf//AUAAAAMAAAMAAAMAAAMAeKwJ;sprop-sps=QgEB;token=1',
        'a=whatever',
      ].join('\r\n'),
    );
    assert.doesNotMatch(text, /10\.0\.0\.7|fd00|live\b|hunter2|root|admin|234/);
    for (const line of [
      'o=- 3c 7 IN IP4 0.0.0.0',
      's=cam',
      'b=AS:500',
      'a=rtpmap:96 H265/90000',
      'a=whatever',
      'a=tool:LIVE555',
    ]) {
      assert.ok(text.includes(`${line}\r\n`), line);
    }
    assert.match(text, /sprop-vps=QAEMAf\/\/AUAAAAMAAAMAAAMAAAMAeKwJ;sprop-sps=QgEB/);
  });

  test('media have the same numbers as for the parser, whatever the lines', () => {
    const line = fc.oneof(
      fc.constantFrom(
        'm=video 0 RTP/AVP 96',
        'm=audio 0 RTP/AVP 97',
        'm=vana 0 RTP/AVP 1',
        'm=',
        'a=control:x',
        'a=control',
        'a=',
        '',
      ),
      fc.constantFrom(
        'm=application/TP-LINK 0 RTP/AVP smart/1/90000',
        'a=rtpmap:96 H264/90000',
        ' m=video 0 RTP/AVP 96',
        's=-',
      ),
      fc.string({ maxLength: 30 }),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), fc.constantFrom('\r\n', '\n', '\r'), (lines, end) => {
        const text = `m=video 0 RTP/AVP 96${end}${lines.join(end)}`;
        const original = parseSessionDescription(text);
        const rewritten = parseSessionDescription(rewrite(text));
        assert.equal(rewritten.control, 'rtsp://cam/');
        for (const [index, medium] of original.media.entries()) {
          assert.equal(rewritten.media[index]?.control, `rtsp://cam/${index}`);
          assert.equal(rewritten.media[index]?.kind, medium.kind);
        }
      }),
    );
  });
});

describe('headers', () => {
  test('Transport, as cameras write it (Escam Q6: one channel)', () => {
    assert.deepEqual(parseChannels('RTP/AVP/TCP;unicast;interleaved=4-5'), { rtp: 4, rtcp: 5 });
    assert.deepEqual(parseChannels('RTP/AVP;Interleaved = 0 ;ssrc=1'), { rtp: 0, rtcp: 1 });
    for (const text of [
      null,
      '',
      'RTP/AVP;unicast;client_port=1-2',
      'interleaved=300-301',
      'interleaved=255',
      'xinterleaved=1-2',
    ]) {
      assert.equal(parseChannels(text), null, String(text));
    }
    assert.equal(
      responseTransport('RTP/AVP/TCP;ssrc=0xABCD;source=x', { rtp: 0, rtcp: 1 }),
      'RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0xABCD',
    );
  });

  test('Session (TP-Link: blanks before timeout)', () => {
    assert.deepEqual(parseSession('1234'), { id: '1234', timeout: null });
    assert.deepEqual(parseSession('12;  timeout = 30'), { id: '12', timeout: '30' });
    assert.equal(parseSession(null), null);
    assert.equal(parseSession(';timeout=3'), null);
  });

  test('Public: only what a viewer may use', () => {
    assert.equal(publicMethods('options,DESCRIBE , RECORD'), 'OPTIONS, DESCRIBE');
    assert.match(publicMethods(null), /^OPTIONS, DESCRIBE, SETUP/);
  });

  test('RTP-Info: foreign URLs by their place, one medium whatever the URL (GW, Laureii, GStreamer)', () => {
    const of = (value: string, setUp: number[], found: number | null = null) =>
      rewriteRtpInfo(value, () => found, setUp, publicUrl);
    assert.equal(of('url=rtsp://x/y,z;seq=1;rtptime=2;', [3]), 'url=rtsp://cam/3;seq=1;rtptime=2');
    assert.equal(of('url=a;seq=1, url=b;rtptime=-1', [1, 0]), 'url=rtsp://cam/1;seq=1,url=rtsp://cam/0;rtptime=-1');
    assert.equal(of('url=a;seq=1', [0, 1], 1), 'url=rtsp://cam/1;seq=1');
    assert.equal(of('', [0]), null);
    assert.equal(of('url=a;seq=1', []), null);
  });

  test('only known headers of a request go on', () => {
    const headers = new RtspHeaders([
      ['Range', 'npt=0-'],
      ['Authorization', 'x'],
      ['Content-Type', 'text/parameters'],
    ]);
    assert.deepEqual([...forwardedRequestHeaders(headers, false)], [['Range', 'npt=0-']]);
    assert.deepEqual([...forwardedRequestHeaders(headers, true)].length, 2);
  });
});

describe('query parameters', () => {
  test('listed ones replace those of the same name; the rest of the URL stays as text', () => {
    const listed = new Set(['starttime']);
    assert.deepEqual(allowedQuery('starttime=a%20b&x=1&starttime=c', listed), [
      ['starttime', 'a b'],
      ['starttime', 'c'],
    ]);
    assert.equal(
      addQuery('rtsp://h/p?a=%2F&starttime=0&b', [['starttime', 'x&y=z\r\n']]),
      'rtsp://h/p?a=%2F&b&starttime=x%26y%3Dz%0D%0A',
    );
    assert.equal(addQuery('rtsp://h/p', []), 'rtsp://h/p');
    assert.equal(addQuery('rtsp://h/p', [['a', '1']]), 'rtsp://h/p?a=1');
  });
});

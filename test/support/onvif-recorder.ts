import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LineProcess, runProgram, startLineProcess } from './child-process.js';

/** A recorder made of GStreamer's ONVIF server, which replays a file with H.264 video as if it had been taken at some time. */
export interface OnvifRecorder {
  /** @param path - `/sound`: with the file's sound */
  url(path?: '/recording' | '/sound'): string;
  /** Every line of what it says of requests. */
  readonly lines: readonly string[];
  stop(): Promise<void>;
}

const source = fileURLToPath(new URL('./onvif-recorder.c', import.meta.url));
const libraries = ['gstreamer-rtsp-server-1.0', 'gstreamer-rtsp-1.0'];
const SECONDS_FROM_1900_TO_1970 = 2_208_988_800;

/**
 * Compiles and starts it.
 * @param startsAt - UTC of the file's first frame in milliseconds since 1970, whole seconds
 */
export async function startOnvifRecorder(file: string, startsAt: number): Promise<OnvifRecorder> {
  const folder = await mkdtemp(join(tmpdir(), 'onvif-recorder-'));
  const program = join(folder, 'onvif-recorder');
  const remove = () => rm(folder, { recursive: true, force: true });
  let child: LineProcess | null = null;
  try {
    const flags = await runProgram('pkg-config', ['--cflags', '--libs', ...libraries]);
    await runProgram('gcc', [
      '-O1',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-o',
      program,
      source,
      ...flags.trim().split(/\s+/),
    ]);
    child = startLineProcess(program, [file, String(startsAt / 1_000 + SECONDS_FROM_1900_TO_1970)]);
    const port = await child.waitForLine((line) => (JSON.parse(line) as { port?: number }).port ?? null);
    const running = child;
    return {
      url: (path = '/recording') => `rtsp://127.0.0.1:${port}${path}`,
      get lines() {
        return running.lines;
      },
      async stop() {
        await running.kill();
        await remove();
      },
    };
  } catch (thrown) {
    await child?.kill();
    await remove();
    throw thrown;
  }
}

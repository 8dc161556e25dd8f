// Builds dist/ from a checkout: compiles with `tsc -b`, bundles the element into one file, copies the static files that
// the proxy serves. Needs nothing but Node and the packages of `npm ci`.
//   node test/support/build.mjs [--with-tests] [--clean]
// --with-tests type-checks test/ as well; --clean begins with an empty dist/.

import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);

function compile(projects) {
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  const { status, error } = spawnSync(process.execPath, [tsc, '-b', ...projects], { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(1);
}

/** One ES module with every dependency inside, for `<script type="module" src>`. */
async function bundleElement() {
  await build({
    absWorkingDir: root,
    entryPoints: ['client/element/served.ts'],
    outfile: 'dist/rtsp-player.js',
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    sourcemap: true,
    legalComments: 'eof',
    logLevel: 'warning',
  });
}

/** Everything in a folder that is neither TypeScript nor a script that makes the files. */
function copyStaticFiles(folder) {
  const source = join(root, folder);
  if (!existsSync(source)) return;
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      copyStaticFiles(path);
    } else if (!/\.(ts|mts|mjs|sh|py|md)$|^tsconfig\.json$/.test(entry.name)) {
      copyWhenChanged(join(root, path), join(root, 'dist', path));
    }
  }
}

function copyWhenChanged(source, target) {
  const from = statSync(source);
  const to = statSync(target, { throwIfNoEntry: false });
  if (to !== undefined && to.size === from.size && to.mtimeMs >= from.mtimeMs) return;
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(source, target);
}

if (process.argv.includes('--clean')) rmSync(join(root, 'dist'), { recursive: true, force: true });
compile(['shared', 'client', 'proxy']);
await bundleElement();
for (const folder of ['proxy/demo', 'proxy/wall']) copyStaticFiles(folder);
copyWhenChanged(join(root, 'proxy/config-schema.json'), join(root, 'dist/proxy/config-schema.json'));
chmodSync(join(root, 'dist/proxy/cli.js'), 0o755);
if (process.argv.includes('--with-tests')) compile(['.']);

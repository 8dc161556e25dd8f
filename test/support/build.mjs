// Builds dist/ from a checkout: compiles with `tsc -b`, bundles the element, copies the static files that
// the proxy serves. Needs nothing but Node and the packages of `npm ci`.
//   node test/support/build.mjs [--with-tests] [--clean]
// --with-tests type-checks test/ as well; --clean begins with an empty dist/.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { minify } from 'terser';

const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);

function compile(projects) {
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  const { status, error } = spawnSync(process.execPath, [tsc, '-b', ...projects], { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(1);
}

const bundleName = 'rtsp-player';

/** Takes comments and indentation out of style sheets, which a minifier of scripts leaves alone. */
const minifyStyles = {
  name: 'minify-styles',
  transform: {
    filter: { id: /\.styles\.ts$/ },
    handler: (code) => ({
      code: code.replace(/css`[^`]*`/g, (sheet) =>
        sheet
          .replace(/\/\*[\s\S]*?\*\//g, '')
          .replace(/\s+/g, ' ')
          .replace(/ ?([{};,]) ?/g, '$1')
          .replace(/: /g, ':')
          .replace(/;}/g, '}'),
      ),
      map: { mappings: '' },
    }),
  },
};

/**
 * Takes out of sdp-transform's grammar what only its writer uses, and the element does not: how attributes are formatted.
 */
const sdpWithoutWriter = {
  name: 'sdp-without-writer',
  transform: {
    filter: { id: /sdp-transform[\\/]lib[\\/]grammar\.js$/ },
    handler(code) {
      const formats = [];
      const look = (node) => {
        if (node === null || typeof node !== 'object') return;
        if (Array.isArray(node)) node.forEach(look);
        else if (node.type === 'Property' && node.key.name === 'format') formats.push(node);
        else Object.values(node).forEach(look);
      };
      look(this.parse(code));
      if (formats.length === 0) throw new Error("sdp-transform's grammar is not what it was: look at this plugin.");
      let rest = code;
      for (const { start, end } of formats.sort((a, b) => b.start - a.start)) {
        rest = `${rest.slice(0, start)}format: 0${rest.slice(end)}`;
      }
      return { code: rest.replace(/,?\s*format: 0/g, ''), map: { mappings: '' } };
    },
  },
};

/**
 * ES modules with every dependency inside, for `<script type="module" src>`: rtsp-player.js, which loads a core with all
 * that a live picture needs, and parts that are loaded when they are needed; all but the first with a hash in their names.
 */
async function bundleElement() {
  const bundle = await rolldown({
    cwd: root,
    input: { [bundleName]: 'client/element/served.ts' },
    platform: 'browser',
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    preserveEntrySignatures: 'strict',
    plugins: [minifyStyles, sdpWithoutWriter],
  });
  const { output } = await bundle.generate();
  const chunks = new Map(output.map((chunk) => [chunk.fileName, chunk]));
  const core = new Set();
  const collect = (fileName) => {
    const { moduleIds, imports } = chunks.get(fileName);
    for (const id of moduleIds) core.add(id);
    imports.forEach(collect);
  };
  collect(`${bundleName}.js`);
  const dist = join(root, 'dist');
  for (const name of readdirSync(dist)) if (/^rtsp-player-[\w-]+\.js/.test(name)) rmSync(join(dist, name));
  await bundle.write({
    dir: dist,
    entryFileNames: '[name].js',
    chunkFileNames: `${bundleName}-[hash].js`,
    minify: true,
    sourcemap: true,
    comments: { legal: true },
    codeSplitting: { groups: [{ name: 'core', test: (id) => core.has(id) }] },
  });
  await bundle.close();
  for (const name of readdirSync(dist)) if (/^rtsp-player[\w-]*\.js$/.test(name)) await minifyAgain(join(dist, name));
}

/** Tells V8 to compile every function while the file loads, not one by one on the way to the first picture. */
const COMPILE_HINT = '//# allFunctionsCalledOnLoad\n';

/** A second minifier takes another hundredth off. No function expression in here is a constructor. */
async function minifyAgain(path) {
  const options = {
    module: true,
    ecma: 2022,
    compress: { passes: 3, unsafe_arrows: true, keep_fargs: false },
    format: { comments: 'some' },
  };
  const source = readFileSync(path, 'utf8');
  // A file that only passes on what another exports has no map.
  if (!existsSync(`${path}.map`)) {
    writeFileSync(path, (await minify(source, options)).code);
    return;
  }
  const sourceMap = { content: readFileSync(`${path}.map`, 'utf8'), url: `${basename(path)}.map` };
  const { code, map } = await minify(source, { ...options, sourceMap });
  writeFileSync(path, COMPILE_HINT + code);
  const { mappings, ...rest } = JSON.parse(map);
  writeFileSync(`${path}.map`, JSON.stringify({ ...rest, mappings: `;${mappings}` }));
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

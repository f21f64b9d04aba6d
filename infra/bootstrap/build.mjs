import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { alone, run, say } from './step.mjs';

const sourceFolders = ['src', 'infra', 'mock-provider', 'bench'];
const configs = ['tsconfig.json', 'tsconfig.build.json', 'tsconfig.client.json'];
/** What the compiled code reads at run time from beside itself. */
const copied = /\.(lua|sql)$/;

/** Compiles to dist/ when a source has changed since it was last compiled. */
export async function build(checkout) {
  if (isFresh(checkout)) return;
  await alone(join(checkout, '.data/run/build.lock'), 'building', async () => {
    if (isFresh(checkout)) return;
    const started = performance.now();
    const sources = fingerprint(checkout);
    say('Building ...');
    removeOutputsWithoutSource(checkout);
    const compiler = join(checkout, 'node_modules/typescript/bin/tsc');
    await run('The build (tsc)', process.execPath, [compiler, '-p', 'tsconfig.build.json'], checkout);
    // For those who import call-orchestrator/client; what is true of the types the first pass has checked.
    await run('Describing the client (tsc)', process.execPath, [compiler, '-p', 'tsconfig.client.json'], checkout);
    for (const file of filesIn(checkout, 'src').filter((name) => copied.test(name))) copyToDist(checkout, file);
    const bundler = join(checkout, 'dist/infra/bundle-workflows.js');
    await run('Bundling the workflows', process.execPath, [bundler], checkout);
    const page = join(checkout, 'dist/infra/bundle-page.js');
    await run('Bundling the page', process.execPath, [page], checkout);
    writeFileSync(stampFile(checkout), sources);
    say(`Building ... done in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  });
}

function isFresh(checkout) {
  const stamp = stampFile(checkout);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint(checkout);
}

function stampFile(checkout) {
  return join(checkout, 'dist/.built-from');
}

/** By size and time of change, as make does: reading every file would cost each start ten times as much. */
function fingerprint(checkout) {
  const hash = createHash('sha256');
  const files = sourceFolders.flatMap((folder) => filesIn(checkout, folder)).filter((file) => !isResult(file));
  for (const file of ['package-lock.json', ...configs, ...files]) {
    const { size, mtimeMs } = statSync(join(checkout, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** What a bench left there is no source. */
function isResult(file) {
  return file.startsWith('bench/results/');
}

/** @returns paths relative to the checkout */
function filesIn(checkout, folder) {
  if (!existsSync(join(checkout, folder))) return [];
  return readdirSync(join(checkout, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(checkout.length + 1))
    .sort();
}

function copyToDist(checkout, file) {
  const target = join(checkout, 'dist', file);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(checkout, file), target);
}

/** What was compiled from a source that is gone would else still be found, by the migrations for one. */
function removeOutputsWithoutSource(checkout) {
  for (const output of sourceFolders.flatMap((folder) => filesIn(checkout, join('dist', folder)))) {
    const source = output.slice('dist/'.length).replace(/\.(d\.ts|js|js\.map)$/, '.ts');
    if (!existsSync(join(checkout, source))) rmSync(join(checkout, output));
  }
}

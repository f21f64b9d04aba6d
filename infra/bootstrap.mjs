/**
 * The one way into every command of this project: it installs packages and builds where that is needed, then runs the
 * command in this same process, so that signals reach it directly and its exit code is ours.
 *
 * Plain JavaScript without packages: it must run in a bare clone.
 */
import { existsSync } from 'node:fs';
import { Module } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './bootstrap/build.mjs';
import { installPackages } from './bootstrap/packages.mjs';
import { run, say, StepFailed } from './bootstrap/step.mjs';

const checkout = dirname(dirname(fileURLToPath(import.meta.url)));
const oldestNode = [20, 19];

const entries = {
  start: 'infra/start.js',
  api: 'src/start/api.js',
  worker: 'src/start/worker.js',
  bridge: 'src/start/bridge.js',
  provider: 'mock-provider/main.js',
  migrate: 'src/start/migrate.js',
  calls: 'src/cli/main.js',
  dlq: 'src/start/dlq.js',
  bench: 'bench/main.js',
  'bench:simulation': 'bench/simulation/main.js',
  'infra:up': 'infra/up.js',
  'infra:down': 'infra/down.js',
  'infra:status': 'infra/status.js',
  test: 'infra/test.js',
  soak: 'infra/soak.js',
  fuzz: 'infra/fuzz.js',
  pictures: 'infra/pictures.js',
};

function assertNodeIsNewEnough() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new StepFailed(`Node.js ${oldestNode.join('.')} or newer is needed; this is ${process.versions.node}.`);
}

/** A production image holds dist/ and the packages that run it, and neither the compiler nor its input. */
function isInstalledImage() {
  const has = (path) => existsSync(join(checkout, path));
  return has('dist') && (!has('tsconfig.build.json') || (has('node_modules') && !has('node_modules/typescript')));
}

async function lint() {
  const tool = (path, ...args) =>
    run(path.split('/')[0], process.execPath, [join(checkout, 'node_modules', path), ...args], checkout);
  await tool('eslint/bin/eslint.js', '.');
  await tool('prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.');
  await tool('typescript/bin/tsc', '--noEmit');
  await tool('typescript/bin/tsc', '--noEmit', '-p', 'src/page');
}

/** As if `node dist/<entry> <args>` had been called. */
function become(entry, args) {
  process.argv = [process.execPath, join(checkout, 'dist', entry), ...args];
  Module.runMain();
}

async function main(command, args) {
  assertNodeIsNewEnough();
  const entry = entries[command];
  if (!entry && command !== 'build' && command !== 'lint') {
    throw new StepFailed(
      `${command ?? 'Nothing'} is no command; there are: ${Object.keys(entries).join(', ')}, build, lint.`,
    );
  }
  if (!isInstalledImage()) {
    await installPackages(checkout);
    if (command === 'lint') return lint();
    await build(checkout);
  }
  if (entry) become(entry, args);
}

main(process.argv[2], process.argv.slice(3)).catch((error) => {
  say(error instanceof StepFailed ? error.message : error.stack);
  process.exit(1);
});

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { alone, run, say } from './step.mjs';

/** Installs the packages when node_modules is not what package-lock.json says. */
export async function installPackages(checkout) {
  if (areInstalled(checkout)) return;
  await alone(join(checkout, '.data/run/packages.lock'), 'installing the packages', async () => {
    if (areInstalled(checkout)) return;
    say('Installing packages (npm ci) ...');
    const started = performance.now();
    const [command, first] = npmCommand();
    const options = ['--no-audit', '--no-fund', '--include=dev', '--include=optional', '--loglevel=error'];
    await run('npm ci', command, [...first, 'ci', ...options], checkout);
    writeFileSync(stampFile(checkout), lockHash(checkout));
    say(`Installing packages (npm ci) ... done in ${Math.round((performance.now() - started) / 1000)} s`);
  });
}

function areInstalled(checkout) {
  const stamp = stampFile(checkout);
  const hash = lockHash(checkout);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return true;
  if (!wasInstalledByNpm(checkout)) return false;
  writeFileSync(stamp, hash);
  return true;
}

/** After a developer's own `npm install` everything is there already: npm's record of what it installed tells. */
function wasInstalledByNpm(checkout) {
  const record = join(checkout, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const packagesIn = (file) => Object.entries(JSON.parse(readFileSync(file, 'utf8')).packages ?? {});
  const installed = new Map(packagesIn(record));
  const wanted = packagesIn(join(checkout, 'package-lock.json')).filter(([path]) => path !== '');
  return (
    wanted.every(([path, { version, optional }]) =>
      installed.has(path) ? installed.get(path).version === version : optional === true,
    ) && installed.size <= wanted.length
  );
}

function stampFile(checkout) {
  return join(checkout, 'node_modules/.installed-from');
}

/** Packages with binaries differ by platform and by Node's ABI, not by the lock file alone. */
function lockHash(checkout) {
  const { platform, arch, versions } = process;
  const lock = readFileSync(join(checkout, 'package-lock.json'));
  return createHash('sha256').update(lock).update(`${platform} ${arch} ${versions.modules}`).digest('hex');
}

function npmCommand() {
  const npm = process.env.npm_execpath;
  return npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
}

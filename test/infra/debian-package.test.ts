import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { libraryDirectories } from '../../infra/debian-package';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'package-'));
});

afterEach(() => rmSync(root, { recursive: true }));

test('libraries of unpacked packages are found, those that only one package looks for among them', () => {
  for (const file of [
    'lib/x86_64-linux-gnu/libz.so.1',
    'usr/lib/x86_64-linux-gnu/libpulse.so.0',
    'usr/lib/x86_64-linux-gnu/pulseaudio/libpulsecommon-16.1.so',
    'usr/lib/x86_64-linux-gnu/pkgconfig/libpulse.pc',
    'usr/lib/chromium/chromium',
  ]) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), '');
  }

  expect(libraryDirectories(root)).toEqual(
    ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu/pulseaudio'].map((path) =>
      join(root, path),
    ),
  );
});

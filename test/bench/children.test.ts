import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Children } from '../../bench/children';
import { checkout } from '../infra/compose-file';

const directory = mkdtempSync(join(tmpdir(), 'bench-children-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('ends a program within seconds once the bench is interrupted, though it would finish its calls first', async () => {
  const program = join(directory, 'deaf.js');
  writeFileSync(program, "process.on('SIGTERM', () => {}); setInterval(() => {}, 1_000); process.send('ready');");
  const interrupt = new AbortController();
  const children = new Children(directory, interrupt.signal);
  const child = await children.startReady({ name: 'deaf', script: relative(checkout, program) });
  interrupt.abort();
  await children.stopAll();
  expect(child.ended).toBe(true);
}, 20_000);

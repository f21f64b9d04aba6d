import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import { transform } from '@swc/core';

import { checkout, fencedBlocks, readDocument } from '../docs/documents';
import { Service } from '../support/service';

jest.setTimeout(180_000);

const run = promisify(execFile);
let service: Service;
let home: string;
beforeAll(async () => {
  service = await Service.open({ MOCK_SUCCESS_RATE: '1' });
  await service.start('api', 'worker', 'provider');
  home = await mkdtemp(join(tmpdir(), 'calls-home-'));
  await mkdir(join(home, '.config/fish/completions'), { recursive: true });
  await program('calls', `exec '${process.execPath}' '${join(checkout, 'dist/src/cli/main.js')}' "$@"`);
  // Not on every machine; what it is given must be JSON all the same.
  await program(
    'jq',
    `'${process.execPath}' -e 'require("fs").readFileSync(0, "utf8").split("\\n").filter(Boolean).map(JSON.parse)'`,
  );
});
afterAll(async () => {
  await service.close();
  await rm(home, { recursive: true, force: true });
});

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(home, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(home, name), 0o755);
}

const lines = fencedBlocks(readDocument('docs/command-line.md'), 'sh').flatMap((block) => block.trim().split('\n'));

test.each(lines)('docs/command-line.md: %s', async (line) => {
  const { stderr } = await run('bash', ['-o', 'pipefail', '-c', line], {
    cwd: home,
    env: {
      HOME: home,
      PATH: `${home}${delimiter}${process.env['PATH'] ?? ''}`,
      CALLS_URL: service.url,
      DATABASE_URL: service.database.url,
    },
  });
  expect(stderr).not.toMatch(/error/i);
});

/** Within the checkout the package finds itself by its own name. */
test.each(fencedBlocks(readDocument('docs/client.md'), 'ts').filter((block) => !block.includes('createServer')))(
  'docs/client.md: %s',
  async (example) => {
    const folder = await mkdtemp(join(checkout, '.data/example-'));
    try {
      const here = example.replaceAll('http://127.0.0.1:3000', service.url);
      const { code } = await transform(here, { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' } });
      await writeFile(join(folder, 'example.mjs'), code);
      await run(process.execPath, [join(folder, 'example.mjs')]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);

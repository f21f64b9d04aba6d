import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { placesFor } from '../../infra/places';
import type { ServiceStatus } from '../../infra/service-runner';
import { freshPorts } from '../../infra/test-run';

const { checkout } = placesFor();
const namedServices = { TEMPORAL_ADDRESS: '', DATABASE_URL: '', REDIS_URL: '', KAFKA_BROKERS: '' };
let env: NodeJS.ProcessEnv;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'native-services-'));
  env = { ...process.env, ...namedServices, ...(await freshPorts()), INFRA: 'native', DATA_DIR: directory };
});

afterAll(async () => {
  await infra('down', ['--volumes']);
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

function infra(command: 'up' | 'down' | 'status', args: string[] = [], more: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const script = join(checkout, 'dist/infra', `${command}.js`);
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], { env: { ...env, ...more } }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
    });
  });
}

async function statuses(): Promise<ServiceStatus[]> {
  return JSON.parse((await infra('status', ['--json'])).stdout) as ServiceStatus[];
}

const states = async (): Promise<string[]> => (await statuses()).map(({ name, state }) => `${name} ${state}`);

test('from nothing: brought up, used, found running, killed, brought up again, taken down', async () => {
  const first = await infra('up');
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(first.stdout.match(/ {2}started/g)).toHaveLength(4);
  expect(await states()).toEqual(['temporal up', 'postgres up', 'redis up', 'kafka up']);

  const database = new Client(`postgres://orchestrator:orchestrator@127.0.0.1:${env['POSTGRES_PORT']}/orchestrator`);
  await database.connect();
  const { rows } = await database.query<{ collation: string; encoding: string }>(
    'select datcollate as collation, pg_encoding_to_char(encoding) as encoding from pg_database where datname = current_database()',
  );
  await database.end();
  expect(rows).toEqual([{ collation: 'C', encoding: 'UTF8' }]);

  const redis = (await statuses()).find(({ name }) => name === 'redis');
  process.kill(redis?.pid ?? 0, 'SIGKILL');
  expect(await states()).toContain('redis down');

  const again = await infra('up');
  expect(again.stdout).toMatch(/Redis .*started/);
  expect(again.stdout.match(/was running/g)).toHaveLength(3);

  expect((await infra('down')).stdout).toBe('Stopped: Temporal, PostgreSQL, Redis, Kafka.\n');
  expect(await states()).toEqual(['temporal down', 'postgres down', 'redis down', 'kafka down']);
  expect((await infra('down')).stdout).toBe('Nothing was running.\n');
}, 120_000);

test('a taken port is told in one line before anything is started', async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(Number(env['KAFKA_PORT']), '127.0.0.1', resolve));

  const { code, stdout, stderr } = await infra('up');
  blocker.close();

  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^Port \d+, wanted for Kafka, is taken by .*: stop it, or set KAFKA_PORT to a free port\.\n$/);
  expect(await states()).toContain('redis down');
});

test('a missing toolchain is told in one line, and what had been started is stopped again', async () => {
  const { code, stderr } = await infra('up', [], { PATH: '', XDG_CACHE_HOME: join(directory, 'empty-cache') });

  expect(code).toBe(1);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(stderr).toMatch(/is not installed|There is no java/);
  expect(await states()).toEqual(['temporal down', 'postgres down', 'redis down', 'kafka down']);
});

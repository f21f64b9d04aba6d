import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placesFor } from '../../infra/places';
import { assertExternalAnswer, planServices, type ServicePlan } from '../../infra/service-plan';
import { clusterIdFrom } from '../../infra/services/kafka';
import { dynamicConfigArguments } from '../../infra/services/temporal';
import { readInfraSettings } from '../../infra/settings';
import { pickFreePorts } from '../../infra/tcp-port';

function planFor(env: Record<string, string>): ServicePlan {
  return planServices(readInfraSettings(env), placesFor());
}

const names = (services: readonly { name: string }[]): string[] => services.map(({ name }) => name);

test('without settings all four are ours, on their default ports', () => {
  const { ours, external, environment } = planFor({});

  expect(ours.map(({ name, address }) => `${name} ${address}`)).toEqual([
    'temporal 127.0.0.1:7233',
    'postgres 127.0.0.1:15432',
    'redis 127.0.0.1:16379',
    'kafka 127.0.0.1:9092',
  ]);
  expect(external).toEqual([]);
  expect(environment).toEqual({
    TEMPORAL_ADDRESS: '127.0.0.1:7233',
    DATABASE_URL: 'postgres://orchestrator:orchestrator@127.0.0.1:15432/orchestrator',
    REDIS_URL: 'redis://127.0.0.1:16379',
    KAFKA_BROKERS: '127.0.0.1:9092',
  });
});

test('a port setting moves the service and what its clients are told', () => {
  const { environment } = planFor({ POSTGRES_PORT: '25432', KAFKA_PORT: '29092' });

  expect(environment['DATABASE_URL']).toContain('127.0.0.1:25432/');
  expect(environment['KAFKA_BROKERS']).toBe('127.0.0.1:29092');
});

test.each([
  ['DATABASE_URL', 'postgres://me@db.example/calls', 'postgres', [{ host: 'db.example', port: 5432 }]],
  ['REDIS_URL', 'rediss://cache.example:6380/1', 'redis', [{ host: 'cache.example', port: 6380 }]],
  ['TEMPORAL_ADDRESS', '[::1]:7233', 'temporal', [{ host: '::1', port: 7233 }]],
  [
    'KAFKA_BROKERS',
    'a:1, b:2',
    'kafka',
    [
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ],
  ],
])('a service that %s names is used as it is, and only that one', (setting, value, name, endpoints) => {
  const { ours, external, environment } = planFor({ [setting]: value });

  expect(external).toEqual([{ name, setting, endpoints }]);
  expect(names(ours)).toHaveLength(3);
  expect(names(ours)).not.toContain(name);
  expect(environment).not.toHaveProperty(setting);
});

test('an empty setting names nothing', () => {
  expect(planFor({ REDIS_URL: '' }).external).toEqual([]);
});

test('a named service that does not answer is told in one line', async () => {
  const [port] = await pickFreePorts(1);
  const { external } = planFor({ REDIS_URL: `redis://127.0.0.1:${port}` });

  await expect(assertExternalAnswer(external)).rejects.toThrow(
    `Nothing answers on 127.0.0.1:${port}, which REDIS_URL names: start it, or unset REDIS_URL to have one brought up.`,
  );
});

test("Kafka's cluster id never looks like an option of the program that it is given to", () => {
  for (let first = 0; first < 256; first++) {
    const id = clusterIdFrom(Buffer.from([first, ...Buffer.alloc(15, 0xff)]));

    expect(id).toMatch(/^[A-Za-f][A-Za-z0-9_-]{21}$/);
  }
});

test('wrong settings are named all at once', () => {
  expect(() => readInfraSettings({ REDIS_PORT: 'x', KAFKA_PORT: '70000', INFRA: 'podman' })).toThrow(
    /REDIS_PORT must be a whole number.*KAFKA_PORT must be at most 65535|INFRA.*REDIS_PORT.*KAFKA_PORT/,
  );
});

test("Temporal's dynamic configuration reaches the native server as it reaches the one in Docker", () => {
  const directory = mkdtempSync(join(tmpdir(), 'dynamic-config-'));
  const file = join(directory, 'dynamicconfig.yaml');
  writeFileSync(file, 'a.limit:\n  - value: 5\n    constraints: {}\nb.name:\n  - value: x\n# c\n');

  expect(dynamicConfigArguments(file)).toEqual([
    ...['--dynamic-config-value', 'a.limit=5'],
    ...['--dynamic-config-value', 'b.name="x"'],
  ]);
  expect(dynamicConfigArguments(join(directory, 'none.yaml'))).toEqual([]);
  rmSync(directory, { recursive: true });
});

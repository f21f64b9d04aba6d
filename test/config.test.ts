import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { z } from 'zod';

import { ConfigError, parseSettings, readConfig, settingsSchema } from '../src/config';

/** @returns what the error about these settings says */
function complaint(env: Record<string, string>): string {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(env)}`);
}

/** The contract's table of settings. */
const published = {
  PORT: 3000,
  TEMPORAL_NAMESPACE: 'default',
  MAX_CONCURRENT_CALLS: 30,
  MAX_ATTEMPTS: 3,
  RETRY_INITIAL_SECONDS: 5,
  RETRY_BACKOFF: 2,
  MAX_CALL_SECONDS: 900,
  DEFAULT_EXPIRY_SECONDS: 86_400,
  PROVIDER: 'http',
  PROVIDER_BASE_URL: 'http://127.0.0.1:3100',
  PUBLIC_BASE_URL: 'http://127.0.0.1:3000',
  WEBHOOK_SIGNED_CONTENT: 'timestamp.body',
};

test('without any setting the defaults are those of the contract, and everything is on this machine', () => {
  const config = readConfig({});
  expect(config).toMatchObject(published);
  expect(new URL(config.DATABASE_URL).hostname).toBe('127.0.0.1');
  expect(new URL(config.REDIS_URL).hostname).toBe('127.0.0.1');
  expect(config.KAFKA_BROKERS).toEqual(['127.0.0.1:9092']);
  expect(config.TEMPORAL_ADDRESS).toBe('127.0.0.1:7233');
  expect(config.HOST).toBe('127.0.0.1');
});

test('by default neither premium, nor satellite, nor shared-cost numbers are called', () => {
  const { ALLOWED_NUMBER_TYPES: allowed } = readConfig({});
  expect(allowed).toContain('MOBILE');
  for (const costly of ['PREMIUM_RATE', 'SATELLITE', 'SHARED_COST'] as const) expect(allowed).not.toContain(costly);
});

test('an empty setting counts as one that is not set', () => {
  const names = Object.keys(settingsSchema.shape);
  expect(readConfig(Object.fromEntries(names.map((name) => [name, ''])))).toEqual(readConfig({}));
});

test('what is set is taken, in the units of its name', () => {
  const config = readConfig({
    PORT: '0',
    MAX_CONCURRENT_CALLS: '1',
    RETRY_INITIAL_SECONDS: '0.25',
    KAFKA_BROKERS: 'one:9092, two:9093,[::1]:9094',
    TEMPORAL_ADDRESS: 'temporal.example.org:7233',
    ALLOWED_NUMBER_TYPES: 'MOBILE, PREMIUM_RATE',
    PROVIDER_BASE_URL: 'https://provider.example.org/voice//',
    LOG_LEVEL: 'silent',
    HEALTH_PORT: '8081',
  });
  expect(config).toMatchObject({
    PORT: 0,
    MAX_CONCURRENT_CALLS: 1,
    RETRY_INITIAL_SECONDS: 0.25,
    KAFKA_BROKERS: ['one:9092', 'two:9093', '[::1]:9094'],
    TEMPORAL_ADDRESS: 'temporal.example.org:7233',
    ALLOWED_NUMBER_TYPES: ['MOBILE', 'PREMIUM_RATE'],
    PROVIDER_BASE_URL: 'https://provider.example.org/voice',
    LOG_LEVEL: 'silent',
    HEALTH_PORT: 8081,
  });
});

test('variables that are not ours change nothing', () => {
  expect(readConfig({ PATH: '/bin', port: '1' })).toEqual(readConfig({}));
});

test('settings once read cannot be changed', () => {
  const config = readConfig({});
  expect(() => Object.assign(config, { MAX_CONCURRENT_CALLS: 1_000 })).toThrow(TypeError);
});

const wrong: [string, string, RegExp][] = [
  ['PORT', 'http', /whole number/],
  ['PORT', '-1', /whole number/],
  ['PORT', '65536', /at most 65535/],
  ['PORT', ' ', /whole number/],
  ['PORT', '3000\n', /whole number/],
  ['API_KEYS', 'on', /allowed: off, required/],
  ['ADMIN_API_KEY', 'x'.repeat(31), /at least 32 characters/],
  ['ADMIN_API_KEY', `${'x'.repeat(40)} `, /letters, digits/],
  ['RATE_LIMIT_PER_MINUTE', '-1', /whole number/],
  ['CORS_ORIGINS', '*', /origins such as/],
  ['CORS_ORIGINS', 'https://example.org/', /origins such as/],
  ['CORS_ORIGINS', 'example.org', /origins such as/],
  ['CORS_ORIGINS', 'https://one.example,', /origins such as/],
  ['MAX_CONCURRENT_CALLS', '0', /at least 1/],
  ['MAX_CONCURRENT_CALLS', '2.5', /whole number/],
  ['MAX_CONCURRENT_CALLS', '1e9', /whole number/],
  ['MAX_CONCURRENT_CALLS', '99999999999999999999', /at most/],
  ['MAX_ATTEMPTS', '0', /at least 1/],
  ['RETRY_INITIAL_SECONDS', '5s', /number/],
  ['RETRY_INITIAL_SECONDS', '0', /at least/],
  ['RETRY_INITIAL_SECONDS', 'Infinity', /number/],
  ['RETRY_BACKOFF', '0.5', /at least 1/],
  ['MAX_CALL_SECONDS', 'NaN', /number/],
  ['DEFAULT_EXPIRY_SECONDS', '-5', /number/],
  ['DATABASE_URL', 'mysql://127.0.0.1/x', /postgres:\/\//],
  ['REDIS_URL', '127.0.0.1:6379', /redis:\/\//],
  ['KAFKA_BROKERS', 'localhost', /host:port/],
  ['KAFKA_BROKERS', 'one:9092,', /host:port/],
  ['KAFKA_BROKERS', 'kafka://one:9092', /host:port/],
  ['TEMPORAL_ADDRESS', 'http://127.0.0.1:7233', /host:port/],
  ['PROVIDER', 'sip', /allowed: http/],
  ['PROVIDER_BASE_URL', 'provider.example.org', /http:\/\/ or https:\/\//],
  ['PUBLIC_BASE_URL', 'ftp://example.org', /http:\/\/ or https:\/\//],
  ['WEBHOOK_SIGNED_CONTENT', 'both', /allowed: timestamp\.body, body/],
  ['ALLOWED_NUMBER_TYPES', 'MOBILE,SATELITE', /among MOBILE.*SATELLITE/],
  ['ALLOWED_COUNTRIES', 'SA,Germany', /ISO 3166/],
  ['ALLOWED_COUNTRIES', 'sa', /ISO 3166/],
  ['LOG_LEVEL', 'loud', /allowed: .*info/],
];

test.each(wrong)('%s=%j is refused with what is allowed', (name, value, allowed) => {
  const message = complaint({ [name]: value });
  expect(message).toMatch(allowed);
  expect(message).toContain(name);
});

test('one error names every setting that is wrong, and no other', () => {
  const env = {
    PORT: 'x',
    MAX_ATTEMPTS: '0',
    REDIS_URL: 'nowhere',
    PROVIDER: 'sip',
    KAFKA_BROKERS: 'x',
    LOG_LEVEL: '?',
  };
  const message = complaint({ ...env, MAX_CALL_SECONDS: '60' });
  const named = Object.keys(settingsSchema.shape).filter((name) => new RegExp(`\\b${name}\\b`).test(message));
  expect(named.sort()).toEqual(Object.keys(env).sort());
  expect(message).not.toContain('\n');
});

test('an error shows no value: passwords and secrets stand in them', () => {
  const message = complaint({
    DATABASE_URL: 'mysql://user:hunter2@host/db',
    REDIS_URL: 'redis//:hunter3@host',
    KAFKA_BROKERS: 'user:hunter4@host',
    PROVIDER_BASE_URL: 'user:hunter5@host',
    WEBHOOK_SECRET: 'hunter6',
    ADMIN_API_KEY: 'hunter9',
    CORS_ORIGINS: 'hunter10',
    WEBHOOK_SIGNING_SECRETS: 'hunter11',
    PORT: 'hunter7',
    PROVIDER: 'hunter8',
  });
  expect(message).not.toMatch(/hunter/);
});

describe('a secret may come by a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const fileWith = (text: string) => {
    const path = join(folder, String(Math.random()));
    writeFileSync(path, text);
    return path;
  };

  test.each([
    ['DATABASE_URL', 'postgres://user:hunter2@db/calls'],
    ['REDIS_URL', 'rediss://:hunter2@redis'],
    ['TEMPORAL_API_KEY', 'hunter2'],
    ['WEBHOOK_SECRET', 'hunter2 with spaces '],
  ] as const)('%s_FILE', (name, value) => {
    for (const text of [value, `${value}\n`, `${value}\r\n`]) {
      expect(readConfig({ [`${name}_FILE`]: fileWith(text) })[name]).toBe(value);
    }
  });

  test('and is held to the same rules, without being shown', () => {
    const message = complaint({ DATABASE_URL_FILE: fileWith('mysql://user:hunter2@db/x') });
    expect(message).toMatch(/DATABASE_URL must be a URL starting with postgres:/);
    expect(message).not.toContain('hunter2');
  });

  test('but not beside the setting itself, from an empty file or from none', () => {
    const message = complaint({
      WEBHOOK_SECRET: 'hunter2',
      WEBHOOK_SECRET_FILE: fileWith('hunter3'),
      REDIS_URL_FILE: fileWith('\n'),
      DATABASE_URL_FILE: join(folder, 'nowhere'),
      PORT: 'x',
    });
    expect(message).toMatch(/WEBHOOK_SECRET and WEBHOOK_SECRET_FILE are both set/);
    expect(message).toMatch(/REDIS_URL_FILE names a file that is empty/);
    expect(message).toMatch(/DATABASE_URL_FILE names a file that cannot be read \(ENOENT\)/);
    expect(message).toMatch(/PORT must be a whole number/);
    expect(message).not.toMatch(/hunter/);
  });

  test('an empty name of a file counts as none; other settings have no file', () => {
    expect(readConfig({ WEBHOOK_SECRET_FILE: '', PORT_FILE: fileWith('80') })).toEqual(readConfig({}));
  });
});

test('other programs read their settings by the same rules', () => {
  const schema = z.object({ MOCK_PORT: z.string().regex(/^\d+$/, 'must be a whole number').default('3100') });
  expect(parseSettings(schema, { MOCK_PORT: '' })).toEqual({ MOCK_PORT: '3100' });
  expect(() => parseSettings(schema, { MOCK_PORT: 'x' })).toThrow(/MOCK_PORT must be a whole number/);
});

test('keys are taken in their order, and personal data is withheld from topic keys only with one', () => {
  const keys = ['new', 'old'].map((id) => `${id}:${Buffer.alloc(32, id).toString('base64')}`);
  const config = readConfig({ PAYLOAD_KEYS: keys.join(', '), PERSONAL_DATA_IN_KEYS: 'withheld' });
  expect(config.PAYLOAD_KEYS?.map(({ id, key }) => [id, key.length])).toEqual([
    ['new', 32],
    ['old', 32],
  ]);
  expect(complaint({ PAYLOAD_KEYS: 'new:short' })).toContain('PAYLOAD_KEYS must be <id>:<base64 of 32 bytes>');
  expect(complaint({ PERSONAL_DATA_IN_KEYS: 'withheld' })).toContain(
    'PERSONAL_DATA_IN_KEYS withheld needs PAYLOAD_KEYS',
  );
});

test('calls are deleted by retention no sooner than Kafka forgets the messages that they were made of', () => {
  expect(readConfig({ RETENTION_DAYS: '8', PERSONAL_DATA_RETENTION_DAYS: '1' })).toMatchObject({ RETENTION_DAYS: 8 });
  expect(complaint({ RETENTION_DAYS: '7' })).toContain('RETENTION_DAYS must be 0 or at least 8');
});

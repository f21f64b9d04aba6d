import { readFileSync } from 'node:fs';

import { z } from 'zod';

import { countries, numberTypes } from './call/phone-number';
import { isWebhookSecret } from './call/webhook';
import { isNetwork } from './call/webhook-url';
import { readPayloadKeys } from './encryption/payload-keys';

/**
 * Every setting of the service, read once at start from the environment (or `.env`), validated and frozen.
 * `.env.example` lists each with its default and unit; a test holds the two lists equal.
 */
const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));

const decimal = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));

const url = (...schemes: string[]) =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && schemes.includes(new URL(value).protocol.slice(0, -1)),
      `must be a URL starting with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
    )
    .transform((value) => value.replace(/\/+$/, ''));

/** Texts separated by commas; what is between two commas must not be empty. */
const list = <Item extends z.ZodType<unknown, string>>(item: Item) =>
  z
    .string()
    .transform((value) => value.split(',').map((one) => one.trim()))
    .pipe(z.array(item));
const payloadKeys = z.string().transform((text, context) => {
  const keys = readPayloadKeys(text);
  if (typeof keys !== 'string') return keys;
  context.addIssue({ code: 'custom', message: keys });
  return z.NEVER;
});

const isWebOrigin = (value: string) => /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value;

const hostAndPort = /^(\[[0-9a-fA-F:.]+\]|[^\s:,/]+):\d{1,5}$/;

/** Anybody may know these: they are for one machine. */
export const knownWebhookSecret = 'development-secret-change-me';
export const knownSigningSecret = 'whsec_ZGV2ZWxvcG1lbnQtc2VjcmV0LWNoYW5nZS1tZQ==';

/** Kafka keeps messages for 7 days by default: one that is read again must find the call that was made of it. */
const minRetentionDays = 8;

const settings = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: wholeNumber(0, 65535).prefault('3000'),
  API_KEYS: z.enum(['off', 'required'], 'allowed: off, required').default('off'),
  ADMIN_API_KEY: z
    .string()
    .regex(/^[A-Za-z0-9._~+/-]{32,}=*$/, 'must have at least 32 characters, of letters, digits and - . _ ~ + /')
    .optional(),
  RATE_LIMIT_PER_MINUTE: wholeNumber(0, 1_000_000).prefault('600'),
  CORS_ORIGINS: list(
    z.string().refine(isWebOrigin, 'must be origins such as https://example.org, several separated by commas'),
  ).optional(),
  DATABASE_URL: url('postgres', 'postgresql').prefault(
    'postgres://orchestrator:orchestrator@127.0.0.1:15432/orchestrator',
  ),
  DATABASE_POOL_SIZE: wholeNumber(1, 500).prefault('10'),
  REDIS_URL: url('redis', 'rediss').prefault('redis://127.0.0.1:16379'),
  KAFKA_BROKERS: z
    .string()
    .transform((value) => value.split(',').map((broker) => broker.trim()))
    .pipe(z.array(z.string().regex(hostAndPort, 'must be host:port, several separated by commas')).min(1))
    .prefault('127.0.0.1:9092'),
  TEMPORAL_ADDRESS: z.string().regex(hostAndPort, 'must be host:port').prefault('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_API_KEY: z.string().optional(),
  TEMPORAL_UI_URL: url('http', 'https').prefault('http://127.0.0.1:8233'),
  MAX_CONCURRENT_CALLS: wholeNumber(1, 100_000).prefault('30'),
  MAX_ATTEMPTS: wholeNumber(1, 100).prefault('3'),
  RETRY_INITIAL_SECONDS: decimal(0.001, 86_400).prefault('5'),
  RETRY_BACKOFF: decimal(1, 100).prefault('2'),
  MAX_CALL_SECONDS: decimal(1, 604_800).prefault('900'),
  DIAL_PATIENCE_SECONDS: decimal(1, 3_600).prefault('120'),
  DEFAULT_EXPIRY_SECONDS: decimal(1, 31_536_000).prefault('86400'),
  RECONCILE_SECONDS: decimal(1, 3_600).prefault('10'),
  ALLOWED_NUMBER_TYPES: z
    .string()
    .transform((value) => value.split(',').map((type) => type.trim()))
    .pipe(z.array(z.enum(numberTypes, `must be among ${numberTypes.join(', ')}`)))
    .prefault('MOBILE,FIXED_LINE,FIXED_LINE_OR_MOBILE,VOIP,TOLL_FREE,UAN'),
  ALLOWED_COUNTRIES: list(
    z.enum(countries, 'must be ISO 3166 codes such as SA, several separated by commas'),
  ).optional(),
  PROVIDER: z.enum(['http'], 'allowed: http').default('http'),
  PROVIDER_BASE_URL: url('http', 'https').prefault('http://127.0.0.1:3100'),
  PROVIDER_TIMEOUT_SECONDS: decimal(0.1, 300).prefault('10'),
  PUBLIC_BASE_URL: url('http', 'https').prefault('http://127.0.0.1:3000'),
  WEBHOOK_SECRET: z.string().min(1).default(knownWebhookSecret),
  WEBHOOK_SIGNED_CONTENT: z.enum(['timestamp.body', 'body'], 'allowed: timestamp.body, body').default('timestamp.body'),
  WEBHOOK_SIGNING_SECRETS: list(
    z.string().refine(isWebhookSecret, 'must be whsec_ and the base64 of 24 to 64 bytes, several separated by commas'),
  ).prefault(knownSigningSecret),
  WEBHOOK_RETRY_SCHEDULE_SECONDS: list(decimal(0.001, 604_800)).prefault(
    '5,300,1800,7200,18000,36000,50400,72000,86400',
  ),
  WEBHOOK_TIMEOUT_SECONDS: decimal(0.1, 30).prefault('15'),
  WEBHOOK_DISABLE_AFTER_DAYS: decimal(0, 365).prefault('5'),
  WEBHOOK_ALLOWED_NETWORKS: list(
    z.string().refine(isNetwork, 'must be networks such as 10.1.0.0/16, separated by commas'),
  ).default([]),
  PAYLOAD_KEYS: payloadKeys.optional(),
  PERSONAL_DATA_IN_KEYS: z.enum(['allowed', 'withheld'], 'allowed: allowed, withheld').default('allowed'),
  PERSONAL_DATA_RETENTION_DAYS: wholeNumber(0, 36_500).prefault('0'),
  RETENTION_DAYS: wholeNumber(0, 36_500)
    .refine((days) => days === 0 || days >= minRetentionDays, `must be 0 or at least ${minRetentionDays}`)
    .prefault('0'),
  KAFKA_GROUP_ID: z.string().min(1).default('call-orchestrator'),
  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'allowed: fatal, error, warn, info, debug, trace, silent',
    )
    .default('info'),
  HEALTH_PORT: wholeNumber(0, 65535).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: url('http', 'https').optional(),
  OTEL_TRACES_SAMPLER_ARG: decimal(0, 1).prefault('1'),
});

/**
 * Settings that hold a secret, or may: instead of one, NAME_FILE may name a file that holds it, as Docker and Kubernetes
 * hand out secrets. A file is not seen by who can list the processes of a machine with their environments.
 */
export const secretSettings: readonly string[] = [
  'ADMIN_API_KEY',
  'DATABASE_URL',
  'REDIS_URL',
  'TEMPORAL_API_KEY',
  'WEBHOOK_SECRET',
  'PAYLOAD_KEYS',
  'WEBHOOK_SIGNING_SECRETS',
];

export const settingsSchema = settings.refine(
  ({ PERSONAL_DATA_IN_KEYS, PAYLOAD_KEYS }) => PERSONAL_DATA_IN_KEYS === 'allowed' || PAYLOAD_KEYS !== undefined,
  { path: ['PERSONAL_DATA_IN_KEYS'], message: 'withheld needs PAYLOAD_KEYS, whose first key also hashes keys' },
);

export type Config = Readonly<z.output<typeof settingsSchema>>;

/** Thrown for settings that are wrong; its message names each with what is allowed. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/**
 * @param env usually `process.env`; an empty string counts as not set
 * @throws ConfigError naming every wrong setting
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  return Object.freeze(parseSettings(settingsSchema, env));
}

/**
 * Parses any program's settings the same way: empty means unset, a secret may come by a file, and one error names
 * everything that is wrong.
 */
export function parseSettings<Schema extends z.ZodObject>(
  schema: Schema,
  env: Readonly<Record<string, string | undefined>>,
): z.output<Schema> {
  const given: Record<string, string> = {};
  const problems: string[] = [];
  for (const name of Object.keys(schema.shape)) {
    try {
      const value = givenValue(name, env);
      if (value) given[name] = value;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(error.message);
    }
  }
  const parsed = schema.safeParse(given);
  if (parsed.success && problems.length === 0) return parsed.data;
  const issues = parsed.error?.issues ?? [];
  problems.push(...issues.map((issue) => `${String(issue.path[0])} ${issue.message}`));
  throw new ConfigError(`Wrong settings: ${problems.join('; ')}. See .env.example for each setting.`);
}

/** @throws ConfigError */
function givenValue(name: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const file = secretSettings.includes(name) ? env[`${name}_FILE`] : undefined;
  if (!file) return env[name];
  if (env[name]) throw new ConfigError(`${name} and ${name}_FILE are both set, where one of them is to be`);
  const value = readSecret(name, file);
  if (value === '') throw new ConfigError(`${name}_FILE names a file that is empty`);
  return value;
}

/** The file's text without the line end that editors and `echo` put after it. */
function readSecret(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(`${name}_FILE names a file that cannot be read (${code ?? String(error)})`);
  }
}

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { placesFor } from '../../infra/places';
import { redisService } from '../../infra/services/redis';
import { garbageCollection } from '../../infra/services/temporal';
import { infraSettingsSchema, readInfraSettings } from '../../infra/settings';
import versions from '../../infra/versions.json';
import { mockSettingsSchema } from '../../mock-provider/settings';
import { requireKeysBeyondLoopback } from '../../src/access/way-in';
import { readConfig, settingsSchema } from '../../src/config';
import { checkout, type ComposeService, readCompose, readText, withDefaults } from './compose-file';

interface PrometheusFile {
  scrape_configs: { job_name: string; dns_sd_configs: unknown; authorization?: unknown }[];
}

const { services, volumes } = readCompose();
const everyService = Object.entries(services);
const ourOwn = everyService.filter(([, service]) => service.build !== undefined);
const bought = everyService.filter(([, service]) => service.build === undefined);
const service = (name: string): ComposeService => {
  const found = services[name];
  if (!found) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
};
const environmentOf = (name: string) => service(name).environment ?? {};
/** They look at the service, and it does without them. */
const onlookers = ['prometheus', 'grafana', 'jaeger'];
const isOneShot = (name: string) =>
  everyService.some(([, { depends_on }]) => depends_on?.[name]?.condition === 'service_completed_successfully');

describe('the images', () => {
  it.each(bought)('%s is pinned to a whole version', (_, { image }) => {
    expect(image).toMatch(/^[\w./-]+:v?\d+\.\d+\.?\d*[\w.-]*$/);
  });

  it.each([
    ['temporal', `temporalio/server:${versions.temporal}`],
    ['temporal-schema', `temporalio/admin-tools:${versions.temporal}-tctl-1.18`],
    ['temporal-namespace', `temporalio/admin-tools:${versions.temporal}-tctl-1.18`],
    ['admin', `temporalio/admin-tools:${versions.temporal}-tctl-1.18`],
    ['postgres', `postgres:${versions.postgres}`],
    ['redis', `redis:${versions.redis}`],
    ['kafka', `apache/kafka:${versions.kafka}`],
  ])('%s is of the version that runs natively too', (name, prefix) => {
    expect(service(name).image).toMatch(new RegExp(`^${prefix.replaceAll('.', '\\.')}(?!\\d)`));
  });

  it('has a Web UI of 2.38 or newer', () => {
    const [major = 0, minor = 0] = (/:(.*)/.exec(service('temporal-ui').image)?.[1] ?? '').split('.').map(Number);
    expect(major * 1000 + minor).toBeGreaterThanOrEqual(2038);
  });
});

describe('the ports on the host', () => {
  const published = everyService.flatMap(([, { ports }]) => ports ?? []);
  const config = readConfig({});
  const portOf = (address: string) => Number(/:(\d+)(?:\/.*)?$/.exec(address)?.[1]);

  it('are bound to loopback, each with a setting of its own', () => {
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+$/);
    expect(new Set(published).size).toBe(published.length);
  });

  it('default to where our processes look by default', () => {
    const hostPort = (name: string) => Number(/:-(\d+)\}/.exec(service(name).ports?.[0] ?? '')?.[1]);
    expect(hostPort('postgres')).toBe(portOf(config.DATABASE_URL));
    expect(hostPort('redis')).toBe(portOf(config.REDIS_URL));
    expect(hostPort('kafka')).toBe(portOf(config.KAFKA_BROKERS[0] ?? ''));
    expect(hostPort('temporal')).toBe(portOf(config.TEMPORAL_ADDRESS));
    expect(hostPort('provider')).toBe(portOf(config.PROVIDER_BASE_URL));
    expect(hostPort('api')).toBe(config.PORT);
  });

  it('have the names and defaults that the native way has', () => {
    const native: Readonly<Record<string, unknown>> = { ...readInfraSettings({}), PORT: config.PORT };
    for (const port of published) {
      const [, name = '', value] = /\$\{([A-Z_]+):-(\d+)\}/.exec(port) ?? [];
      expect([name, native[name]]).toEqual([name, Number(value)]);
    }
  });

  it('are what Kafka tells its clients on the host', () => {
    expect(environmentOf('kafka')['KAFKA_ADVERTISED_LISTENERS']).toContain('HOST://127.0.0.1:${KAFKA_PORT:-9092}');
  });
});

describe('the environment of our own processes', () => {
  const known = new Set([...Object.keys(settingsSchema.shape), ...Object.keys(mockSettingsSchema.shape)]);

  it.each(ourOwn)('%s is given settings that exist', (_, { environment }) => {
    expect(Object.keys(environment ?? {}).filter((name) => !known.has(name))).toEqual([]);
  });

  it.each(['api', 'worker', 'bridge', 'migrate'])('%s is given every setting of the service', (name) => {
    const ofTheProcessAlone = ['HOST', 'PORT', 'HEALTH_PORT'];
    const wanted = Object.keys(settingsSchema.shape).filter((setting) => !ofTheProcessAlone.includes(setting));
    expect(Object.keys(environmentOf(name))).toEqual(expect.arrayContaining(wanted));
  });

  it('gives the mock provider every setting of its own', () => {
    expect(Object.keys(environmentOf('provider'))).toEqual(
      expect.arrayContaining(Object.keys(mockSettingsSchema.shape)),
    );
  });

  it.each(ourOwn)('%s is valid as it stands', (name, { environment }) => {
    const filled = Object.fromEntries(
      Object.entries(environment ?? {}).map(([setting, value]) => [setting, withDefaults(String(value))]),
    );
    if (name === 'provider') expect(mockSettingsSchema.safeParse(withoutEmpty(filled)).success).toBe(true);
    else expect(() => readConfig(filled)).not.toThrow();
  });

  it.each(ourOwn)('%s passes each setting on under its own name', (_, { environment }) => {
    for (const [name, value] of Object.entries(environment ?? {})) {
      const passed = /^\$\{(\w+)/.exec(String(value))?.[1];
      if (passed !== undefined) expect(passed).toBe(name);
    }
  });

  it('signs and verifies webhooks with one secret, by default the service’s', () => {
    const secret = environmentOf('api')['WEBHOOK_SECRET'];
    expect(environmentOf('provider')['WEBHOOK_SECRET']).toBe(secret);
    expect(withDefaults(String(secret))).toBe(readConfig({}).WEBHOOK_SECRET);
  });

  it('lets the API ask for keys, without which it does not start there', () => {
    const { HOST, API_KEYS } = environmentOf('api');
    expect(() =>
      requireKeysBeyondLoopback(readConfig({ HOST: String(HOST), API_KEYS: withDefaults(String(API_KEYS)) })),
    ).not.toThrow();
    expect(() => requireKeysBeyondLoopback(readConfig({ HOST: String(HOST) }))).toThrow(/API_KEYS/);
  });

  it('names services and ports that exist', () => {
    const addresses = Object.values(environmentOf('api')).flatMap(
      (value) => /(?:^|\/\/|@)([a-z]+):(\d+)/.exec(String(value))?.slice(1, 3) ?? [],
    );
    expect(addresses.length).toBeGreaterThanOrEqual(12);
    for (const [index, name] of addresses.entries()) {
      if (index % 2 === 0) expect(Object.keys(services)).toContain(name);
    }
  });
});

function withoutEmpty(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
}

describe('each service', () => {
  it.each(everyService)('%s waits only for services that exist and can become ready', (_, { depends_on }) => {
    for (const [name, { condition }] of Object.entries(depends_on ?? {})) {
      expect(condition).toBe(isOneShot(name) ? 'service_completed_successfully' : 'service_healthy');
      expect(Object.keys(services)).toContain(name);
    }
  });

  it.each(everyService)('%s is restarted, a one-shot only when it failed', (name, { restart }) => {
    expect(restart).toBe(isOneShot(name) ? 'on-failure:5' : 'unless-stopped');
  });

  it.each(everyService.filter(([name]) => !isOneShot(name)))('%s has a health check', (_, { healthcheck, build }) => {
    if (build === undefined) expect(healthcheck?.test).toBeDefined();
    else expect(readText('Dockerfile')).toMatch(/^HEALTHCHECK /m);
  });

  it.each(everyService)('%s mounts files that exist and volumes that are declared', (_, service) => {
    for (const [source = ''] of (service.volumes ?? []).map((mount) => mount.split(':'))) {
      if (source.startsWith('.')) expect(existsSync(join(checkout, source))).toBe(true);
      else expect(Object.keys(volumes)).toContain(source);
    }
  });

  it.each(bought.filter(([, { entrypoint }]) => entrypoint))(
    '%s runs a script that is mounted',
    (_, { entrypoint }) => {
      expect(existsSync(join(checkout, entrypoint?.[1] ?? ''))).toBe(true);
    },
  );

  it('brings up nothing of ours unless asked by its profile', () => {
    for (const [, { profiles }] of ourOwn) expect(profiles).toEqual(['app']);
    for (const [name, { profiles }] of bought) {
      expect([name, profiles]).toEqual([name, onlookers.includes(name) ? ['observability'] : undefined]);
    }
  });
});

describe('the settings of the backing services', () => {
  it('give Redis what the native one has: it keeps what it acknowledged, and evicts nothing', async () => {
    const data = mkdtempSync(join(tmpdir(), 'compose-test-'));
    const native = await redisService(readInfraSettings({}), placesFor(data)).prepare(new AbortController().signal);
    rmSync(data, { recursive: true });
    const command = service('redis').command ?? [];
    for (const option of ['--appendonly', '--appendfsync', '--maxmemory-policy']) {
      const valueIn = (args: readonly string[]) => args[args.indexOf(option) + 1];
      expect([option, valueIn(command)]).toEqual([option, valueIn(native.args)]);
    }
    expect(command.join(' ')).toContain('--appendonly yes --appendfsync everysec --maxmemory-policy noeviction');
  });

  it('let Kafka make no topic by mistake', () => {
    expect(environmentOf('kafka')['KAFKA_AUTO_CREATE_TOPICS_ENABLE']).toBe('false');
  });

  it('give Temporal the dynamic configuration of this repository', () => {
    const file = String(environmentOf('temporal')['DYNAMIC_CONFIG_FILE_PATH']);
    const [source = '', target = ''] = service('temporal').volumes?.[0]?.split(':') ?? [];
    expect(existsSync(join(checkout, file.replace(target, source)))).toBe(true);
  });

  it('let Temporal’s heap grow as far as the native one’s', () => {
    expect(environmentOf('temporal')).toMatchObject(garbageCollection);
  });

  it('tell both command-line tools of the admin container where the server is', () => {
    const { TEMPORAL_ADDRESS, TEMPORAL_CLI_ADDRESS } = environmentOf('admin');
    expect([TEMPORAL_ADDRESS, TEMPORAL_CLI_ADDRESS]).toEqual(['temporal:7233', 'temporal:7233']);
  });

  it('let nothing that works wait for what looks on', () => {
    for (const [name, { depends_on = {} }] of everyService) {
      const waitsFor = Object.keys(depends_on).filter((other) => onlookers.includes(other));
      expect([name, onlookers.includes(name) ? [] : waitsFor]).toEqual([name, []]);
    }
  });

  it('let Prometheus find each of our processes where it serves its metrics, with the key where one is asked for', () => {
    const { scrape_configs } = parse(readText('observability/prometheus.yml')) as PrometheusFile;
    const jobs = Object.fromEntries(scrape_configs.map((job) => [job.job_name, job]));
    expect(Object.keys(jobs).sort()).toEqual(['api', 'bridge', 'worker']);
    for (const [name, { dns_sd_configs, authorization }] of Object.entries(jobs)) {
      const { HOST, PORT, HEALTH_PORT } = environmentOf(name);
      expect(HOST).toBe('0.0.0.0');
      expect(dns_sd_configs).toMatchObject([{ names: [name], port: name === 'api' ? PORT : HEALTH_PORT }]);
      expect(authorization !== undefined).toBe(name === 'api');
    }
    const { secrets = [] } = service('prometheus');
    expect(jobs['api']?.authorization).toEqual({ credentials_file: `/run/secrets/${secrets[0]}` });
    expect(readCompose().secrets).toEqual({ [secrets[0] ?? '']: { environment: 'ADMIN_API_KEY' } });
  });

  it('let Grafana ask Prometheus and Jaeger, and find its dashboard', () => {
    const { datasources } = parse(readText('observability/grafana/provisioning/datasources/datasources.yml')) as {
      datasources: { url: string }[];
    };
    expect(datasources.map(({ url }) => new URL(url).hostname)).toEqual(['prometheus', 'jaeger']);
    const home = String(environmentOf('grafana')['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH']);
    const mounts = (service('grafana').volumes ?? []).map((mount) => mount.split(':'));
    const [source = '', target = ''] = mounts.find(([, target = '/']) => home.startsWith(target)) ?? [];
    expect(existsSync(join(checkout, home.replace(target, source)))).toBe(true);
    const { providers } = parse(readText('observability/grafana/provisioning/dashboards/dashboards.yml')) as {
      providers: { options: { path: string } }[];
    };
    expect(providers.map(({ options }) => options.path)).toEqual([target]);
  });

  it('have no variable that nobody reads', () => {
    const known = new Set(
      [settingsSchema, mockSettingsSchema, infraSettingsSchema].flatMap((s) => Object.keys(s.shape)),
    );
    const used = [...readText('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map(([, name]) => name ?? '');
    expect(used.filter((name) => !known.has(name))).toEqual([]);
  });
});

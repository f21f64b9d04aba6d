import { requireKeysBeyondLoopback } from '../src/access/way-in';
import { readConfig } from '../src/config';
import { Interrupted } from './infra-error';
import { placesFor, shown, type Places } from './places';
import { say } from './progress';
import { areReady, roleAddresses, roleEnvironment, runMigrations, superviseRoles, type RoleAddresses } from './roles';
import { loadEnvironmentFile, runCommand } from './run-command';
import { assertExternalAnswer, planServices, type ServicePlan } from './service-plan';
import { chooseRunner, type ServiceRunner } from './service-runner';
import { keepRunning } from './service-watch';
import type { BackingService } from './services/backing-service';
import { readInfraSettings } from './settings';
import type { StopRequests } from './stop-requests';
import type { SupervisedRole } from './supervised-role';
import { assertPortsFree } from './tcp-port';
import { waitUntil } from './wait-until';

const readySeconds = 60;

runCommand(async (stop) => {
  loadEnvironmentFile();
  const config = readConfig(process.env);
  // The API would refuse, again and again; its supervisor is told at once.
  requireKeysBeyondLoopback(config);
  const settings = readInfraSettings(process.env);
  const places = placesFor(settings.DATA_DIR);
  const plan = planServices(settings, places);
  const addresses = roleAddresses(config, settings.MOCK_PORT);
  await assertPortsFree(
    [
      { port: config.PORT, setting: 'PORT', title: 'the API' },
      { port: settings.MOCK_PORT, setting: 'MOCK_PORT', title: 'the mock provider' },
    ],
    config.HOST,
  );
  await assertExternalAnswer(plan.external);
  const runner = await chooseRunner(settings, places);
  const temporalUi = plan.ours.find(({ name }) => name === 'temporal')?.ui;
  const env = roleEnvironment(process.env, { services: plan.environment, temporalUi }, addresses);
  await new Run(stop, places, plan, runner).untilStopped(env, addresses);
  say('stopped');
  return 0;
});

/** One `npm start`: knows what it has started, so that it stops that and nothing else. */
class Run {
  readonly #stop: StopRequests;
  readonly #places: Places;
  readonly #plan: ServicePlan;
  readonly #runner: ServiceRunner;
  readonly #started = new Set<BackingService>();
  #roles: SupervisedRole[] = [];

  constructor(stop: StopRequests, places: Places, plan: ServicePlan, runner: ServiceRunner) {
    this.#stop = stop;
    this.#places = places;
    this.#plan = plan;
    this.#runner = runner;
  }

  /** @throws InfraError when something does not come up; what had come up is stopped then too */
  async untilStopped(env: NodeJS.ProcessEnv, addresses: RoleAddresses): Promise<void> {
    try {
      await this.#bringUpServices();
      await runMigrations(this.#places, env, this.#stop.signal);
      this.#roles = superviseRoles(this.#places, env);
      for (const role of this.#roles) role.start();
      await this.#announce(addresses, readConfig(env).API_KEYS === 'required');
      await waitUntil(() => false, { deadlineSeconds: Infinity, signal: this.#stop.signal, pollMilliseconds: 60_000 });
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      say('stopping ...');
    } finally {
      await this.#stopRoles();
      await this.#runner.down([...this.#started], { volumes: false });
    }
  }

  /** Those who dial first, then the provider, whose last webhooks the API still takes. */
  async #stopRoles(): Promise<void> {
    for (const names of [['worker', 'bridge'], ['provider'], ['api']]) {
      await Promise.all(this.#roles.filter(({ name }) => names.includes(name)).map((role) => role.stop()));
    }
  }

  async #bringUpServices(): Promise<void> {
    const { ours } = this.#plan;
    const found = await this.#runner.running(ours);
    const fresh = ours.filter(({ name }) => !found.includes(name));
    this.#stop.onForce(() => {
      for (const role of this.#roles) role.kill();
      this.#runner.kill(fresh);
    });
    const started = await this.#runner.up(ours, this.#stop.signal);
    for (const service of ours) if (started.includes(service.name)) this.#started.add(service);
    if (this.#runner.kind === 'docker') return;
    keepRunning(ours, this.#places, this.#stop.signal, { say, onStart: (service) => this.#started.add(service) });
  }

  async #announce(addresses: RoleAddresses, withKeys: boolean): Promise<void> {
    const ready = await waitUntil(() => areReady(this.#roles, addresses), {
      deadlineSeconds: readySeconds,
      signal: this.#stop.signal,
    });
    if (!ready) say(`Not everything is ready after ${readySeconds} s; the lines above tell why. It goes on trying.`);
    for (const line of urlBlock(addresses, withKeys, this.#plan, shown(this.#places.logs))) say(line);
  }
}

function urlBlock(
  { api, provider }: RoleAddresses,
  withKeys: boolean,
  { ours, external }: ServicePlan,
  logs: string,
): string[] {
  const temporal = ours.find(({ name }) => name === 'temporal');
  const kafka = ours.find(({ name }) => name === 'kafka');
  const brokers = external.find(({ name }) => name === 'kafka')?.endpoints.map(({ host, port }) => `${host}:${port}`);
  const port = new URL(api).port;
  const key = withKeys ? ' -H "Authorization: Bearer $CALLS_API_KEY"' : '';
  return [
    '',
    `  API               ${api}`,
    `  Dashboard         ${api}/`,
    `  API docs          ${api}/docs`,
    ...(temporal?.ui === undefined ? [] : [`  Temporal Web UI   ${temporal.ui}`]),
    `  Mock provider     ${provider}`,
    `  Kafka             ${kafka?.address ?? brokers?.join(',') ?? ''}`,
    `  Logs of services  ${logs}`,
    '',
    `  Try:  curl -X POST localhost:${port}/calls${key} -H 'Content-Type: application/json' -d '{"to":"+966501234567","scriptId":"testScript"}'`,
    '  Stop: Ctrl-C',
    '',
  ];
}

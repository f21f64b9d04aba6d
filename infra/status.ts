import { placesFor, shown } from './places';
import { say } from './progress';
import { loadEnvironmentFile, runCommand } from './run-command';
import { addressOf, externalAnswers, planServices } from './service-plan';
import { chooseRunner, type ServiceStatus } from './service-runner';
import { serviceNames } from './services/backing-service';
import { readInfraSettings } from './settings';

runCommand(async (_stop, args) => {
  loadEnvironmentFile();
  const statuses = await readStatuses();
  if (args.includes('--json')) say(JSON.stringify(statuses));
  else for (const line of table(statuses)) say(line);
  return 0;
});

async function readStatuses(): Promise<ServiceStatus[]> {
  const settings = readInfraSettings(process.env);
  const places = placesFor(settings.DATA_DIR);
  const { ours, external } = planServices(settings, places);
  const runner = await chooseRunner(settings, places);
  const statuses = await Promise.all([
    ...ours.map((service) => runner.status(service)),
    ...external.map(async (service): Promise<ServiceStatus> => {
      const state = (await externalAnswers(service)) ? 'up' : 'down';
      return { name: service.name, state, address: addressOf(service) };
    }),
  ]);
  return statuses.sort((a, b) => serviceNames.indexOf(a.name) - serviceNames.indexOf(b.name));
}

function table(statuses: readonly ServiceStatus[]): string[] {
  const header = ['service', 'state', 'address', 'pid', 'web ui', 'log'];
  const rows = statuses.map(({ name, state, address, pid, ui, log }) => {
    return [name, state, address, String(pid ?? '-'), ui ?? '-', log === undefined ? '-' : shown(log)];
  });
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)));
  return [header, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

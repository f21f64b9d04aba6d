import { InfraError } from './infra-error';
import { placesFor } from './places';
import { say } from './progress';
import { loadEnvironmentFile, runCommand } from './run-command';
import { ownServices } from './service-plan';
import { chooseRunner } from './service-runner';
import { readInfraSettings } from './settings';

runCommand(async (_stop, args) => {
  const unknown = args.find((arg) => arg !== '--volumes');
  if (unknown !== undefined) throw new InfraError(`infra:down knows only --volumes, not ${unknown}.`);
  loadEnvironmentFile();
  const settings = readInfraSettings(process.env);
  const places = placesFor(settings.DATA_DIR);
  const runner = await chooseRunner(settings, places);
  const services = ownServices(settings, places);
  const volumes = args.includes('--volumes');
  const stopped = await runner.down(services, { volumes });
  const titles = services.filter(({ name }) => stopped.includes(name)).map(({ title }) => title);
  say(titles.length === 0 ? 'Nothing was running.' : `Stopped: ${titles.join(', ')}.`);
  if (volumes) say('Their data is deleted.');
  return 0;
});

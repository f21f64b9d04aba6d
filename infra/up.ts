import { say } from './progress';
import { placesFor, shown } from './places';
import { loadEnvironmentFile, runCommand } from './run-command';
import { assertExternalAnswer, planServices } from './service-plan';
import { chooseRunner } from './service-runner';
import { readInfraSettings } from './settings';

runCommand(async (stop) => {
  loadEnvironmentFile();
  const settings = readInfraSettings(process.env);
  const places = placesFor(settings.DATA_DIR);
  const { ours, external } = planServices(settings, places);
  await assertExternalAnswer(external);
  const runner = await chooseRunner(settings, places);
  stop.onForce(() => runner.kill(ours));
  const started = await runner.up(ours, stop.signal);
  for (const { name, title, address, ui } of ours) {
    const how = started.includes(name) ? 'started' : 'was running';
    say(`${title.padEnd(10)} ${address}  ${how}${ui === undefined ? '' : `, Web UI on ${ui}`}`);
  }
  if (runner.kind === 'native') say(`Logs: ${shown(places.logs)}`);
  return 0;
});

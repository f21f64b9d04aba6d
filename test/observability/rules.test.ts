import { codeIn, readDocument, section, tableRows } from '../docs/documents';
import { promtool } from '../support/prometheus';
import { readAlerts, readAlertTests } from './files';

test('promtool finds nothing wrong with the rules', async () => {
  expect(await promtool('check', 'rules', 'alerts.yml')).toContain(`SUCCESS: ${readAlerts().length} rules found`);
});

test('each alert fires on what it is for, with the words it says, and none on a service that is well', async () => {
  expect(await promtool('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS');
});

test('each alert is shown to fire, and to be quiet', () => {
  const names = readAlerts().map(({ alert }) => alert);
  const cases = readAlertTests().flatMap(({ alert_rule_test }) => alert_rule_test);
  expect(new Set(names).size).toBe(names.length);
  const shown = (fires: boolean) =>
    new Set(cases.filter(({ exp_alerts }) => exp_alerts.length > 0 === fires).map(({ alertname }) => alertname));
  expect(shown(true)).toEqual(new Set(names));
  // In a test that begins at the epoch the reconciler came round when it has not.
  expect(shown(false)).toEqual(new Set(names.filter((name) => name !== 'ReconcilerSilent')));
});

test('docs/observing.md says of each alert what it means and what to do', () => {
  const rows = tableRows(section(readDocument('docs/observing.md'), 'Alerts'));
  expect(rows.map(([name]) => codeIn(name))).toEqual(readAlerts().map(({ alert }) => alert));
  for (const row of rows) expect(row.every((cell) => cell.length > 0)).toBe(true);
});

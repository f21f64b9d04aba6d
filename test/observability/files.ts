import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from 'yaml';

import { observability } from '../support/prometheus';

export interface Alert {
  alert: string;
  expr: string;
}

export interface AlertTest {
  alert_rule_test: { alertname: string; exp_alerts: unknown[] }[];
}

interface Panel {
  title: string;
  type: string;
  datasource?: { uid: string };
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string }[];
}

const read = (path: string) => readFileSync(join(observability, path), 'utf8');

export function readAlerts(): Alert[] {
  return (parse(read('alerts.yml')) as { groups: { rules: Alert[] }[] }).groups.flatMap(({ rules }) => rules);
}

export function readAlertTests(): AlertTest[] {
  return (parse(read('alerts.test.yml')) as { tests: AlertTest[] }).tests;
}

/** The panels that show something. */
export function readPanels(): Panel[] {
  const { panels } = JSON.parse(read('grafana/dashboards/calls.json')) as { panels: Panel[] };
  return panels.filter(({ type }) => type !== 'row');
}

export function readDataSources(): { uid: string; url: string }[] {
  return (
    parse(read('grafana/provisioning/datasources/datasources.yml')) as { datasources: { uid: string; url: string }[] }
  ).datasources;
}

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { parse, stringify } from 'yaml';

import { placesFor, type Places } from '../../infra/places';
import { recordOf, writeRecord } from '../../infra/process-record';
import { pickFreePorts } from '../../infra/tcp-port';
import { placesOfFile } from '../../infra/test-run';
import { waitUntil } from './wait-until';

export const observability = join(placesFor().checkout, 'observability');

interface PrometheusFile {
  global: Record<string, string>;
  rule_files: string[];
  scrape_configs: { job_name: string; [setting: string]: unknown }[];
}

interface QueryAnswer {
  status: string;
  error?: string;
  data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

function programOf(variable: 'PROMETHEUS' | 'PROMTOOL'): string {
  const program = process.env[variable];
  if (program === undefined) throw new Error(`${variable} is not set: run the tests with npm test.`);
  return program;
}

/** @returns what it says. @throws where it finds something wrong, with what it says */
export async function promtool(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(programOf('PROMTOOL'), args, { cwd: observability });
  return stdout;
}

/** A Prometheus of the test file's own, with the project's configuration and rules, that looks every second. */
export class Prometheus {
  private constructor(
    private readonly child: ChildProcess,
    private readonly url: string,
    private readonly places: Places,
  ) {}

  /** @param targets `host:port` of the process of each job */
  static async open(targets: Record<string, string>): Promise<Prometheus> {
    const places = placesOfFile();
    const [port = 0] = await pickFreePorts(1);
    const config = join(places.data, 'prometheus.yml');
    mkdirSync(places.data, { recursive: true });
    writeFileSync(config, configurationFor(targets));
    const child = spawn(
      programOf('PROMETHEUS'),
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(places.data, 'prometheus')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    writeRecord(join(places.run, 'prometheus.json'), recordOf(child.pid ?? 0));
    const prometheus = new Prometheus(child, `http://127.0.0.1:${port}`, places);
    const isReady = () =>
      fetch(`${prometheus.url}/-/ready`).then(
        (answer) => answer.ok,
        () => false,
      );
    await waitUntil('Prometheus serves', isReady);
    return prometheus;
  }

  /** @throws where it is no expression */
  async query(expression: string): Promise<{ labels: Record<string, string>; value: number }[]> {
    const response = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { status, error, data } = (await response.json()) as QueryAnswer;
    if (status !== 'success' || data === undefined) throw new Error(`${expression}: ${error ?? response.status}`);
    return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    await waitUntil('Prometheus gone', () => this.child.exitCode !== null || this.child.signalCode !== null);
    rmSync(this.places.data, { recursive: true, force: true });
  }
}

/** The project's own file, but for where the processes are, and how often they are looked at. */
function configurationFor(targets: Record<string, string>): string {
  const file = parse(readFileSync(join(observability, 'prometheus.yml'), 'utf8')) as PrometheusFile;
  return stringify({
    global: { ...file.global, scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: file.rule_files.map((rules) => join(observability, rules)),
    scrape_configs: file.scrape_configs.map(({ job_name }) => ({
      job_name,
      static_configs: [{ targets: [targets[job_name]] }],
    })),
  });
}

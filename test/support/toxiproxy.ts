import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

import type { Places } from '../../infra/places';
import { recordOf, writeRecord } from '../../infra/process-record';
import { pickFreePorts } from '../../infra/tcp-port';
import { placesOfFile } from '../../infra/test-run';
import { waitUntil } from './wait-until';

/** A port that leads to another one, and what can go wrong on the way. */
export interface Proxy {
  /** `host:port` */
  address: string;
  /** Cuts what goes through it, and refuses what comes. */
  cut: () => Promise<void>;
  /**
   * Requests get through, but their replies do not: each connection is cut once that much of a reply has passed.
   *
   * @param bytes that pass before the cut
   */
  loseReplies: (bytes?: number) => Promise<void>;
  /** Nothing gets through either way, and no connection ends. */
  hang: () => Promise<void>;
  /** All is well again. */
  restore: () => Promise<void>;
}

/** A Toxiproxy server of the test file's own. */
export class Toxiproxy {
  private constructor(
    private readonly process: ChildProcess,
    private readonly url: string,
    private readonly places: Places,
  ) {}

  static async open(): Promise<Toxiproxy> {
    const [port] = await pickFreePorts(1);
    const program = process.env['TOXIPROXY_SERVER'];
    if (program === undefined) throw new Error('TOXIPROXY_SERVER is not set: run the tests with npm test.');
    const child = spawn(program, ['-host', '127.0.0.1', '-port', String(port)], { stdio: 'ignore' });
    const places = placesOfFile();
    writeRecord(join(places.run, 'toxiproxy.json'), recordOf(child.pid ?? 0));
    const toxiproxy = new Toxiproxy(child, `http://127.0.0.1:${port}`, places);
    await waitUntil('Toxiproxy serves', () =>
      fetch(`${toxiproxy.url}/version`).then(
        (answer) => answer.ok,
        () => false,
      ),
    );
    return toxiproxy;
  }

  /** @param target `host:port` */
  async to(target: string): Promise<Proxy> {
    const proxy = await this.ask<{ name: string; listen: string }>('/proxies', {
      name: `to-${target.replaceAll(/\W/g, '-')}-${Math.random()}`,
      listen: '127.0.0.1:0',
      upstream: target,
    });
    const path = `/proxies/${proxy.name}`;
    const restore = async (): Promise<void> => {
      for (const { name } of await this.ask<{ name: string }[]>(`${path}/toxics`)) {
        await this.ask(`${path}/toxics/${name}`, undefined, 'DELETE');
      }
      await this.ask(path, { enabled: true });
    };
    const spoil = (type: string, stream: string, attributes: Record<string, number>): Promise<void> =>
      this.ask(`${path}/toxics`, { name: `${type}-${stream}`, type, stream, attributes });
    return {
      address: proxy.listen,
      restore,
      cut: () => this.ask(path, { enabled: false }),
      loseReplies: (bytes = 0) => spoil('limit_data', 'downstream', { bytes }),
      hang: async () => {
        await spoil('timeout', 'upstream', { timeout: 0 });
        await spoil('timeout', 'downstream', { timeout: 0 });
      },
    };
  }

  async close(): Promise<void> {
    if (this.process.exitCode === null) {
      const exited = once(this.process, 'exit');
      this.process.kill('SIGTERM');
      await exited;
    }
    rmSync(this.places.data, { recursive: true, force: true });
  }

  private async ask<T>(path: string, body?: unknown, method = body === undefined ? 'GET' : 'POST'): Promise<T> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Toxiproxy ${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
}

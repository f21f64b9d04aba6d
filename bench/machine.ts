import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

import packageJson from '../package.json';
import versions from '../infra/versions.json';

const peers = ['bullmq', 'pg-boss', 'graphile-worker'] as const;
const gigabyte = 2 ** 30;

/** What the figures were measured on. */
export function describeMachine(directory: string): Record<string, unknown> {
  const processors = cpus();
  return {
    cores: processors.length,
    processor: processors[0]?.model ?? 'unknown',
    memoryGigabytes: Math.round(totalmem() / gigabyte),
    kernel: release(),
    /** Others on the machine are seen here. */
    loadAverageBefore: loadavg().map((load) => Math.round(load * 100) / 100),
    syncsPerSecond: Math.round(syncsPerSecond(directory)),
    node: process.version,
    services: {
      temporal: versions.temporal,
      postgres: versions.postgres,
      redis: versions.redis,
      kafka: versions.kafka,
    },
    peers: Object.fromEntries(peers.map((name) => [name, packageJson.devDependencies[name]])),
    commit: commit(),
  };
}

/** How often in a second the disk confirms one page: what commits that do not share a write cannot go beyond. */
function syncsPerSecond(directory: string): number {
  const file = join(directory, 'sync-probe');
  const descriptor = openSync(file, 'w');
  const page = Buffer.alloc(8_192, 1);
  const startedAt = performance.now();
  let syncs = 0;
  while (performance.now() - startedAt < 1_000) {
    writeSync(descriptor, page);
    fdatasyncSync(descriptor);
    syncs++;
  }
  closeSync(descriptor);
  rmSync(file);
  return (syncs / (performance.now() - startedAt)) * 1_000;
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8', cwd: __dirname }).trim();
  } catch {
    return 'unknown';
  }
}

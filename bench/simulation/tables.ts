import { carryCalls, needsOf, type Needs } from './carry-calls';
import { here, scaled, spread, type Deployment } from './parameters';

const sizes = [30, 300, 3_000];
const lengths = [
  { min: 10, max: 30 },
  { min: 3, max: 9 },
];
const callsEachSlot = 10;
const seed = 1;

/** As Markdown: what the slots ask for, and what comes of it in each deployment. docs/scale.md quotes it. */
export function simulatedTables(): string {
  const parts = [here, scaled].map((deployment) => `${deployment.name}:\n\n${tableOf(deployment)}`);
  return [needsTable(), ...parts].join('\n\n');
}

function needsTable(): string {
  const rows = eachSize().map(({ slots, seconds }) => {
    const { callsPerSecond, temporal, postgres, redis } = needsOf(slots, seconds);
    return [
      slots.toLocaleString('en'),
      told(seconds),
      shown(callsPerSecond),
      shown(temporal),
      shown(postgres),
      shown(redis),
    ];
  });
  const heads = ['slots', 'calls of', 'calls/s', 'Temporal operations/s', 'PostgreSQL commits/s', 'Redis scripts/s'];
  return markdown(heads, rows);
}

function tableOf(deployment: Deployment): string {
  const rows = eachSize().map(({ slots, seconds }) => {
    const plan = { slots, seconds, calls: slots * callsEachSlot, deployment, spread, seed };
    const { use, handOver } = carryCalls(plan);
    const { name, share } = busiest(needsOf(slots, seconds), deployment);
    const busy = `${name}, ${shown(share * 100)} % of what it carries`;
    return [
      slots.toLocaleString('en'),
      told(seconds),
      use.toFixed(3),
      `${shown(handOver.p50)} ms`,
      `${shown(handOver.p99)} ms`,
      busy,
    ];
  });
  return markdown(['slots', 'calls of', 'slot use', 'hand-over p50', 'p99', 'asked for most'], rows);
}

/** What all slots in use would ask most of, by what it carries. */
function busiest(needs: Needs, deployment: Deployment): { name: string; share: number } {
  const kinds = ['temporal', 'postgres', 'redis'] as const;
  const shares = kinds.map((kind) => ({
    name: deployment[kind].name,
    share: needs[kind] / deployment[kind].perSecond,
  }));
  return shares.reduce((most, one) => (one.share > most.share ? one : most));
}

function eachSize() {
  return lengths.flatMap((seconds) => sizes.map((slots) => ({ slots, seconds })));
}

function told({ min, max }: { min: number; max: number }): string {
  return `${min}–${max} s`;
}

function shown(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}

function markdown(heads: readonly string[], rows: readonly string[][]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [row(heads), row(heads.map(() => '---')), ...rows.map(row)].join('\n');
}

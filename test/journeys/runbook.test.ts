import { findOnPath } from '../../infra/run-tool';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import type { CallStatus } from '../../src/call/call';
import { fencedBlocks, readDocument, section } from '../docs/documents';
import { Stage } from '../faults/stage';
import { runCalls } from '../support/calls-command';
import { temporalCommand } from '../support/temporal-cli';
import { waitUntil } from '../support/wait-until';

/** Every command of the runbook that is there to be run, typed as it stands against the whole service. */
const runbook = section(readDocument('docs/operating.md'), 'Runbook');

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    settings: { MAX_CONCURRENT_CALLS: '2', RETRY_INITIAL_SECONDS: '0.1', RETRY_BACKOFF: '1' },
    callSeconds: 0.2,
  });
  await stage.service.start('api', 'worker');
}, 90_000);
afterAll(() => stage.close());
let release: () => void = () => undefined;
afterEach(async () => {
  stage.decide = () => stage.usually();
  release();
  await waitUntil('every call over', async () => {
    const { PENDING, IN_PROGRESS } = await stage.service.metrics();
    return PENDING === 0 && IN_PROGRESS === 0;
  });
});

const run = promisify(execFile);
const typed = new Set<string>();
const tools = ['temporal', 'calls', 'curl', ...(findOnPath('tctl') ? ['tctl'] : [])];

interface Typed {
  tool: string;
  args: string[];
  /** As it stands in the runbook, without its comment. */
  line: string;
}

function commandsUnder(heading: string): Typed[] {
  return fencedBlocks(section(runbook, heading), 'sh')
    .flatMap((block) => block.split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [tool = '', ...args] = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(
        ([, quoted, bare]) => quoted ?? bare ?? '',
      );
      return { tool, args, line };
    });
}

/** The times of the runbook are those of its example: an hour around now in their place. */
function atThisTime(text: string): string {
  const hour = (ago: number) => `${new Date(Date.now() - ago * 3_600_000).toISOString().slice(0, 19)}Z`;
  return text.replaceAll('2026-11-25T09:00:00Z', hour(1)).replaceAll('2026-11-25T10:00:00Z', hour(-1));
}

/** @returns what it printed; rejects where it ends with another code than 0 */
async function type({ tool, args: written, line }: Typed, callId = ''): Promise<string> {
  const { namespace, url } = { namespace: stage.service.namespace.namespace, url: stage.service.url };
  typed.add(line);
  const args = written.map((word) => atThisTime(word.replaceAll('<id>', callId)).replace('localhost:3000', url));
  if (tool === 'temporal') return (await (await temporalCommand())(...args, '--namespace', namespace)).stdout;
  if (tool === 'calls') {
    const { code, stdout, stderr } = await runCalls(args, { env: { CALLS_URL: url } });
    if (code !== 0) throw new Error(`calls ${args.join(' ')} ended with ${String(code)}: ${stderr}`);
    return stdout + stderr;
  }
  const env = {
    ...process.env,
    TEMPORAL_CLI_ADDRESS: process.env['TEMPORAL_ADDRESS'],
    TEMPORAL_CLI_NAMESPACE: namespace,
  };
  return (await run(tool, args, { env })).stdout;
}

async function place(): Promise<string> {
  return (await stage.service.place({ to: stage.freshNumber() })).id;
}

async function onTheLine(): Promise<string> {
  const id = await place();
  await waitUntil('on the line', async () => (await stage.service.call(id)).externalCallId !== null);
  return id;
}

async function failed(): Promise<string> {
  stage.decide = () => stage.usually({ outcome: 'BUSY', failureReason: 'The line was busy' });
  const id = await place();
  expect(await stage.service.untilFinal(id)).toMatchObject({ status: 'FAILED' });
  stage.decide = () => stage.usually();
  return id;
}

async function untilStatus(id: string, status: CallStatus): Promise<void> {
  await waitUntil(`${id} ${status}`, async () => (await stage.service.call(id)).status === status, 60);
}

async function untilListed(query: string, count: number): Promise<void> {
  const { client } = stage.service.namespace;
  await waitUntil(`${count} listed by ${query}`, async () => (await client.workflow.count(query)).count === count, 30);
}

test('calls wait and slots are free: each look shows what the runbook says', async () => {
  release = stage.holdTheLine();
  const first = await onTheLine();
  await onTheLine();
  const waiting = await place();
  await waitUntil('it waits', async () => (await stage.service.metrics()).slots.waiting === 1);
  await untilListed('CallStatus="PENDING" AND ExecutionStatus="Running"', 1);
  for (const command of commandsUnder('Calls wait and slots are free').filter(({ tool }) => tools.includes(tool))) {
    const shown = await type(command, first);
    if (command.line.includes('task-queue describe')) expect(shown).toMatch(/Pollers:[^]*@/);
    if (command.line.includes('workflow list')) expect(shown).toContain(`call-${waiting}`);
    if (command.line.startsWith('calls stats')) expect(shown).toMatch(/2 of 2 held, 1 waiting/);
    if (command.line.startsWith('curl')) expect(shown).toContain('"status"');
    if (command.line.startsWith('temporal workflow describe')) expect(shown).toContain(first);
    if (command.line.includes('schedule describe')) expect(shown).toContain('reconcile');
  }
});

test('a call will not end: each way to end it leaves it CANCELED and off the line', async () => {
  const commands = commandsUnder('A call will not end').filter(({ tool }) => tools.includes(tool));
  const ends = commands.filter(({ line }) => /\b(cancel|terminate)\b/.test(line));
  expect(ends.map(({ tool }) => tool)).toEqual(expect.arrayContaining(['calls', 'temporal', 'temporal']));
  release = stage.holdTheLine();
  const looked = await onTheLine();
  for (const command of commands.filter((one) => !ends.includes(one))) {
    expect(await type(command, looked)).toContain(command.line.includes('show') ? 'WorkflowExecutionStarted' : looked);
  }
  for (const command of ends) {
    const id = await onTheLine();
    await type(command, id);
    await untilStatus(id, 'CANCELED');
    await waitUntil('off the line', () => stage.provider.stats().active === 1, 60);
  }
});

test('the provider is down: what failed by it is counted', async () => {
  stage.decide = () => stage.usually({ answer: { kind: 'refused', status: 400, reason: 'not today' } });
  const id = await place();
  await untilStatus(id, 'FAILED');
  await untilListed('CallOutcome="REFUSED"', 1);
  for (const command of commandsUnder('The provider is down').filter(({ tool }) => tools.includes(tool))) {
    const asked = { ...command, args: command.args.map((word) => word.replace('UNREACHABLE', 'REFUSED')) };
    expect(await type(asked)).toMatch(command.tool === 'calls' ? id : /Total: 1|: 1|^1/m);
  }
});

test('all that failed in a time for a reason are started again, by our command and by a batch reset', async () => {
  const heading = 'Retry all that failed between nine and ten for one reason';
  const commands = commandsUnder(heading).filter(({ tool }) => tools.includes(tool));
  const query = 'CallOutcome="BUSY" AND CallStatus="FAILED"';
  const [shows, retries] = commands.filter(({ tool }) => tool === 'calls');
  const ids = [await failed(), await failed()];
  expect(await type(shows!)).toMatch(new RegExp(`${ids[0]}[^]*${ids[1]}[^]*2 would be started again`));
  expect(await type(retries!)).toContain('2 started again, 0 refused');
  for (const id of ids) expect(await stage.service.untilFinal(id)).toMatchObject({ status: 'COMPLETED' });

  const again = await failed();
  // With the failed runs of the two that were started again.
  await untilListed(query, 3);
  for (const command of commands.filter(({ tool }) => tool === 'temporal')) {
    const shown = await type(command);
    if (command.line.includes('count')) expect(shown).toContain('3');
  }
  await untilStatus(again, 'COMPLETED');
  for (const id of ids) expect(await stage.service.call(id)).toMatchObject({ status: 'COMPLETED', attempts: 1 });
  for (const command of commands.filter(({ tool }) => tool === 'tctl')) await type(command, await failed());
});

test('stop dialling now: dialling is paused and resumed, and what waits can be withdrawn for good', async () => {
  release = stage.holdTheLine();
  const held = [await onTheLine(), await onTheLine()];
  const waiting = await place();
  await untilListed('CallStatus="PENDING" AND ExecutionStatus="Running"', 1);
  const commands = commandsUnder('Stop dialling now');
  const [pause, stats, resume] = commands.filter(({ tool }) => tool === 'calls');
  await type(pause!);
  expect(await type(stats!)).toMatch(/^dialling +paused since .*: wrong script$/m);
  expect(await type(resume!)).toBe('dialling: not paused\n');
  for (const command of commands.filter(({ tool }) => tool === 'temporal')) await type(command);
  await untilStatus(waiting, 'CANCELED');
  for (const id of held) expect(await stage.service.call(id)).toMatchObject({ status: 'IN_PROGRESS' });
});

test('what is for other moments runs as well', async () => {
  for (const heading of ['Drain a worker', 'Change the limit', 'Redis was lost']) {
    for (const command of commandsUnder(heading).filter(({ tool }) => tools.includes(tool))) {
      expect(await type(command)).not.toBe('');
    }
  }
});

test('the lists to keep are lists that Temporal gives', async () => {
  const lists = section(readDocument('docs/operating.md'), 'Lists to keep in the Web UI');
  const queries = [...lists.matchAll(/^\|[^|]+\| `([^|]+)` +\|$/gm)].map(([, query = '']) => query);
  expect(queries.length).toBeGreaterThanOrEqual(8);
  for (const query of queries)
    await type({ tool: 'temporal', args: ['workflow', 'list', '--query', query], line: query });
});

test('each of its commands of temporal was run, and of tctl where there is one', () => {
  const written = [...runbook.matchAll(/^### (.*)$/gm)].flatMap(([, heading = '']) => commandsUnder(heading));
  const missed = written.filter(
    ({ tool, line }) => ['temporal', 'tctl'].includes(tool) && tools.includes(tool) && !typed.has(line),
  );
  expect(missed.map(({ line }) => line)).toEqual([]);
  expect(written.filter(({ tool }) => tool === 'temporal').length).toBeGreaterThan(10);
});

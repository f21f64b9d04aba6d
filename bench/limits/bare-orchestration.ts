import { randomBytes } from 'node:crypto';

import { Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';

import { runOnce } from '../program';
import type { bareCall, BareActivities } from './bare-workflow';

/** What the Temporal server carries of workflows shaped like a call's, whose steps do nothing. */
export interface BareInput {
  address: string;
  calls: number;
  slots: number;
}

export interface BareResult {
  perSecond: number;
}

const startsAtOnce = 16;

runOnce(async ({ address, calls, slots }: BareInput): Promise<BareResult> => {
  Runtime.install({ shutdownSignals: [] });
  const taskQueue = `bare-${randomBytes(4).toString('hex')}`;
  const client = new Client({ connection: await Connection.connect({ address }) });
  const line = new BareLine(client, taskQueue, calls);
  const worker = await Worker.create({
    connection: await NativeConnection.connect({ address }),
    taskQueue,
    workflowsPath: require.resolve('./bare-workflow'),
    activities: { act: () => line.act() } satisfies BareActivities,
  });
  const running = worker.run();
  const startedAt = performance.now();
  await line.startAll(slots);
  await line.untilAllEnded();
  const perSecond = (calls / (performance.now() - startedAt)) * 1_000;
  worker.shutdown();
  await running;
  return { perSecond };
});

/** Tells each workflow of its turn and of its end; a turn ends with the report of the one before. */
class BareLine {
  private nextStart = 0;
  private nextTurn = 0;
  private turnsLeft = 0;

  constructor(
    private readonly client: Client,
    private readonly taskQueue: string,
    private readonly calls: number,
  ) {}

  async startAll(slots: number): Promise<void> {
    this.turnsLeft = slots;
    const startOn = async (): Promise<void> => {
      while (this.nextStart < this.calls) {
        const index = this.nextStart++;
        const options = { workflowId: this.idOf(index), taskQueue: this.taskQueue, args: [] as [] };
        await this.client.workflow.start<typeof bareCall>('bareCall', options);
        this.started.add(index);
        await this.giveTurns();
      }
    };
    await Promise.all(Array.from({ length: startsAtOnce }, startOn));
  }

  private readonly started = new Set<number>();

  act(): Promise<void> {
    const workflowId = Context.current().info.workflowExecution?.workflowId ?? '';
    // At once, as a call of zero duration ends: the report may come before the activity's own answer.
    void this.report(workflowId);
    return Promise.resolve();
  }

  async untilAllEnded(): Promise<void> {
    for (let index = 0; index < this.calls; index++) await this.client.workflow.getHandle(this.idOf(index)).result();
  }

  private async report(workflowId: string): Promise<void> {
    this.turnsLeft++;
    await Promise.all([this.client.workflow.getHandle(workflowId).signal('reported'), this.giveTurns()]);
  }

  private async giveTurns(): Promise<void> {
    const turns: Promise<void>[] = [];
    while (this.turnsLeft > 0 && this.started.has(this.nextTurn)) {
      this.turnsLeft--;
      turns.push(this.client.workflow.getHandle(this.idOf(this.nextTurn++)).signal('granted'));
    }
    await Promise.all(turns);
  }

  private idOf(index: number): string {
    return `${this.taskQueue}-${index}`;
  }
}

import { randomBytes } from 'node:crypto';

import { Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';

import { waitUntil } from '../../infra/wait-until';
import type { bareCall, BareActivities } from './bare-workflow';

/** Workflows shaped like a call's, which touch no store: each waits for its turn, acts, and ends by its report. */
export class BareLine {
  private count = 0;
  private readonly started = new Set<number>();
  private nextTurn = 0;
  private turnsLeft = 0;
  private alone: string | undefined;

  private constructor(
    private readonly client: Client,
    private readonly taskQueue: string,
    private readonly worker: Worker,
    private readonly running: Promise<void>,
  ) {}

  /** @param act what a workflow does in its turn, by the workflow's id */
  static async open(address: string, act: (workflowId: string) => Promise<void>): Promise<BareLine> {
    Runtime.install({ shutdownSignals: [] });
    const taskQueue = `bare-${randomBytes(4).toString('hex')}`;
    const worker = await Worker.create({
      connection: await NativeConnection.connect({ address }),
      taskQueue,
      workflowsPath: require.resolve('./bare-workflow'),
      activities: {
        act: () => {
          const workflowId = Context.current().info.workflowExecution?.workflowId ?? '';
          return workflowId === line.alone ? Promise.resolve() : act(workflowId);
        },
      } satisfies BareActivities,
    });
    const client = new Client({ connection: await Connection.connect({ address }) });
    const line = new BareLine(client, taskQueue, worker, worker.run());
    return line;
  }

  /** @param expect told of the workflow's id before it starts */
  async start(expect: (workflowId: string) => void = () => undefined): Promise<void> {
    const index = this.count++;
    const workflowId = this.idOf(index);
    expect(workflowId);
    await this.client.workflow.start<typeof bareCall>('bareCall', { workflowId, taskQueue: this.taskQueue, args: [] });
    this.started.add(index);
    await this.giveTurns(0);
  }

  /** So many more may act at once, in the order of their ids. */
  async giveTurns(turns: number): Promise<void> {
    this.turnsLeft += turns;
    const given: Promise<void>[] = [];
    while (this.turnsLeft > 0 && this.started.has(this.nextTurn)) {
      this.turnsLeft--;
      given.push(this.client.workflow.getHandle(this.idOf(this.nextTurn++)).signal('granted'));
    }
    await Promise.all(given);
  }

  /** Ends a workflow; its turn is the next one's. */
  async report(workflowId: string): Promise<void> {
    await Promise.all([this.client.workflow.getHandle(workflowId).signal('reported'), this.giveTurns(1)]);
  }

  /** Carries one whose turn and whose report each come when all before is done: no two share a task. @returns its id */
  async carryAlone(): Promise<string> {
    const workflowId = `${this.taskQueue}-alone`;
    this.alone = workflowId;
    const handle = await this.client.workflow.start<typeof bareCall>('bareCall', {
      workflowId,
      taskQueue: this.taskQueue,
      args: [],
    });
    const untilTasksDone = async (count: number): Promise<void> => {
      const done = async (): Promise<boolean> => {
        const { events } = await handle.fetchHistory();
        return (events ?? []).filter(({ workflowTaskCompletedEventAttributes: task }) => task != null).length >= count;
      };
      if (!(await waitUntil(done, { deadlineSeconds: 60 }))) throw new Error(`${workflowId} stands still`);
    };
    await untilTasksDone(1);
    await handle.signal('granted');
    // One when it has its turn, one when it has acted.
    await untilTasksDone(3);
    await handle.signal('reported');
    await handle.result();
    return workflowId;
  }

  /** Asks a few times a second how many have: to ask each for its result would cost the server a request more for each. */
  async untilAllEnded(): Promise<void> {
    const ended = `TaskQueue = '${this.taskQueue}' AND ExecutionStatus = 'Completed'`;
    const allHave = async (): Promise<boolean> => (await this.client.workflow.count(ended)).count >= this.count;
    if (await waitUntil(allHave, { deadlineSeconds: 3_600, pollMilliseconds: 300 })) return;
    throw new Error(`of ${this.count} workflows not all have ended within an hour`);
  }

  async close(): Promise<void> {
    this.worker.shutdown();
    await this.running;
  }

  idOf(index: number): string {
    return `${this.taskQueue}-${index}`;
  }
}

import { join } from 'node:path';

import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { NativeConnection } from '@temporalio/worker';

import { deliveryWorkflowId } from '../../src/call/names';
import { readConfig, type Config } from '../../src/config';
import { createLog } from '../../src/log';
import { workflowBundleName } from '../../src/start/temporal';
import { startWebhookWorker, type WebhookWorker } from '../../src/start/webhook-worker';
import type { CallEventType } from '../../src/call/event';
import { updateCall } from '../../src/store/calls';
import type { CallRow, Database } from '../../src/store/database';
import type { DeliveryRow } from '../../src/store/webhook-deliveries';
import { newSecret } from '../../src/webhooks/secrets';
import { recordHistory } from '../support/histories';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { quietRuntime } from '../support/runtime';
import { createTestNamespace, type TestNamespace } from '../support/temporal';
import { waitUntil } from '../support/wait-until';
import { acceptedCall } from '../store/records';

/** The sending of webhooks on real Temporal and PostgreSQL, each fresh. Events are written as the calls' steps write them. */
export class WebhooksUnderTest {
  private readonly workers: WebhookWorker[] = [];

  private constructor(
    readonly config: Config,
    private readonly database: TestDatabase,
    readonly namespace: TestNamespace,
  ) {}

  static async open(settings: Record<string, string> = {}): Promise<WebhooksUnderTest> {
    quietRuntime();
    const [database, namespace] = await Promise.all([createTestDatabase(), createTestNamespace()]);
    const config = readConfig({
      ...process.env,
      WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
      WEBHOOK_RETRY_SCHEDULE_SECONDS: '0.3,0.6',
      RECONCILE_SECONDS: '1',
      ...settings,
      DATABASE_URL: database.url,
      TEMPORAL_NAMESPACE: namespace.namespace,
    });
    return new WebhooksUnderTest(config, database, namespace);
  }

  get db(): Database {
    return this.database.db;
  }

  /** As the worker process does. */
  async startWorker(): Promise<void> {
    const connection = await NativeConnection.connect({ address: this.config.TEMPORAL_ADDRESS });
    const worker = await startWebhookWorker({
      ...{ config: this.config, db: this.db, temporal: this.namespace.client, connection },
      log: createLog('test', 'silent'),
      options: {
        namespace: this.config.TEMPORAL_NAMESPACE,
        workflowBundle: { codePath: join(__dirname, '../../dist', workflowBundleName(this.config)) },
      },
    });
    this.workers.push({
      ended: worker.ended,
      close: async () => {
        await worker.close();
        await connection.close();
      },
    });
  }

  async stopWorkers(): Promise<void> {
    await Promise.all(this.workers.splice(0).map((worker) => worker.close()));
  }

  async close(): Promise<void> {
    await this.stopWorkers();
    await this.namespace.close();
    await this.database.drop();
  }

  /** A call, and with it its first event. */
  call(webhookUrl: string | null = null): Promise<CallRow> {
    return acceptedCall(this.db, { webhookUrl });
  }

  /** So many further events of the call. */
  async happen(call: CallRow, count = 1): Promise<void> {
    const events = Array.from({ length: count }, (_, i) => ({ type: 'call.updated' as const, reason: `because ${i}` }));
    await this.db.transaction().execute((trx) => updateCall(trx, call.id, { from: ['PENDING'], set: {}, events }));
  }

  async endpoint(url: string, eventTypes: CallEventType[] | null = null): Promise<{ id: string; secret: string }> {
    const secret = newSecret();
    const { id } = await this.db
      .insertInto('webhook_endpoints')
      .values({ url, description: '', event_types: eventTypes, secrets: JSON.stringify([secret]) })
      .returning('id')
      .executeTakeFirstOrThrow();
    return { id, secret: secret.secret };
  }

  readEndpoint(id: string) {
    return this.db.selectFrom('webhook_endpoints').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  }

  /** What is to be delivered of a call, or to an endpoint, in order. */
  deliveries(of: { call?: CallRow; endpointId?: string }): Promise<DeliveryRow[]> {
    let query = this.db.selectFrom('webhook_deliveries').selectAll().orderBy('seq');
    if (of.call) query = query.where('call_id', '=', of.call.id);
    if (of.endpointId !== undefined) query = query.where('endpoint_id', '=', of.endpointId);
    return query.execute();
  }

  /** The call's only delivery, once it is as it should be. */
  async until(
    call: CallRow,
    what: string,
    condition: (row: DeliveryRow) => boolean,
    seconds = 90,
  ): Promise<DeliveryRow> {
    return waitUntil(
      `the delivery is ${what}`,
      async () => {
        const [row] = await this.deliveries({ call });
        return row && condition(row) && row;
      },
      seconds,
    );
  }

  untilState(call: CallRow, state: DeliveryRow['state'], seconds?: number): Promise<DeliveryRow> {
    return this.until(call, state, (row) => row.state === state, seconds);
  }

  tries(deliveryId: string) {
    return this.db
      .selectFrom('webhook_tries')
      .selectAll()
      .where('delivery_id', '=', deliveryId)
      .orderBy('number')
      .execute();
  }

  workflow({ id, round }: Pick<DeliveryRow, 'id' | 'round'>): WorkflowHandle {
    return this.namespace.client.workflow.getHandle(deliveryWorkflowId(id, round));
  }

  async history(row: DeliveryRow): Promise<string> {
    await waitUntil('its workflow closed', async () => (await this.workflow(row).describe()).status.name !== 'RUNNING');
    return historyToJSON(await this.workflow(row).fetchHistory());
  }

  async record(row: DeliveryRow, name: string): Promise<void> {
    await recordHistory(name, () => this.history(row));
  }
}

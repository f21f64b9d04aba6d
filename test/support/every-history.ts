import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';

import { unlessNotFound } from '../../src/intake/unless-not-found';

export interface StoredPayload {
  /** Where it is in the history, by the names that lead there. */
  path: string;
  encoding: string;
  metadata: Record<string, Buffer>;
  data: Buffer;
}

/** What Temporal searches by is never encrypted, nor what the SDK notes for itself of a local activity. */
const ofTheSdk = /searchAttributes|header|markerRecordedEventAttributes\.details\.data\./;

/**
 * Everything a server keeps of the workflows of a namespace, as it keeps it: read past the codec.
 *
 * @returns all of it as text, with what stands there in base64 in clear besides; and the payloads that a codec must see
 */
export async function everyHistory(client: Client): Promise<{ text: string; payloads: StoredPayload[] }> {
  const { workflowService, options } = client;
  const texts: string[] = [];
  const payloads: StoredPayload[] = [];
  for await (const { workflowId, runId } of client.workflow.list()) {
    const of = { namespace: options.namespace, execution: { workflowId, runId } };
    // A run that is being deleted may be listed still.
    texts.push(workflowId);
    const answers = await unlessNotFound(() =>
      Promise.all([workflowService.getWorkflowExecutionHistory(of), workflowService.describeWorkflowExecution(of)]),
    );
    if (answers === undefined) continue;
    const [{ history }, described] = answers;
    const kept = {
      history: JSON.parse(history ? historyToJSON(history) : '{}') as unknown,
      described: described.toJSON(),
    };
    const found = payloadsIn(kept, workflowId);
    texts.push(JSON.stringify(kept), ...found.map(({ data }) => data.toString()));
    payloads.push(...found);
  }
  return { text: texts.join('\n'), payloads: payloads.filter(({ path }) => !ofTheSdk.test(`${path}.`)) };
}

function payloadsIn(value: unknown, path: string): StoredPayload[] {
  if (typeof value !== 'object' || value === null) return [];
  if (
    'metadata' in value &&
    typeof value.metadata === 'object' &&
    value.metadata !== null &&
    'encoding' in value.metadata
  ) {
    const base64 = Object.entries(value.metadata).map(([name, text]) => [name, Buffer.from(String(text), 'base64')]);
    const metadata = Object.fromEntries(base64) as Record<string, Buffer>;
    const data = 'data' in value ? Buffer.from(String(value.data), 'base64') : Buffer.alloc(0);
    return [{ path, encoding: String(metadata['encoding']), metadata, data }];
  }
  return Object.entries(value).flatMap(([name, inner]) =>
    payloadsIn(inner, Array.isArray(value) ? path : `${path}.${name}`),
  );
}

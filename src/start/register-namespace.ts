import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { isGrpcServiceError, type Connection } from '@temporalio/client';
import { msToNumber, msToTs, tsToMs } from '@temporalio/common/lib/time';
import { temporal } from '@temporalio/proto';
import { z } from 'zod';

const valueTypes = {
  Keyword: temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  Int: temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_INT,
} as const;

const namespaceFile = z.object({
  namespace: z.string(),
  retention: z.templateLiteral([z.number(), z.enum(['s', 'm', 'h', 'd'])]),
  searchAttributes: z.record(z.string(), z.enum(['Keyword', 'Int'])),
});
type NamespaceSettings = z.output<typeof namespaceFile>;

/** What a server says that is not ours to change, such as Temporal Cloud. */
const refusals = [7 /* PERMISSION_DENIED */, 12 /* UNIMPLEMENTED */, 16 /* UNAUTHENTICATED */];
const notFound = 5;
const alreadyExists = 6;

/** A new namespace, or attribute, reaches all parts of a server with its next look at them, 10 s on by default. */
const usableWithinSeconds = 60;
const requestSeconds = 10;

/** temporal-config/namespace.json, wherever this runs from: the sources, or their build under dist/. */
export function readNamespaceSettings(): NamespaceSettings {
  const candidates = ['../..', '../../..'].map((root) => join(__dirname, root, 'temporal-config/namespace.json'));
  const path = candidates.find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error('temporal-config/namespace.json is missing');
  return namespaceFile.parse(JSON.parse(readFileSync(path, 'utf8')));
}

/**
 * Makes the namespace as temporal-config/namespace.json describes it, with its search attributes, and waits until they
 * can be used. Safe twice. Where the server keeps these things to itself, it says what to do by hand instead.
 *
 * @param say told of each step, in words for people
 */
export async function registerNamespace(
  connection: Connection,
  namespace: string,
  say: (line: string) => void = () => undefined,
): Promise<void> {
  const settings = readNamespaceSettings();
  const request = <T>(work: () => Promise<T>) => connection.withDeadline(Date.now() + requestSeconds * 1_000, work);
  await request(() => ensureNamespace(connection, namespace, settings, say));
  await untilUsable(async () => {
    await request(() => ensureSearchAttributes(connection, namespace, settings, say));
    await request(() => useSearchAttributes(connection, namespace, settings));
  });
}

async function ensureNamespace(
  { workflowService }: Connection,
  namespace: string,
  { retention }: NamespaceSettings,
  say: (line: string) => void,
): Promise<void> {
  const workflowExecutionRetentionTtl = msToTs(msToNumber(retention));
  try {
    const { config } = await workflowService.describeNamespace({ namespace });
    if (tsToMs(config?.workflowExecutionRetentionTtl) === msToNumber(retention)) return;
    await orByHand(say, `set the retention of namespace ${namespace} to ${retention}`, async () => {
      await workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl } });
      say(`Temporal: namespace ${namespace} keeps ended workflows for ${retention}`);
    });
  } catch (error) {
    if (codeOf(error) !== notFound) throw error;
    try {
      await workflowService.registerNamespace({
        namespace,
        workflowExecutionRetentionPeriod: workflowExecutionRetentionTtl,
      });
      say(`Temporal: registered namespace ${namespace}`);
    } catch (registration) {
      // Another process registered it meanwhile.
      if (codeOf(registration) !== alreadyExists) throw registration;
    }
  }
}

async function ensureSearchAttributes(
  { operatorService }: Connection,
  namespace: string,
  { searchAttributes }: NamespaceSettings,
  say: (line: string) => void,
): Promise<void> {
  const byHand = Object.entries(searchAttributes).map(([name, type]) => `${name} (${type})`);
  await orByHand(say, `add to namespace ${namespace} the search attributes ${byHand.join(', ')}`, async () => {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    const missing = Object.entries(searchAttributes).filter(([name]) => customAttributes[name] === undefined);
    if (missing.length === 0) return;
    await operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, valueTypes[type]])),
    });
    say(`Temporal: added search attributes ${missing.map(([name]) => name).join(', ')}`);
  });
}

/** Looks for a workflow by each of them: a server that does not know one yet refuses the question. */
async function useSearchAttributes(
  { workflowService }: Connection,
  namespace: string,
  { searchAttributes }: NamespaceSettings,
): Promise<void> {
  const conditions = Object.entries(searchAttributes).map(([name, type]) => `${name} = ${type === 'Int' ? 0 : "'-'"}`);
  await workflowService.countWorkflowExecutions({ namespace, query: conditions.join(' AND ') });
}

async function orByHand(say: (line: string) => void, task: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!refusals.includes(codeOf(error) ?? 0)) throw error;
    say(`Temporal: this server does not let us; by hand, ${task}`);
  }
}

async function untilUsable(work: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + usableWithinSeconds * 1_000;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (Date.now() > deadline || refusals.includes(codeOf(error) ?? 0)) throw error;
      await pause(250);
    }
  }
}

function codeOf(error: unknown): number | undefined {
  return isGrpcServiceError(error) ? error.code : undefined;
}

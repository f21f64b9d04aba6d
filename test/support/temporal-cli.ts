import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { promisify } from 'node:util';

import { placesFor } from '../../infra/places';
import { findOnPath } from '../../infra/run-tool';
import { findTemporalCli } from '../../infra/services/temporal';
import { readConfig } from '../../src/config';

const run = promisify(execFile);

/** A server that hangs keeps nobody longer than that. */
const answersSeconds = 60;

/** What an operator does to a call's workflow at the command line. Rejects, with what the tool said, where it refuses. */
export interface OperatorTool {
  name: string;
  terminate: (workflowId: string) => Promise<void>;
  cancel: (workflowId: string) => Promise<void>;
  reset: (workflowId: string, options?: Reset) => Promise<void>;
}

export interface Reset {
  to?: 'FirstWorkflowTask' | 'LastWorkflowTask' | { eventId: number };
  runId?: string;
  /** Without the signals that came after. */
  withoutSignals?: boolean;
}

/** `temporal` itself, and `tctl` where there is one. */
export const operatorTools = ['temporal', ...(findOnPath('tctl') ? ['tctl'] : [])];

export async function operatorTool(name: string, namespace: string): Promise<OperatorTool> {
  return name === 'tctl' ? tctl(namespace) : temporal(namespace, await temporalCommand());
}

export function temporal(namespace: string, command: Command): OperatorTool {
  const workflow = async (...args: string[]) => {
    await command('workflow', ...args, '--namespace', namespace);
  };
  const why = ['--reason', 'by an operator'];
  return {
    name: 'temporal',
    terminate: (id) => workflow('terminate', '--workflow-id', id, ...why),
    cancel: (id) => workflow('cancel', '--workflow-id', id),
    reset: (id, { to = 'FirstWorkflowTask', runId, withoutSignals = false } = {}) =>
      workflow(
        ...['reset', '--workflow-id', id, ...why],
        ...(typeof to === 'string' ? ['--type', to] : ['--event-id', String(to.eventId)]),
        ...(runId === undefined ? [] : ['--run-id', runId]),
        ...(withoutSignals ? ['--reapply-exclude', 'All'] : []),
      ),
  };
}

function tctl(namespace: string): OperatorTool {
  const { TEMPORAL_ADDRESS } = readConfig(process.env);
  const workflow = async (...args: string[]) => {
    await run('tctl', ['--address', TEMPORAL_ADDRESS, '--namespace', namespace, 'workflow', ...args]);
  };
  const why = ['--reason', 'by an operator'];
  return {
    name: 'tctl',
    terminate: (id) => workflow('terminate', '--workflow_id', id, ...why),
    cancel: (id) => workflow('cancel', '--workflow_id', id),
    reset: (id, { to = 'FirstWorkflowTask', runId, withoutSignals = false } = {}) =>
      workflow(
        ...['reset', '--workflow_id', id, ...why],
        ...(typeof to === 'string' ? ['--reset_type', to] : ['--event_id', String(to.eventId)]),
        ...(runId === undefined ? [] : ['--run_id', runId]),
        ...(withoutSignals ? ['--reset_reapply_type', 'None'] : []),
      ),
  };
}

type Command = (...args: string[]) => Promise<{ stdout: string }>;

/**
 * With the services in Docker there need not be a `temporal` here: then that of its own image.
 *
 * @param address of another server than the test run's
 */
export async function temporalCommand(address = readConfig(process.env).TEMPORAL_ADDRESS): Promise<Command> {
  if (process.env['INFRA'] === 'docker' && !findOnPath('temporal')) {
    const project = `call-orchestrator-${basename(process.env['DATA_DIR'] ?? '')}`;
    const container = ['compose', 'run', '--rm', '--no-deps', '-T', '--entrypoint', 'temporal', 'temporal-namespace'];
    const options = { cwd: placesFor().checkout, env: { ...process.env, COMPOSE_PROJECT_NAME: project } };
    return (...args) => run('docker', [...container, ...args], options);
  }
  const program = await findTemporalCli();
  return (...args) => run(program, [...args, '--address', address], { timeout: answersSeconds * 1_000 });
}

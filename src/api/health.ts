import { z } from '@hono/zod-openapi';

import { jsonAnswer, type Endpoint } from './endpoint';
import { readinessSchema } from './schemas';

const deadlineSeconds = 1.5;

const away = { status: 'down', required: false, detail: 'connection refused' } as const;
const degraded = {
  status: 'degraded' as const,
  dependencies: { postgres: { status: 'up' as const, required: true }, kafka: away },
};
const unavailable = {
  status: 'unavailable' as const,
  dependencies: { postgres: { ...away, required: true }, kafka: away },
};

export interface DependencyCheck {
  /** Whether this process can do nothing without it. */
  required: boolean;
  /** Settles when the dependency answers. */
  check: () => Promise<void>;
}

export type DependencyChecks = Readonly<Record<string, DependencyCheck>>;

/** `GET /health`: the process is alive, and that is all it says. */
export function getHealth(): Endpoint {
  return {
    access: 'open',
    description: {
      operationId: 'getHealth',
      summary: 'Whether the process is alive',
      tags: ['Operation'],
      responses: { 200: jsonAnswer('Alive', z.strictObject({ status: z.literal('ok') }), { status: 'ok' }) },
    },
    handle: (c) => c.json({ status: 'ok' }, 200),
  };
}

/** `GET /ready`: each dependency by name, within the deadline however they hang. */
export function getReadiness(checks: DependencyChecks): Endpoint {
  const probes = Object.entries(checks).map(([name, dependency]) => ({ name, probe: probeOf(dependency) }));
  return {
    access: 'open',
    description: {
      operationId: 'getReadiness',
      summary: 'Whether the process can work',
      tags: ['Operation'],
      responses: {
        200: jsonAnswer('It can; `degraded` where a dependency it can do without is away', readinessSchema, degraded),
        503: jsonAnswer('It cannot', readinessSchema, unavailable),
      },
    },
    handle: async (c) => {
      const states = await Promise.all(probes.map(async ({ name, probe }) => [name, await probe()] as const));
      const down = states.filter(([, { status }]) => status === 'down');
      const unavailable = down.some(([, { required }]) => required);
      const status = unavailable ? 'unavailable' : down.length > 0 ? 'degraded' : 'ready';
      return c.json({ status, dependencies: Object.fromEntries(states) }, unavailable ? 503 : 200);
    },
  };
}

interface DependencyState {
  status: 'up' | 'down';
  required: boolean;
  detail?: string;
}

function probeOf({ required, check }: DependencyCheck): () => Promise<DependencyState> {
  // A dependency that hangs is asked again only once it has answered: probes must not pile up on it.
  let pending: Promise<void> | undefined;
  return async () => {
    pending ??= check().finally(() => {
      pending = undefined;
    });
    try {
      await withinDeadline(pending);
      return { status: 'up', required };
    } catch (error) {
      return { status: 'down', required, detail: detailOf(error) };
    }
  };
}

async function withinDeadline(answer: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${deadlineSeconds} s`)), deadlineSeconds * 1_000);
  });
  try {
    await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One line: an error's message may be empty where it gathers others, as a refused connection to `localhost` does. */
function detailOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return (message || code || 'down').split('\n', 1)[0] ?? 'down';
}

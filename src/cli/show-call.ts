import type { Attempt, Call, CallEvent, CallRejectedEvent } from '../client';
import { isFinal } from '../call/transitions';
import { exitCodes, type ExitCode } from './exit-codes';
import { shortTime } from './printable';
import type { Column } from './table';
import type { Terminal } from './terminal';

function statusStyle(terminal: Terminal) {
  const colours = {
    PENDING: 'yellow',
    IN_PROGRESS: 'cyan',
    COMPLETED: 'green',
    FAILED: 'red',
    EXPIRED: 'red',
    CANCELED: 'dim',
  } as const;
  return (text: string, { status }: Call) => terminal.colour(colours[status], text);
}

export function callColumns(terminal: Terminal): Column<Call>[] {
  return [
    { title: 'ID', value: ({ id }) => id },
    { title: 'STATUS', value: ({ status }) => status, style: statusStyle(terminal) },
    { title: 'TO', value: ({ payload }) => payload.to, dropOrder: 1 },
    { title: 'SCRIPT', value: ({ payload }) => payload.scriptId, shrinkTo: 10, dropOrder: 3 },
    { title: 'ATTEMPTS', value: ({ attempts, maxAttempts }) => `${attempts}/${maxAttempts}`, dropOrder: 4 },
    { title: 'CREATED', value: ({ createdAt }) => shortTime(createdAt), dropOrder: 2 },
    { title: 'LAST ERROR', value: ({ lastError }) => lastError ?? '', shrinkTo: 12, dropOrder: 5 },
  ];
}

/** Everything there is to know of a call, but for what is empty. */
function callRecord(call: Call): [string, string][] {
  const { payload } = call;
  const optional: [string, string | null][] = [
    ['last error', call.lastError],
    ['provider id', call.externalCallId],
  ];
  return [
    ['id', call.id],
    ['status', call.status],
    ['to', payload.to],
    ['script', payload.scriptId],
    ['metadata', JSON.stringify(payload.metadata)],
    ['priority', String(call.priority)],
    ['attempts', `${call.attempts} of ${call.maxAttempts}`],
    ...optional.filter((pair): pair is [string, string] => pair[1] !== null),
    ['created', shortTime(call.createdAt)],
    ['started', shortTime(call.startedAt)],
    ...(isFinal(call.status)
      ? ([['ended', shortTime(call.endedAt)]] as [string, string][])
      : ([
          ['next attempt', shortTime(call.nextAttemptAt)],
          ['expires', shortTime(call.expiresAt)],
        ] as [string, string][])),
  ];
}

export async function showCall(terminal: Terminal, call: Call, json: boolean | undefined): Promise<void> {
  await (json ? terminal.printJson(call) : terminal.printRecord(callRecord(call)));
}

/** Shows a call that has ended. @returns the exit code that says whether it ended well */
export async function reportEnd(terminal: Terminal, call: Call, json: boolean | undefined): Promise<ExitCode> {
  await showCall(terminal, call, json);
  return exitCodeOfEnd(call);
}

export function exitCodeOfEnd({ status }: Call): ExitCode {
  return status === 'COMPLETED' ? exitCodes.ok : exitCodes.refused;
}

export const attemptColumns: Column<Attempt>[] = [
  { title: 'ATTEMPT', value: ({ number }) => String(number) },
  { title: 'SLOT', value: ({ slot }) => String(slot), dropOrder: 4 },
  { title: 'OUTCOME', value: ({ outcome }) => outcome ?? 'in progress' },
  { title: 'STARTED', value: ({ startedAt }) => shortTime(startedAt) },
  { title: 'ENDED', value: ({ endedAt }) => shortTime(endedAt), dropOrder: 2 },
  { title: 'SECONDS', value: ({ durationSec }) => String(durationSec ?? '-'), dropOrder: 3 },
  { title: 'REASON', value: ({ failureReason }) => failureReason ?? '', shrinkTo: 12, dropOrder: 1 },
];

export const eventColumns: Column<CallEvent>[] = [
  { title: 'AT', value: ({ at }) => shortTime(at) },
  { title: 'EVENT', value: ({ type }) => type },
  { title: 'STATUS', value: ({ call }) => call.status, dropOrder: 1 },
  { title: 'WHAT', value: whatHappened, shrinkTo: 12, dropOrder: 2 },
];

/** Each is shown as it comes, under those before it: the widths are those of the widest there may be. */
export const watchedColumns: Column<CallEvent | CallRejectedEvent>[] = [
  { title: 'AT', value: ({ at }) => shortTime(at) },
  { title: 'EVENT', value: ({ type }) => type, minWidth: 15 },
  { title: 'CALL', value: ({ callId }) => callId ?? '-', minWidth: 36 },
  { title: 'TO', value: (event) => ('call' in event ? event.call.payload.to : '-'), minWidth: 16, dropOrder: 2 },
  { title: 'STATUS', value: (event) => ('call' in event ? event.call.status : '-'), minWidth: 11, dropOrder: 1 },
  {
    title: 'WHAT',
    value: (event) => ('call' in event ? whatHappened(event) : event.reason),
    minWidth: 12,
    shrinkTo: 12,
    dropOrder: 3,
  },
];

/** What an event says beyond its type. */
export function whatHappened({ type, call, attempt, reason }: CallEvent): string {
  const of = attempt && `attempt ${attempt.number} in slot ${attempt.slot}`;
  const outcome = attempt && [attempt.outcome, attempt.failureReason].filter(Boolean).join(': ');
  const next = call.nextAttemptAt && type === 'attempt.ended' ? `next at ${shortTime(call.nextAttemptAt)}` : undefined;
  const error = type === 'call.failed' || type === 'call.expired' ? call.lastError : undefined;
  return [of, outcome, next, reason, error].filter(Boolean).join(', ');
}
